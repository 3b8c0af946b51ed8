package httpapi

import (
	"net/http"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/server/rowform"
)

// Streams reports whether a request with these headers asks for an answer that
// streams.
func Streams(h http.Header) bool { return rowform.Choose(h["Accept"]) != nil }

// stream runs one statement and writes its rows as they are read. What fails
// before the first bytes is answered like any other error. A client that stops
// reading is cut off after the write timeout, and with it the statement.
func (a *API) stream(x *exchange, form *rowform.Form) error {
	id, req, err := a.readSQL(x)
	if err != nil {
		return err
	}
	req.OneRead = true
	to := &body{x: x, form: form, timeout: a.opts.StreamWriteTimeout}
	out := rowform.NewWriter(form, to)
	ctx := x.r.Context()
	passed, err := a.execute(x, id, req, func(res *engine.Result) error {
		if len(res.Columns) == 0 {
			return fault.New(fault.InvalidParameter,
				"%s returns no rows; send it with Accept: application/json", res.Kind)
		}
		return out.Write(ctx, res)
	})
	switch {
	case err == nil || passed:
		return err
	case !to.begun:
		return err
	}
	a.logFailure(x.r, err)
	if to.broken || !out.Fail(err) {
		panic(http.ErrAbortHandler) // the one way to tell that more was to come
	}
	return nil
}

// body is the body of an answer that streams. net/http ends the bound on writes
// with the request.
type body struct {
	x       *exchange
	form    *rowform.Form
	timeout time.Duration
	begun   bool // the status was sent
	broken  bool // the client takes no more
}

// Write implements io.Writer. It blocks until the client takes p, for the
// timeout at most.
func (b *body) Write(p []byte) (int, error) {
	rc := http.NewResponseController(b.x.w)
	if err := rc.SetWriteDeadline(time.Now().Add(b.timeout)); err != nil {
		return 0, fault.Wrap(fault.Internal, err, "bound the time of a write")
	}
	if !b.begun {
		b.begun = true
		b.x.w.Header()["Content-Type"] = []string{b.form.ContentType}
		b.x.w.WriteHeader(http.StatusOK)
	}
	n, err := b.x.w.Write(p)
	if err == nil {
		err = rc.Flush()
	}
	if err != nil {
		b.broken = true
		return n, fault.Wrap(fault.Cancelled, err, "the client takes no more rows")
	}
	return n, nil
}
