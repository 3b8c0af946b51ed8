package table

import (
	"bytes"
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Entry is one change in a user's history. Its PK is valid until Next or
// Close.
type Entry struct {
	Seq clock.Seq
	row.Change
}

// Changes walks a user's history upwards. It is used by one goroutine and must
// be closed. The walk costs what changed, not what exists; the rows themselves
// are read by Images only.
//
//	for changes.Next() { use(changes.Entry()) }
//	err := changes.Close()
type Changes struct {
	ctx   context.Context
	table Table
	view  *store.View
	user  ident.UserID
	it    store.Iterator
	entry Entry
	err   error

	// The last record of the run that Images was asked for last.
	run   row.Record
	runPK []byte
}

// Changes walks the changes of user with a seq above after. A caller who needs
// all of them compares after with Trimmed of the same view first. The caller
// holds v until Close; ctx ends the reading of cold rows.
func (t Table) Changes(
	ctx context.Context, v *store.View, user ident.UserID, after clock.Seq,
) *Changes {
	c := &Changes{ctx: ctx, table: t, view: v, user: user}
	if after >= clock.MaxSeq {
		c.it = store.ErrorIterator(nil)
		return c
	}
	c.it = v.Scan(t.Part, store.Range{
		Lo: row.ChangeKey(user, max(after, 0)+1), Hi: row.ChangeEnd(user),
	})
	return c
}

// Next moves to the next change, the first one on the first call.
func (c *Changes) Next() bool {
	if c.err != nil || !c.it.Next() {
		return false
	}
	c.entry, _, c.err = parseEntry(c.it)
	return c.err == nil
}

func parseEntry(it store.Iterator) (Entry, ident.UserID, error) {
	user, seq, err := row.SplitChangeKey(it.Key())
	if err != nil {
		return Entry{}, "", err
	}
	change, err := row.ParseChange(it.Value())
	return Entry{Seq: seq, Change: change}, user, err
}

// Entry returns the present change.
func (c *Changes) Entry() Entry { return c.entry }

// Images returns the row before and after the present change, in memory that
// stays: before is nil for an Insert, after is the tombstone for a Delete.
func (c *Changes) Images() (before, after *row.Record, err error) {
	if c.entry.Op == row.Append {
		return c.appended()
	}
	pk := bytes.Clone(c.entry.PK)
	if c.entry.Op != row.Insert {
		if before, err = c.version(pk, c.entry.Prev); err != nil {
			return nil, nil, err
		}
	}
	rec, found, err := c.table.Peek(c.view, c.user, pk)
	if err != nil {
		return nil, nil, err
	}
	if found && rec.Seq == c.entry.Seq {
		if rec.Cold {
			rec, err = c.table.thaw(c.ctx, c.view, c.user, rec)
		}
		return before, &rec, err
	}
	after, err = c.version(pk, c.entry.Seq)
	return before, after, err
}

// appended returns the images of an Append: the last record of its run with as
// much text as there was.
func (c *Changes) appended() (before, after *row.Record, err error) {
	e := &c.entry
	if c.run.Seq < e.Seq || !bytes.Equal(c.runPK, e.PK) {
		c.runPK = bytes.Clone(e.PK)
		rec, found, err := c.table.Get(c.ctx, c.view, c.user, c.runPK)
		if err != nil {
			return nil, nil, err
		}
		if rec.Seq != e.Seq {
			if rec, found, err = c.table.firstAfter(c.view, c.user, c.runPK, e.Seq-1, rec); err != nil {
				return nil, nil, err
			}
		}
		if c.run = rec; !found || rec.Seq < e.Seq || rec.Run != e.Piece.Column {
			c.run = row.Record{}
			return nil, nil, errRun(c.table)
		}
	}
	old, now := c.run.Before(e.Prev, e.Piece.Offset), c.run
	if now.Seq != e.Seq {
		now = now.Before(e.Seq, e.Piece.Offset+e.Piece.Length)
	}
	return &old, &now, nil
}

// version reads an overwritten record. The trimmed part of the history aside,
// every change has its images.
func (c *Changes) version(pk []byte, seq clock.Seq) (*row.Record, error) {
	raw, found, err := c.view.Get(c.table.Part, row.VersionKey(c.user, pk, seq))
	rec, found, err := parse(raw, found, err)
	if err != nil {
		return nil, err
	}
	if !found || rec.Seq != seq {
		return nil, fault.New(fault.Corruption,
			"the history of partition %s lacks the version at %d", c.table.Part.Name, seq)
	}
	return &rec, nil
}

// Err returns what ended the walk early, if anything did.
func (c *Changes) Err() error {
	if c.err != nil {
		return c.err
	}
	return c.it.Err()
}

// Close frees the iterator and returns Err's error. It may be called twice.
func (c *Changes) Close() error {
	if err := c.it.Close(); c.err == nil {
		c.err = err
	}
	return c.err
}
