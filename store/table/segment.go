package table

import (
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Swap says that payloads of a user's rows are in a segment. It changes nothing
// that anybody reads.
type Swap struct {
	User    ident.UserID
	Segment ident.SegmentID
	Rows    []Moved
}

// Moved is a row whose payload is in a segment. It counts only while the row has
// the seq that it had when it was copied there, and is where it was then.
type Moved struct {
	PK      []byte
	Seq     clock.Seq
	From    ident.SegmentID // 0 for beside its key
	Ordinal uint32
}

// Swap stages that the rows of s point to their segment, which is There, and
// returns how many do. Those that have changed since are left as they are.
func (t Table) Swap(v *store.View, b *store.Batch, s Swap, seq clock.Seq) (done int, err error) {
	e, found, err := manifest.Get(v, b, t.Part, s.User, s.Segment)
	if err != nil || !found || e.State != manifest.There {
		return 0, err
	}
	lost, colder := make(map[ident.SegmentID]uint32), 0
	rows := neighbours{table: t, view: v, batch: b, user: s.User}
	defer func() {
		if closed := rows.close(); err == nil {
			err = closed
		}
	}()
	for i := range s.Rows {
		m := &s.Rows[i]
		rec, found, err := rows.present(m.PK)
		switch {
		case err != nil:
			return 0, err
		case !found || rec.Deleted || rec.Seq != m.Seq || rec.Place().Segment != m.From,
			m.From == s.Segment:
			continue
		case rec.Cold:
			lost[m.From]++
		default:
			colder++
		}
		next := rec.At(row.Place{Segment: s.Segment, Ordinal: m.Ordinal})
		b.Put(t.Part, row.Key(s.User, m.PK), row.AppendRecord(sized(next.Payload), next))
		done++
	}
	if done == 0 {
		return 0, nil
	}
	e.Live += uint32(done)
	manifest.Put(b, t.Part, s.User, &e)
	if err := t.add(v, b, counterCold, colder); err != nil {
		return 0, err
	}
	for id, n := range lost { // the order of what is staged shows nowhere
		if err := t.lose(v, b, s.User, id, n, seq); err != nil {
			return 0, err
		}
	}
	return done, nil
}

// Lose stages that the record of a user's row, which was cold, points to its
// segment no more: at seq it was changed or deleted. With the last pointer the
// segment is Dying.
func (t Table) Lose(
	v *store.View, b *store.Batch, u ident.UserID, id ident.SegmentID, seq clock.Seq,
) error {
	if err := t.add(v, b, counterCold, -1); err != nil {
		return err
	}
	return t.lose(v, b, u, id, 1, seq)
}

func (t Table) lose(
	v *store.View, b *store.Batch, u ident.UserID, id ident.SegmentID, n uint32, seq clock.Seq,
) error {
	e, found, err := manifest.Get(v, b, t.Part, u, id)
	if err != nil || !found {
		return err // a segment without an entry is found by whoever reads the row
	}
	e.Live -= min(n, e.Live)
	if e.DeadSince == 0 {
		e.DeadSince = seq
	}
	if e.Live == 0 && e.State == manifest.There {
		e.State = manifest.Dying
	}
	manifest.Put(b, t.Part, u, &e)
	return nil
}

// EditSegment stages the next step in the life of a segment, and reports whether
// it is one: to Pending when there is no entry, to There from Pending, to Dying
// from Pending or when nothing points to it, and to no State at all, which
// removes the entry, from Dying.
func (t Table) EditSegment(
	v *store.View, b *store.Batch, u ident.UserID, next manifest.Entry,
) (done bool, err error) {
	e, found, err := manifest.Get(v, b, t.Part, u, next.ID)
	if err != nil {
		return false, err
	}
	switch next.State {
	case manifest.Pending:
		done = !found
		next.Live, next.DeadSince = 0, 0
	case manifest.There:
		done = found && e.State == manifest.Pending
		next.Live, next.DeadSince = 0, 0
	case manifest.Dying:
		done = found && (e.State == manifest.Pending || e.State == manifest.There && e.Live == 0)
		next = e
		next.State = manifest.Dying
	default:
		if done = found && e.State == manifest.Dying; done {
			manifest.Remove(b, t.Part, u, next.ID)
		}
		return done, nil
	}
	if done {
		manifest.Put(b, t.Part, u, &next)
	}
	return done, nil
}
