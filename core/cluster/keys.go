package cluster

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// MinSecret is the least length of the cluster's secret in bytes.
const MinSecret = 16

// What keys are made for. They are part of the formats: see docs/format/cluster.md.
const (
	purposeAuthority = "kalamdb cluster certificate authority"
	purposeSecrets   = "kalamdb cluster secrets"
)

// derive makes a key of 32 bytes of the cluster's secret.
func derive(secret, purpose string) ([]byte, error) {
	if len(secret) < MinSecret {
		return nil, fault.New(fault.InvalidParameter,
			"cluster.secret is shorter than %d bytes; use 32 random ones, the same on every node",
			MinSecret)
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, purpose, sha256.Size)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make the keys of the cluster")
	}
	return key, nil
}

func authorityKey(secret string) (ed25519.PrivateKey, error) {
	seed, err := derive(secret, purposeAuthority)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// sealVersion begins what is sealed: AES-256-GCM, a nonce of 12 bytes, and the
// name of the secret as additional data.
const sealVersion = 1

// Sealer encrypts the secrets that the nodes of a cluster share. It is safe for
// concurrent use.
type Sealer struct{ aead cipher.AEAD }

// NewSealer returns the sealer of a cluster's secret.
func NewSealer(secret string) (*Sealer, error) {
	key, err := derive(secret, purposeSecrets)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make the keys of the cluster")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make the keys of the cluster")
	}
	return &Sealer{aead}, nil
}

// Seal encrypts a secret under its name.
func (s *Sealer) Seal(name, text string) ([]byte, error) {
	sealed := make([]byte, 1+s.aead.NonceSize())
	sealed[0] = sealVersion
	if _, err := rand.Read(sealed[1:]); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "encrypt the secret %s", name)
	}
	return s.aead.Seal(sealed, sealed[1:], []byte(text), []byte(name)), nil
}

// Open decrypts what Seal has returned for the name.
func (s *Sealer) Open(name string, sealed []byte) (string, error) {
	head := 1 + s.aead.NonceSize()
	if len(sealed) < head || sealed[0] != sealVersion {
		return "", fault.New(fault.Corruption,
			"the cluster's secret %s does not read; restore the data directory from a backup", name)
	}
	text, err := s.aead.Open(nil, sealed[1:head], sealed[head:], []byte(name))
	if err != nil {
		return "", fault.New(fault.InvalidCredentials, "the cluster's secret %s was encrypted with "+
			"another cluster.secret; give this node the one that the others have", name)
	}
	return string(text), nil
}
