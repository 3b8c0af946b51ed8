package apply

import (
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Apply stages commands in b that happen together or not at all, one a shard,
// and returns what became of each, in order. v is the state before b; earlier
// commands of b are seen through it. Refused commands leave nothing in b: the
// reason is in the outcome of the one that was refused. An error return means
// that the store can't be read, and the batch is to be dropped.
func (m *Machine) Apply(b *store.Batch, v *store.View, cs []*command.Command) ([]Outcome, error) {
	outs := make([]Outcome, len(cs))
	admitted := make([]admission, len(cs))
	for i, c := range cs {
		s, err := m.shard(c.Shard)
		if err != nil {
			outs[i].Err = err
			return outs, nil
		}
		var done bool
		if outs[i], admitted[i], done, err = s.admit(b, v, c); err != nil || done {
			return outs, err
		}
	}
	for i, c := range cs {
		var err error
		if outs[i], err = m.change(b, v, c, admitted[i]); err != nil {
			return nil, err
		}
	}
	return outs, nil
}

// admission is what a command meets: the records under the keys of its writes, and
// what those that append make of them.
type admission struct {
	present []*row.Record
	// By number of the write, nil for none.
	appended map[int]appended
	lost     map[int]ident.SegmentID // where rows were that are cold no more
}

// admit tells whether a command may be applied, and reads the records under
// its keys. done is true when it is refused or was applied before.
func (s *shard) admit(b *store.Batch, v *store.View, c *command.Command) (
	out Outcome, a admission, done bool, err error,
) {
	if out = s.outdated(c); out.Err != nil {
		return out, a, true, nil
	}
	if c.Decide != nil || c.Resolve != nil {
		if c.Decide != nil && s.id != ident.SystemShard {
			out.Err = fault.New(fault.Internal, "transactions are decided by the system shard")
		}
		return out, a, out.Err != nil, nil
	}
	if c.Prepare != nil {
		if out, done, err = s.mayPrepare(b, v, c); done || err != nil {
			return out, a, done, err
		}
	}
	if c.Request != nil {
		if out, done, err = s.repeat(b, v, c); done || err != nil {
			return out, a, done, err
		}
	}
	if out = s.locked(c); out.Err != nil {
		return out, a, true, nil
	}
	a, out, err = s.meet(b, v, c, s.next(c))
	return out, a, out.Err != nil, err
}

// meet checks the preconditions of a command's writes, and returns what they meet.
// Rows with a TTL are judged as of now.
func (s *shard) meet(b *store.Batch, v *store.View, c *command.Command, now clock.Seq) (
	a admission, out Outcome, err error,
) {
	a.present = make([]*row.Record, len(c.Writes))
	for i := range c.Writes {
		w := &c.Writes[i]
		a.present[i], out, err = s.check(b, v, w, now)
		if err == nil && out.Err == nil {
			out = a.thaw(i, w)
		}
		if err == nil && out.Err == nil && w.Op == row.Append {
			out, err = a.extend(i, w)
		}
		if err != nil || out.Err != nil {
			return a, out, err
		}
	}
	out, err = s.unique(b, v, c, a.present, now)
	return a, out, err
}

// change stages an admitted command.
func (m *Machine) change(
	b *store.Batch, v *store.View, c *command.Command, a admission,
) (out Outcome, err error) {
	s := m.shards[c.Shard]
	if err := m.advance(b, s, c); err != nil {
		return Outcome{}, err
	}
	switch {
	case c.Decide != nil:
		return s.decide(b, v, c)
	case c.Resolve != nil:
		return s.resolve(b, v, c)
	case c.Prepare != nil:
		out.Seq = s.next(c)
		s.last, s.dirty = out.Seq, true
		return out, s.hold(b, c, out.Seq)
	}
	first, emptied := s.next(c), []keyspace.Name(nil)
	for _, f := range c.Fences {
		names, err := m.raise(b, s, f, first)
		if err != nil {
			return Outcome{}, err
		}
		emptied = append(emptied, names...)
	}
	s.setIndexes(b, c.Indexes)
	if out, err = s.stageWrites(b, v, c, a, first); err != nil {
		return Outcome{}, err
	}
	out.Emptied = emptied
	if out.Edited, out.Swapped, err = s.freeze(b, v, c, out.Seq); err != nil {
		return Outcome{}, err
	}
	if c.Trim != nil {
		if out.Trim, err = s.trim(b, v, c.Trim, out.Seq); err != nil {
			return Outcome{}, err
		}
	}
	if c.Erase != nil {
		if out.Trim, err = s.erase(b, v, c.Erase, out.Seq); err != nil {
			return Outcome{}, err
		}
	}
	return out, nil
}

// stageWrites stages the writes and the request of a command, whose rows get seqs
// from first on.
func (s *shard) stageWrites(
	b *store.Batch, v *store.View, c *command.Command, a admission, first clock.Seq,
) (out Outcome, err error) {
	carried, err := s.carry(b, v, c.Writes, a.present)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.moveEntries(b, v, c.Writes, a.present, carried); err != nil {
		return Outcome{}, err
	}
	if out.Changes, err = s.changeRows(b, v, c, &a, carried, first); err != nil {
		return Outcome{}, err
	}
	out.Seq = first + clock.Seq(max(len(out.Changes)-1, 0))
	s.last, s.dirty = out.Seq, true
	if c.Request != nil {
		return out, s.remember(b, v, c.Request, out.Seq)
	}
	return out, nil
}

// changeRows stages the writes of an admitted command, which get seqs from first
// on.
func (s *shard) changeRows(
	b *store.Batch, v *store.View, c *command.Command, a *admission, carried []carriage,
	first clock.Seq,
) ([]live.Change, error) {
	lasts := lastOfRows(c.Writes)
	list := make([]live.Change, 0, len(c.Writes))
	for i := range c.Writes {
		w := &c.Writes[i]
		if !changes(w.Op) {
			continue
		}
		seq := first + clock.Seq(len(list))
		staged := a.write(i, w, seq, lasts[i])
		if carried != nil {
			staged.Entries = carried[i].has
		}
		change, err := s.stage(b, s.tables[w.Table], staged)
		if err == nil {
			err = s.lose(b, v, w, a, i, seq)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, change)
	}
	return list, nil
}

// changes reports whether an operation changes its row.
func changes(op row.Op) bool { return op != command.Check && op != command.Fill }

// next is the seq that a command begins with. It is also the time that rows of
// streams are judged by.
func (s *shard) next(c *command.Command) clock.Seq { return max(c.Clock, s.last+1) }

// lastOfRows marks the last change of each user's rows of each table, where a
// reader of those rows' history finds the end of the commit.
func lastOfRows(writes []command.Write) []bool {
	type rows struct {
		table ident.TableID
		user  ident.UserID
	}
	lasts := make([]bool, len(writes))
	if len(writes) == 1 {
		lasts[0] = true
		return lasts
	}
	seen := make(map[rows]bool)
	for i := len(writes) - 1; i >= 0; i-- {
		w := &writes[i]
		if k := (rows{w.Table, w.User}); changes(w.Op) && !seen[k] {
			seen[k], lasts[i] = true, true
		}
	}
	return lasts
}

// check tells whether a write's precondition holds. It returns the record that
// is stored under the key now, a tombstone included. A row that has expired at
// now counts as none.
func (s *shard) check(b *store.Batch, v *store.View, w *command.Write, now clock.Seq) (
	*row.Record, Outcome, error,
) {
	t := s.tables[w.Table]
	if t == nil || t.fence.Dropped || w.Schema < t.fence.Min {
		return nil, Outcome{Stale: true, Err: fault.New(fault.TransactionConflict,
			"the table's schema changed while the statement ran; run it again")}, nil
	}
	rec, found, err := t.table.Present(v, b, w.User, w.PK)
	if err != nil {
		return nil, Outcome{}, fmt.Errorf("partition %s: %w", t.table.Part.Name, err)
	}
	var present *row.Record
	live := clock.Seq(0)
	if found {
		kept := rec // most inserts find none
		present = &kept
		if t.lives(rec, now) {
			live = rec.Seq
		}
	}
	switch {
	case w.Op == row.Append && live == 0:
		return nil, reread, nil
	case live == w.Expect, w.Op == row.Append:
		return present, Outcome{}, nil
	case w.Op == command.Fill:
		return nil, Outcome{}, nil // it was changed, with its entries
	case w.Expect == 0:
		return nil, Outcome{Err: fault.New(fault.DuplicateKey,
			"a row with this primary key was written at the same time")}, nil
	}
	return nil, Outcome{Err: fault.New(fault.TransactionConflict,
		"another write changed the same row; run it again")}, nil
}

// lives reports whether a record is a row that has not expired at now.
func (t *tableState) lives(rec row.Record, now clock.Seq) bool {
	return !rec.Deleted && rec.Seq >= clock.ExpiredBelow(now.Time(), t.fence.TTL)
}

// write returns a command's write as it is staged.
func (a *admission) write(i int, w *command.Write, seq clock.Seq, last bool) table.Write {
	tw := table.Write{
		User: w.User, PK: w.PK, Op: w.Op, Seq: seq, Last: last, Present: a.present[i],
		Schema: w.Schema, Codec: w.Codec, Payload: w.Payload,
	}
	if done, ok := a.appended[i]; ok {
		tw.Schema, tw.Codec = tw.Present.Schema, tw.Present.Codec
		tw.Payload, tw.Piece = done.payload, done.piece
	}
	return tw
}

// stage writes one row with its history and returns it as a change.
func (s *shard) stage(b *store.Batch, t *tableState, w table.Write) (live.Change, error) {
	if w.Op == row.Insert && w.Present != nil && !w.Present.Deleted { // it has expired
		w.Present.Deleted = true
		t.delta--
	}
	delta, err := t.table.Stage(b, w)
	if err != nil {
		return live.Change{}, err
	}
	t.delta += delta
	s.touched[t] = struct{}{}
	c := live.Change{Table: t.fence.Table, User: w.User, Op: w.Op, Seq: w.Seq, Last: w.Last, PK: w.PK}
	if w.Present != nil && !w.Present.Deleted {
		c.Old = w.Present
	}
	if w.Op != row.Delete {
		c.New = &row.Record{Seq: w.Seq, Schema: w.Schema, Codec: w.Codec, Payload: w.Payload,
			Run: w.Piece.Column}
	}
	return c, nil
}

// trim removes history, of a stream table what has expired at now with it.
func (s *shard) trim(b *store.Batch, v *store.View, c *command.Trim, now clock.Seq) (
	out Trimmed, err error,
) {
	t := s.tables[c.Table]
	if t == nil || t.fence.Dropped {
		return Trimmed{Done: true}, nil
	}
	if t.fence.TTL == 0 {
		out.Cursor, out.Done, out.Removed, err = t.table.Trim(v, b, c.Cursor, c.Below, c.Keep, c.Limit)
		return out, err
	}
	now = s.oldest(now) // what is prepared needs the rows that it has met
	below, rows := min(c.Below, clock.ExpiredBelow(now.Time(), t.fence.TTL)), 0
	out.Cursor, out.Done, out.Removed, rows, err = t.table.Evict(v, b, c.Cursor, below, c.Limit)
	t.delta -= rows
	s.touched[t] = struct{}{}
	return out, err
}

// erase removes what a user has in a table.
func (s *shard) erase(b *store.Batch, v *store.View, c *command.Erase, seq clock.Seq) (
	Trimmed, error,
) {
	t := s.tables[c.Table]
	if t == nil || t.fence.Dropped {
		return Trimmed{Done: true}, nil
	}
	out, err := t.table.Erase(v, b, c.Erasure, seq)
	if err != nil {
		return Trimmed{}, fmt.Errorf("partition %s: %w", t.table.Part.Name, err)
	}
	t.delta -= out.Rows
	s.touched[t] = struct{}{}
	return Trimmed{Cursor: out.Cursor, Done: out.Done, Removed: out.Removed, Rows: out.Rows}, nil
}
