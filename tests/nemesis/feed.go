package nemesis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// How the feed is used: for each user one writer, whose changes are numbered, and a live
// query that begins at each node.
const (
	feedUsers = 2
	feedKeys  = 50
	feedPause = 10 * time.Millisecond
	// feedLimit is how long the last changes may take to arrive, and how long a live
	// query may be silent before its client tries another node.
	feedLimit  = 60 * time.Second
	feedSilent = 10 * time.Second
)

// feed is the load of live queries.
type feed struct {
	run    *run
	topics []*topic
}

// topic is what one user writes. Change k, from 1, inserts or updates row k modulo
// feedKeys with n = k, so that each change says which one it is.
type topic struct {
	user  string
	ended chan struct{} // closed when last is known
	last  int64         // change that was acknowledged; read after ended
}

// follower is a live query of a client.
type follower struct {
	run     *run
	caller  *caller
	topic   *topic
	at      int // node
	cursor  string
	seen    int64            // the last change
	rows    map[string]int64 // as the events have it
	fatal   bool
	events  int
	resumed int
}

func newFeed(r *run) *feed { return &feed{run: r} }

func (f *feed) setUp(ctx context.Context) error {
	c := f.run.caller("feed", "")
	const table = "CREATE USER TABLE IF NOT EXISTS nemesis.feed (id BIGINT PRIMARY KEY, " +
		"n BIGINT NOT NULL)"
	if _, err := c.ask(ctx, table); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	for u := range feedUsers {
		f.topics = append(f.topics, &topic{user: fmt.Sprintf("feed%d", u), ended: make(chan struct{})})
	}
	return nil
}

func (f *feed) work(ctx context.Context) {
	var wg sync.WaitGroup
	for _, t := range f.topics {
		wg.Go(func() { f.write(ctx, t) })
		for i := range f.run.nodes {
			wg.Go(func() {
				l := &follower{run: f.run, topic: t, at: i, rows: map[string]int64{},
					caller: f.run.caller(fmt.Sprintf("follow-%s-%d", t.user, i), t.user)}
				l.follow(ctx)
				f.run.mu.Lock()
				f.run.report.Events += l.events
				f.run.report.Resumed += l.resumed
				f.run.mu.Unlock()
				l.compare(ctx)
			})
		}
	}
	wg.Wait()
}

// write makes the changes of a topic one after another.
func (f *feed) write(ctx context.Context, t *topic) {
	defer close(t.ended)
	c := f.run.caller("write-"+t.user, t.user)
	for k := int64(1); !f.run.over(ctx); k++ {
		sql := fmt.Sprintf("UPDATE nemesis.feed SET n = %d WHERE id = %d", k, k%feedKeys)
		if k <= feedKeys {
			sql = fmt.Sprintf("INSERT INTO nemesis.feed VALUES (%d, %d)", k%feedKeys, k)
		}
		_, err := c.ask(ctx, sql)
		f.run.count("feed")
		if err != nil {
			// What comes behind an unknown one could not be judged.
			f.run.violation("feed", "change %d of %s did not succeed: %v", k, t.user, err)
			return
		}
		t.last = k
		wait(ctx, feedPause)
	}
}

// follow follows until the last change was told of, or far too long behind it.
func (l *follower) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for ctx.Err() == nil && !l.fatal && !l.done() {
		l.attend(ctx)
		select {
		case <-l.topic.ended:
			deadline := time.AfterFunc(feedLimit, cancel)
			defer deadline.Stop()
		default:
		}
		l.at++
		wait(ctx, retryPause)
	}
	if !l.fatal && !l.done() {
		l.fault("after %v change %d is the last that it told of, %d were made", feedLimit, l.seen,
			l.topic.last)
	}
}

func (l *follower) done() bool {
	select {
	case <-l.topic.ended:
		return l.seen >= l.topic.last
	default:
		return false
	}
}

func (l *follower) fault(format string, args ...any) {
	l.fatal = true
	l.run.violation("feed", "%s from cursor %q: %s", l.caller.name, l.cursor,
		fmt.Sprintf(format, args...))
}

// attend follows at one node until its connection ends, or for a time of chance.
func (l *follower) attend(ctx context.Context) {
	client := l.caller.at(l.run.nodes[l.at%len(l.run.nodes)])
	dialing, cancel := context.WithTimeout(ctx, attemptLimit)
	s, err := blackbox.Dial(dialing, client.URL, client.Header())
	cancel()
	if err != nil {
		return // the node is away
	}
	defer s.Close()
	options := map[string]any{}
	if l.cursor != "" {
		options["from"] = l.cursor
	}
	if s.Send(map[string]any{"type": "subscribe", "subscription": map[string]any{
		"id": "f", "sql": "SELECT id, n FROM nemesis.feed", "options": options,
	}}) != nil {
		return
	}
	if l.cursor != "" {
		l.resumed++
	} else {
		clear(l.rows) // of a snapshot that was not read to its end
	}
	leave := time.Now().Add(time.Duration(1+l.caller.rand.IntN(15)) * time.Second)
	for !l.fatal && !l.done() && (time.Now().Before(leave) || l.cursor == "") {
		if !l.take(ctx, s) {
			return
		}
	}
}

// take reads a message, and reports whether others can follow on this socket.
func (l *follower) take(ctx context.Context, s *blackbox.Socket) bool {
	ctx, cancel := context.WithTimeout(ctx, feedSilent)
	defer cancel()
	m, err := s.Read(ctx)
	if err != nil {
		return false
	}
	switch m.Type {
	case "initial_data_batch":
		l.snapshot(m)
		if m.BatchControl.Status != "ready" {
			return s.Send(map[string]any{"type": "next_batch", "subscription_id": "f"}) == nil
		}
		l.cursor = m.BatchControl.LastSeqID
	case "change":
		l.change(m)
		if m.Commit {
			l.cursor = m.Seq
		}
	case "progress":
		l.cursor = m.Seq
	case "resync":
		l.fault("the cursor was not enough: %s", m.Raw)
	case "error", "unsubscribed":
		l.run.heard("live "+m.Code+m.Reason, errors.New(m.Message))
		return false
	}
	return true
}

func (l *follower) snapshot(m *blackbox.Message) {
	if l.cursor != "" && len(m.Rows) > 0 {
		l.fault("a snapshot came where it was to go on: %s", m.Raw)
	}
	for _, row := range m.Rows {
		id, n := fmt.Sprint(row["id"]), l.number(row["n"])
		l.rows[id] = n
		l.seen = max(l.seen, n)
	}
}

// change takes a row that has changed: the one behind the last one.
func (l *follower) change(m *blackbox.Message) {
	if m.ChangeType == "delete" {
		l.fault("a change that nobody made: %s", m.Raw)
	}
	for _, row := range m.Rows {
		l.events++
		id, n := fmt.Sprint(row["id"]), l.number(row["n"])
		if n != l.seen+1 {
			l.fault("behind change %d came %d: %s", l.seen, n, m.Raw)
		}
		if _, there := l.rows[id]; there != (m.ChangeType == "update") {
			l.fault("%s of a row that is there: %t: %s", m.ChangeType, there, m.Raw)
		}
		l.seen, l.rows[id] = n, n
	}
}

func (l *follower) number(v any) int64 {
	n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	if err != nil {
		l.fault("no number: %v", v)
	}
	return n
}

// compare has what the events told be what a SELECT says.
func (l *follower) compare(ctx context.Context) {
	if l.fatal || ctx.Err() != nil {
		return
	}
	rows, err := l.caller.rows(ctx, "SELECT id, n FROM nemesis.feed")
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			l.fault("%v", err)
		}
		return
	}
	same := len(rows) == len(l.rows)
	for _, row := range rows {
		same = same && row[1] == fmt.Sprint(l.rows[row[0]])
	}
	if !same {
		l.fault("the events make %v, a SELECT says %v", l.rows, rows)
	}
}

// check has nothing to do: each follower has judged what it saw.
func (f *feed) check(context.Context) error { return nil }
