package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/coder/websocket"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// Socket is one WebSocket to the server, with the messages of package wire as
// they are: for tools that look at the protocol. It does not connect again,
// resume or renew its token; Subscribe does. One goroutine may receive while
// others send.
type Socket struct {
	c    *Client
	conn *websocket.Conn
}

// Socket opens a WebSocket as the Client's user. The caller closes it.
func (c *Client) Socket(ctx context.Context) (*Socket, error) {
	conn, _, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &Socket{c, conn}, nil
}

// Send writes a message as JSON. It blocks for 10 seconds at most.
func (s *Socket) Send(ctx context.Context, message any) error {
	if err := send(ctx, s.conn, message); err != nil {
		return s.c.unreachable(ctx, err)
	}
	return nil
}

// Receive returns the next message. The end of ctx leaves the Socket unusable.
func (s *Socket) Receive(ctx context.Context) ([]byte, error) {
	_, data, err := s.conn.Read(ctx)
	if err != nil {
		return nil, s.c.broken(ctx, err)
	}
	return data, nil
}

// Close breaks the connection off.
func (s *Socket) Close() error { return s.conn.CloseNow() }

// broken names the end of a connection; a CloseError stays as it is within.
func (c *Client) broken(ctx context.Context, err error) error {
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		r := wire.ParseCloseReason(closed.Reason)
		return fault.Wrap(cmp.Or(r.Code, fault.Cancelled), err,
			"the server closed the connection: %s", r.Message)
	}
	return c.unreachable(ctx, err)
}

// dial opens a connection as the Client's user, renewing the token once when
// the server calls it expired. It returns the token that it went by.
func (c *Client) dial(ctx context.Context) (*websocket.Conn, string, error) {
	rejected := ""
	for {
		token, err := c.credentials(ctx, &call{}, rejected)
		if err != nil {
			return nil, "", err
		}
		conn, err := c.dialWith(ctx, token)
		if fault.Is(err, fault.TokenExpired) && c.auth.renewable() && rejected == "" {
			rejected = token
			continue
		}
		return conn, token, err
	}
}

func (c *Client) dialWith(ctx context.Context, token string) (*websocket.Conn, error) {
	opening, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	header := http.Header{}
	c.identify(header, token)
	conn, resp, err := websocket.Dial(opening, c.opts.URL+wire.PathWS,
		&websocket.DialOptions{HTTPClient: c.http, HTTPHeader: header})
	if err == nil {
		conn.SetReadLimit(c.opts.MaxResponseBytes)
		return conn, nil
	}
	if resp == nil || resp.StatusCode < http.StatusBadRequest {
		return nil, c.unreachable(ctx, err)
	}
	body, _ := io.ReadAll(resp.Body) // in memory: the library keeps its first KiB
	return nil, readAnswer(resp.StatusCode, body, nil)
}
