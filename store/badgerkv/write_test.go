package badgerkv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
)

// In the package itself, to leave notes as a crash would.

var part = store.Partition{ID: 1}

func opened(t *testing.T, dir string) *Engine {
	t.Helper()
	e, err := Open(dir, Options{MemTableBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closed(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill puts n keys into several batches.
func fill(t *testing.T, e *Engine, n int) {
	t.Helper()
	for i := 0; i < n; i += 100 {
		var b store.Batch
		for j := range 100 {
			b.Put(part, fmt.Appendf(nil, "%06d", i+j), []byte("value"))
		}
		if err := e.Apply(&b, true); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, r store.Reader) (n int) {
	t.Helper()
	it := r.Scan([]byte{0}, nil, true)
	for it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEngine_RefusesLargeBatch(t *testing.T) {
	e := opened(t, t.TempDir())
	defer closed(t, e)
	many := &store.Batch{}
	for i := range 20_000 {
		many.Put(part, fmt.Appendf(nil, "%06d", i), nil)
	}
	large, huge, long := &store.Batch{}, &store.Batch{}, &store.Batch{}
	large.Put(part, []byte("k"), make([]byte, 100_000))
	large.Put(part, []byte("l"), make([]byte, 100_000))
	huge.Put(part, []byte("k"), make([]byte, maxValue+1))
	long.Put(part, make([]byte, 1<<16), nil)
	for name, b := range map[string]*store.Batch{
		"many": many, "large": large, "huge": huge, "long": long,
	} {
		if err := e.Apply(b, true); !fault.Is(err, fault.PayloadTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := count(t, e); n != 0 {
		t.Errorf("refused batches left %d pairs", n)
	}
}

func TestEngine_RefusesPutIntoLargeRange(t *testing.T) {
	e := opened(t, t.TempDir())
	defer closed(t, e)
	fill(t, e, 20_000)
	var b store.Batch
	b.DeleteRange(part, nil, nil)
	b.Put(part, []byte("k"), []byte("v"))
	if err := e.Apply(&b, true); !fault.Is(err, fault.PayloadTooLarge) {
		t.Fatalf("got %v", err)
	}
	if n := count(t, e); n != 20_000 {
		t.Fatalf("%d pairs are left", n)
	}
}

func TestOpen_FinishesRangeDelete(t *testing.T) {
	dir := t.TempDir()
	e := opened(t, dir)
	fill(t, e, 20_000)
	lo, hi := []byte("\x00\x00\x00\x01000100"), []byte("\x00\x00\x00\x01019900")
	note := binary.AppendUvarint(nil, uint64(len(lo)))
	note = append(append(note, lo...), hi...)
	err := e.db.Update(func(txn *badger.Txn) error {
		return txn.Set([]byte{noteKey, 0, 0, 0, 0}, note)
	})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, e)
	e = opened(t, dir)
	if n := count(t, e); n != 200 {
		t.Errorf("%d pairs are left, want 200", n)
	}
	err = e.db.View(func(txn *badger.Txn) error {
		_, err := txn.Get([]byte{noteKey, 0, 0, 0, 0})
		return err
	})
	if err != badger.ErrKeyNotFound {
		t.Errorf("the note is still there: %v", err)
	}
	closed(t, e)
}

func TestOpen_DamagedNote(t *testing.T) {
	dir := t.TempDir()
	e := opened(t, dir)
	err := e.db.Update(func(txn *badger.Txn) error {
		return txn.Set([]byte{noteKey, 0, 0, 0, 0}, []byte{200})
	})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, e)
	if _, err := Open(dir, Options{MemTableBytes: 1 << 20}); !fault.Is(err, fault.Corruption) {
		t.Fatalf("got %v", err)
	}
}

func TestSharedPrefix(t *testing.T) {
	for _, c := range []struct{ lo, hi, up, down string }{
		{"ab", "ac", "ab", "a"}, {"ab\x01", "ab\x02", "ab\x01", "ab"}, {"a", "c", "", ""},
		{"", "\xff", "", ""}, {"abc", "abd1", "ab", "ab"}, {"ab", "abc", "ab", "ab"},
	} {
		up := sharedPrefix([]byte(c.lo), []byte(c.hi), false)
		down := sharedPrefix([]byte(c.lo), []byte(c.hi), true)
		if !bytes.Equal(up, []byte(c.up)) || !bytes.Equal(down, []byte(c.down)) {
			t.Errorf("[%q, %q): %q and %q", c.lo, c.hi, up, down)
		}
	}
}

func TestOptions_Sync(t *testing.T) {
	if !(Options{}).withDefaults().badger(t.TempDir()).SyncWrites {
		t.Fatal("badger would not sync")
	}
}
