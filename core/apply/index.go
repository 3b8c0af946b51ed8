package apply

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Violation is a value that a unique index has already.
type Violation struct {
	Table   ident.TableID
	Index   ident.IndexID
	Columns []byte // the encoded value
	Owner   []byte // primary key of the row that has it
	Writer  []byte // primary key of the row that was to get it
}

// Entries are judged and moved for a command as a whole: what one write
// removes another may add, so rows can exchange their values.

// holder says which row has a unique entry, or is to get it.
type holder struct {
	table ident.TableID
	key   string // of the entry
}

// unique refuses a command that gives two rows the same unique entry. REQUIRES:
// the writes' preconditions hold; present has a record for each Fill that
// counts.
func (s *shard) unique(b *store.Batch, v *store.View, c *command.Command,
	present []*row.Record, now clock.Seq,
) (Outcome, error) {
	var claimed map[holder][]byte // -> primary key of the new owner
	var freed map[holder]bool     // by their owners; made when it is asked for
	for i := range c.Writes {
		w := &c.Writes[i]
		if w.Op == command.Fill && present[i] == nil {
			continue
		}
		for _, e := range w.Add {
			if !e.Unique {
				continue
			}
			h := holder{w.Table, string(e.Key(w.User, nil))}
			if first, ok := claimed[h]; ok && !bytes.Equal(first, w.PK) {
				return violated(w, e, first), nil
			}
			if len(c.Writes) > 1 {
				if claimed == nil {
					claimed = make(map[holder][]byte)
				}
				claimed[h] = w.PK
			}
			owner, found, err := s.owner(b, v, w, e, now)
			if err != nil {
				return Outcome{}, err
			}
			if !found || bytes.Equal(owner, w.PK) {
				continue
			}
			if freed == nil {
				freed = freedBy(c.Writes)
			}
			if !freed[holder{w.Table, h.key + string(owner)}] {
				return violated(w, e, owner), nil
			}
		}
	}
	return Outcome{}, nil
}

// owner returns the primary key of the row that has a unique entry. One that has
// expired has given it up.
func (s *shard) owner(b *store.Batch, v *store.View, w *command.Write, e row.Entry,
	now clock.Seq,
) (pk []byte, found bool, err error) {
	t := s.tables[w.Table]
	pk, found, err = t.table.Owner(v, b, w.User, e)
	if err == nil && found && t.fence.TTL > 0 {
		var rec row.Record
		rec, found, err = t.table.Present(v, b, w.User, pk)
		found = found && t.lives(rec, now)
	}
	if err != nil {
		return nil, false, fmt.Errorf("partition %s: %w", t.table.Part.Name, err)
	}
	return pk, found, nil
}

// freedBy returns the unique entries that writes remove, with the rows that
// give them up.
func freedBy(writes []command.Write) map[holder]bool {
	freed := make(map[holder]bool)
	for i := range writes {
		w := &writes[i]
		for _, e := range w.Remove {
			if e.Unique {
				freed[holder{w.Table, string(e.Key(w.User, nil)) + string(w.PK)}] = true
			}
		}
	}
	return freed
}

func violated(w *command.Write, e row.Entry, owner []byte) Outcome {
	return Outcome{
		Err: fault.New(fault.DuplicateKey, "a row with the same value of a unique index is there"),
		Violated: &Violation{Table: w.Table, Index: e.Index, Columns: e.Columns,
			Owner: owner, Writer: w.PK},
	}
}

// carriage is what stands beside the last changes of a row with a TTL: the
// entries that it had, and those that it has after a write. Who evicts it, or
// writes over it when it has expired, finds there what to remove.
type carriage struct{ had, has []row.Entry }

// carry returns what each write makes of its row's entries; nil when none is of
// a table with a TTL. What a fill changes is staged.
func (s *shard) carry(b *store.Batch, v *store.View, writes []command.Write,
	present []*row.Record,
) (list []carriage, err error) {
	for i := range writes {
		w, rec := &writes[i], present[i]
		t := s.tables[w.Table]
		if t.fence.TTL == 0 || w.Op == command.Check || w.Op == command.Fill && rec == nil {
			continue
		}
		if list == nil {
			list = make([]carriage, len(writes))
		}
		c := &list[i]
		if rec != nil && !rec.Deleted {
			if c.had, err = t.table.Carried(v, b, w.User, rec.Seq); err != nil {
				return nil, fmt.Errorf("partition %s: %w", t.table.Part.Name, err)
			}
		}
		switch w.Op {
		case row.Insert:
			c.has = w.Add
		case row.Delete:
		default:
			c.has = changed(c.had, w.Remove, w.Add)
			c.had = nil
		}
		if w.Op == command.Fill {
			if err := t.table.Carry(v, b, w.User, rec.Seq, c.has); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// changed returns entries without some and with others.
func changed(had, remove, add []row.Entry) []row.Entry {
	out := make([]row.Entry, 0, len(had)+len(add))
	for _, e := range had {
		same := func(o row.Entry) bool {
			return o.Index == e.Index && o.Unique == e.Unique && bytes.Equal(o.Columns, e.Columns)
		}
		if !slices.ContainsFunc(remove, same) && !slices.ContainsFunc(add, same) {
			out = append(out, e)
		}
	}
	return append(out, add...)
}

// moveEntries stages the entries of an admitted command: all removals, then all
// additions.
func (s *shard) moveEntries(b *store.Batch, v *store.View, writes []command.Write,
	present []*row.Record, carried []carriage,
) error {
	for i := range writes {
		w := &writes[i]
		remove := w.Remove
		if carried != nil {
			remove = append(carried[i].had, remove...)
		}
		for _, e := range remove {
			if err := s.tables[w.Table].table.RemoveEntry(v, b, w.User, w.PK, e); err != nil {
				return err
			}
		}
	}
	for i := range writes {
		w := &writes[i]
		if w.Op == command.Fill && present[i] == nil {
			continue
		}
		for _, e := range w.Add {
			s.tables[w.Table].table.PutEntry(b, w.User, w.PK, e)
		}
	}
	return nil
}

// setIndexes stages what became of indexes. A table that is not there has none.
func (s *shard) setIndexes(b *store.Batch, list []command.Index) {
	for _, x := range list {
		t := s.tables[x.Table]
		switch {
		case t == nil || t.fence.Dropped:
		case x.Gone:
			t.table.DropIndex(b, x.Index)
		default:
			t.table.CompleteIndex(b, x.Index)
		}
	}
}
