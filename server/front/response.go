package front

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// response is the answer to the present request. It is held until its length
// is known: handlers give the length and then all of the body, so that is when
// they write.
type response struct {
	conn   *conn
	header http.Header
	status int    // 0 until WriteHeader
	held   []byte // of the body
	sent   bool
	keep   bool // once sent: the connection goes on
}

var _ http.ResponseWriter = (*response)(nil)

func (r *response) reset() {
	clear(r.header)
	r.status, r.held, r.sent, r.keep = 0, nil, false, false
}

// Header implements http.ResponseWriter.
func (r *response) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *response) Write(p []byte) (int, error) {
	switch {
	case r.sent:
		return 0, http.ErrContentLength
	case r.held == nil && r.declared() == len(p):
		if err := r.send(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	r.held = append(r.held, p...)
	return len(p), nil
}

// declared returns the length that the handler said, -1 for none.
func (r *response) declared() int {
	if v := r.header["Content-Length"]; len(v) == 1 {
		if n, err := strconv.Atoi(v[0]); err == nil {
			return n
		}
	}
	return -1
}

// finish sends what was not sent, and reports whether the connection goes on.
func (r *response) finish() bool {
	if !r.sent {
		if r.send(r.held) != nil {
			return false
		}
	}
	return r.keep
}

// most is how large an answer may be to be sent as one piece. Below it copying
// costs less than a list of pieces.
const most = 64 << 10

var pieces = sync.Pool{New: func() any { return new([]byte) }}

func (r *response) send(body []byte) error {
	r.sent = true
	known := r.conn.body.err != nil // to the handler: as in net/http the answer says nothing
	r.keep = r.conn.body.discard() && !r.conn.server.stopping.Load() &&
		!strings.EqualFold(r.header.Get("Connection"), "close")
	if !r.keep && !known {
		r.header["Connection"] = []string{"close"}
	}
	piece := pieces.Get().(*[]byte)
	defer pieces.Put(piece)
	out := r.appendHead((*piece)[:0], body)
	if len(body) > most {
		*piece = out
		parts := net.Buffers{out, body}
		_, err := parts.WriteTo(r.conn.rwc)
		return err
	}
	out = append(out, body...)
	*piece = out
	_, err := r.conn.rwc.Write(out)
	return err
}

// appendHead appends status and headers.
func (r *response) appendHead(dst, body []byte) []byte {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.status), 10)
	dst = append(append(append(dst, ' '), http.StatusText(r.status)...), "\r\nDate: "...)
	dst = appendDate(dst)
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n"...)
	if r.header["Content-Type"] == nil && len(body) > 0 {
		r.header["Content-Type"] = []string{http.DetectContentType(body)}
	}
	var room [8]string
	names := room[:0]
	for name := range r.header {
		if name != "Content-Length" && name != "Date" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.header[name] {
			dst = append(append(dst, name...), ": "...)
			dst = append(appendValue(dst, value), "\r\n"...)
		}
	}
	return append(dst, "\r\n"...)
}

// appendValue appends the value of a header, in which no line can end.
func appendValue(dst []byte, value string) []byte {
	if strings.ContainsAny(value, "\r\n") {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return append(dst, value...)
}

// date is the text of a second.
type date struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[date]

// appendDate appends the present time as HTTP writes it. It is made once a
// second.
func appendDate(dst []byte) []byte {
	now := time.Now()
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return append(dst, d.text...)
}
