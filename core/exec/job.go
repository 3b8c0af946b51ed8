package exec

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/access"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// work runs a statement that starts or ends work in the background.
func (r *run) work(ctx context.Context, emit Sink) error {
	if err := access.MayRun(r.id.Role, r.st.Kind, ""); err != nil {
		return err
	}
	switch n := r.st.Node.(type) {
	case *ast.FlushTable:
		return r.flushTable(ctx, n, emit)
	case *ast.FlushAll:
		return r.flushAll(ctx, n, emit)
	case *ast.CompactTable:
		return r.startOf(ctx, &n.TableRef, job.Compact, nil, emit)
	case *ast.KillJob:
		return r.killJob(ctx, n, emit)
	}
	return fault.New(fault.Unsupported, "%s is not supported", r.st.Kind)
}

func (r *run) flushTable(ctx context.Context, n *ast.FlushTable, emit Sink) error {
	if n.User == "" {
		return r.startOf(ctx, &n.TableRef, job.Flush, nil, emit)
	}
	t, err := r.tieredTable(&n.TableRef)
	switch {
	case err != nil:
		return err
	case !t.PerUser():
		return fault.New(fault.InvalidParameter,
			"%s is a %s table, which has no users; leave FOR USER out", t.FullName(), t.Kind)
	}
	return r.startOf(ctx, &n.TableRef, job.Flush, map[string]string{job.ForUser: string(n.User)}, emit)
}

// startOf starts a job on one table and answers its row.
func (r *run) startOf(ctx context.Context, ref *ast.TableRef, kind string,
	params map[string]string, emit Sink,
) error {
	t, err := r.tieredTable(ref)
	if err != nil {
		return err
	}
	rec, err := r.startJob(ctx, t, kind, params)
	if err != nil {
		return err
	}
	return emitJobs(emit, []job.Record{rec}, fmt.Sprintf("job %s is %s", rec.ID, rec.State))
}

func (r *run) startJob(ctx context.Context, t *ddl.Table, kind string, params map[string]string) (
	job.Record, error,
) {
	return r.x.Jobs.Start(ctx, job.Request{
		Kind: kind, Namespace: t.Namespace, Table: t.Name, TableID: t.ID,
		Params: params, Owner: r.id.Caller,
	})
}

// flushAll starts a flush of each table that the caller may know of. One for
// which there is no room is answered as skipped, with no id.
func (r *run) flushAll(ctx context.Context, n *ast.FlushAll, emit Sink) error {
	cat := r.x.Catalog.Snapshot()
	if _, ok := cat.Namespace(n.Namespace); n.Namespace != "" && !ok {
		return errNoNamespace(n.Namespace)
	}
	var all []job.Record
	err := (&systemRows{r: r, cat: cat}).visible(func(t *ddl.Table) error {
		if !t.HasColdTier() || n.Namespace != "" && t.Namespace != n.Namespace {
			return nil
		}
		rec, err := r.startJob(ctx, t, job.Flush, nil)
		if fault.Is(err, fault.RateLimitExceeded) {
			rec = job.Record{State: job.Skipped, Message: fault.From(err).Message}
			rec.Kind, rec.Namespace, rec.Table = job.Flush, t.Namespace, t.Name
			err = nil
		}
		all = append(all, rec)
		return err
	})
	if err != nil {
		return err
	}
	return emitJobs(emit, all, fmt.Sprintf("%d jobs", len(all)))
}

// emitJobs answers rows with the columns of started jobs.
func emitJobs(emit Sink, jobs []job.Record, message string) error {
	var rows [][]value.Value
	for _, j := range jobs {
		rows = append(rows, []value.Value{
			textOrNull(j.ID), text(j.Kind), text(j.State), textOrNull(j.Namespace), textOrNull(j.Table),
			textOrNull(j.Message),
		})
	}
	cols := []predicate.Column{{Name: "job_id", Kind: value.Text}}
	for _, name := range []string{"kind", "status", "namespace", "table_name", "message"} {
		cols = append(cols, predicate.Column{Name: name, Kind: value.Text})
	}
	return emit(&Result{Columns: cols, Rows: newFixed(rows), Message: message})
}

// ownJob finds a job that the caller may see and end: their own, or any for
// who runs jobs. One of somebody else is as one that does not exist.
func (r *run) ownJob(id ident.JobID) (job.Record, error) {
	rec, err := r.x.Jobs.Get(id)
	if err == nil && !r.maySeeJob(&rec) {
		err = job.NotFound(id)
	}
	return rec, err
}

func (r *run) maySeeJob(rec *job.Record) bool {
	return r.id.Role == ident.RoleService || mayManage(r.id.Role) || rec.Owner == r.id.Caller
}

func (r *run) killJob(ctx context.Context, n *ast.KillJob, emit Sink) error {
	rec, err := r.ownJob(n.ID)
	if err == nil {
		rec, err = r.x.Jobs.Kill(n.ID, r.id.Caller)
	}
	if err != nil {
		return err
	}
	if rec.Owner != r.id.Caller && rec.Owner != "" {
		e := r.entry(nil)
		e.ActingFor = rec.Owner
		r.x.Audit.Act(ctx, e)
	}
	return emit(&Result{Message: fmt.Sprintf("job %s is told to end", n.ID)})
}

// waitForJob answers the job's row once it has ended. When time runs out the
// job goes on.
func (r *run) waitForJob(ctx context.Context, n *ast.WaitForJob, emit Sink) error {
	if _, err := r.ownJob(n.ID); err != nil {
		return err
	}
	rec, err := r.x.Jobs.Wait(ctx, n.ID)
	if fault.Is(err, fault.StatementTimeout) {
		return fault.New(fault.StatementTimeout, "job %s is %s after the time given; it goes on, "+
			"wait again or look at it by SHOW JOBS", n.ID, rec.State)
	}
	if err != nil {
		return err
	}
	vals, err := rec.Values()
	if err != nil {
		return err
	}
	t, err := r.x.Catalog.Snapshot().Table(system.Namespace, string(system.Jobs))
	if err != nil {
		return err
	}
	return emit(&Result{Columns: columnsOf(t), Rows: newFixed([][]value.Value{vals})})
}

// timeout returns the time that the statement may take.
func (r *run) timeout() time.Duration {
	switch n := r.st.Node.(type) {
	case *ast.WaitForJob:
		if n.Timeout > 0 {
			return n.Timeout
		}
	case *ast.CheckTable: // reads all there is
		return ast.MaxWait
	}
	return r.x.limits.StatementTimeout
}

func (s *systemRows) jobs() (rows [][]value.Value, err error) {
	all, err := s.r.x.Jobs.List()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if !s.r.maySeeJob(&all[i]) {
			continue
		}
		row, err := all[i].Values()
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}
