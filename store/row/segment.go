package row

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// SegmentKey returns the key of a segment's entry in the manifest.
func SegmentKey(u ident.UserID, id ident.SegmentID) []byte {
	return binary.BigEndian.AppendUint64(SegmentPrefix(u), uint64(id))
}

// SegmentPrefix returns the prefix of the manifest's entries of a user.
func SegmentPrefix(u ident.UserID) []byte {
	return appendUser(append(make([]byte, 0, 11+len(u)), spaceSegment), u)
}

// SegmentSpace returns the bounds [lo, hi) of the manifest of all users.
func SegmentSpace() (lo, hi []byte) { return []byte{spaceSegment}, []byte{spaceSegment + 1} }

// SplitSegmentKey takes a key of the manifest apart.
func SplitSegmentKey(key []byte) (ident.UserID, ident.SegmentID, error) {
	if len(key) == 0 || key[0] != spaceSegment {
		return "", 0, errKey
	}
	u, rest, err := cutUser(key[1:])
	if err != nil || len(rest) != 8 {
		return "", 0, errKey
	}
	return u, ident.SegmentID(binary.BigEndian.Uint64(rest)), nil
}

// UnsettledKey returns the key that says that nothing points to a segment.
func UnsettledKey(u ident.UserID, id ident.SegmentID) []byte {
	key := SegmentKey(u, id)
	key[0] = spaceUnsettled
	return key
}

// UnsettledSpace returns the bounds [lo, hi) of these keys of all users.
func UnsettledSpace() (lo, hi []byte) {
	return []byte{spaceUnsettled}, []byte{spaceUnsettled + 1}
}

// SplitUnsettledKey takes a key of UnsettledKey apart.
func SplitUnsettledKey(key []byte) (ident.UserID, ident.SegmentID, error) {
	if len(key) == 0 || key[0] != spaceUnsettled {
		return "", 0, errKey
	}
	u, rest, err := cutUser(key[1:])
	if err != nil || len(rest) != 8 {
		return "", 0, errKey
	}
	return u, ident.SegmentID(binary.BigEndian.Uint64(rest)), nil
}
