package client_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// answering is a transport that always gives the same answer.
type answering struct {
	status int
	body   string
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Request: r, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// reader collects the ids that a subscription tells of.
type reader struct {
	t   *testing.T
	sub *client.Subscription
}

func subscribe(t *testing.T, c *client.Client, o client.SubscribeOptions) *reader {
	t.Helper()
	sub, err := c.Subscribe(soon(t), "SELECT * FROM chat.messages", o)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{t, sub}
}

func (r *reader) next() client.Event {
	r.t.Helper()
	e, err := r.sub.Next(soon(r.t))
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// ids reads n rows, whatever events they come in.
func (r *reader) ids(n int) []int64 {
	r.t.Helper()
	var ids []int64
	for len(ids) < n {
		e := r.next()
		for _, row := range e.Rows {
			id, err := row.Int64("id")
			if err != nil {
				r.t.Fatal(err)
			}
			ids = append(ids, id)
		}
	}
	return ids
}

func (r *reader) want(ids ...int64) {
	r.t.Helper()
	if got := r.ids(len(ids)); !slices.Equal(got, ids) {
		r.t.Fatalf("rows %v, want %v", got, ids)
	}
}

func TestSubscription_snapshot_then_changes(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1, 2, 3)
	s.Commit(4, 5)
	r := subscribe(t, c, client.SubscribeOptions{BatchSize: 2})
	var sizes []int
	for {
		e := r.next()
		if e.Kind != client.Snapshot {
			t.Fatalf("event %+v", e)
		}
		sizes = append(sizes, len(e.Rows))
		if e.Ready {
			break
		}
	}
	if !slices.Equal(sizes, []int{2, 2, 1}) {
		t.Errorf("batches of %v", sizes)
	}
	s.Commit(6, 7)
	a, b := r.next(), r.next()
	if a.Kind != client.Insert || a.Commit || !b.Commit || a.Seq >= b.Seq {
		t.Errorf("events %+v, %+v", a, b)
	}
	if text, err := b.Rows[0].String("text"); err != nil || text != "message 7" {
		t.Errorf("text %q, %v", text, err)
	}
	if r.sub.Cursor() != b.Seq {
		t.Errorf("cursor %v, want %v", r.sub.Cursor(), b.Seq)
	}
}

func TestSubscription_resumes_after_a_lost_socket(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1)
	r := subscribe(t, c, client.SubscribeOptions{})
	r.want(1)
	s.Commit(2)
	r.want(2)
	s.CommitHalf(3, 4, 5)
	s.Bye(fault.New(fault.ShuttingDown, "back soon"))
	s.Commit(6)
	r.want(3, 4, 5, 6)
	for i := range int64(20) {
		s.Commit(int(7 + i))
		s.Drop()
		r.want(7 + i)
	}
	for _, o := range s.Opened()[1:] {
		if o.Options.From == nil {
			t.Errorf("subscribed again without a cursor: %+v", o)
		}
	}
}

func TestSubscription_ends_when_the_server_says_so(t *testing.T) {
	s, c := open(t, nil)
	r := subscribe(t, c, client.SubscribeOptions{})
	r.next()
	s.Bye(fault.New(fault.PermissionDenied, "the account was dropped"))
	_, err := r.sub.Next(soon(t))
	wantCode(t, err, fault.PermissionDenied)
	s.Commit(1)
	subscribe(t, c, client.SubscribeOptions{}).want(1)
}

func TestSubscription_snapshot_cut_short_begins_again(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1, 2, 3)
	s.Stall(true)
	r := subscribe(t, c, client.SubscribeOptions{BatchSize: 2})
	r.want(1, 2)
	s.Stall(false)
	s.Drop()
	if e := r.next(); e.Kind != client.Resync {
		t.Fatalf("event %+v", e)
	}
	r.want(1, 2, 3)
}

func TestSubscription_too_old_cursor_is_a_resync(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1)
	r := subscribe(t, c, client.SubscribeOptions{})
	r.want(1)
	s.Commit(2)
	r.want(2)
	s.Forget()
	s.Drop()
	if e := r.next(); e.Kind != client.Resync || e.Reason != string(fault.CursorTooOld) {
		t.Fatalf("event %+v", e)
	}
	r.want(1, 2)
}

func TestSubscription_slow_reader_resumes(t *testing.T) {
	s, c := open(t, func(o *client.Options) { o.QueueSize = 3 })
	r := subscribe(t, c, client.SubscribeOptions{})
	fast := subscribe(t, c, client.SubscribeOptions{})
	if e := r.next(); !e.Ready {
		t.Fatalf("event %+v", e)
	}
	var want []int64
	for i := range int64(50) {
		s.Commit(int(i))
		want = append(want, i)
		fast.want(i)
	}
	r.want(want...)
	if n := len(s.Opened()); n < 3 {
		t.Errorf("%d subscribes: the slow reader was never cut off", n)
	}
}

func TestSubscription_from(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1)
	first := subscribe(t, c, client.SubscribeOptions{})
	first.want(1)
	from := first.sub.Cursor()
	if err := first.sub.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.sub.Next(soon(t)); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	s.Commit(2)
	r := subscribe(t, c, client.SubscribeOptions{From: from})
	r.want(2)
}

func TestSubscription_refusals(t *testing.T) {
	s, c := open(t, nil)
	s.Refuse(fault.New(fault.LiveSharedTable, "shared"))
	_, err := c.Subscribe(soon(t), "SELECT", client.SubscribeOptions{})
	wantCode(t, err, fault.LiveSharedTable)

	s.Refuse(fault.New(fault.StorageUnavailable, "later"))
	s.Commit(1)
	subscribe(t, c, client.SubscribeOptions{}).want(1)
}

func TestSubscription_renews_its_token_in_place(t *testing.T) {
	s, c := open(t, nil)
	r := subscribe(t, c, client.SubscribeOptions{})
	r.next()
	s.WarnExpiry()
	until(t, func() bool { return len(s.Authenticated()) == 1 })
	s.WarnExpiry()
	until(t, func() bool { return len(s.Authenticated()) == 2 })
	if a := s.Authenticated(); a[0] == a[1] || s.Count("dial") != 1 {
		t.Errorf("tokens %v, dials %d", a, s.Count("dial"))
	}
	s.ExpireTokens()
	s.Drop()
	s.Commit(1)
	r.want(1)
}

func TestSubscription_silent_server_is_given_up(t *testing.T) {
	s, c := open(t, func(o *client.Options) { o.PingInterval = 5 * time.Millisecond })
	r := subscribe(t, c, client.SubscribeOptions{})
	r.next()
	s.Mute(true)
	until(t, func() bool { return s.Count("dial") > 1 })
	s.Mute(false)
	s.Commit(1)
	r.want(1)
}

func TestClient_Close_ends_subscriptions(t *testing.T) {
	_, c := open(t, nil)
	r := subscribe(t, c, client.SubscribeOptions{})
	r.next()
	done := make(chan error)
	go func() {
		_, err := r.sub.Next(soon(t))
		done <- err
	}()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, client.ErrClosed) {
		t.Errorf("Next: %v", err)
	}
	if _, err := c.Subscribe(soon(t), "SELECT", client.SubscribeOptions{}); !errors.Is(err, client.ErrClosed) {
		t.Errorf("Subscribe: %v", err)
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	testkit.Eventually(t, 20*time.Second, "the server to see it", ok)
}
