package ws_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

// fillSocket writes big changes until the server can't pass on more to c, which
// reads none, and returns the number of rows.
func fillSocket(t *testing.T, s *servertest.Server) int {
	t.Helper()
	body := strings.Repeat("x", 400<<10)
	const rows = 40
	for i := range rows {
		s.MustSQL(t, user("alice"), "REPLACE INTO chat.messages VALUES ($1, $2)", i%4, body+fmt.Sprint(i))
	}
	return rows
}

func TestLive_Policies(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIVE_QUEUE_SIZE=64KiB")
	open := func(policy string) *client {
		c := login(t, s, "alice")
		c.send(`{"type":"subscribe","subscription":{"id":"a","sql":"SELECT * FROM chat.messages",`+
			`"options":{"policy":%q}}}`, policy)
		c.expect(wire.TypeSubscriptionAck)
		c.ready("a")
		return c
	}
	replay, conflate, disconnect := open("replay"), open("conflate"), open("disconnect")
	rows := fillSocket(t, s)

	for range rows {
		replay.expect(wire.TypeChange)
	}

	last := map[string]string{}
	told := 0
	for last["3"] != fmt.Sprint(rows-1) {
		m := conflate.expect(wire.TypeChange)
		told++
		row := m["rows"].([]any)[0].(map[string]any)
		last[row["id"].(string)] = strings.TrimLeft(row["body"].(string), "x")
	}
	if told >= rows {
		t.Errorf("%d of %d changes were told", told, rows)
	}
	if want := map[string]string{"0": "36", "1": "37", "2": "38", "3": "39"}; fmt.Sprint(last) !=
		fmt.Sprint(want) {
		t.Errorf("the last states are %v, want %v", last, want)
	}

	m := disconnect.recv()
	for m.text("type") == string(wire.TypeChange) {
		m = disconnect.recv()
	}
	if m.text("type") != string(wire.TypeError) || m.text("code") != "SLOW_CONSUMER" {
		t.Fatalf("got %v", m)
	}
	m = disconnect.expect(wire.TypeUnsubscribed)
	if m.text("reason") != "slow_consumer" || m.text("seq") == "" {
		t.Errorf("unsubscribed = %v", m)
	}
	disconnect.send(`{"type":"subscribe","subscription":{"id":"a","sql":`+
		`"SELECT * FROM chat.messages","options":{"from":%q}}}`, m.text("seq"))
	disconnect.expect(wire.TypeSubscriptionAck)
	disconnect.ready("a")
	for {
		m := disconnect.expect(wire.TypeChange)
		body := m["rows"].([]any)[0].(map[string]any)["body"].(string)
		if strings.HasSuffix(body, fmt.Sprint("x", rows-1)) {
			break
		}
	}
}

// When too much waits for all sockets, one that takes nothing is closed long
// before its write timeout.
func TestLive_TotalIsBounded(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIVE_TOTAL_SIZE=1MiB", "KALAMDB_LIVE_SOCKET_SIZE=1MiB",
		"KALAMDB_LIVE_WRITE_TIMEOUT=1h")
	var all []*client
	for i := range 6 { // what is told is counted for each query
		c := login(t, s, "alice")
		c.subscribe("a", fmt.Sprintf("SELECT * FROM chat.messages WHERE id >= %d", -i))
		c.ready("a")
		all = append(all, c)
	}
	fillSocket(t, s)
	servertest.Eventually(t, "stalled readers are cut off", func() bool {
		return strings.Contains(s.Log.String(), "slow websocket closed")
	})
	for _, c := range all { // nothing but the end of the test reads them
		c.conn.Close()
	}
}
