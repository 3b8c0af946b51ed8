package row

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Entry is what a secondary index holds of a row: the order-preserving encoding
// of the row's values in the columns of the index.
type Entry struct {
	Index ident.IndexID
	// Unique says that no other row of the user may have the same Columns. It
	// is not set where one of the values is NULL, whatever the index.
	Unique  bool
	Columns []byte
}

// Entries of one index stand together, those of a user within them, in the
// order of their columns and then of the primary keys. A unique entry's key
// has no primary key in it, so that there can be one only.
//
// The value begins with the length of the primary key that ends the key, a
// uvarint. It is 0 in a unique entry, whose primary key follows in the value.

// Key returns the key of the entry of the row pk.
func (e Entry) Key(u ident.UserID, pk []byte) []byte {
	k := IndexPrefix(u, e.Index, len(e.Columns)+len(pk))
	k = append(k, e.Columns...)
	if e.Unique {
		return k
	}
	return append(k, pk...)
}

// Value returns the value of the entry of the row pk.
func (e Entry) Value(pk []byte) []byte {
	if e.Unique {
		return append(append(make([]byte, 0, 1+len(pk)), 0), pk...)
	}
	return binary.AppendUvarint(nil, uint64(len(pk)))
}

// IndexPrefix returns the prefix of all entries of a user in an index, with
// room for extra more bytes.
func IndexPrefix(u ident.UserID, x ident.IndexID, extra int) []byte {
	dst := append(make([]byte, 0, 7+len(u)+extra), spaceIndex)
	return appendUser(binary.BigEndian.AppendUint32(dst, uint32(x)), u)
}

// IndexSpace returns the bounds [lo, hi) of the entries of all users in an
// index.
func IndexSpace(x ident.IndexID) (lo, hi []byte) {
	lo = binary.BigEndian.AppendUint32([]byte{spaceIndex}, uint32(x))
	return lo, PrefixEnd(lo)
}

// EntryUser returns whose entry of an index a key is.
func EntryUser(key []byte) (ident.UserID, error) {
	const head = 5
	if len(key) < head || key[0] != spaceIndex {
		return "", errKey
	}
	u, _, err := cutUser(key[head:])
	return u, err
}

// SplitEntry takes an entry of a user apart, whose key is without the prefix
// of IndexPrefix. What it returns aliases both.
func SplitEntry(key, value []byte) (columns, pk []byte, err error) {
	n, used := binary.Uvarint(value)
	switch {
	case used <= 0 || n > uint64(len(key)), n > 0 && used != len(value),
		used > 1 && value[used-1] == 0: // a longer form of the number than is written
		return nil, nil, errEntry
	case n == 0:
		return key, value[used:], nil
	}
	at := len(key) - int(n)
	return key[:at], key[at:], nil
}
