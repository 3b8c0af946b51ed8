package httpapi

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/server/peer"
)

// execute runs a request here, or on another node that can. passed says that the
// answer of another node was given to the client, byte by byte.
func (a *API) execute(x *exchange, id session.Identity, req engine.Request, sink engine.Sink) (
	passed bool, err error,
) {
	ctx := x.r.Context()
	local := func() error { return x.Engine.Execute(ctx, id, req, sink) }
	if _, forwarded := peer.OriginOf(ctx); forwarded {
		return false, a.lastNode(x, local())
	}
	if x.Forward == nil {
		return false, local()
	}
	m := &peer.Message{
		Method: x.r.Method, URI: x.r.URL.RequestURI(), Header: x.r.Header, Body: x.raw,
		Origin:     peer.Origin{Identity: id, Remote: req.Remote},
		Repeatable: func() bool { return peer.Repeatable(req.SQL, req.RequestID) },
	}
	err = x.Forward.Run(ctx, m, local, func(res *http.Response) error {
		passed = true
		return a.pass(x, res)
	})
	return passed, err
}

// lastNode turns down what this node can't run either: a request is sent on once.
func (a *API) lastNode(x *exchange, err error) error {
	var e *replica.Elsewhere
	if !errors.As(err, &e) {
		return err
	}
	peer.Unrun(x.w, x.r)
	return fault.New(fault.NotLeader, "%v; send the request again", e)
}

// pass gives the client the answer of another node as it comes.
func (a *API) pass(x *exchange, res *http.Response) error {
	peer.PassHeader(x.w.Header(), res)
	if res.ContentLength >= 0 {
		x.w.Header()["Content-Length"] = []string{strconv.FormatInt(res.ContentLength, 10)}
	}
	x.w.WriteHeader(res.StatusCode)
	to := io.Writer(x.w)
	if res.ContentLength < 0 {
		to = &stepped{x.w, http.NewResponseController(x.w), a.opts.StreamWriteTimeout}
	}
	if _, err := io.Copy(to, res.Body); err != nil {
		a.sent(x.r, err)
		panic(http.ErrAbortHandler) // the one way to tell that more was to come
	}
	return nil
}

// stepped has each piece go out at once, within the timeout.
type stepped struct {
	w       io.Writer
	rc      *http.ResponseController
	timeout time.Duration
}

// Write implements io.Writer.
func (s *stepped) Write(p []byte) (int, error) {
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err == nil {
		err = s.rc.Flush()
	}
	return n, err
}

// cluster answers how the cluster is, to everybody: numbers of nodes and shards.
func (a *API) cluster(x *exchange) error {
	if x.Cluster == nil {
		return fault.New(fault.NotFound, "this server is alone; set cluster.node to have others")
	}
	return a.ok(x, x.Cluster())
}
