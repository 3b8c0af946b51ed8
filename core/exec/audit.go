package exec

import (
	"context"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/audit"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// act is the use of a table for another user.
type act struct {
	user  ident.UserID
	table *ddl.Table // nil when the statement used none
}

// seen notes a table that is used for another user: the owner of its rows,
// else the acting user.
func (r *run) seen(t *ddl.Table, owner ident.UserID) {
	user := owner
	if user == "" || user == r.id.Caller {
		user = r.id.As
	}
	a := act{user, t}
	if user != "" && user != r.id.Caller && !slices.Contains(r.acted, a) {
		r.acted = append(r.acted, a)
	}
}

// auditTimeout bounds the writing of an entry for a statement that is done.
const auditTimeout = 10 * time.Second

// audit notes in the audit log what must be there of the statement, which
// ended with err. It fails when a change of the schema or of an account could
// not be noted.
func (r *run) audit(ctx context.Context, class dialect.Class, err error) error {
	changes := class == dialect.Schema || class == dialect.Account
	switch {
	case changes && !fault.Is(err, fault.PermissionDenied):
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
		defer cancel()
		e := r.entry(err)
		e.ActingFor, e.Object = r.actingFor(), object(r.st.Node, r.req.Namespace)
		return r.x.Audit.Record(ctx, e)
	case changes: // what is refused is counted, so that nobody fills the disk with it
		e := r.entry(err)
		e.ActingFor = r.actingFor()
		r.x.Audit.Act(ctx, e)
	case class != dialect.Session:
		r.auditActs(ctx, err)
	}
	return nil
}

// auditActs counts what the statement did for other users.
func (r *run) auditActs(ctx context.Context, err error) {
	if len(r.acted) == 0 && r.actingFor() == "" {
		return
	}
	e := r.entry(err)
	if len(r.acted) == 0 {
		e.ActingFor = r.actingFor()
		r.x.Audit.Act(ctx, e)
	}
	for _, a := range r.acted {
		e.ActingFor, e.Object = a.user, a.table.FullName()
		r.x.Audit.Act(ctx, e)
	}
}

// actingFor returns the other user whom the caller named, or "".
func (r *run) actingFor() ident.UserID {
	if r.id.As == r.id.Caller {
		return ""
	}
	return r.id.As
}

func (r *run) entry(err error) audit.Entry {
	outcome := audit.Success
	if err != nil {
		outcome = string(fault.CodeOf(err))
	}
	return audit.Entry{
		Actor: r.id.Caller, Kind: r.st.Kind.String(), Outcome: outcome,
		RequestID: r.req.RequestID, Remote: r.req.Remote,
	}
}

// named is a node of a statement about a table.
type named interface {
	Target() (ident.NamespaceID, ident.TableName)
}

// object returns the name of what a statement changes. ns is the namespace in
// use.
func object(n dialect.Node, ns ident.NamespaceID) string {
	switch n := n.(type) {
	case *ast.CreateNamespace:
		return string(n.Name)
	case *ast.AlterNamespace:
		return string(n.Name)
	case *ast.DropNamespace:
		return string(n.Name)
	case *ast.CreateUser:
		return string(n.ID)
	case *ast.AlterUser:
		return string(n.ID)
	case *ast.DropUser:
		return string(n.ID)
	case *ast.RestoreUser:
		return string(n.ID)
	case *ast.CreateStorage:
		return string(n.ID)
	case *ast.AlterStorage:
		return string(n.ID)
	case *ast.DropStorage:
		return string(n.ID)
	case named:
		of, table := n.Target()
		if of == "" {
			of = ns
		}
		return string(of) + "." + string(table)
	}
	return ""
}
