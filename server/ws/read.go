package ws

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// maxStrangerBytes is the largest message of a client that has not said who it
// is.
const maxStrangerBytes = 64 << 10

// readStep is what a payload's buffer grows by at first, so that a header that
// promises much costs nothing until it comes.
const readStep = 4 << 10

// protocolError ends a connection with a status code of its own.
type protocolError struct {
	status    int
	code      fault.Code
	reconnect bool
	message   string
}

// Error implements error.
func (e *protocolError) Error() string { return fmt.Sprintf("ws: %d %s", e.status, e.message) }

func (e *protocolError) reason() string {
	return wire.CloseReason{Code: e.code, Reconnect: e.reconnect, Message: e.message}.String()
}

func protocolFault(status ws.StatusCode, code fault.Code, format string, args ...any) error {
	return &protocolError{status: int(status), code: code, message: fmt.Sprintf(format, args...)}
}

// errBroken means that the connection can't be read any more.
var errBroken = errors.New("ws: the connection broke")

// readMessages puts the messages that have begun to come into the inbox. It
// fails when the client has closed the connection (errClosed) or broken it off
// (errBroken), or the protocol (*protocolError).
func (c *conn) readMessages() error {
	for {
		msg, err := c.readMessage()
		if err != nil {
			return err
		}
		c.receive(msg)
		if c.in.Buffered() == 0 {
			return nil
		}
	}
}

// errClosed means that the client sent a close frame.
var errClosed = errors.New("ws: closed by the client")

// readMessage returns the next text message, its fragments joined, and answers
// the control frames before and between them.
func (c *conn) readMessage() ([]byte, error) {
	var msg []byte
	state := ws.StateServerSide
	for {
		h, err := ws.ReadHeader(c.in)
		if err != nil {
			return nil, headerError(err)
		}
		if err := ws.CheckHeader(h, state); err != nil {
			return nil, protocolFault(ws.StatusProtocolError, fault.MalformedRequest, "%v", err)
		}
		if h.OpCode.IsControl() {
			if err := c.control(h); err != nil {
				return nil, err
			}
			continue
		}
		if h.OpCode == ws.OpBinary {
			return nil, protocolFault(ws.StatusUnsupportedData, fault.Unsupported,
				"binary messages are not supported; send JSON as text")
		}
		if msg, err = c.readPayload(msg, h); err != nil {
			return nil, err
		}
		if h.Fin {
			if !utf8.Valid(msg) {
				return nil, protocolFault(ws.StatusInvalidFramePayloadData,
					fault.MalformedRequest, "a text message is not valid UTF-8")
			}
			return msg, nil
		}
		state = state.Set(ws.StateFragmented)
	}
}

func headerError(err error) error {
	if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
		return protocolFault(ws.StatusProtocolError, fault.MalformedRequest, "%v", err)
	}
	return errors.Join(errBroken, err)
}

// readPayload appends a frame's payload to msg.
func (c *conn) readPayload(msg []byte, h ws.Header) ([]byte, error) {
	limit := int64(c.srv.opts.MaxMessageBytes)
	if _, err := c.identity(); err != nil {
		limit = min(limit, maxStrangerBytes)
	}
	if int64(len(msg))+h.Length > limit {
		return nil, protocolFault(ws.StatusMessageTooBig, fault.PayloadTooLarge,
			"a message is larger than %d bytes", limit)
	}
	start, left := len(msg), int(h.Length)
	for left > 0 {
		step := min(left, max(readStep, len(msg)-start))
		msg = slices.Grow(msg, step)
		n, err := io.ReadFull(c.in, msg[len(msg):len(msg)+step])
		if err != nil {
			return nil, errors.Join(errBroken, err)
		}
		msg = msg[:len(msg)+n]
		left -= n
	}
	ws.Cipher(msg[start:], h.Mask, 0)
	c.lastRead.Store(time.Now().UnixNano())
	return msg, nil
}

// control answers a ping, notes a pong, and ends reading at a close frame.
func (c *conn) control(h ws.Header) error {
	var buf [ws.MaxControlFramePayloadSize]byte
	payload := buf[:h.Length]
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return errors.Join(errBroken, err)
	}
	ws.Cipher(payload, h.Mask, 0)
	c.lastRead.Store(time.Now().UnixNano())
	switch h.OpCode {
	case ws.OpPing:
		c.sendFrame(ws.OpPong, payload)
	case ws.OpClose:
		return checkClose(payload)
	}
	return nil
}

func checkClose(payload []byte) error {
	if len(payload) > 0 {
		code, reason := ws.ParseCloseFrameData(payload)
		if err := ws.CheckCloseFrameData(code, reason); err != nil {
			return protocolFault(ws.StatusProtocolError, fault.MalformedRequest, "%v", err)
		}
	}
	return errClosed
}
