// Package command is the unit of change: what the commit path proposes, a log
// carries and a shard applies. A Command is self-contained: apply needs nothing
// but the command and the shard's own hot tier, so that every replica makes the
// same of it.
//
// The byte layout is in docs/format/command.md. The package holds no state.
package command

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Command is a list of changes to one shard that happen together or not at
// all. It must not be changed once it is proposed.
type Command struct {
	Shard ident.ShardID
	// Clock is the proposer's reading of its hybrid clock; apply gives no
	// smaller seq than this.
	Clock   clock.Seq
	Request *Request // nil for a command that nobody repeats
	Fences  []Fence
	Indexes []Index
	Writes  []Write
	Trim    *Trim
	Erase   *Erase
	// Segments and Swaps are of the cold tier. They change nothing that a reader
	// of rows sees, and are done after the writes.
	Segments []Segment
	Swaps    []Swap

	// Epoch is the term of the system group's leader who does work in the
	// background, 0 for who is no such. A shard refuses the commands of an epoch
	// below the highest that it has applied.
	Epoch uint64
	// Barrier raises the newest format that may be proposed, on the system shard; 0
	// leaves it.
	Barrier Version
	// At most one of these is set. A Prepare has writes and a request beside it,
	// the others nothing.
	Prepare *Prepare
	Decide  *Decide
	Resolve *Resolve
}

// Request identifies a statement that its sender may send again.
type Request struct {
	ID     string // acting user, request id and statement number, made by RequestID
	Hash   uint64 // of the statement and its parameters
	Result []byte // what a repeat is answered with; at most MaxResult bytes
}

// MaxResult bounds Request.Result.
const MaxResult = 64 << 10

// Fence tells a shard about a table: from now on it refuses writes planned
// with a schema older than Min, or any when Dropped. A shard takes no write
// for a table that it was not told of.
type Fence struct {
	Table     ident.TableID
	Partition keyspace.Name
	Min       ident.SchemaVersion
	Dropped   bool
	// Emptied says of a dropped table that nothing outside of its partition is left,
	// so that each replica takes away the partition.
	Emptied bool
	// TTL is how long after its seq a row is there, in whole milliseconds; 0
	// for ever.
	TTL time.Duration
}

// What became of a fence's table, as it is encoded.
const (
	fateThere byte = iota
	fateDropped
	fateEmptied
)

func (f *Fence) fate() byte {
	switch {
	case f.Emptied:
		return fateEmptied
	case f.Dropped:
		return fateDropped
	}
	return fateThere
}

// Index tells a shard what became of an index of a table: all of its live rows
// have entries from now on, or, when Gone, the entries go. Nothing writes
// entries of an index that is gone: a fence before has seen to that.
type Index struct {
	Table ident.TableID
	Index ident.IndexID
	Gone  bool
}

// Operations of a Write beside those of package row.
const (
	// Check changes nothing: only the precondition counts.
	Check row.Op = 0
	// Fill only adds entries of indexes, to a row that was there before them.
	// Where the precondition does not hold it does nothing: whoever changed the
	// row has added them.
	Fill row.Op = 4
)

// Write is one row's change with its precondition: the live row has seq
// Expect, or there is none when Expect is 0. A unique entry of Add that
// another row has refuses the command, unless it removes that one.
type Write struct {
	Table   ident.TableID
	Schema  ident.SchemaVersion
	Codec   serde.ID
	Op      row.Op
	User    ident.UserID
	Expect  clock.Seq
	PK      []byte
	Payload []byte // the new row, or nothing for Delete
	// Old is the payload, with its schema version and codec, of the live row where
	// that is cold; nil where it is not. Without it an Update or a Delete of a cold
	// row is refused: the payload stays beside the key, for the history.
	Old *row.Record
	// Remove are entries of indexes that the live row has and the new one has
	// not, Add those that it gets.
	Remove, Add []row.Entry
	// Tail says where an Append puts its text, which is the Payload. The row must
	// be there, whatever its seq; Expect says nothing. It keeps its schema version
	// and codec. nil for all other operations.
	Tail *row.Tail
}

// Trim removes a bounded part of a table's history.
type Trim struct {
	Table  ident.TableID
	Cursor []byte    // where the previous chunk ended, nil to begin
	Below  clock.Seq // changes older than this go
	Keep   clock.Seq // tombstones that are not older than this stay; 0 keeps none
	Limit  int       // entries removed at most
}

// Erase removes a bounded part of what a user has in a table; see table.Erasure.
type Erase struct {
	Table ident.TableID
	table.Erasure
}

// Segment is the next step in the life of a segment, as table.EditSegment has
// it; where it is none, nothing is done. An Entry without a State is removed.
type Segment struct {
	Table ident.TableID
	User  ident.UserID
	Entry manifest.Entry
}

// Swap tells that payloads of rows are in a segment. Rows that have changed since
// are left as they are.
type Swap struct {
	Table ident.TableID
	table.Swap
}

// Size estimates the bytes of c in a log, for batching.
func (c *Command) Size() int {
	n := 64
	for i := range c.Writes {
		w := &c.Writes[i]
		n += 64 + len(w.User) + len(w.PK) + len(w.Payload)
		if w.Old != nil {
			n += len(w.Old.Payload)
		}
		if w.Tail != nil {
			for _, l := range w.Tail.Layouts {
				n += 8 + len(l.Kinds)
			}
		}
		for _, list := range [][]row.Entry{w.Remove, w.Add} {
			for _, e := range list {
				n += 32 + len(w.User) + len(w.PK) + len(e.Columns)
			}
		}
	}
	for i := range c.Segments {
		s := &c.Segments[i]
		n += 160 + len(s.User) + len(s.Entry.Path) + len(s.Entry.MinKey) + len(s.Entry.MaxKey)
	}
	for i := range c.Swaps {
		for _, m := range c.Swaps[i].Rows {
			n += 48 + len(c.Swaps[i].User) + len(m.PK)
		}
	}
	if c.Request != nil {
		n += len(c.Request.ID) + len(c.Request.Result)
	}
	if c.Decide != nil {
		n += 16 * (len(c.Decide.Parts) + len(c.Decide.Resolved))
	}
	return n
}
