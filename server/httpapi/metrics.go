package httpapi

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/server/caller"
)

// metrics answers with the figures of the server, to callers on this host, to a
// dba and, when it was configured so, to everybody.
func (a *API) metrics(x *exchange) error {
	if x.Metrics == nil {
		return fault.New(fault.NotFound, "metrics are off; set metrics.enabled")
	}
	if !a.opts.PublicMetrics && !caller.Local(x.r) {
		if err := x.operator(); err != nil {
			return err
		}
	}
	x.Metrics.ServeHTTP(x.w, x.r)
	return nil
}

// operator refuses callers who are no dba.
func (x *exchange) operator() error {
	id, err := x.Callers.Identify(x.r)
	if err == nil && (id.Role != ident.RoleDBA || id.As != "" && id.As != id.Caller) {
		err = fault.New(fault.PermissionDenied, "role %s may not read this; ask a dba", id.Role)
	}
	return err
}
