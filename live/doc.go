// Package live tells subscribers which rows changed.
//
// A subscription follows one query over one user's rows of one table, or over
// all rows of a stream table of namespace scope. The
// promise:
//
//  1. A subscriber gets a snapshot at a seq S, then every change of its result
//     after S once, in commit order. Events of a commit come one after another
//     and the last one that concerns the query is marked Commit.
//  2. A row that stops matching is told as a Delete with reason Leave, one
//     that starts matching as an Insert with reason Enter, judged on the old
//     and the new row. An update that changes nothing the query shows is not
//     told (name _seq or _updated in the query to see every one). Text that
//     was appended is told as the text and where it begins, to a query that shows
//     the column as it is and the whole primary key.
//  3. A subscription that resumes from a cursor gets exactly what was missed,
//     also after a restart. A cursor inside a commit that has more to tell
//     resumes at that commit's start. When history no longer reaches back, a
//     Resync says so and a new snapshot follows.
//  4. Publishing never waits for a subscriber. What waits for one, for one
//     socket and for all is bounded; beyond it the subscriber is given it from
//     history at its own pace (Replay), or the last state of each row that has
//     changed (Conflate), or is ended with its cursor (Disconnect), by the
//     policy it chose.
//
// Rows of a stream table expire, and that is not told: a subscriber drops a row
// that is older than the table's TTL by itself. A snapshot has no row that has
// expired, a replay no insert or update of one, and a row that is written after
// its forerunner expired is an Insert. What has expired is soon gone from
// history too, so a cursor older than the TTL is answered by a Resync. From a
// result that is kept, see below, rows go when they have expired: that is told
// like any other difference, by the next Expire.
//
// A query that is more than the rows that match has a result that is kept: a
// window of the first rows in an order, aggregates, or what running a statement
// again gives.
// Its subscribers are told the difference between the result that they have and
// the present one, in steps that are made one after another and that carry
// positions where there is an order; the last is marked Commit. The result after
// it is that of a SELECT at its Seq. What came and went in between is not told,
// and a cursor is answered by a Resync unless nothing that concerns the query
// has changed since. See result.go.
//
// The cursor to keep is the seq of the last Ready batch, of an event marked
// Commit or of a Progress, whichever came last.
//
// # Mechanics
//
// The package runs no goroutines, but for timers that end the rest after a
// statement was run again. Committers push: Publish composes each distinct
// query's events once, with no lock held, and appends them to one list in which
// each live subscription has its place. Subscribers pull: Notify
// says that there is something, Poll hands it out. All reading of the store is
// done by Poll, in bounded pieces, each from a view that it releases before it
// returns; so a slow subscriber holds neither a view nor a goroutine.
//
// A subscription registers first, then loads its snapshot page by page, then
// replays the change index from S on, and becomes live once it has read all
// that was published. Registering comes before reading, a commit is in the
// view before it is published, and whether nothing newer was published is
// checked under the lock that Publish takes first: so what Publish did not
// queue is in a view that is read later, and what both have is dropped by its
// seq. A page after the first shows the state at S too: rows that changed
// since are read from the versions that history keeps, and when those are
// trimmed, the subscription starts again with a Resync. A subscription that
// fell behind is as one that has just loaded its snapshot.
//
// # Locks
//
// Each shard's subscriptions have one mutex (shard.mu), held for a few pointer
// moves. Hub.mu guards the registry. Neither is taken while the other is held,
// and no callback, decoding or I/O happens under either. What Poll alone uses
// is guarded by there being one poller at a time. A kept result is brought up to
// date by one goroutine at a time, which holds the result's turn and takes
// shard.mu for moments; others who poll wait for it or their context.
//
// It does not parse SQL, check rights, know sockets or replication. Who may
// follow what is the caller's to decide before Subscribe, and to revoke with
// EndTable, EndUser or Kill.
package live
