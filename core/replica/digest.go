package replica

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Digest is the hash of the rows of a shard.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a shard as of a view: of each row in each table the
// key, the seq, whether it was deleted and its payload, or where that is when it is
// cold. Replicas that have applied the same entries have the same one, whatever else
// each has.
func DigestOf(db *store.DB, m *apply.Machine, v *store.View, s ident.ShardID) (
	d Digest, err error,
) {
	part, err := m.Partition(s)
	if err != nil {
		return d, err
	}
	names, err := apply.Partitions(v, part)
	if err != nil {
		return d, err
	}
	slices.Sort(names)
	h, rows := sha256.New(), row.Key("", nil)[:1]
	var buf []byte
	for _, name := range names {
		p, ok := db.Partition(name)
		if !ok {
			continue
		}
		buf = appendBytes(buf[:0], []byte(name))
		h.Write(buf)
		it := v.Scan(p, store.Range{Lo: rows, Hi: row.PrefixEnd(rows)})
		for it.Next() {
			if buf, err = digestRow(buf[:0], it.Key(), it.Value()); err != nil {
				break
			}
			h.Write(buf)
		}
		if closed := it.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return d, err
		}
	}
	h.Sum(d[:0])
	return d, nil
}

func digestRow(dst, key, value []byte) ([]byte, error) {
	rec, err := row.ParseRecord(value)
	if err != nil {
		return nil, err
	}
	dst = appendBytes(dst, key)
	dst = binary.BigEndian.AppendUint64(dst, uint64(rec.Seq))
	dst = binary.BigEndian.AppendUint32(dst, uint32(rec.Schema))
	dst = append(dst, byte(rec.Codec), 0)
	if rec.Deleted {
		dst[len(dst)-1] = 1
	}
	if rec.Cold {
		return appendBytes(dst, value), nil
	}
	return appendBytes(dst, rec.Payload), nil
}
