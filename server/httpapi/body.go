package httpapi

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// maxPooledBody is the largest buffer that is kept for another request.
const maxPooledBody = 1 << 20

// maxLoginBytes bounds the bodies of logins, which anybody can send.
const maxLoginBytes = 64 << 10

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// decode reads the JSON body of x into v. What is larger than limit is refused
// without being read.
func decode(x *exchange, limit int64, v any) error {
	return withBody(x, limit, func(body []byte) error { return wire.DecodeStrict(body, v) })
}

// withBody reads the body of x, which must be JSON, and calls read with it.
func withBody(x *exchange, limit int64, read func(body []byte) error) error {
	if err := checkType(x.r); err != nil {
		return err
	}
	if x.r.ContentLength > limit {
		return tooLarge(limit)
	}
	buf := bodies.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= maxPooledBody {
			bodies.Put(buf)
		}
	}()
	if n := x.r.ContentLength; n > 0 {
		buf.Grow(int(min(n, maxPooledBody)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(x.w, x.r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge(limit)
	case err != nil:
		return fault.New(fault.MalformedRequest, "the body did not come whole: %s", cause(err))
	}
	return read(buf.Bytes())
}

func cause(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection ended"
	}
	return "it could not be read"
}

func tooLarge(limit int64) error {
	return fault.New(fault.PayloadTooLarge,
		"the body is larger than %d bytes; send less, in several requests", limit)
}

// errType is answered with 415.
var errType = fault.New(fault.Unsupported,
	"the body must be JSON: send Content-Type: application/json")

// typeForm is what curl -d says of any body; it is read as the JSON it is.
const typeForm = "application/x-www-form-urlencoded"

// checkType refuses bodies that say they are something else than JSON. It does
// not keep pages of strangers out, CheckOrigin does.
func checkType(r *http.Request) error {
	header := r.Header.Get("Content-Type")
	if header == "" || header == "application/json" || header == typeForm {
		return nil
	}
	kind, _, err := mime.ParseMediaType(header)
	if err != nil || kind != "application/json" {
		return errType
	}
	return nil
}
