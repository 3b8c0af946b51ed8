package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/peer"
	"github.com/kalamdb/kalamdb-go/server/reply"
	"github.com/kalamdb/kalamdb-go/server/rowform"
	"github.com/kalamdb/kalamdb-go/server/sqljson"
)

// sql runs statements, and answers in the form that the client accepts. Its
// errors keep the results that came before them, so it answers them itself.
func (a *API) sql(x *exchange) error {
	if form := rowform.Choose(x.r.Header["Accept"]); form != nil {
		return a.stream(x, form)
	}
	enc := sqljson.NewEncoder("", a.opts.MaxResultBytes)
	defer enc.Release()
	id, req, err := a.readSQL(x)
	passed := false
	if err == nil {
		ctx := x.r.Context()
		passed, err = a.execute(x, id, req,
			func(res *engine.Result) error { return enc.Add(ctx, res) })
	}
	if passed {
		return nil
	}
	status := http.StatusOK
	if err != nil {
		a.logFailure(x.r, err)
		status = statusOf(x.w, err)
	}
	a.sent(x.r, reply.Body(x.w, status, enc.Finish(sqljson.Outcome{
		Err: err, Took: a.took(x.start), RequestID: req.RequestID,
	})))
	return nil
}

// readSQL reads who asks, before the body, and what for.
func (a *API) readSQL(x *exchange) (id session.Identity, req engine.Request, err error) {
	origin, forwarded := peer.OriginOf(x.r.Context())
	if forwarded {
		id, req.Remote = origin.Identity, origin.Remote
	} else if id, err = x.Callers.Identify(x.r); err != nil {
		return id, req, err
	} else {
		req.Remote = caller.Address(x.r.RemoteAddr)
	}
	var body sqljson.Request
	err = withBody(x, a.opts.MaxBodyBytes, func(text []byte) (err error) {
		if x.Forward != nil && !forwarded {
			x.raw = slices.Clone(text)
		}
		body, err = sqljson.ReadRequest(text)
		return err
	})
	if err != nil {
		return id, req, err
	}
	if req.RequestID, err = requestID(x.r, body.RequestID); err != nil {
		return id, req, err
	}
	req.MinSeq = strings.Join(x.r.Header[wire.HeaderMinSeq], ",")
	req.SQL = body.SQL
	req.Namespace = ident.NamespaceID(strings.ToLower(body.NamespaceID))
	req.Params, req.JSONParams = body.Params, true
	return id, req, nil
}

// requestID returns the id of the body or of the header.
func requestID(r *http.Request, body string) (string, error) {
	header := r.Header.Get(wire.HeaderIdempotencyKey)
	switch {
	case header == "":
		return body, nil
	case body != "" && body != header:
		return "", fault.New(fault.InvalidParameter,
			"request_id and %s differ; send one", wire.HeaderIdempotencyKey)
	}
	return header, nil
}
