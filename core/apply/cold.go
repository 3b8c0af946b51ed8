package apply

import (
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// thaw gives the record that write i changes its payload, if that is cold.
func (a *admission) thaw(i int, w *command.Write) Outcome {
	present := a.present[i]
	switch {
	case present == nil || !present.Cold || !changes(w.Op):
		return Outcome{}
	case w.Old == nil || w.Op == row.Append:
		return cold
	}
	if a.lost == nil {
		a.lost = make(map[int]ident.SegmentID)
	}
	a.lost[i] = present.Place().Segment
	*present = present.Thaw(w.Old.Schema, w.Old.Codec, w.Old.Payload)
	return Outcome{}
}

// cold is the outcome of a change of a cold row by who has not read it.
var cold = Outcome{Reread: true, Err: fault.New(fault.TransactionConflict,
	"the row became cold and has to be read to be changed; run the statement again")}

// lose stages that the record of write i does not point to a segment any more.
func (s *shard) lose(
	b *store.Batch, v *store.View, w *command.Write, a *admission, i int, seq clock.Seq,
) error {
	id, ok := a.lost[i]
	if !ok {
		return nil
	}
	t := s.tables[w.Table].table
	if err := t.Lose(v, b, w.User, id, seq); err != nil {
		return fmt.Errorf("partition %s: %w", t.Part.Name, err)
	}
	return nil
}

// freeze stages what a command does in the cold tier. A table that is not there
// has none.
func (s *shard) freeze(
	b *store.Batch, v *store.View, c *command.Command, seq clock.Seq,
) (edited, swapped int, err error) {
	for i := range c.Segments {
		g := &c.Segments[i]
		t := s.tables[g.Table]
		if t == nil || t.fence.Dropped {
			continue
		}
		done, err := t.table.EditSegment(v, b, g.User, g.Entry)
		if err != nil {
			return 0, 0, fmt.Errorf("partition %s: %w", t.table.Part.Name, err)
		}
		if done {
			edited++
		}
	}
	for i := range c.Swaps {
		t := s.tables[c.Swaps[i].Table]
		if t == nil || t.fence.Dropped {
			continue
		}
		n, err := t.table.Swap(v, b, s.unlocked(c.Swaps[i]), seq)
		if err != nil {
			return 0, 0, fmt.Errorf("partition %s: %w", t.table.Part.Name, err)
		}
		swapped += n
	}
	return edited, swapped, nil
}
