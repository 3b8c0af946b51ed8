package cluster

import (
	"context"
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// Follower is a live query of a client that goes on at another node, from its cursor,
// when its node dies. Run belongs to one goroutine; what it has seen is read after.
type Follower struct {
	Clients []*blackbox.Client // of the same user at all nodes
	SQL     string
	// Until ends Run with what was seen; it is asked after each message that changes
	// something.
	Until func(*Follower) bool

	Keys    []string // of rows that were inserted, in the order of the events
	Resumed int      // how often it went on at another node
	cursor  string
}

// Run follows until Until, or until ctx ends, which is an error.
func (f *Follower) Run(ctx context.Context) error {
	for at := 0; ctx.Err() == nil; at++ {
		if at > 0 {
			f.Resumed++
		}
		done, err := f.follow(ctx, f.Clients[at%len(f.Clients)])
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("the live query saw %d rows: %w", len(f.Keys), ctx.Err())
}

// follow follows at one node until its connection ends.
func (f *Follower) follow(ctx context.Context, c *blackbox.Client) (done bool, err error) {
	s, err := blackbox.Dial(ctx, c.URL, c.Header())
	if err != nil {
		return false, nil // the node is away
	}
	defer s.Close()
	options := map[string]any{}
	if f.cursor != "" {
		options["from"] = f.cursor
	}
	err = s.Send(map[string]any{"type": "subscribe", "subscription": map[string]any{
		"id": "f", "sql": f.SQL, "options": options,
	}})
	for err == nil {
		var m *blackbox.Message
		if m, err = s.Read(ctx); err != nil {
			break
		}
		if err := f.take(s, m); err != nil {
			return false, err
		}
		if f.Until(f) {
			return true, nil
		}
	}
	return false, nil // the node went away
}

func (f *Follower) take(s *blackbox.Socket, m *blackbox.Message) error {
	switch m.Type {
	case "initial_data_batch":
		f.add(m)
		if m.BatchControl.Status == "ready" {
			f.cursor = m.BatchControl.LastSeqID
			return nil
		}
		// An error shows at the next read.
		_ = s.Send(map[string]any{"type": "next_batch", "subscription_id": "f"})
	case "change":
		if m.ChangeType != "insert" {
			return fmt.Errorf("an event that nobody caused: %s", m.Raw)
		}
		f.add(m)
		if m.Commit {
			f.cursor = m.Seq
		}
	case "progress":
		f.cursor = m.Seq
	case "resync":
		return fmt.Errorf("the cursor %s was not enough: %s", f.cursor, m.Raw)
	case "error", "unsubscribed":
		// A node that has just started may not know the table: another one does.
		s.Close()
	}
	return nil
}

func (f *Follower) add(m *blackbox.Message) {
	for _, row := range m.Rows {
		f.Keys = append(f.Keys, fmt.Sprint(row["id"]))
	}
}

// Write runs a write at the nodes in turn until one has answered it, and fails the test
// when that takes until ctx ends. Its request id makes it one write.
func Write(ctx context.Context, t testing.TB, clients []*blackbox.Client, id, sql string) bool {
	t.Helper()
	var last error
	for at := 0; ctx.Err() == nil; at++ {
		a, err := clients[at%len(clients)].Do(ctx, blackbox.Request{SQL: sql, RequestID: id})
		switch {
		case err != nil:
			last = err
		case a.Error == nil:
			return true
		case !a.Error.Retryable:
			t.Errorf("%s: %v", sql, a.Error)
			return false
		default:
			last = a.Error
		}
	}
	t.Errorf("%s: not answered in time, last: %v", sql, last)
	return false
}
