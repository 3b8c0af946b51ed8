package row

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// The first byte of a key tells what kind of entry it is. See
// docs/format/keys.md.
const (
	spaceRow     = 'r' // user | primary key            -> record
	spaceChange  = 'c' // user | seq                    -> change
	spaceVersion = 'v' // user | primary key | seq      -> record
	spaceMeta    = 'm' // name                          -> counter
	spaceIndex   = 'i' // index | user | columns [| primary key] -> see index.go

	spaceSegment   = 's' // user | segment -> entry of the manifest
	spaceUnsettled = 'u' // user | segment -> nothing; nothing points to it
)

// appendUser appends a user id so that ids sort byte by byte and none is a
// prefix of another: 0x00 inside becomes 0x00 0xFF, the end is 0x00 0x01.
// Shared tables use the empty id.
func appendUser(dst []byte, u ident.UserID) []byte {
	for i := 0; i < len(u); i++ {
		dst = append(dst, u[i])
		if u[i] == 0 {
			dst = append(dst, 0xFF)
		}
	}
	return append(dst, 0, 1)
}

func cutUser(key []byte) (ident.UserID, []byte, error) {
	user := make([]byte, 0, 32)
	for i := 0; i+1 < len(key); i++ {
		if key[i] != 0 {
			user = append(user, key[i])
			continue
		}
		switch key[i+1] {
		case 1:
			return ident.UserID(user), key[i+2:], nil
		case 0xFF:
			user = append(user, 0)
			i++
		default:
			return "", nil, errKey
		}
	}
	return "", nil, errKey
}

var (
	errKey   = fault.New(fault.Corruption, "a stored key does not read as a user id and a rest")
	errEntry = fault.New(fault.Corruption, "an entry of an index is damaged")
)

// Key returns the key of a row. pk is the order-preserving encoding of its
// primary key (value.AppendKey, column after column).
func Key(u ident.UserID, pk []byte) []byte {
	return append(UserPrefix(u, len(pk)), pk...)
}

// UserPrefix returns the prefix of all row keys of a user, with room for
// extra more bytes.
func UserPrefix(u ident.UserID, extra int) []byte {
	dst := append(make([]byte, 0, 3+len(u)+extra), spaceRow)
	return appendUser(dst, u)
}

// RowSpace returns the bounds [lo, hi) of all rows of all users.
func RowSpace() (lo, hi []byte) { return []byte{spaceRow}, []byte{spaceRow + 1} }

// ChangeSpace returns the bounds of the change index of all users.
func ChangeSpace() (lo, hi []byte) { return []byte{spaceChange}, []byte{spaceChange + 1} }

// SplitKey takes a row key apart; pk aliases key.
func SplitKey(key []byte) (u ident.UserID, pk []byte, err error) {
	if len(key) == 0 || key[0] != spaceRow {
		return "", nil, errKey
	}
	return cutUser(key[1:])
}

// ChangeKey returns the key of a user's change at seq.
func ChangeKey(u ident.UserID, seq clock.Seq) []byte {
	dst := append(make([]byte, 0, 11+len(u)), spaceChange)
	return binary.BigEndian.AppendUint64(appendUser(dst, u), uint64(seq))
}

// ChangeEnd returns the first key behind all changes of a user.
func ChangeEnd(u ident.UserID) []byte {
	dst := append(make([]byte, 0, 3+len(u)), spaceChange)
	return PrefixEnd(appendUser(dst, u))
}

// SplitChangeKey takes a change key apart.
func SplitChangeKey(key []byte) (ident.UserID, clock.Seq, error) {
	if len(key) == 0 || key[0] != spaceChange {
		return "", 0, errKey
	}
	u, rest, err := cutUser(key[1:])
	if err != nil || len(rest) != 8 {
		return "", 0, errKey
	}
	return u, clock.Seq(binary.BigEndian.Uint64(rest)), nil
}

// VersionPrefix returns the prefix of all overwritten versions of a user's rows.
func VersionPrefix(u ident.UserID) []byte {
	return appendUser(append(make([]byte, 0, 3+len(u)), spaceVersion), u)
}

// VersionKey returns the key of an overwritten version of a row; seq is the
// version's own. A primary key's encoding is self-delimiting, so versions of
// one key never mix with another's.
func VersionKey(u ident.UserID, pk []byte, seq clock.Seq) []byte {
	dst := append(make([]byte, 0, 11+len(u)+len(pk)), spaceVersion)
	dst = append(appendUser(dst, u), pk...)
	return binary.BigEndian.AppendUint64(dst, uint64(seq))
}

// MetaKey returns the key of one of the partition's counters.
func MetaKey(name string) []byte { return append([]byte{spaceMeta}, name...) }

// PrefixEnd returns the first key behind all keys that begin with prefix, nil
// when there is none.
func PrefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xFF {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
