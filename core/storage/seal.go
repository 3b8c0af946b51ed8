package storage

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// MinKey is the least length of a key in bytes.
const MinKey = 16

// sealVersion begins what is sealed: AES-256-GCM, a nonce of 12 bytes, the id of
// the storage as additional data, and a key made by HKDF-SHA256.
const sealVersion = 1

// sealer encrypts credentials.
type sealer struct{ aead cipher.AEAD }

func newSealer(key string) (sealer, error) {
	if len(key) < MinKey {
		return sealer{}, fault.New(fault.InvalidParameter,
			"storage.credentials_key is shorter than %d bytes; use 32 random ones", MinKey)
	}
	secret, err := hkdf.Key(sha256.New, []byte(key), nil, "kalamdb storage credentials", 32)
	if err != nil {
		return sealer{}, fault.Wrap(fault.Internal, err, "make the key of credentials")
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return sealer{}, fault.Wrap(fault.Internal, err, "make the key of credentials")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealer{}, fault.Wrap(fault.Internal, err, "make the key of credentials")
	}
	return sealer{aead}, nil
}

// close encrypts the credentials of a storage; "" gives nil.
func (s sealer) close(text string, id ident.StorageID) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	sealed := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(text)+s.aead.Overhead())
	sealed[0] = sealVersion
	if _, err := rand.Read(sealed[1:]); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "encrypt credentials")
	}
	return s.aead.Seal(sealed, sealed[1:], []byte(text), []byte(id)), nil
}

// open decrypts what close has returned.
func (s sealer) open(sealed []byte, id ident.StorageID) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	head := 1 + s.aead.NonceSize()
	if len(sealed) < head || sealed[0] != sealVersion {
		return "", fault.New(fault.Corruption, "the credentials of storage %s do not read; "+
			"give them again by ALTER STORAGE %s SET (credentials = '...')", id, id)
	}
	text, err := s.aead.Open(nil, sealed[1:head], sealed[head:], []byte(id))
	if err != nil {
		return "", fault.New(fault.StorageUnavailable, "the credentials of storage %s were encrypted "+
			"with another key; set storage.credentials_key to that, or give them again by "+
			"ALTER STORAGE %s SET (credentials = '...')", id, id)
	}
	return string(text), nil
}
