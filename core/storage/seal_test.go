package storage

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

func TestSealer(t *testing.T) {
	s, err := newSealer("a key of the tests")
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"secret": "word"}`
	sealed, err := s.close(text, "a")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.close(text, "a"); err != nil || bytes.Equal(again, sealed) {
		t.Error("the same credentials look the same twice")
	}
	if bytes.Contains(sealed, []byte("word")) {
		t.Error("the secret can be read")
	}
	if got, err := s.open(sealed, "a"); err != nil || got != text {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.open(nil, "a"); err != nil || got != "" {
		t.Errorf("none is %q, %v", got, err)
	}
	if none, err := s.close("", "a"); err != nil || none != nil {
		t.Errorf("none is sealed as %v, %v", none, err)
	}
	if _, err := s.open(sealed, "b"); !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("credentials of another storage: %v", err)
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		if got, err := s.open(damaged, "a"); err == nil {
			t.Errorf("with byte %d changed it reads as %q", i, got)
		}
		if _, err := s.open(sealed[:i], "a"); err == nil && i > 0 {
			t.Errorf("the first %d bytes read", i)
		}
	}
	other, err := newSealer("another key of tests")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.open(sealed, "a"); !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("another key: %v", err)
	}
	if _, err := newSealer("short"); !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("a short key: %v", err)
	}
}

// What is sealed is stored: a later program must read it.
func TestSealer_readsWhatWasStored(t *testing.T) {
	s, err := newSealer("a key of the tests")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString("0130e991b88696d49a7a1ff59617a9eb5b58abfb6856a304a9e3cfc22302" +
		"42f8996a22fffafb")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.open(sealed, "archive"); err != nil || got != `{"a":"b"}` {
		t.Errorf("%q, %v", got, err)
	}
}
