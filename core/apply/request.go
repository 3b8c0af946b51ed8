package apply

import (
	"encoding/binary"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// requestLife is how long a repeated request is recognised, in seq time.
const requestLife = 24 * time.Hour

// expireAtOnce bounds the request records that one command cleans up. It is
// above 1, so that records go faster than they come.
const expireAtOnce = 4

// repeat answers a command whose request was applied before. done is false
// when it was not.
func (s *shard) repeat(b *store.Batch, v *store.View, c *command.Command) (
	out Outcome, done bool, err error,
) {
	val, found, err := b.Get(v, s.part, requestKey(c.Request.ID))
	if err != nil || !found {
		return Outcome{}, false, err
	}
	r, err := parseRequest(val)
	if err != nil {
		return Outcome{}, false, err
	}
	if r.expired(max(c.Clock, s.last)) {
		return Outcome{}, false, nil
	}
	if r.hash != c.Request.Hash {
		return Outcome{Err: errOtherStatement}, true, nil
	}
	return Outcome{Seq: r.seq, Repeat: true, Result: r.result}, true, nil
}

var errOtherStatement = fault.New(fault.InvalidParameter,
	"this request_id was used for another statement; use a new id for each request")

// remember records a request beside its writes, and forgets a few expired ones.
func (s *shard) remember(b *store.Batch, v *store.View, r *command.Request, seq clock.Seq) error {
	val := binary.BigEndian.AppendUint64(nil, uint64(seq))
	val = binary.BigEndian.AppendUint64(val, r.Hash)
	b.Put(s.part, requestKey(r.ID), append(val, r.Result...))
	b.Put(s.part, expiryKey(seq, r.ID), nil)

	below := clock.SeqAt(s.last.Time().Add(-requestLife))
	it := v.Scan(s.part, store.Range{Lo: []byte(keyExpiry), Hi: expiryKey(below, "")})
	defer it.Close()
	for n := 0; n < expireAtOnce && it.Next(); n++ {
		key := append([]byte(nil), it.Key()...)
		id, at := string(key[9:]), binary.BigEndian.Uint64(key[1:])
		b.Delete(s.part, key)
		held, found, err := b.Get(v, s.part, requestKey(id))
		if err != nil {
			return err
		}
		if found && binary.BigEndian.Uint64(held) == at {
			b.Delete(s.part, requestKey(id))
		}
	}
	return it.Err()
}

// Recall looks a request up as of a view, before anything is planned for it.
// found is false when it is unknown or expired at now.
func Recall(v *store.View, p store.Partition, r *command.Request, now clock.Seq) (
	out Outcome, found bool, err error,
) {
	val, found, err := v.Get(p, requestKey(r.ID))
	if err != nil || !found {
		return Outcome{}, false, err
	}
	rec, err := parseRequest(val)
	switch {
	case err != nil || rec.expired(now):
		return Outcome{}, false, err
	case rec.hash != r.Hash:
		return Outcome{Err: errOtherStatement}, true, nil
	}
	return Outcome{Seq: rec.seq, Repeat: true, Result: rec.result}, true, nil
}

type requestRecord struct {
	seq    clock.Seq
	hash   uint64
	result []byte
}

func (r requestRecord) expired(now clock.Seq) bool {
	return r.seq.Time().Add(requestLife).Before(now.Time())
}

func parseRequest(b []byte) (requestRecord, error) {
	if len(b) < 16 {
		return requestRecord{}, fault.New(fault.Corruption, "a request record is damaged")
	}
	return requestRecord{
		seq:  clock.Seq(binary.BigEndian.Uint64(b)),
		hash: binary.BigEndian.Uint64(b[8:]), result: b[16:],
	}, nil
}

func requestKey(id string) []byte { return append([]byte(keyRequest), id...) }

func expiryKey(seq clock.Seq, id string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte(keyExpiry), uint64(seq)), id...)
}
