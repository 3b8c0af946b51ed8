package apply

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// A transaction over several shards takes three steps, each a command:
//
//  1. Prepare, on each of its shards: its part is checked as any command is and
//     kept as an intent. What it touches is locked.
//  2. Decide, on the system shard: commit or abort, whoever comes first.
//  3. Resolve, on each of its shards: the intent is applied, without a second
//     check, or forgotten. The locks go.
//
// It is committed once the decision is stored, and only then: the decision to commit
// is made by who has seen all parts prepared, and who finds an intent may decide for
// abort. Without a decision it is as good as aborted, so an abort that nobody could
// contradict needs none.
//
// Steps may come late or twice. A transaction is forgotten txLife after it began: a
// shard that has resolved it remembers that until then, and refuses to prepare or to
// decide to commit what is older. A decision to commit stays until somebody says that all
// parts are resolved. All this is judged by the shard's own seqs, which only grow,
// so that what is refused as too old is so for good.

// txLife is how long after its beginning a transaction may be prepared and decided.
const txLife = time.Minute

// maxIntents bounds the intents that stand on a shard, which are in memory.
const maxIntents = 4096

// outlived reports whether a transaction is forgotten at a seq.
func outlived(tx command.Tx, at clock.Seq) bool {
	return tx.Began.Time().Add(txLife).Before(at.Time())
}

// intent is a part of a transaction that is not resolved yet.
type intent struct {
	seq clock.Seq // it was prepared at, which rows with a TTL are judged by
	c   *command.Command
}

// mayPrepare tells whether a transaction may begin on the shard. done is true when it
// may not, or has.
func (s *shard) mayPrepare(b *store.Batch, v *store.View, c *command.Command) (
	out Outcome, done bool, err error,
) {
	if it := s.intents[c.Prepare.Tx]; it != nil {
		return Outcome{Seq: it.seq}, true, nil
	}
	if !onlyWrites(c) {
		return Outcome{Err: fault.New(fault.Internal, "only writes of rows can be prepared")}, true, nil
	}
	if outlived(c.Prepare.Tx, s.next(c)) || len(s.intents) >= maxIntents {
		out := locked
		out.Seq = s.last // whose clock is behind learns of it
		return out, true, nil
	}
	_, found, err := b.Get(v, s.part, resolvedKey(c.Prepare.Tx))
	if err != nil || !found {
		return Outcome{}, false, err
	}
	return Outcome{Err: fault.New(fault.TransactionConflict,
		"the transaction was ended while it was being prepared; run it again")}, true, nil
}

func onlyWrites(c *command.Command) bool {
	return len(c.Fences)+len(c.Indexes)+len(c.Segments)+len(c.Swaps) == 0 &&
		c.Trim == nil && c.Erase == nil && c.Barrier == 0
}

// hold stages an admitted part as an intent.
func (s *shard) hold(b *store.Batch, c *command.Command, seq clock.Seq) error {
	kept := *c
	kept.Prepare, kept.Epoch = nil, 0
	val := kept.Append(binary.BigEndian.AppendUint64(nil, uint64(seq)))
	b.Put(s.part, intentKey(c.Prepare.Tx), val)
	return s.addIntent(c.Prepare.Tx, val)
}

// addIntent takes up an intent as it is stored; val is kept.
func (s *shard) addIntent(tx command.Tx, val []byte) error {
	if len(val) < 8 {
		return fault.New(fault.Corruption, "an intent is damaged")
	}
	c, err := command.Parse(val[8:])
	if err != nil {
		return err
	}
	s.intents[tx] = &intent{seq: clock.Seq(binary.BigEndian.Uint64(val)), c: c}
	s.locks.take(c)
	s.bookkept = false
	return nil
}

// resolve stages the end of a part.
func (s *shard) resolve(b *store.Batch, v *store.View, c *command.Command) (Outcome, error) {
	r, out := c.Resolve, Outcome{Seq: s.next(c)}
	it := s.intents[r.Tx]
	if it == nil {
		return s.resolvedBefore(b, v, c)
	}
	if r.Commit {
		a, refused, err := s.meet(b, v, it.c, it.seq)
		if err == nil && refused.Err != nil {
			err = fault.Wrap(fault.Corruption, refused.Err, "what was prepared does not hold any more")
		}
		if err != nil {
			return Outcome{}, fmt.Errorf("commit a part of a transaction: %w", err)
		}
		if out, err = s.stageWrites(b, v, it.c, a, out.Seq); err != nil {
			return Outcome{}, err
		}
		s.depend(r.Parts)
	}
	delete(s.intents, r.Tx)
	s.locks.free(it.c)
	b.Delete(s.part, intentKey(r.Tx))
	s.last, s.dirty, s.bookkept = max(s.last, out.Seq), true, false
	return out, s.rememberResolved(b, v, r, out.Seq)
}

// resolvedBefore answers who resolves what does not stand. An abort is remembered, in
// case that the part is prepared later.
func (s *shard) resolvedBefore(b *store.Batch, v *store.View, c *command.Command) (Outcome, error) {
	r := c.Resolve
	val, found, err := b.Get(v, s.part, resolvedKey(r.Tx))
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Seq: s.next(c), Repeat: true}
	switch {
	case found && len(val) == 8:
		out.Seq = clock.Seq(binary.BigEndian.Uint64(val))
		return out, nil
	case found:
		return Outcome{}, fault.New(fault.Corruption, "the end of a transaction is damaged")
	case r.Commit || outlived(r.Tx, out.Seq):
		return out, nil
	}
	s.last, s.dirty = out.Seq, true
	return out, s.rememberResolved(b, v, r, out.Seq)
}

// rememberResolved records the end of a part, and forgets a few that can't come
// again.
func (s *shard) rememberResolved(
	b *store.Batch, v *store.View, r *command.Resolve, seq clock.Seq,
) error {
	b.Put(s.part, resolvedKey(r.Tx), binary.BigEndian.AppendUint64(nil, uint64(seq)))
	it := v.Scan(s.part, store.Range{Lo: []byte(keyResolved), Hi: s.outlivedKey(keyResolved)})
	defer it.Close()
	for n := 0; n < expireAtOnce && it.Next(); n++ {
		b.Delete(s.part, append([]byte(nil), it.Key()...))
	}
	return it.Err()
}

// outlivedKey returns the first key under a prefix of a transaction that is not
// forgotten yet.
func (s *shard) outlivedKey(prefix string) []byte {
	below := max(clock.SeqAt(s.last.Time().Add(-txLife)), 0)
	return append([]byte(prefix), command.Tx{Began: below}.Key()...)
}

func (s *shard) loadIntents(v *store.View) error {
	s.intents, s.locks = make(map[command.Tx]*intent), newLocks()
	err := each(v, s.part, keyIntent, func(key, val []byte) error {
		tx, ok := command.ParseTx(key[1:])
		if !ok {
			return fault.New(fault.Corruption, "an intent has a damaged name")
		}
		return s.addIntent(tx, append([]byte(nil), val...))
	})
	if err != nil {
		return err
	}
	return s.loadBooks(v)
}

// oldest returns the seq that the oldest standing intent was prepared at, now when
// there is none.
func (s *shard) oldest(now clock.Seq) clock.Seq {
	for _, it := range s.intents {
		now = min(now, it.seq)
	}
	return now
}

func intentKey(tx command.Tx) []byte   { return append([]byte(keyIntent), tx.Key()...) }
func resolvedKey(tx command.Tx) []byte { return append([]byte(keyResolved), tx.Key()...) }

// Intent is a part of a transaction that stands on a shard.
type Intent struct {
	Tx  command.Tx
	Seq clock.Seq // it was prepared at
}

// Intents returns the intents that stand on a shard as of a view, the oldest first. It
// is safe for concurrent use.
func (m *Machine) Intents(v *store.View, id ident.ShardID) (list []Intent, err error) {
	s, err := m.shard(id)
	if err != nil {
		return nil, err
	}
	books, err := readBooks(v, s.part)
	if err != nil || books.standing == 0 {
		return nil, err
	}
	err = each(v, s.part, keyIntent, func(key, val []byte) error {
		tx, ok := command.ParseTx(key[1:])
		if !ok || len(val) < 8 {
			return fault.New(fault.Corruption, "an intent is damaged")
		}
		list = append(list, Intent{Tx: tx, Seq: clock.Seq(binary.BigEndian.Uint64(val))})
		return nil
	})
	return list, err
}
