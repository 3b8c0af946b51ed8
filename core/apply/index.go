package apply

import (
	"bytes"
	"fmt"

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
	present []*row.Record,
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
			t := s.tables[w.Table].table
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
			owner, found, err := t.Owner(v, b, w.User, e)
			if err != nil {
				return Outcome{}, fmt.Errorf("partition %s: %w", t.Part.Name, err)
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

// moveEntries stages the entries of an admitted command: all removals, then all
// additions.
func (s *shard) moveEntries(b *store.Batch, v *store.View, writes []command.Write,
	present []*row.Record,
) error {
	for i := range writes {
		w := &writes[i]
		for _, e := range w.Remove {
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
