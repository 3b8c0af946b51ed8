package live

import (
	"sync"
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// Message is what a subscriber is told: an Ack, Schema, Batch, Changed,
// Progress, Resync or Ended. Messages are read-only: what they refer to is shared by
// other subscriptions.
type Message interface{ message() }

// Ack is the first message of every subscription.
type Ack struct {
	Columns       []predicate.Column
	SchemaVersion ident.SchemaVersion
	BatchSize     int // most rows of a Batch
}

// Schema is the first message of a subscription that goes on after another. A
// commit of which the other had told a part is told again, all of it.
type Schema struct {
	Columns       []predicate.Column
	SchemaVersion ident.SchemaVersion
}

// Status says how far a snapshot is.
type Status string

// The states of a snapshot, as Batch carries them.
const (
	Loading      Status = "loading"       // the first of several batches
	LoadingBatch Status = "loading_batch" // one in the middle
	Ready        Status = "ready"         // the last one; changes follow
)

// Batch is a page of the snapshot. After one that is not Ready nothing comes
// until NextBatch is called.
type Batch struct {
	Rows    [][]value.Value // projected, in the order of Ack.Columns
	Num     int             // from 0 in each snapshot
	HasMore bool
	Status  Status
	// LastSeq is the cursor to keep. It is 0 until the batch that is Ready,
	// since a part of a snapshot is no base to resume from.
	LastSeq clock.Seq
}

// Changed tells of one change.
type Changed struct{ *Event }

// Progress says that there is nothing to tell, but everything up to Seq was.
type Progress struct{ Seq clock.Seq }

// ResyncReason says why a subscription starts again.
type ResyncReason string

// The reasons of a Resync.
const (
	// HistoryTrimmed means that the changes since the cursor, or the versions
	// that a slow snapshot still needed, are no longer kept.
	HistoryTrimmed ResyncReason = "history_trimmed"
	// CursorUnknown means that the cursor is not one of this history: it is in
	// the future, or in a gap that a crash left.
	CursorUnknown ResyncReason = "cursor_unknown"
	// RowsChanged means that a change of the table's schema, or TRUNCATE,
	// changed what the query shows of rows that were told.
	RowsChanged ResyncReason = "schema_changed"
	// StateNotKept means that the result has changed since the cursor, and is one
	// that can only be told from a snapshot: a window, or a query that is run
	// again.
	StateNotKept ResyncReason = "state_not_kept"
)

// Resync says that what the subscriber has is no longer a base: it drops it. A
// new snapshot follows, with batches counted from 0 again.
type Resync struct{ Reason ResyncReason }

// EndReason says why a subscription ended.
type EndReason string

// The reasons of an Ended.
const (
	Unsubscribed EndReason = "unsubscribed"  // by its subscriber
	Killed       EndReason = "killed"        // by KILL LIVE QUERY
	TableDropped EndReason = "table_dropped" // what it followed is gone
	// SchemaChanged and TableTruncated end a subscription that may be opened
	// again at once, with Spec.After.
	SchemaChanged  EndReason = "schema_changed"
	TableTruncated EndReason = "table_truncated"
	Revoked        EndReason = "access_revoked" // its owner may not read it any more
	SlowConsumer   EndReason = "slow_consumer"  // its queue was full, policy Disconnect
	ShuttingDown   EndReason = "shutting_down"  // the hub was closed
	Failed         EndReason = "failed"         // the query or the store failed on it
)

// Ended is the last message of a subscription. Cursor is what the subscriber
// may resume from, 0 when it was never given one. Err is nil unless something
// failed.
type Ended struct {
	Reason EndReason
	Err    error
	Cursor clock.Seq
}

func (Ack) message()      {}
func (Schema) message()   {}
func (Batch) message()    {}
func (Changed) message()  {}
func (Progress) message() {}
func (Resync) message()   {}
func (Ended) message()    {}

// ChangeType is what a change is for the result of a query.
type ChangeType string

// The types of changes.
const (
	Insert ChangeType = "insert"
	Update ChangeType = "update"
	Delete ChangeType = "delete"
)

// MatchReason tells an insert or delete of the result from one of the table.
type MatchReason string

// The reasons of an Event. A plain change has none.
const (
	Enter MatchReason = "enter" // an updated row that matches now and did not before
	Leave MatchReason = "leave" // an updated row that no longer matches
)

// Event is one change of a query's result. It is immutable, and shared by all
// subscriptions of one distinct query that follow at that moment.
type Event struct {
	Type   ChangeType
	Reason MatchReason // "" for a plain change
	// Columns and Rows are the projected row after the change; Rows is empty
	// for a Delete.
	Columns []predicate.Column
	Rows    [][]value.Value
	// OldColumns and Old are what was there before, for an Update the primary
	// key and the projected columns that changed, for a Delete the primary key
	// and the whole projected row. Empty for an Insert.
	OldColumns []predicate.Column
	Old        [][]value.Value
	// Ordered says that the result has an order, and Position where in it the row
	// stands after the change, from 0; of a Delete, where it stood. Changes are
	// made one after another.
	Ordered  bool
	Position int
	// Append, when it is not nil, is all that an Update changed of what is shown,
	// _seq aside. Columns and Rows are the primary key and _seq then, and Old is
	// empty.
	Append *Append
	// Seq is that of the row's version; of the last event of a conflated round,
	// the seq that the round reached.
	Seq clock.Seq
	// Commit marks the last event of its commit for this query. Its Seq is the
	// cursor to keep.
	Commit bool

	row   clock.Seq // of the row's version, also where Seq is not
	id    string    // of the entry of a kept result
	size  int       // bytes, for the bounds of queues
	once  sync.Once
	body  []byte
	users atomic.Int32 // that hold the body
}

// Append is text that was put behind that of a column.
type Append struct {
	Column string // as it is shown
	Offset int    // the bytes of the text before
	Text   string
}

// Encoded returns what enc made of e. enc is called once, for the first
// subscription that asks; it must be the same function for all of them, and
// the result must not be changed. It blocks while another goroutine encodes e.
func (e *Event) Encoded(enc func(*Event) []byte) []byte {
	e.once.Do(func() { e.body = enc(e) })
	return e.body
}

// Hold counts the encoded form of e in b for one more who keeps it while it is
// sent: once, however many do. Each calls Release when it is done.
func (e *Event) Hold(b *Budget) {
	if e.users.Add(1) == 1 {
		b.Add(len(e.body))
	}
}

// Release ends what Hold began.
func (e *Event) Release(b *Budget) {
	if e.users.Add(-1) == 0 {
		b.Add(-len(e.body))
	}
}
