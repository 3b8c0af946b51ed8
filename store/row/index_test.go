package row_test

import (
	"bytes"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

func TestEntry_Key(t *testing.T) {
	one := value.AppendKey(nil, value.NewBigInt(1))
	two := value.AppendKey(nil, value.NewBigInt(2))
	entry := func(x ident.IndexID, cols []byte, unique bool) row.Entry {
		return row.Entry{Index: x, Unique: unique, Columns: cols}
	}
	// Index, user, columns and primary key, in this order.
	sorted := [][]byte{
		entry(1, one, false).Key("a", []byte("k")),
		entry(1, one, false).Key("a", []byte("l")),
		entry(1, two, false).Key("a", []byte("a")),
		entry(1, one, false).Key("a\x00", []byte("a")),
		entry(1, one, false).Key("ab", []byte("a")),
		entry(2, one, true).Key("a", []byte("l")),
		entry(2, two, true).Key("a", []byte("k")),
		entry(256, one, true).Key("a", nil),
	}
	for i := 1; i < len(sorted); i++ {
		if bytes.Compare(sorted[i-1], sorted[i]) >= 0 {
			t.Errorf("key %d is not behind the one before: %x %x", i, sorted[i-1], sorted[i])
		}
	}
	if !bytes.Equal(entry(2, one, true).Key("a", []byte("k")), sorted[5]) {
		t.Error("a unique entry of another row has another key")
	}
	lo, hi := row.IndexSpace(1)
	if bytes.Compare(lo, sorted[0]) > 0 || bytes.Compare(hi, sorted[4]) <= 0 ||
		bytes.Compare(hi, sorted[5]) > 0 {
		t.Errorf("the entries of index 1 are not those from %x to %x", lo, hi)
	}
}

func TestSplitEntry(t *testing.T) {
	pk := bytes.Repeat([]byte("key"), 100)
	for _, unique := range []bool{false, true} {
		e := row.Entry{Index: 7, Unique: unique, Columns: []byte("columns")}
		key := e.Key("alice", pk)[len(row.IndexPrefix("alice", 7, 0)):]
		cols, got, err := row.SplitEntry(key, e.Value(pk))
		if err != nil || string(cols) != "columns" || !bytes.Equal(got, pk) {
			t.Errorf("unique %v: %q %q %v", unique, cols, got, err)
		}
	}
	for _, v := range [][]byte{nil, {0x80}, {9}, {1, 0}, {0x80, 0, '1'}} {
		if _, _, err := row.SplitEntry([]byte("key"), v); !fault.Is(err, fault.Corruption) {
			t.Errorf("the value %x gives %v", v, err)
		}
	}
}

func FuzzSplitEntry(f *testing.F) {
	f.Add([]byte("columnskey"), []byte{3})
	f.Add([]byte("columns"), []byte("\x00key"))
	f.Fuzz(func(t *testing.T, key, val []byte) {
		cols, pk, err := row.SplitEntry(key, val)
		if err != nil {
			return
		}
		e := row.Entry{Unique: val[0] == 0, Columns: cols}
		if !bytes.HasSuffix(e.Key("", pk), key) {
			t.Fatalf("%x with %x is taken apart as %x and %x", key, val, cols, pk)
		}
	})
}
