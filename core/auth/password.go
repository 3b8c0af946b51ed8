package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Costs of argon2id, as OWASP recommends: 19 MiB, two passes, one thread.
const (
	argonMemoryKiB = 19 << 10
	argonPasses    = 2
	argonThreads   = 1
	argonKeyBytes  = 32
	saltBytes      = 16

	minPassword = 8
	maxPassword = 1024
)

// hasher hashes passwords, a bounded number at a time: each takes tens of
// milliseconds and megabytes, and anybody may cause one.
type hasher struct{ slots chan struct{} }

func newHasher(atOnce int) *hasher { return &hasher{slots: make(chan struct{}, atOnce)} }

func (h *hasher) acquire(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.From(ctx.Err())
	}
}

// Hash returns the encoded hash of a password that is to be stored, in the PHC
// string format.
func (h *hasher) Hash(ctx context.Context, password string) (string, error) {
	switch {
	case len(password) < minPassword:
		return "", fault.New(fault.InvalidParameter,
			"the password is too short; use %d characters or more", minPassword)
	case len(password) > maxPassword:
		return "", fault.New(fault.InvalidParameter, "the password is over %d bytes", maxPassword)
	}
	if err := h.acquire(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	key := argon2.IDKey([]byte(password), salt, argonPasses, argonMemoryKiB, argonThreads,
		argonKeyBytes)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemoryKiB, argonPasses, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// Check reports whether password has the encoded hash. An empty or damaged
// hash costs the same time as a real one, so that an answer's time does not
// tell whether an account exists.
func (h *hasher) Check(ctx context.Context, encoded, password string) (bool, error) {
	p, known := parseHash(encoded)
	if !known {
		p = costliest
	}
	if len(password) > maxPassword {
		return false, nil
	}
	if err := h.acquire(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	key := argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.threads, uint32(len(p.key)))
	return subtle.ConstantTimeCompare(key, p.key) == 1 && known, nil
}

type hashParams struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

var costliest = hashParams{
	memory: argonMemoryKiB, passes: argonPasses, threads: argonThreads,
	salt: make([]byte, saltBytes), key: make([]byte, argonKeyBytes),
}

func parseHash(s string) (hashParams, bool) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return hashParams{}, false
	}
	var p hashParams
	var version int
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return hashParams{}, false
	}
	_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.threads)
	if err != nil || p.memory == 0 || p.passes == 0 || p.threads == 0 {
		return hashParams{}, false
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return hashParams{}, false
	}
	p.key, err = base64.RawStdEncoding.DecodeString(parts[5])
	return p, err == nil && len(p.key) > 0
}
