package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// Follower keeps a live query of one user's messages open, over crashes of the
// server too, and notes each row it is told in the order in which it comes.
//
// It owns one goroutine, started by Follow and ended by Close.
type Follower struct {
	client *blackbox.Client
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	ready  chan struct{} // closed after the first snapshot

	mu struct {
		sync.Mutex
		seen     []Message
		known    map[int64]bool
		sockets  int
		problems []string
	}
}

// Follow starts to follow the messages that the client's user sees, and
// returns after the first snapshot.
func Follow(ctx context.Context, client *blackbox.Client) (*Follower, error) {
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f := &Follower{client: client, cancel: cancel, ready: make(chan struct{})}
	f.mu.known = make(map[int64]bool)
	f.wg.Go(func() { f.run(run) })
	select {
	case <-f.ready:
		return f, nil
	case <-ctx.Done():
		f.Close()
		return nil, fmt.Errorf("no snapshot of the live query: %w %v", ctx.Err(), f.Problems())
	}
}

// Close ends the live query and returns when its goroutine has ended.
func (f *Follower) Close() {
	f.cancel(errStopped)
	f.wg.Wait()
}

// Seen returns the messages told so far, in the order of their coming.
func (f *Follower) Seen() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Message(nil), f.mu.seen...)
}

// Await waits until at least n messages were told, or the context ends.
func (f *Follower) Await(ctx context.Context, n int) error {
	for len(f.Seen()) < n {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("told %d of %d messages: %w", len(f.Seen()), n, err)
		}
	}
	return nil
}

// Problems returns what was wrong: a row told twice, a message that no live
// query should get.
func (f *Follower) Problems() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.mu.problems...)
}

// Sockets returns how many connections were opened.
func (f *Follower) Sockets() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.sockets
}

// run opens one connection after another until the follower is closed.
func (f *Follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.connection(ctx)
		var told *blackbox.Error
		if errors.As(err, &told) && !told.Retryable {
			f.problem("refused: %v", told)
			return
		}
		// A connection that broke is opened again: that is what is tried here.
		if pause(ctx, 20*time.Millisecond) != nil {
			return
		}
	}
}

// connection follows over one socket. Its snapshot may repeat what earlier
// sockets told; its changes may not repeat anything.
func (f *Follower) connection(ctx context.Context) error {
	s, err := blackbox.Dial(ctx, f.client.URL, f.client.Header())
	if err != nil {
		return err
	}
	defer s.Close()
	f.mu.Lock()
	f.mu.sockets++
	f.mu.Unlock()
	err = s.Send(map[string]any{"type": "subscribe", "subscription": map[string]any{
		"id":  "messages",
		"sql": "SELECT id, conversation, sent_at, content FROM " + Table,
	}})
	if err != nil {
		return err
	}
	var snapshot []Message
	for {
		m, err := s.Read(ctx)
		if err != nil {
			return err
		}
		switch m.Type {
		case "initial_data_batch":
			snapshot = append(snapshot, f.messages(m)...)
			if m.BatchControl.Status == "ready" {
				f.took(snapshot)
				break
			}
			err = s.Send(map[string]any{"type": "next_batch", "subscription_id": "messages",
				"last_seq_id": m.BatchControl.LastSeqID})
			if err != nil {
				return err
			}
		case "change":
			f.change(m)
		case "error":
			return &blackbox.Error{Code: m.Code, Message: m.Message}
		}
	}
}

// took notes what a snapshot has that was not told before, in the order in
// which it was written.
func (f *Follower) took(snapshot []Message) {
	sortByID(snapshot)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range snapshot {
		if !f.mu.known[m.ID] {
			f.noteLocked(m)
		}
	}
	if f.mu.sockets == 1 {
		close(f.ready)
	}
}

func (f *Follower) change(m *blackbox.Message) {
	if m.ChangeType != "insert" {
		f.problem("told a change that nobody made: %s", m.Raw)
		return
	}
	for _, row := range f.messages(m) {
		f.mu.Lock()
		twice := f.mu.known[row.ID]
		if !twice {
			f.noteLocked(row)
		}
		f.mu.Unlock()
		if twice {
			f.problem("message %d was told twice", row.ID)
		}
	}
}

func (f *Follower) noteLocked(m Message) {
	f.mu.known[m.ID] = true
	f.mu.seen = append(f.mu.seen, m)
}

// messages reads the rows of a server's message.
func (f *Follower) messages(m *blackbox.Message) []Message {
	var out []Message
	for _, row := range m.Rows {
		id, sent, err := numbers(row)
		content, ok := row["content"].(string)
		if err != nil || !ok {
			f.problem("a row that does not read: %s", m.Raw)
			continue
		}
		out = append(out, Message{ID: id, SentAt: sent, Content: content,
			Conversation: fmt.Sprint(row["conversation"])})
	}
	return out
}

func (f *Follower) problem(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.problems = append(f.mu.problems, fmt.Sprintf(format, args...))
}
