package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/client/clienttest"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// watcher reads the states of a View.
type watcher struct {
	t *testing.T
	v *client.View
}

func watch(t *testing.T, c *client.Client, o client.LiveOptions) *watcher {
	t.Helper()
	v, err := c.Live(soon(t), "SELECT * FROM chat.messages", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return &watcher{t, v}
}

// want reads states until the rows are "id=text id=text".
func (w *watcher) want(rows string) client.State {
	w.t.Helper()
	last := ""
	ctx := soon(w.t)
	for s := w.v.State(); ; {
		if last = shown(s); s.Version > 0 && last == rows {
			return s
		}
		var err error
		if s, err = w.v.Next(ctx); err != nil {
			w.t.Fatalf("%v; last was %q, want %q", err, last, rows)
		}
	}
}

func shown(s client.State) string {
	var out []string
	for _, r := range s.Rows {
		out = append(out, r.Text(0)+"="+r.Text(1))
	}
	return strings.Join(out, " ")
}

// change writes a change message; rest is the members behind the type of the
// change.
func change(seq int, kind, rest string) string {
	return fmt.Sprintf(`{"type":"change","subscription_id":"$id","change_type":%q,"seq":"%d",`+
		`"commit":true,%s}`, kind, seq, rest)
}

func rows(id, text string) string { return fmt.Sprintf(`"rows":[{"id":%q,"text":%q}]`, id, text) }

func olds(id string) string { return fmt.Sprintf(`"old_values":[{"id":%q}]`, id) }

func TestView_keeps_the_result_in_the_order_of_the_key(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(2, 10)
	w := watch(t, c, client.LiveOptions{})
	w.want("2=message 2 10=message 10")
	s.Raw(
		change(201, "insert", rows("9", "nine")),
		change(202, "update", rows("10", "ten")+","+olds("10")),
		change(203, "delete", `"reason":"leave",`+olds("2")),
		change(204, "insert", rows("-1", "minus")),
		change(205, "insert", rows("100", "last")),
	)
	st := w.want("-1=minus 9=nine 10=ten 100=last")
	if st.Cursor != 205 {
		t.Errorf("cursor %v", st.Cursor)
	}
}

func TestView_shows_whole_commits_only(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1)
	w := watch(t, c, client.LiveOptions{})
	half := strings.Replace(change(201, "delete", olds("1")), `"commit":true`, `"commit":false`, 1)
	s.Raw(half, change(202, "insert", rows("2", "b")), change(203, "insert", rows("3", "c")))
	var seen []string
	for st, err := range w.v.States(soon(t)) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, shown(st))
		if seen[len(seen)-1] == "2=b 3=c" {
			break
		}
	}
	for _, got := range seen {
		if !slices.Contains([]string{"1=message 1", "2=b", "2=b 3=c"}, got) {
			t.Errorf("state %q is none that a commit left", got)
		}
	}
}

func TestView_window_follows_positions(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(30, 20, 10)
	w := watch(t, c, client.LiveOptions{})
	w.want("30=message 30 20=message 20 10=message 10")
	s.Raw(
		change(201, "delete", `"reason":"leave","position":2,`+olds("10")),
		change(202, "insert", `"position":0,`+rows("40", "d")),
		change(203, "update", `"position":2,`+rows("40", "e")+","+olds("40")),
		change(204, "update", `"position":0,`+rows("20", "z")+","+olds("20")),
	)
	w.want("20=z 30=message 30 40=e")
}

func TestView_LoadOlder(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(30, 20)
	w := watch(t, c, client.LiveOptions{})
	w.want("30=message 30 20=message 20")
	_, err := w.v.LoadOlder(soon(t), 2)
	wantCode(t, err, fault.LiveUnsupportedQuery) // and the query goes on
	_, err = w.v.LoadOlder(soon(t), 0)
	wantCode(t, err, fault.InvalidParameter)
	s.Older(10, 9, 8)
	if more, err := w.v.LoadOlder(soon(t), 2); err != nil || !more {
		t.Fatalf("%v, %v", more, err)
	}
	w.want("30=message 30 20=message 20 10=message 10 9=message 9")
	s.Raw(change(201, "delete", `"position":2,`+olds("10")), change(202, "insert", `"position":0,`+rows("40", "d")))
	w.want("40=d 30=message 30 20=message 20 9=message 9")

	// The grown window comes back whole.
	s.Older(8, 7)
	s.Drop()
	until(t, func() bool { return len(s.Opened()) == 2 })
	if o := s.Opened()[1].Options; o.From != nil {
		t.Errorf("a grown window was resumed: %+v", o)
	}
	for st, err := range w.v.States(soon(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if n := len(st.Rows); n != 4 {
			t.Fatalf("a state of %d rows: %s", n, shown(st))
		}
		if shown(st) == "30=message 30 20=message 20 8=message 8 7=message 7" {
			break
		}
	}
	s.Raw(change(301, "update", `"position":0,`+rows("7", "seven")+","+olds("7")))
	w.want("7=seven 30=message 30 20=message 20 8=message 8")
	if err := w.v.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = w.v.LoadOlder(soon(t), 1)
	wantCode(t, err, fault.Cancelled)
}

func TestView_equal_rows_leave_by_their_position(t *testing.T) {
	s, c := open(t, nil)
	w := watch(t, c, client.LiveOptions{Key: []string{}})
	s.Raw(change(201, "insert", `"position":0,`+rows("1", "a")), change(202, "insert", `"position":1,`+rows("2", "b")),
		change(203, "insert", `"position":2,`+rows("1", "a")), change(204, "delete", `"position":0,"old_values":[{"id":"1","text":"a"}]`))
	w.want("2=b 1=a")
}

func TestView_appends_text(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1)
	w := watch(t, c, client.LiveOptions{})
	appended := func(seq, offset int, text string) string {
		return change(seq, "update", fmt.Sprintf(
			`"rows":[{"id":"1","_seq":"%d"}],"append":{"column":"text","offset":%d,"text":%q}`,
			seq, offset, text))
	}
	s.Raw(appended(201, 9, " grüße"), appended(202, 17, "\n<&>"))
	w.want("1=message 1 grüße\n<&>")
	// An offset that does not fit means that something is missing.
	s.Raw(appended(203, 99, "lost"))
	w.want("1=message 1")
}

func TestView_replaces_its_rows_at_once_after_a_resync(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1, 2, 3)
	w := watch(t, c, client.LiveOptions{SubscribeOptions: client.SubscribeOptions{BatchSize: 1}})
	w.want("1=message 1 2=message 2 3=message 3")
	s.Forget()
	s.Drop()
	s.Commit(4)
	for st, err := range w.v.States(soon(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if n := len(st.Rows); n < 3 {
			t.Fatalf("a state of %d rows was shown while the snapshot was read", n)
		}
		if len(st.Rows) == 4 {
			break
		}
	}
}

func TestView_rows_that_were_handed_out_stay(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1, 2)
	w := watch(t, c, client.LiveOptions{})
	before := w.want("1=message 1 2=message 2")
	s.Raw(change(201, "delete", olds("1")), change(202, "update", rows("2", "x")+","+olds("2")))
	w.want("2=x")
	if got := shown(before); got != "1=message 1 2=message 2" {
		t.Errorf("the earlier state became %q", got)
	}
}

func TestView_without_a_key_takes_the_whole_row(t *testing.T) {
	s, c := open(t, nil)
	w := watch(t, c, client.LiveOptions{Key: []string{}})
	s.Raw(
		change(201, "insert", rows("1", "a")),
		change(202, "insert", rows("1", "a")),
		change(203, "insert", rows("2", "b")),
		change(204, "update", rows("2", "c")+`,"old_values":[{"text":"b"}]`),
		change(205, "delete", `"old_values":[{"id":"1","text":"a"}]`),
	)
	w.want("1=a 2=c")
}

func TestView_reads_the_result_anew_when_a_change_does_not_fit(t *testing.T) {
	for name, bad := range map[string]string{
		"a delete of a row that is not there":  change(201, "delete", olds("7")),
		"an update of a row that is not there": change(201, "update", rows("7", "x")),
		"a position outside":                   change(201, "insert", `"position":9,`+rows("7", "x")),
		"an update without rows":               change(201, "update", olds("1")),
	} {
		t.Run(name, func(t *testing.T) {
			s, c := open(t, nil)
			s.Commit(1)
			w := watch(t, c, client.LiveOptions{})
			w.want("1=message 1")
			s.Raw(bad)
			until(t, func() bool { return len(s.Opened()) == 2 })
			s.Commit(2)
			w.want("1=message 1 2=message 2")
		})
	}
	t.Run("and gives up when it never does", func(t *testing.T) {
		s, c := open(t, nil)
		s.Commit(1)
		w := watch(t, c, client.LiveOptions{})
		for n := 1; n <= 4; n++ {
			until(t, func() bool { return w.v.State().Version >= uint64(n) })
			s.Raw(change(200+n, "delete", olds("7")))
		}
		for {
			if _, err := w.v.Next(soon(t)); err != nil {
				wantCode(t, err, fault.Internal)
				break
			}
		}
	})
}

func TestView_merged_changes_are_taken_as_they_come(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1)
	w := watch(t, c, client.LiveOptions{
		SubscribeOptions: client.SubscribeOptions{Policy: wire.Conflate}})
	s.Raw(change(201, "insert", rows("1", "again")), change(202, "update", rows("2", "b")),
		change(203, "delete", olds("9")))
	w.want("1=again 2=b")
}

func TestView_refuses_what_it_cannot_keep(t *testing.T) {
	s, c := open(t, nil)
	_, err := c.Live(soon(t), "SELECT", client.LiveOptions{
		SubscribeOptions: client.SubscribeOptions{From: 1}})
	wantCode(t, err, fault.InvalidParameter)
	s.Commit(1)
	_, err = c.Live(soon(t), "SELECT", client.LiveOptions{Key: []string{"other"}})
	wantCode(t, err, fault.InvalidParameter)
	s.Commit(2)
	s.Raw() // nothing
	s.Commit(1)
	_, err = c.Live(soon(t), "SELECT", client.LiveOptions{})
	wantCode(t, err, fault.InvalidParameter) // the key 1 stands there twice
	s.Refuse(fault.New(fault.LiveSharedTable, "shared"))
	_, err = c.Live(soon(t), "SELECT", client.LiveOptions{})
	wantCode(t, err, fault.LiveSharedTable)
}

func TestView_ends_with_the_reason(t *testing.T) {
	s, c := open(t, nil)
	w := watch(t, c, client.LiveOptions{})
	w.want("")
	s.Raw(`{"type":"unsubscribed","subscription_id":"$id","reason":"access_revoked"}`)
	for {
		if _, err := w.v.Next(soon(t)); err != nil {
			wantCode(t, err, fault.PermissionDenied)
			return
		}
	}
}

func TestClient_Watch_calls_until_it_is_told_to_stop(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1)
	enough := errors.New("enough")
	calls := 0
	err := c.Watch(soon(t), "SELECT", client.LiveOptions{}, func(st client.State) error {
		if calls++; len(st.Rows) == 2 {
			return enough
		}
		s.Commit(2)
		return nil
	})
	if !errors.Is(err, enough) || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(soon(t))
	err = c.Watch(ctx, "SELECT", client.LiveOptions{}, func(client.State) error {
		cancel()
		return nil
	})
	wantCode(t, err, fault.Cancelled)
}

func TestSubscription_reasons_of_an_end(t *testing.T) {
	for reason, code := range map[string]fault.Code{
		"killed": fault.Cancelled, "table_dropped": fault.TableNotFound,
		"access_revoked": fault.PermissionDenied, "news": fault.Cancelled,
	} {
		s, c := open(t, nil)
		r := subscribe(t, c, client.SubscribeOptions{})
		r.next()
		s.Raw(`{"type":"unsubscribed","subscription_id":"$id","reason":"` + reason + `"}`)
		_, err := r.sub.Next(soon(t))
		wantCode(t, err, code)
	}
	t.Run("that are worth another try resume", func(t *testing.T) {
		for _, reason := range []string{"shutting_down", "slow_consumer"} {
			s, c := open(t, nil)
			s.Commit(1)
			r := subscribe(t, c, client.SubscribeOptions{})
			r.want(1)
			s.Raw(`{"type":"unsubscribed","subscription_id":"$id","reason":"` + reason + `"}`)
			until(t, func() bool { return len(s.Opened()) == 2 })
			s.Commit(2)
			r.want(2)
		}
	})
	t.Run("such as a limit that the former connection still fills", func(t *testing.T) {
		s, c := open(t, nil)
		s.Commit(1)
		r := subscribe(t, c, client.SubscribeOptions{})
		r.want(1)
		s.Refuse(fault.New(fault.SubscriptionLimit, "too many"))
		s.Drop()
		s.Commit(2)
		r.want(2)
		s.Refuse(fault.New(fault.SubscriptionLimit, "too many"))
		_, err := c.Subscribe(soon(t), "SELECT", client.SubscribeOptions{})
		wantCode(t, err, fault.SubscriptionLimit)
	})
	t.Run("by its own policy is an end with a cursor", func(t *testing.T) {
		s, c := open(t, nil)
		s.Commit(1)
		r := subscribe(t, c, client.SubscribeOptions{Policy: wire.Disconnect})
		r.want(1)
		s.Raw(`{"type":"error","subscription_id":"$id","code":"SLOW_CONSUMER","message":"slow"}`)
		_, err := r.sub.Next(soon(t))
		wantCode(t, err, fault.SlowConsumer)
		s.Commit(2)
		subscribe(t, c, client.SubscribeOptions{From: r.sub.Cursor()}).want(2)
	})
}

func TestClient_TokenSource(t *testing.T) {
	s := clienttest.New(t)
	base, err := client.New(client.Options{URL: s.URL, User: "root", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	c, err := client.New(client.Options{URL: s.URL, TokenSource: base.AccessToken, As: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Rows("Q", []string{"x:Int"})
	r := subscribe(t, c, client.SubscribeOptions{})
	for range 2 {
		if _, err := c.Query(soon(t), "Q"); err != nil {
			t.Fatal(err)
		}
		s.ExpireTokens()
		s.Drop()
		s.Commit(1)
		r.want(1)
	}
	if s.Count("login") != 1 || s.Count("refresh") < 1 || s.Requests()[0].Acting != "alice" {
		t.Errorf("logins %d, refreshes %d", s.Count("login"), s.Count("refresh"))
	}
}

func TestSocket_gives_messages_as_they_are(t *testing.T) {
	s, c := open(t, nil)
	s.Commit(1)
	socket, err := c.Socket(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := socket.Send(soon(t), wire.Subscribe{Type: wire.TypeSubscribe,
		Subscription: wire.Subscription{ID: "mine", SQL: "SELECT"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"subscription_ack"`, `"ready"`} {
		m, err := socket.Receive(soon(t))
		if err != nil || !strings.Contains(string(m), want) {
			t.Fatalf("%s, %v; want %s", m, err, want)
		}
	}
	s.Bye(fault.New(fault.PermissionDenied, "away"))
	_, err = socket.Receive(soon(t))
	wantCode(t, err, fault.PermissionDenied)
}
