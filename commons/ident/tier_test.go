package ident_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

func TestParseStorageID(t *testing.T) {
	for in, want := range map[string]ident.StorageID{
		"local": ident.LocalStorage, "S3-Main_2": "s3-main_2", "a": "a",
		strings.Repeat("x", ident.MaxName): ident.StorageID(strings.Repeat("x", ident.MaxName)),
	} {
		if got, err := ident.ParseStorageID(in); err != nil || got != want {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "2", "-a", "_a", "a.b", "a/b", "a b", "é", "a\x00",
		strings.Repeat("x", ident.MaxName+1)} {
		if id, err := ident.ParseStorageID(in); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("%q is %q, %v", in, id, err)
		}
	}
}

// Names of segments are stored, and sort as their ids do.
func TestSegmentID_String(t *testing.T) {
	for id, want := range map[ident.SegmentID]string{
		0: "00000000000000000000", 42: "00000000000000000042", 1<<64 - 1: "18446744073709551615",
	} {
		if got := id.String(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
