package shell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// follows are the queries that \subscribe follows. Each has a goroutine that
// prints until its subscription ends.
type follows struct {
	wg sync.WaitGroup

	mu     sync.Mutex
	lastID int
	active map[int]*follow
	err    error // of the first that ended by itself
}

// follow is one followed query. Its format is that of its beginning.
type follow struct {
	id     int
	sub    *client.Subscription
	format Format
	s      *Shell
}

// subscribe follows a query until \unsubscribe, or the end of the connection.
func (s *Shell) subscribe(ctx context.Context, sql string) error {
	var sub *client.Subscription
	err := s.busy(ctx, func(ctx context.Context) (err error) {
		sub, err = s.client.Subscribe(ctx, sql, client.SubscribeOptions{})
		return err
	})
	if err != nil {
		s.fail(err, sql)
		return err
	}
	s.follows.mu.Lock()
	s.follows.lastID++
	f := &follow{id: s.follows.lastID, sub: sub, format: s.format, s: s}
	s.follows.active[f.id] = f
	s.follows.mu.Unlock()
	s.say(`subscription %d is open; \unsubscribe %d ends it`, f.id, f.id)
	s.follows.wg.Go(func() { f.print(context.WithoutCancel(ctx)) })
	return nil
}

// print runs until the subscription ends, which Close of it or of the client
// brings about.
func (f *follow) print(ctx context.Context) {
	for {
		e, err := f.sub.Next(ctx)
		if err == nil {
			_, err = f.s.out.Write(f.render(e))
		}
		if err != nil {
			f.ended(err)
			return
		}
	}
}

func (f *follow) ended(err error) {
	fs := &f.s.follows
	fs.mu.Lock()
	delete(fs.active, f.id)
	told := errors.Is(err, client.ErrClosed)
	if !told && fs.err == nil {
		fs.err = err
	}
	fs.mu.Unlock()
	if !told {
		f.s.say("subscription %d: %s", f.id, Explain(err, f.sub.SQL()))
	}
	_ = f.sub.Close() // it has ended
}

// notice is an event for programs to read.
type notice struct {
	Subscription int          `json:"subscription"`
	Event        client.Kind  `json:"event"`
	Reason       string       `json:"reason,omitempty"`
	Ready        bool         `json:"ready,omitempty"`
	Seq          *wire.Seq    `json:"seq,omitempty"`
	Commit       bool         `json:"commit,omitempty"`
	Rows         []client.Row `json:"rows,omitempty"`
	OldValues    []client.Row `json:"old_values,omitempty"`
}

// render returns an event as lines: for people in the format table, else one
// JSON object.
func (f *follow) render(e client.Event) []byte {
	if f.format == Table {
		return f.text(e)
	}
	n := notice{Subscription: f.id, Event: e.Kind, Reason: e.Reason, Ready: e.Ready,
		Commit: e.Commit, Rows: e.Rows, OldValues: e.Old}
	if e.Seq > 0 {
		seq := wire.Seq(e.Seq)
		n.Seq = &seq
	}
	line, err := json.Marshal(n)
	if err != nil {
		return []byte(Explain(err, "") + "\n")
	}
	return append(line, '\n')
}

func (f *follow) text(e client.Event) []byte {
	var b bytes.Buffer
	head := fmt.Sprintf("[%d] %s", f.id, e.Kind)
	if e.Reason != "" {
		head += " (" + printable(e.Reason) + ")"
	}
	switch e.Kind {
	case client.Snapshot:
		fmt.Fprintf(&b, "%s, %s\n", head, count(int64(len(e.Rows)), "row"))
		if len(e.Rows) > 0 {
			writeTable(&b, e.Rows[0].Schema(), e.Rows)
		}
		if e.Ready {
			fmt.Fprintf(&b, "[%d] up to date, changes follow\n", f.id)
		}
	case client.Insert, client.Update, client.Delete:
		for i := range max(len(e.Rows), len(e.Old)) {
			b.WriteString(head + " " + changed(e, i) + "\n")
		}
	default:
		b.WriteString(head + "\n")
	}
	return b.Bytes()
}

// changed tells row i of a change: the new row, with the old values of what
// an update changed; the old row of a delete.
func changed(e client.Event, i int) string {
	if i >= len(e.Rows) {
		return pairs(e.Old[i], client.Row{})
	}
	if i >= len(e.Old) {
		return pairs(e.Rows[i], client.Row{})
	}
	return pairs(e.Rows[i], e.Old[i])
}

func pairs(row, old client.Row) string {
	var out []string
	for i, c := range row.Schema().Columns() {
		if i >= row.Len() || row.Raw(i) == nil {
			continue
		}
		text := printable(c.Name) + "=" + cell(row, i)
		if was, err := old.String(c.Name); err == nil && was != row.Text(i) {
			text += " (was " + printable(was) + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, "  ")
}

// unsubscribe ends one query, or all when id is 0. It is false when there is
// none.
func (fs *follows) unsubscribe(id int) bool {
	fs.mu.Lock()
	var ends []*follow
	for _, k := range slices.Sorted(maps.Keys(fs.active)) {
		if id == 0 || k == id {
			ends = append(ends, fs.active[k])
		}
	}
	fs.mu.Unlock()
	for _, f := range ends {
		_ = f.sub.Close() // never fails; its goroutine takes it from the list
	}
	return len(ends) > 0
}

// stop ends all queries, waits for their goroutines, and tells how many.
func (fs *follows) stop() int {
	fs.mu.Lock()
	n := len(fs.active)
	fs.mu.Unlock()
	fs.unsubscribe(0)
	fs.wg.Wait()
	return n
}

// wait returns when all queries have ended by themselves, with the first
// error, or when the user interrupts.
func (fs *follows) wait(ctx context.Context, interrupts <-chan os.Signal) error {
	done := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		fs.wg.Wait()
		close(done)
	})
	select {
	case <-done:
	case <-interrupts:
		fs.unsubscribe(0)
	case <-ctx.Done():
		fs.unsubscribe(0)
	}
	<-done
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.err
}
