package exec

import (
	"context"
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/core/access"
	"github.com/kalamdb/kalamdb-go/core/flush"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// changeAccount runs a statement that changes an account.
func (r *run) changeAccount(ctx context.Context, emit Sink) error {
	if err := access.MayRun(r.id.Role, r.st.Kind, ""); err != nil {
		return err
	}
	var message string
	var err error
	switch n := r.st.Node.(type) {
	case *ast.CreateUser:
		message, err = r.createUser(ctx, n)
	case *ast.AlterUser:
		message, err = r.alterUser(ctx, n)
	case *ast.DropUser:
		message, err = r.dropUser(ctx, n)
	case *ast.RestoreUser:
		message, err = r.restoreUser(ctx, n)
	default:
		err = fault.New(fault.Unsupported, "%s is not supported", r.st.Kind)
	}
	if err != nil {
		return err
	}
	return emit(&Result{Message: message})
}

func (r *run) createUser(ctx context.Context, n *ast.CreateUser) (string, error) {
	old, seq, err := r.x.Account(n.ID)
	switch {
	case err != nil:
		return "", err
	case old != nil && old.Deleted == nil && n.IfNotExists:
		return fmt.Sprintf("user %s exists already", n.ID), nil
	case old != nil && old.Deleted == nil:
		return "", fault.New(fault.AlreadyExists, "user %s exists already", n.ID)
	}
	if old != nil {
		if old, seq, err = r.erased(ctx, old, seq); err != nil {
			return "", err
		}
	}
	u := &ddl.User{ID: n.ID, Role: n.Role, Email: n.Email, Created: r.x.Now().UTC()}
	if old != nil {
		u.Epoch = old.Epoch + 1 // tokens of the dropped account stay void
	}
	if n.Password != nil {
		if u.Secret, err = r.x.Auth.HashPassword(ctx, *n.Password); err != nil {
			return "", err
		}
	}
	u.Storage = n.Storage
	err = r.putAccount(ctx, u, seq)
	return fmt.Sprintf("user %s created", n.ID), err
}

// editable returns an account as a copy that may be changed.
func (r *run) editable(id ident.UserID) (*ddl.User, clock.Seq, error) {
	u, seq, err := r.x.Account(id)
	if u != nil {
		c := *u
		u = &c
	}
	return u, seq, err
}

// alterUser changes an account. A caller who is no dba may change their own
// password, and hears the same of an account that is missing or another's.
func (r *run) alterUser(ctx context.Context, n *ast.AlterUser) (string, error) {
	dba := r.id.Role == ident.RoleDBA || r.id.Role == ident.RoleSystem
	own := n.ID == r.id.Caller && n.Role == nil && n.Email == nil && n.Storage == nil
	if !dba && !own {
		return "", fault.New(fault.PermissionDenied, "you may change your own password only")
	}
	u, seq, err := r.editable(n.ID)
	switch {
	case err != nil:
		return "", err
	case u == nil || u.Deleted != nil:
		return "", fault.New(fault.UserNotFound, "user %s does not exist", n.ID)
	case n.ID == system.RootUser && n.Role != nil && *n.Role != ident.RoleDBA:
		return "", fault.New(fault.InvalidParameter, "root keeps the role dba")
	}
	if n.Password != nil {
		if u.Secret, err = r.x.Auth.HashPassword(ctx, *n.Password); err != nil {
			return "", err
		}
		u.Epoch++
	}
	if n.Role != nil && *n.Role != u.Role {
		u.Role = *n.Role
		u.Epoch++
	}
	if n.Email != nil {
		u.Email = *n.Email
	}
	if n.Storage != nil {
		u.Storage = *n.Storage
	}
	if err := r.putAccount(ctx, u, seq); err != nil {
		return "", err
	}
	return fmt.Sprintf("user %s changed", n.ID), nil
}

func (r *run) dropUser(ctx context.Context, n *ast.DropUser) (string, error) {
	if n.ID == system.RootUser {
		return "", fault.New(fault.PermissionDenied, "root can't be dropped")
	}
	u, seq, err := r.editable(n.ID)
	switch {
	case err != nil:
		return "", err
	case (u == nil || u.Deleted != nil) && n.IfExists:
		return fmt.Sprintf("user %s does not exist", n.ID), nil
	case u == nil || u.Deleted != nil:
		return "", fault.New(fault.UserNotFound, "user %s does not exist", n.ID)
	}
	now := r.x.Now().UTC()
	u.Deleted = &now // the password stays for RESTORE USER
	u.Epoch++
	if err := r.x.PutAccount(ctx, u, seq); err != nil {
		return "", err
	}
	return fmt.Sprintf("user %s dropped", n.ID), nil
}

// restoreUser undoes DROP USER, while the rows are there. Tokens from before stay
// void.
func (r *run) restoreUser(ctx context.Context, n *ast.RestoreUser) (string, error) {
	u, seq, err := r.editable(n.ID)
	switch {
	case err != nil:
		return "", err
	case u == nil:
		return "", fault.New(fault.UserNotFound, "user %s does not exist", n.ID)
	case u.Deleted == nil:
		return "", fault.New(fault.AlreadyExists, "user %s is not dropped", n.ID)
	case u.Erasing != nil:
		return "", fault.New(fault.UserNotFound, "user %s was dropped too long ago, and the rows are "+
			"removed; use CREATE USER", n.ID)
	}
	u.Deleted = nil
	u.Epoch++
	if err := r.x.PutAccount(ctx, u, seq); err != nil {
		return "", err
	}
	return fmt.Sprintf("user %s restored", n.ID), nil
}

// erased returns the account of a dropped user once all that the user had is
// removed, so that who is created under the id finds none of it. Where that is not
// so it has it done and waits.
func (r *run) erased(ctx context.Context, u *ddl.User, seq clock.Seq) (
	*ddl.User, clock.Seq, error,
) {
	if u.Erased != nil {
		return u, seq, nil
	}
	request := flush.EraseUserOf(u.ID)
	request.Owner = r.id.Caller
	rec, err := r.x.Jobs.Start(ctx, request)
	if err != nil {
		return nil, 0, err
	}
	if rec, err = r.x.Jobs.Wait(ctx, rec.ID); err != nil {
		return nil, 0, fault.Wrap(fault.CodeOf(err), err,
			"the rows of the dropped user %s are being removed by job %s; create the user when it has "+
				"ended", u.ID, rec.ID)
	}
	u, seq, err = r.x.Account(u.ID)
	if err == nil && (u == nil || u.Erased == nil) {
		err = fault.New(fault.TransactionConflict, "the rows of the dropped user could not be removed: "+
			"job %s is %s; see SHOW JOBS and run the statement again", rec.ID, rec.State)
	}
	return u, seq, err
}
