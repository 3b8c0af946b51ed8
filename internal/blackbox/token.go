package blackbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// Claims are those of an access token. Tests write them whole, since forged
// ones matter as much as good ones.
type Claims struct {
	Subject   string `json:"sub"`
	Role      string `json:"role"`
	IssuedAt  int64  `json:"iat"` // Unix seconds
	ExpiresAt int64  `json:"exp"` // Unix seconds
	Type      string `json:"typ"`
	Epoch     int64  `json:"epoch"`
}

// AccessClaims returns the claims of a good token of role user, valid for an
// hour from now.
func AccessClaims(user string, now time.Time) Claims {
	return Claims{
		Subject: user, Role: "user", Type: "access",
		IssuedAt: now.Unix(), ExpiresAt: now.Add(time.Hour).Unix(),
	}
}

// Sign returns a token of the claims, signed with secret by HS256.
func Sign(c Claims, secret string) string {
	head := segment(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + segment(c)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(head))
	return head + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Unsigned returns a token whose header says "alg": "none".
func Unsigned(c Claims) string {
	return segment(map[string]string{"alg": "none", "typ": "JWT"}) + "." + segment(c) + "."
}

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "" // can't be: structs of strings and numbers
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Bearer returns the Authorization header of a good token of role user for a
// server made by Start.
func Bearer(user string, now time.Time) string {
	return "Bearer " + Sign(AccessClaims(user, now), JWTSecret)
}

// Basic returns the Authorization header of a user and a password.
func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
