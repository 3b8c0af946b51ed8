package row

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// spaceTombstone lists the tombstones that outlive their history, in the order
// of their seqs: seq | user | primary key -> nothing.
const spaceTombstone = 't'

// TombstoneKey returns the key under which the tombstone of a row is listed;
// seq is its own.
func TombstoneKey(seq clock.Seq, u ident.UserID, pk []byte) []byte {
	dst := append(make([]byte, 0, 11+len(u)+len(pk)), spaceTombstone)
	dst = binary.BigEndian.AppendUint64(dst, uint64(seq))
	return append(appendUser(dst, u), pk...)
}

// TombstonesBelow returns the bounds [lo, hi) of the listed tombstones whose
// seq is less than seq.
func TombstonesBelow(seq clock.Seq) (lo, hi []byte) {
	return []byte{spaceTombstone}, binary.BigEndian.AppendUint64([]byte{spaceTombstone}, uint64(seq))
}

// SplitTombstoneKey takes the key of a listed tombstone apart; pk aliases key.
func SplitTombstoneKey(key []byte) (seq clock.Seq, u ident.UserID, pk []byte, err error) {
	const head = 9
	if len(key) < head || key[0] != spaceTombstone {
		return 0, "", nil, errKey
	}
	u, pk, err = cutUser(key[head:])
	return clock.Seq(binary.BigEndian.Uint64(key[1:])), u, pk, err
}
