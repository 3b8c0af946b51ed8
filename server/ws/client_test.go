package ws_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

// patience bounds what a test waits for.
const patience = 20 * time.Second

// message is a message of the server.
type message map[string]any

func (m message) text(key string) string {
	s, _ := m[key].(string)
	return s
}

// client is the client's end of a connection.
type client struct {
	t    *testing.T
	conn net.Conn
	in   io.Reader
}

// dial connects with headers and offers protocols.
func dial(t *testing.T, s *servertest.Server, headers http.Header, protocols ...string) *client {
	t.Helper()
	c, err := tryDial(t, s, headers, protocols...)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	return c
}

func tryDial(t *testing.T, s *servertest.Server, headers http.Header, protocols ...string) (
	*client, error,
) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(headers), Protocols: protocols}
	conn, br, shake, err := d.Dial(ctx, "ws://"+s.Addr+wire.PathWS)
	if err != nil {
		return nil, err
	}
	if len(protocols) > 0 && shake.Protocol != protocols[0] {
		t.Errorf("protocol = %q", shake.Protocol)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, in: conn}
	if br != nil {
		c.in = br
	}
	return c, nil
}

// bearer returns headers with a token of a user without an account.
func bearer(user string) http.Header {
	return http.Header{"Authorization": {"Bearer " + servertest.Token(user, time.Hour)}}
}

// login connects as a user and takes the auth_success.
func login(t *testing.T, s *servertest.Server, user string) *client {
	t.Helper()
	c := dial(t, s, bearer(user))
	if m := c.expect(wire.TypeAuthSuccess); m.text("user") != user {
		t.Fatalf("logged in as %v", m)
	}
	return c
}

func (c *client) frame(f ws.Frame) {
	c.t.Helper()
	if err := ws.WriteFrame(c.conn, ws.MaskFrameInPlace(f)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) raw(text string) {
	c.t.Helper()
	c.frame(ws.NewTextFrame([]byte(text)))
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	c.raw(fmt.Sprintf(format, args...))
}

// next returns the next frame that is not a ping, which it answers.
func (c *client) next() (ws.Frame, error) {
	for {
		h, err := ws.ReadHeader(c.in)
		if err != nil {
			return ws.Frame{}, err
		}
		f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
		if _, err := io.ReadFull(c.in, f.Payload); err != nil || h.OpCode != ws.OpPing {
			return f, err
		}
		c.frame(ws.NewPongFrame(f.Payload))
	}
}

// recv returns the next message.
func (c *client) recv() message {
	c.t.Helper()
	f, err := c.next()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	if f.Header.OpCode != ws.OpText {
		code, reason := ws.ParseCloseFrameData(f.Payload)
		c.t.Fatalf("got a frame of type %d: %d %s", f.Header.OpCode, code, reason)
	}
	var m message
	if err := json.Unmarshal(f.Payload, &m); err != nil {
		c.t.Fatalf("message %q: %v", f.Payload, err)
	}
	return m
}

// expect returns the next message, which must be of a type.
func (c *client) expect(t wire.Type) message {
	c.t.Helper()
	m := c.recv()
	if m.text("type") != string(t) {
		c.t.Fatalf("got %v, want %s", m, t)
	}
	return m
}

// expectError takes an error message with a code.
func (c *client) expectError(code string) message {
	c.t.Helper()
	m := c.expect(wire.TypeError)
	if m.text("code") != code {
		c.t.Fatalf("got %v, want %s", m, code)
	}
	return m
}

// expectClose takes the close frame, past any messages, and answers it. The
// answer may fail: the server closes when the client asked for it.
func (c *client) expectClose() (ws.StatusCode, wire.CloseReason) {
	c.t.Helper()
	code, reason := c.closeFrame()
	_ = ws.WriteFrame(c.conn, ws.MaskFrameInPlace(
		ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))))
	return code, reason
}

// closeFrame is expectClose for a client that has sent its close frame before.
func (c *client) closeFrame() (ws.StatusCode, wire.CloseReason) {
	c.t.Helper()
	for {
		f, err := c.next()
		if err != nil {
			c.t.Fatalf("no close frame: %v", err)
		}
		if f.Header.OpCode != ws.OpClose {
			continue
		}
		code, reason := ws.ParseCloseFrameData(f.Payload)
		return code, wire.ParseCloseReason(reason)
	}
}

// subscribe opens a live query and takes its acknowledgement.
func (c *client) subscribe(id, sql string) message {
	c.t.Helper()
	c.send(`{"type":"subscribe","subscription":{"id":%q,"sql":%q}}`, id, sql)
	return c.expect(wire.TypeSubscriptionAck)
}

// ready takes the batches of a snapshot and returns the number of rows.
func (c *client) ready(id string) int {
	c.t.Helper()
	rows := 0
	for {
		m := c.expect(wire.TypeInitialData)
		rows += len(m["rows"].([]any))
		control := m["batch_control"].(map[string]any)
		if control["status"] == string(wire.Ready) {
			if seq, _ := control["last_seq_id"].(string); seq == "" {
				c.t.Errorf("the last batch has no cursor: %v", control)
			}
			return rows
		}
		c.send(`{"type":"next_batch","subscription_id":%q}`, id)
	}
}

// response reads an HTTP answer from a raw connection.
func response(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}
