package ws

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/peer"
)

// somewhere runs a query here, or on another node that can; passed says that the client
// was sent what that node answered. prefix are the first members of the answer. What
// the connection keeps, a transaction and bound rows, is this node's.
func (c *conn) somewhere(who session.Identity, m *wire.Query, prefix []byte, local func() error) (
	passed bool, err error,
) {
	err = local()
	var e *replica.Elsewhere
	switch {
	case !errors.As(err, &e):
		return false, err
	case m.Bind || c.session != nil && c.session.InTransaction():
		return false, fault.New(fault.ForwardFailed, "%v, and this connection's transaction and bound "+
			"rows stay on this node; send the statement outside of them", e)
	case c.srv.opts.Forward == nil:
		return false, fault.From(err)
	}
	body, err := json.Marshal(wire.SQLRequest{
		SQL: m.SQL, Params: m.Params, NamespaceID: string(c.namespaceOf(m)), RequestID: m.RequestID,
	})
	if err != nil {
		return false, fault.Wrap(fault.Internal, err, "send a query to another node")
	}
	msg := &peer.Message{
		Method: http.MethodPost, URI: wire.PathSQL, Body: body,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Origin:     peer.Origin{Identity: who, Remote: caller.Address(c.peer)},
		Repeatable: func() bool { return peer.Repeatable(m.SQL, m.RequestID) },
	}
	err = c.srv.opts.Forward.Run(c.ctx, msg, local, func(res *http.Response) error {
		text, err := io.ReadAll(io.LimitReader(res.Body, int64(c.srv.opts.MaxResultBytes)+maxEnvelope))
		if err != nil || !bytes.HasPrefix(text, []byte("{")) {
			return fault.New(fault.ForwardFailed, "the answer of another node did not come whole; "+
				"send the statement again, a write with a request_id")
		}
		passed = true
		c.send(slices.Concat([]byte("{"), prefix, text[1:]))
		return nil
	})
	return passed, err
}

// maxEnvelope is what an answer has beside its results, in bytes.
const maxEnvelope = 64 << 10

func (c *conn) namespaceOf(m *wire.Query) ident.NamespaceID {
	if m.NamespaceID != "" {
		return ident.NamespaceID(strings.ToLower(m.NamespaceID))
	}
	return c.namespace
}
