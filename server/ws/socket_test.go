package ws_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/app"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSocket_Credentials(t *testing.T) {
	s := servertest.Start(t)
	expired := servertest.Token("alice", -time.Hour)

	t.Run("in the upgrade request", func(t *testing.T) {
		m := dial(t, s, bearer("alice")).expect(wire.TypeAuthSuccess)
		if m.text("user") != "alice" || m.text("role") != "user" || m.text("expires_at") == "" {
			t.Errorf("auth_success = %v", m)
		}
	})
	t.Run("bad ones in the upgrade request refuse it", func(t *testing.T) {
		_, err := tryDial(t, s, http.Header{"Authorization": {"Bearer " + expired}})
		if want := ws.StatusError(http.StatusUnauthorized); err != want {
			t.Errorf("err = %v, want %v", err, want)
		}
	})
	t.Run("in the sub-protocol", func(t *testing.T) {
		c := dial(t, s, nil, wire.Subprotocol+servertest.Token("bob", time.Hour))
		if m := c.expect(wire.TypeAuthSuccess); m.text("user") != "bob" {
			t.Errorf("auth_success = %v", m)
		}
	})
	t.Run("an expired one in the sub-protocol is told on the socket", func(t *testing.T) {
		c := dial(t, s, nil, wire.Subprotocol+expired)
		if m := c.expect(wire.TypeAuthError); m.text("code") != "TOKEN_EXPIRED" {
			t.Errorf("auth_error = %v", m)
		}
		if code, reason := c.expectClose(); code != ws.StatusPolicyViolation || reason.Reconnect {
			t.Errorf("closed with %d %+v", code, reason)
		}
	})
	t.Run("by the first message", func(t *testing.T) {
		c := dial(t, s, nil)
		c.raw(`{"type":"subscribe","subscription":{"id":"a","sql":"SELECT 1"}}`)
		c.expectError("AUTH_REQUIRED")
		c.send(`{"type":"authenticate","protocol":1,"method":"jwt","token":%q}`,
			servertest.Token("carol", time.Hour))
		if m := c.expect(wire.TypeAuthSuccess); m.text("user") != "carol" {
			t.Errorf("auth_success = %v", m)
		}
		c.send(`{"type":"authenticate","method":"basic","user":"root","password":%q}`,
			servertest.RootPassword)
		if m := c.expect(wire.TypeAuthSuccess); m.text("role") != "dba" || m["expires_at"] != nil {
			t.Errorf("auth_success = %v", m)
		}
	})
	t.Run("a wrong password closes", func(t *testing.T) {
		c := dial(t, s, nil)
		c.raw(`{"type":"authenticate","method":"basic","username":"root","password":"x"}`)
		if m := c.expect(wire.TypeAuthError); m.text("code") != "INVALID_CREDENTIALS" {
			t.Errorf("auth_error = %v", m)
		}
		if code, _ := c.expectClose(); code != ws.StatusPolicyViolation {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("none in time closes", func(t *testing.T) {
		s := servertest.Start(t, "KALAMDB_LIVE_AUTH_TIMEOUT=100ms")
		if _, reason := dial(t, s, nil).expectClose(); reason.Code != "AUTH_REQUIRED" {
			t.Errorf("closed with %+v", reason)
		}
	})
	t.Run("that end are warned of, then close", func(t *testing.T) {
		s := servertest.Start(t, "KALAMDB_LIVE_AUTH_TIMEOUT=200ms")
		c := dial(t, s, nil, wire.Subprotocol+servertest.Token("dora", 2*time.Second))
		c.expect(wire.TypeAuthSuccess)
		c.expect(wire.TypeAuthExpiring)
		if _, reason := c.expectClose(); reason.Code != "TOKEN_EXPIRED" {
			t.Errorf("closed with %+v", reason)
		}
	})
}

func TestSocket_Origin(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_AUTH_ALLOWED_ORIGINS=https://app.example")
	for origin, ok := range map[string]bool{
		"http://" + s.Addr: true, "https://app.example": true,
		"https://evil.example": false, "null": false, "https://app.example.evil": false,
	} {
		h := bearer("alice")
		h.Set("Origin", origin)
		if _, err := tryDial(t, s, h); (err == nil) != ok {
			t.Errorf("origin %q: err = %v", origin, err)
		}
	}
}

func TestSocket_RefusesWhatIsNoUpgrade(t *testing.T) {
	s := servertest.Start(t)
	res, body := s.Do(t, http.MethodGet, wire.PathWS, nil)
	if res.StatusCode != http.StatusUpgradeRequired ||
		!strings.Contains(string(body), "MALFORMED_REQUEST") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Key: short\r\n\r\n", wire.PathWS, s.Addr)
	if res := response(t, conn); res.StatusCode != http.StatusBadRequest {
		t.Errorf("bad key: %d", res.StatusCode)
	}
}

func TestSocket_BadMessagesAreAnswered(t *testing.T) {
	s := servertest.WithMessages(t)
	c := login(t, s, "alice")
	for _, tt := range []struct{ text, code string }{
		{`{`, "MALFORMED_REQUEST"},
		{``, "MALFORMED_REQUEST"},
		{`[]`, "MALFORMED_REQUEST"},
		{`{"type":"ping","type":"query"}`, "MALFORMED_REQUEST"},
		{`{"type":"ping"} x`, "MALFORMED_REQUEST"},
		{strings.Repeat(`[`, 10_000), "MALFORMED_REQUEST"},
		{`{}`, "MALFORMED_REQUEST"},
		{`{"type":"dance"}`, "MALFORMED_REQUEST"},
		{`{"type":7}`, "MALFORMED_REQUEST"},
		{`{"type":"load_older","subscription_id":"a","count":1}`, "NOT_FOUND"},
		{`{"type":"unsubscribe","subscription_id":"none"}`, "NOT_FOUND"},
		{`{"type":"next_batch","subscription_id":"none"}`, "NOT_FOUND"},
		{`{"type":"subscribe","subscription":{"sql":"SELECT * FROM chat.messages"}}`,
			"INVALID_PARAMETER"},
		{`{"type":"subscribe","subscription":{"id":"a","sql":"SELECT * FROM chat.nothing"}}`,
			"TABLE_NOT_FOUND"},
		{`{"type":"subscribe","subscription":{"id":"a","sql":"SELEC"}}`, "INVALID_SQL"},
		{`{"type":"subscribe","subscription":{"id":"a","sql":"SELECT * FROM chat.messages",` +
			`"options":{"policy":"drop"}}}`, "INVALID_PARAMETER"},
		{`{"type":"subscribe","subscription":{"id":"a","sql":"SELECT * FROM chat.messages",` +
			`"options":{"batch_size":0}}}`, "INVALID_PARAMETER"},
		{`{"type":"subscribe","subscription":{"id":"a","sql":"SELECT * FROM chat.messages",` +
			`"options":{"from":"x"}}}`, "INVALID_PARAMETER"},
		{`{"type":"authenticate","method":"jwt","token":"x","on_disconnect":["SELECT 1"]}`,
			"INVALID_PARAMETER"},
	} {
		c.raw(tt.text)
		m := c.expect(wire.TypeError)
		if m.text("code") != tt.code {
			t.Errorf("%.80s: got %v, want %s", tt.text, m, tt.code)
		}
	}
	c.raw(`{"type":"ping"}`)
	c.expect(wire.TypePong)
}

func TestSocket_ProtocolBreachesClose(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_LIMITS_FRAME_SIZE=100KiB")
	big := make([]byte, 101<<10)
	fragment := func(op ws.OpCode, fin bool, text string) ws.Frame {
		return ws.NewFrame(op, fin, []byte(text))
	}
	tests := []struct {
		name   string
		frames []ws.Frame
		want   ws.StatusCode
	}{
		{"invalid UTF-8", []ws.Frame{ws.NewTextFrame([]byte{'"', 0xff, '"'})},
			ws.StatusInvalidFramePayloadData},
		{"a frame that is too large", []ws.Frame{ws.NewTextFrame(big)}, ws.StatusMessageTooBig},
		{"fragments that are too large together", []ws.Frame{
			ws.NewFrame(ws.OpText, false, big[:60<<10]),
			ws.NewFrame(ws.OpContinuation, true, big[:60<<10])}, ws.StatusMessageTooBig},
		{"a binary frame", []ws.Frame{ws.NewBinaryFrame([]byte("x"))}, ws.StatusUnsupportedData},
		{"a continuation of nothing", []ws.Frame{fragment(ws.OpContinuation, true, "x")},
			ws.StatusProtocolError},
		{"a message inside of another", []ws.Frame{fragment(ws.OpText, false, "x"),
			fragment(ws.OpText, true, "y")}, ws.StatusProtocolError},
		{"a fragmented ping", []ws.Frame{fragment(ws.OpPing, false, "x")}, ws.StatusProtocolError},
		{"a close frame with a bad code", []ws.Frame{ws.NewCloseFrame([]byte{0, 1})},
			ws.StatusProtocolError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := login(t, s, "alice")
			for _, f := range tt.frames {
				c.frame(f)
			}
			if code, reason := c.expectClose(); code != tt.want {
				t.Errorf("closed with %d %+v, want %d", code, reason, tt.want)
			}
		})
	}
	t.Run("a frame without a mask", func(t *testing.T) {
		c := login(t, s, "alice")
		if err := ws.WriteFrame(c.conn, ws.NewTextFrame([]byte("{}"))); err != nil {
			t.Fatal(err)
		}
		if code, _ := c.expectClose(); code != ws.StatusProtocolError {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("a frame that promises more than memory", func(t *testing.T) {
		c := login(t, s, "alice")
		if _, err := c.conn.Write([]byte{0x81, 0xff, 0x80, 13: 0}); err != nil {
			t.Fatal(err)
		}
		if code, _ := c.expectClose(); code != ws.StatusProtocolError {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestSocket_FragmentsAndControlFrames(t *testing.T) {
	s := servertest.Start(t)
	c := login(t, s, "alice")
	c.frame(ws.NewFrame(ws.OpText, false, []byte(`{"type":`)))
	c.frame(ws.NewPingFrame([]byte("between")))
	c.frame(ws.NewFrame(ws.OpContinuation, false, []byte(`"pi`)))
	c.frame(ws.NewFrame(ws.OpContinuation, true, []byte(`ng"}`)))
	f, err := c.next()
	if err != nil || f.Header.OpCode != ws.OpPong || string(f.Payload) != "between" {
		t.Fatalf("got %v %q, %v, want a pong", f.Header, f.Payload, err)
	}
	c.expect(wire.TypePong)
	c.frame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "bye")))
	if code, _ := c.closeFrame(); code != ws.StatusNormalClosure {
		t.Errorf("closed with %d", code)
	}
	if _, err := c.in.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the close: %v", err)
	}
}

func TestSocket_DevNeedsNoCredentials(t *testing.T) {
	s := servertest.StartWith(t, app.Options{Config: servertest.Config(t), Dev: true})
	if m := dial(t, s, nil).expect(wire.TypeAuthSuccess); m.text("user") != "root" {
		t.Errorf("auth_success = %v", m)
	}
	h := http.Header{wire.HeaderUserID: {"alice"}}
	if m := dial(t, s, h).expect(wire.TypeAuthSuccess); m.text("role") != "user" {
		t.Errorf("auth_success = %v", m)
	}
	if _, err := tryDial(t, s, http.Header{"Origin": {"http://evil.example"}}); err == nil {
		t.Error("a page of another origin got in")
	}
}

func TestServer_CloseTellsClientsToComeBack(t *testing.T) {
	s := servertest.Start(t)
	c, stranger := login(t, s, "alice"), dial(t, s, nil)
	s.BeginStop()
	for _, c := range []*client{c, stranger} {
		if code, reason := c.expectClose(); code != 1012 || !reason.Reconnect ||
			reason.Code != "SHUTTING_DOWN" {
			t.Errorf("closed with %d %+v", code, reason)
		}
	}
	if err := s.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
