package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Tokens is the answer to a login.
type Tokens struct {
	AccessToken, RefreshToken   string
	ExpiresAt, RefreshExpiresAt time.Time
	User                        ddl.User
}

// The types of tokens, in the claim typ. A token without it is an access
// token, so that any issuer that holds the secret can make one.
const (
	typAccess  = "access"
	typRefresh = "refresh"
)

// algorithm is the only one that tokens are signed with and accepted in.
const algorithm = "HS256"

type claims struct {
	jwt.RegisteredClaims
	Role  ident.Role `json:"role,omitempty"`
	Type  string     `json:"typ,omitempty"`
	Epoch int64      `json:"epoch,omitempty"`
	Email string     `json:"email,omitempty"`
}

func (s *Service) issue(u *ddl.User) (Tokens, error) {
	now := s.opts.Now()
	t := Tokens{
		ExpiresAt: now.Add(s.opts.AccessTTL).UTC(), User: *u,
		RefreshExpiresAt: now.Add(s.opts.RefreshTTL).UTC(),
	}
	t.User.Secret = ""
	var err error
	if t.AccessToken, err = s.sign(u, typAccess, now, t.ExpiresAt); err != nil {
		return Tokens{}, err
	}
	t.RefreshToken, err = s.sign(u, typRefresh, now, t.RefreshExpiresAt)
	return t, err
}

func (s *Service) sign(u *ddl.User, typ string, now, expires time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: string(u.ID), IssuedAt: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(expires),
		},
		Role: u.Role, Type: typ, Epoch: u.Epoch,
	})
	signed, err := token.SignedString(s.opts.Secret)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "sign a token")
	}
	return signed, nil
}

// maxCachedToken bounds the tokens whose check is remembered, in bytes.
const maxCachedToken = 2 << 10

// parse checks signature and time of a token. A signature that was good stays
// good, so it is checked once; the time is looked at each time.
func (s *Service) parse(text, typ string) (*claims, ident.UserID, error) {
	c, known := s.tokens.Get(text)
	if known && s.opts.Now().After(c.ExpiresAt.Time) {
		known = false // says why below
	}
	if !known {
		c = new(claims)
		if err := s.checkToken(text, c); err != nil {
			return nil, "", err
		}
	}
	id, err := ident.ParseUserID(c.Subject)
	if err != nil || c.Type != typ {
		return nil, "", errToken
	}
	if !known && len(text) <= maxCachedToken {
		s.tokens.Add(strings.Clone(text), c)
	}
	return c, id, nil
}

func (s *Service) checkToken(text string, c *claims) error {
	_, err := jwt.ParseWithClaims(text, c,
		func(*jwt.Token) (any, error) { return s.opts.Secret, nil },
		jwt.WithValidMethods([]string{algorithm}), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(s.opts.Now), jwt.WithLeeway(time.Second))
	switch {
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return fault.New(fault.TokenExpired,
			"the token has expired; get a new one from /v1/api/auth/refresh or log in again")
	case err != nil:
		return errToken
	}
	if c.Type == "" {
		c.Type = typAccess
	}
	return nil
}

var errToken = fault.New(fault.InvalidCredentials, "the token is not valid; log in again")

// Verify checks an access token. A token that was signed with the server's own
// secret for a user without an account is good for role user, and the account
// appears with it; identities may live elsewhere.
func (s *Service) Verify(ctx context.Context, token string) (session.Identity, error) {
	c, id, err := s.parse(token, typAccess)
	if err != nil {
		return session.Identity{}, err
	}
	u, _, err := s.accounts.Account(id)
	if err != nil {
		return session.Identity{}, err
	}
	if u == nil {
		if c.Role != "" && c.Role != ident.RoleUser {
			return session.Identity{}, errToken
		}
		if u, err = s.firstLogin(ctx, id, c); err != nil {
			return session.Identity{}, err
		}
	}
	if u.Deleted != nil || c.Epoch < u.Epoch {
		return session.Identity{}, errToken
	}
	return identityOf(u, c.ExpiresAt.Time), nil
}

func (s *Service) firstLogin(ctx context.Context, id ident.UserID, c *claims) (*ddl.User, error) {
	u := &ddl.User{ID: id, Role: ident.RoleUser, Email: c.Email, Created: s.opts.Now().UTC()}
	err := s.accounts.PutAccount(ctx, u, 0)
	if fault.Is(err, fault.DuplicateKey) || fault.Is(err, fault.TransactionConflict) {
		u, _, err = s.accounts.Account(id) // the same login came twice at once
	}
	if err == nil && u == nil {
		err = errToken
	}
	return u, err
}

// Refresh exchanges a refresh token for new tokens.
func (s *Service) Refresh(_ context.Context, token string) (Tokens, error) {
	c, id, err := s.parse(token, typRefresh)
	if err != nil {
		return Tokens{}, err
	}
	u, _, err := s.accounts.Account(id)
	if err != nil {
		return Tokens{}, err
	}
	if u == nil || u.Deleted != nil || c.Epoch < u.Epoch {
		return Tokens{}, errToken
	}
	return s.issue(u)
}

// Logout ends every token that was given to the caller so far.
func (s *Service) Logout(ctx context.Context, id session.Identity) error {
	u, seq, err := s.accounts.Account(id.Caller)
	if err != nil || u == nil {
		return err
	}
	next := *u
	next.Epoch++
	return s.accounts.PutAccount(ctx, &next, seq)
}
