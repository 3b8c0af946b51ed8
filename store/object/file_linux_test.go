package object

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// TestFolder_full writes to a file system that is really full.
func TestFolder_full(t *testing.T) {
	dir := testkit.SmallDisk(t)
	f, err := openFolder(filepath.Join(dir, "cold"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = f.Put(t.Context(), "big", write(strings.Repeat("x", 4<<20)))
	if !fault.Is(err, fault.StorageFull) || !strings.Contains(err.Error(), "make room") {
		t.Fatalf("a full disk is told as %v", err)
	}
	for range f.List(t.Context(), "") {
		t.Error("something was left")
	}
	if err := f.Put(t.Context(), "small", write("x")); err != nil {
		t.Errorf("the room was not given back: %v", err)
	}
}
