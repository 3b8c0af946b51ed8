package blackbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Message is a message of the server with the fields of all types.
type Message struct {
	Type           string           `json:"type"`
	SubscriptionID string           `json:"subscription_id"`
	ChangeType     string           `json:"change_type"`
	Reason         string           `json:"reason"`
	Rows           []map[string]any `json:"rows"`
	OldValues      []map[string]any `json:"old_values"`
	Seq            string           `json:"seq"`
	Commit         bool             `json:"commit"`
	Append         *Append          `json:"append"`
	BatchControl   *BatchControl    `json:"batch_control"`
	Code           string           `json:"code"`
	Message        string           `json:"message"`
	User           json.RawMessage  `json:"user"`
	Role           string           `json:"role"`
	ID             string           `json:"id"`
	Status         string           `json:"status"`
	Error          *Error           `json:"error"`
	Raw            []byte           `json:"-"` // the whole message as it came
}

// Append is text that was put behind that of a column.
type Append struct {
	Column string `json:"column"`
	Offset int    `json:"offset"`
	Text   string `json:"text"`
}

// BatchControl says where in a snapshot a batch stands.
type BatchControl struct {
	BatchNum  int    `json:"batch_num"`
	HasMore   bool   `json:"has_more"`
	Status    string `json:"status"`
	LastSeqID string `json:"last_seq_id"`
}

// CloseError is a close frame of the server.
type CloseError struct {
	Code   int
	Reason string
}

// Error returns code and reason.
func (e *CloseError) Error() string { return fmt.Sprintf("closed: %d %s", e.Code, e.Reason) }

const maxMessage = 64 << 20

// Socket is a WebSocket connection to GET /v1/ws. One goroutine may read while
// another sends.
type Socket struct {
	conn net.Conn
	r    *bufio.Reader
}

// Dial opens the WebSocket of the server at base ("http://host:port") with
// further headers for the upgrade. An answer other than 101 is returned as
// *Error when it has an error object.
func Dial(ctx context.Context, base string, header http.Header) (*Socket, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	s := &Socket{conn: conn, r: bufio.NewReaderSize(conn, 1024)}
	if err := s.upgrade(ctx, u.Host, header); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *Socket) upgrade(ctx context.Context, host string, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/v1/ws", nil)
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString([]byte("sixteen bytes ok")))
	if deadline, ok := ctx.Deadline(); ok {
		if err := s.conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if err := req.Write(s.conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(s.r, req)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return s.conn.SetDeadline(time.Time{})
	}
	defer resp.Body.Close()
	a, err := readAnswer(resp)
	if err != nil {
		return err
	}
	if a.Error == nil {
		return fmt.Errorf("upgrade answered %d", resp.StatusCode)
	}
	return a.Error
}

// Send writes a message as one JSON text frame.
func (s *Socket) Send(message any) error {
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return s.SendText(b)
}

// SendText writes any bytes as one text frame.
func (s *Socket) SendText(b []byte) error { return writeFrame(s.conn, opText, b) }

// Read returns the next message. It answers pings by itself. A close frame is
// a *CloseError; the end of ctx ends the wait and leaves the socket unusable.
func (s *Socket) Read(ctx context.Context) (*Message, error) {
	stop := context.AfterFunc(ctx, func() {
		// A failure means that the connection is gone, which ends the read too.
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()
	b, err := s.ReadRaw()
	if err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	m := &Message{Raw: b}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("message is not JSON: %w: %s", err, clip(b))
	}
	return m, nil
}

// ReadRaw returns the next text or binary message as it came.
func (s *Socket) ReadRaw() ([]byte, error) {
	var whole []byte
	for {
		op, fin, payload, err := readFrame(s.r, maxMessage)
		if err != nil {
			return nil, err
		}
		switch op {
		case opPing:
			if err := writeFrame(s.conn, opPong, payload); err != nil {
				return nil, err
			}
			continue
		case opPong:
			continue
		case opClose:
			return nil, closeError(payload)
		}
		whole = append(whole, payload...)
		if fin {
			return whole, nil
		}
	}
}

func closeError(payload []byte) error {
	if len(payload) < 2 {
		return &CloseError{}
	}
	return &CloseError{int(binary.BigEndian.Uint16(payload)), string(payload[2:])}
}

// Conn returns the connection, for tests that stop reading or break it.
func (s *Socket) Conn() net.Conn { return s.conn }

// Close ends the connection without a closing handshake.
func (s *Socket) Close() error { return s.conn.Close() }
