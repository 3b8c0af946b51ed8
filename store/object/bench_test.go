package object_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/store/object"
)

// BenchmarkFolder_ReadAt reads 4 KiB of a file four folders deep.
func BenchmarkFolder_ReadAt(b *testing.B) {
	f, err := object.OpenFolder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	path := "ns/table-1/user/00000000000000000001.parquet"
	if err := object.WriteAll(b.Context(), f, path, make([]byte, 1<<20)); err != nil {
		b.Fatal(err)
	}
	r, err := f.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 4096)
	for b.Loop() {
		if _, err := r.ReadAt(p, 12345); err != nil {
			b.Fatal(err)
		}
	}
}
