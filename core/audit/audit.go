// Package audit keeps system.audit_log: who acted for another user, and who
// changed the schema or an account. Passwords, literals and the text of
// statements never enter it.
//
// Changes of the schema and of accounts are written one by one, before they
// are answered. Acts for others are what application servers do all day, so
// they are counted: one row for each actor, user, kind of statement, table,
// outcome and address in a minute, written once a second; the first acts of a
// minute for many users are stored as one entry, and read as rows. A crash loses
// the last second of them; see docs/adr/0007-audit-log.md.
//
// A Log starts no goroutine: whoever owns it calls Run, and Flush when Run has
// ended. It is safe for concurrent use.
package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
)

// Success is the outcome of a statement that did not fail.
const Success = "success"

// Entry is a row of the log.
type Entry struct {
	ID        string       `json:"id"`   // begins with the time; set by the Log
	Time      time.Time    `json:"time"` // of the first of Count
	Actor     ident.UserID `json:"actor"`
	ActingFor ident.UserID `json:"acting_for,omitempty"`
	Kind      string       `json:"kind"`             // of the statement, "CREATE USER TABLE"
	Object    string       `json:"object,omitempty"` // table, namespace or user
	Outcome   string       `json:"outcome"`          // Success or the error's code
	RequestID string       `json:"request_id,omitempty"`
	Remote    string       `json:"remote,omitempty"` // the client's address, "" when not known
	Count     int64        `json:"count"`

	// What an entry has that stands for the acts for many users in a minute, instead
	// of ActingFor, Time and Count; see pack. No caller sets them.
	Minute int64   `json:"minute,omitempty"`
	Users  []share `json:"users,omitempty"`
}

// Parts are what a Log works with. All are required.
type Parts struct {
	DB *store.DB
	// Propose commits writes of one system table; see exec.Keeper.Write.
	Propose func(ctx context.Context, writes ...writeset.Write) error
	Gen     *clock.Generator
	Now     func() time.Time
	Logger  *slog.Logger
}

// Log is the audit log.
type Log struct {
	Parts
	flushing chan struct{} // holds a token: one flush at a time
	seen     seen          // used by who has the token

	mu   sync.Mutex
	acts map[act]*count // not written yet
}

// New returns a Log.
func New(p Parts) *Log {
	l := &Log{Parts: p, flushing: make(chan struct{}, 1), acts: make(map[act]*count), seen: newSeen()}
	l.flushing <- struct{}{}
	return l
}

// act is what entries have in common that are counted in one row.
type act struct {
	minute           int64
	actor, actingFor ident.UserID
	kind, object     string
	outcome, remote  string
}

type count struct {
	first     time.Time
	requestID string // of the first
	n         int64
}

// Bounds of what waits to be written.
const (
	flushEvery = time.Second
	maxWaiting = 4096 // rows; whoever adds one more writes them out
	flushChunk = 512  // rows in one command
)

// Act counts an act. It blocks only when too much waits to be written, until
// that is done. Time and Count of e are set here.
func (l *Log) Act(ctx context.Context, e Entry) {
	now := l.Now()
	a := act{now.Unix() / 60, e.Actor, e.ActingFor, e.Kind, e.Object, e.Outcome, e.Remote}
	if !l.add(a, count{first: now, requestID: e.RequestID, n: 1}) {
		return
	}
	if err := l.Flush(ctx); err != nil {
		l.Logger.Error("write the audit log; it is tried again", "error", err)
	}
}

// add counts c and reports whether too much waits. When twice the bound wait,
// because they can't be written, a new one is told to the server's log only.
func (l *Log) add(a act, c count) (tooMuch bool) {
	l.mu.Lock()
	known, n := l.acts[a], len(l.acts)
	switch {
	case known != nil:
		known.n += c.n
	case n < 2*maxWaiting:
		l.acts[a] = &c
	}
	l.mu.Unlock()
	if known == nil && n >= 2*maxWaiting {
		l.Logger.Error("an act is not in the audit log, which can't be written",
			"actor", a.actor, "acting_for", a.actingFor, "statement", a.kind, "object", a.object)
	}
	return n >= maxWaiting
}

// Record writes one entry and returns when it is kept.
func (l *Log) Record(ctx context.Context, e Entry) error {
	e.Time, e.Count = l.Now().UTC(), 1
	e.ID = timeKey(e.Time) + l.Gen.ULID()
	w, err := catalog.KeptAudit.Put(e.ID, e, 0)
	if err != nil {
		return err
	}
	return l.Propose(ctx, w)
}

// Run writes what waits from time to time, until ctx ends.
func (l *Log) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := l.Flush(ctx); err != nil && ctx.Err() == nil {
				l.Logger.Error("write the audit log; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Flush writes what waits and returns when it is kept. What could not be
// written waits on.
func (l *Log) Flush(ctx context.Context) error {
	select {
	case <-l.flushing:
	case <-ctx.Done():
		return fault.From(ctx.Err())
	}
	defer func() { l.flushing <- struct{}{} }()
	l.mu.Lock()
	waiting := l.acts
	if len(waiting) > 0 {
		l.acts = make(map[act]*count)
	}
	l.mu.Unlock()
	err := l.pack(ctx, waiting)
	if err == nil {
		err = l.writeAll(ctx, waiting)
	}
	for a, c := range waiting { // none unless it failed
		l.add(a, *c)
	}
	return err
}

// writeAll writes acts in chunks, a row each, and takes them out of waiting.
func (l *Log) writeAll(ctx context.Context, waiting map[act]*count) error {
	chunk := make([]act, 0, min(len(waiting), flushChunk))
	for a := range waiting {
		if chunk = append(chunk, a); len(chunk) < min(len(waiting), flushChunk) {
			continue
		}
		if err := l.insist(ctx, waiting, chunk); err != nil {
			return err
		}
		for _, a := range chunk {
			l.seen.add(a)
			delete(waiting, a)
		}
		chunk = chunk[:0]
	}
	return nil
}

// conflicts bounds how often a chunk is written again because another node of a cluster
// has counted the same acts of the same minute in between.
const conflicts = 10

// insist is write, again while others count at the same time: what they wrote is seen
// then, since it was applied here before this was refused.
func (l *Log) insist(ctx context.Context, counts map[act]*count, chunk []act) (err error) {
	for range conflicts {
		err = l.write(ctx, counts, chunk)
		if !fault.Is(err, fault.TransactionConflict) {
			break
		}
	}
	return err
}

// write adds the counts of a chunk to what is stored of the same minute.
func (l *Log) write(ctx context.Context, counts map[act]*count, chunk []act) error {
	v := l.DB.View()
	defer v.Release()
	writes := make([]writeset.Write, len(chunk))
	for i, a := range chunk {
		c, key := counts[a], a.key()
		e := Entry{ID: key, Time: c.first.UTC(), Actor: a.actor, ActingFor: a.actingFor, Kind: a.kind,
			Object: a.object, Outcome: a.outcome, RequestID: c.requestID, Remote: a.remote}
		seq, err := catalog.KeptAudit.Get(l.DB, v, key, &e)
		if err != nil {
			return err
		}
		if e.Count += c.n; e.Count > 1 {
			e.RequestID = ""
		}
		if writes[i], err = catalog.KeptAudit.Put(key, e, seq); err != nil {
			return err
		}
	}
	return l.Propose(ctx, writes...)
}
