package apply

import (
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// Decision is what was decided of a transaction.
type Decision struct {
	Tx     command.Tx
	Commit bool
	Parts  []command.Part // of a commit
	// Forgotten says that the transaction is too old to have a record. It was not
	// committed, unless all its parts have been resolved.
	Forgotten bool
}

// decide stages a decision, unless there is one. Who comes too late for either is
// told of an abort, which then needs no record: what was committed has one until
// all parts are resolved.
func (s *shard) decide(b *store.Batch, v *store.View, c *command.Command) (Outcome, error) {
	d, out := c.Decide, Outcome{Seq: s.next(c)}
	for _, tx := range d.Resolved {
		b.Delete(s.part, decisionKey(tx))
	}
	val, found, err := b.Get(v, s.part, decisionKey(d.Tx))
	if err != nil {
		return Outcome{}, err
	}
	switch {
	case found:
		if out.Decision, err = parseDecision(d.Tx, val); err != nil {
			return Outcome{}, err
		}
	case outlived(d.Tx, out.Seq), d.Tx == command.Tx{}:
		out.Decision = &Decision{Tx: d.Tx, Forgotten: true}
	default:
		out.Decision = &Decision{Tx: d.Tx, Commit: d.Commit, Parts: d.Parts}
		b.Put(s.part, decisionKey(d.Tx), appendDecision(nil, out.Decision))
	}
	s.last, s.dirty = out.Seq, true
	return out, s.forgetAborts(b, v)
}

// forgetAtOnce bounds the old decisions that a command looks at.
const forgetAtOnce = 16

// forgetAborts removes a few decisions to abort that nobody can contradict any more.
func (s *shard) forgetAborts(b *store.Batch, v *store.View) error {
	it := v.Scan(s.part, store.Range{Lo: []byte(keyDecision), Hi: s.outlivedKey(keyDecision)})
	defer it.Close()
	for n := 0; n < forgetAtOnce && it.Next(); n++ {
		if val := it.Value(); len(val) > 1 && val[1] == 0 {
			b.Delete(s.part, append([]byte(nil), it.Key()...))
		}
	}
	return it.Err()
}

const decisionFormat = 1

func appendDecision(dst []byte, d *Decision) []byte {
	dst = append(dst, decisionFormat, 0)
	if d.Commit {
		dst[len(dst)-1] = 1
	}
	return command.AppendParts(dst, d.Parts)
}

func parseDecision(tx command.Tx, b []byte) (*Decision, error) {
	if len(b) < 2 || b[0] != decisionFormat || b[1] > 1 {
		return nil, errDecision
	}
	parts, ok := command.ParseParts(b[2:])
	if !ok {
		return nil, errDecision
	}
	return &Decision{Tx: tx, Commit: b[1] == 1, Parts: parts}, nil
}

var errDecision = fault.New(fault.Corruption, "a decision is damaged or of a newer format")

func decisionKey(tx command.Tx) []byte { return append([]byte(keyDecision), tx.Key()...) }

// Decisions returns up to limit decisions that stand, the oldest first, which begin
// behind after. It is safe for concurrent use.
func (m *Machine) Decisions(v *store.View, after clock.Seq, limit int) (
	list []Decision, err error,
) {
	part := m.shards[ident.SystemShard].part
	lo := decisionKey(command.Tx{Began: after + 1})
	it := v.Scan(part, store.Range{Lo: lo, Hi: []byte{keyDecision[0] + 1}})
	defer it.Close()
	for len(list) < limit && it.Next() {
		tx, ok := command.ParseTx(it.Key()[1:])
		if !ok {
			return nil, errDecision
		}
		d, err := parseDecision(tx, it.Value())
		if err != nil {
			return nil, err
		}
		d.Parts = append([]command.Part(nil), d.Parts...)
		list = append(list, *d)
	}
	return list, it.Err()
}
