package exec

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/storage"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

func settingsOf(s ast.StorageSettings) storage.Settings {
	return storage.Settings{
		URI: s.URI, SharedTemplate: s.SharedTemplate, UserTemplate: s.UserTemplate,
		Credentials: s.Credentials,
	}
}

// createStorage asks the storage, which may take its time, so other changes of
// the catalogue go on meanwhile.
func (r *run) createStorage(ctx context.Context, n *ast.CreateStorage) (string, error) {
	notice, err := r.x.Storages.Create(ctx, n.ID, n.Type, settingsOf(n.StorageSettings), r.id.Caller)
	if n.IfNotExists && fault.Is(err, fault.AlreadyExists) {
		return fmt.Sprintf("storage %s exists already", n.ID), nil
	}
	return fmt.Sprintf("storage %s created%s", n.ID, notice), err
}

func (r *run) alterStorage(ctx context.Context, n *ast.AlterStorage) (string, error) {
	notice, err := r.x.Storages.Alter(ctx, n.ID, settingsOf(n.StorageSettings), r.id.Caller)
	return fmt.Sprintf("storage %s changed%s", n.ID, notice), err
}

// dropStorage lets no table be made meanwhile that names the storage.
func (r *run) dropStorage(ctx context.Context, n *ast.DropStorage) (string, error) {
	var after func(context.Context)
	message, err := r.x.exclusively(ctx, func(ctx context.Context) (_ string, err error) {
		after, err = r.x.Storages.Drop(ctx, n.ID)
		return fmt.Sprintf("storage %s dropped", n.ID), err
	})
	switch {
	case n.IfExists && fault.Is(err, fault.NotFound):
		return fmt.Sprintf("storage %s does not exist", n.ID), nil
	case err == nil:
		after(ctx)
	}
	return message, err
}

// checkStorage answers with what was done and how long it took; a storage that
// fails is an error.
func (r *run) checkStorage(ctx context.Context, n *ast.CheckStorage, emit Sink) error {
	if err := r.x.Storages.Exists(n.ID); err != nil {
		return err
	}
	steps, err := r.x.Storages.Check(ctx, n.ID)
	if err != nil {
		return fault.Wrap(fault.StorageUnavailable, err, "storage %s fails", n.ID)
	}
	var rows [][]value.Value
	for _, s := range steps {
		rows = append(rows, []value.Value{
			value.NewText(s.Name), value.NewText("ok"),
			value.NewFloat(value.Float64, float64(s.Took)/float64(time.Millisecond)),
		})
	}
	return emit(&Result{
		Columns: []predicate.Column{
			{Name: "step", Kind: value.Text}, {Name: "status", Kind: value.Text},
			{Name: "took_ms", Kind: value.Float64},
		},
		Rows: newFixed(rows), Message: fmt.Sprintf("storage %s works", n.ID),
	})
}

// putAccount stores an account. One that names a storage is stored while none is
// dropped.
func (r *run) putAccount(ctx context.Context, u *ddl.User, seq clock.Seq) error {
	if u.Storage == "" {
		return r.x.PutAccount(ctx, u, seq)
	}
	_, err := r.x.exclusively(ctx, func(ctx context.Context) (string, error) {
		if err := r.x.Storages.Exists(u.Storage); err != nil {
			return "", err
		}
		return "", r.x.PutAccount(ctx, u, seq)
	})
	return err
}

func (s *systemRows) storages() (rows [][]value.Value, err error) {
	all, err := s.r.x.Storages.List()
	for _, st := range all {
		status, message, since := "unused", value.NullValue, value.NullValue
		if st.Used {
			status = "ok"
		}
		if st.Alarm != nil {
			status, message, since = "failing", text(st.Alarm.Message), timeOf(st.Alarm.Since)
		}
		rows = append(rows, []value.Value{
			text(st.ID), text(st.Type), text(st.URI), text(st.SharedTemplate), text(st.UserTemplate),
			value.NewBool(st.HasCredentials), value.NewBigInt(int64(st.Use.Tables)),
			value.NewBigInt(int64(st.Use.Users)), text(status), message, since,
			timeOf(st.Created), textOrNull(st.CreatedBy),
		})
	}
	return rows, err
}
