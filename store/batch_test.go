package store_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

func TestBatch_Lookup(t *testing.T) {
	p, q := store.Partition{ID: 1}, store.Partition{ID: 2}
	var b store.Batch
	b.Put(p, []byte("a"), []byte("1"))
	b.Put(p, []byte("b"), []byte("1"))
	b.DeleteRange(p, []byte("b"), []byte("d"))
	b.Put(p, []byte("c"), []byte("2"))
	b.Delete(p, []byte("e"))
	for key, want := range map[string][3]any{
		"a": {"1", true, true}, "b": {"", false, true}, "bb": {"", false, true},
		"c": {"2", true, true}, "d": {"", false, false}, "e": {"", false, true},
	} {
		value, found, known := b.Lookup(p, []byte(key))
		if got := [3]any{string(value), found, known}; got != want {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
	if _, _, known := b.Lookup(q, []byte("a")); known {
		t.Error("another partition's key is known")
	}
	if b.Len() != 5 || b.Bytes() == 0 {
		t.Errorf("%d operations, %d bytes", b.Len(), b.Bytes())
	}
	b.Reset()
	if _, _, known := b.Lookup(p, []byte("bb")); known || b.Len() != 0 || b.Bytes() != 0 {
		t.Error("a reset batch knows something")
	}
}

func TestBatch_Get(t *testing.T) {
	db := mustOpen(t, "", store.Options{Engine: memkv.Name, OpenEngine: memkv.Open})
	defer mustClose(t, db)
	p, err := db.CreatePartition("p")
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	b.Put(p, []byte("a"), []byte("below"))
	b.Put(p, []byte("b"), []byte("below"))
	if err := db.Commit(&b, true); err != nil {
		t.Fatal(err)
	}
	v := db.View()
	defer v.Release()
	b.Reset()
	b.Put(p, []byte("a"), []byte("over"))
	b.Delete(p, []byte("c"))
	for key, want := range map[string]string{"a": "over", "b": "below", "c": ""} {
		got, found, err := b.Get(v, p, []byte(key))
		if err != nil || string(got) != want || found != (want != "") {
			t.Errorf("%s: got %q %v %v", key, got, found, err)
		}
	}
}

func TestView_AllocatesNothing(t *testing.T) {
	db := mustOpen(t, "", store.Options{Engine: memkv.Name, OpenEngine: memkv.Open})
	defer mustClose(t, db)
	if n := testing.AllocsPerRun(100, func() { db.View().Release() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
