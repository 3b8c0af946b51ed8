package flush

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/storage"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Tier moves rows; see cold.Tier.
type Tier interface {
	Rewrite(ctx context.Context, id ident.TableID, s ident.ShardID, u ident.UserID,
		which cold.Which, progress func(rows, bytes int64)) (cold.Report, error)
	Sweep(ctx context.Context, t *ddl.Table, s ident.ShardID) (deleted int, more bool, err error)
}

var _ Tier = (*cold.Tier)(nil)

// Mover is the kinds of jobs that move rows to the cold tier and about in it.
// It is safe for concurrent use.
type Mover struct {
	DB      *store.DB
	Catalog *catalog.Catalog
	Tier    Tier
	Policy  Policy
	Now     func() time.Time
	// Bucket returns the files of a storage.
	Bucket func(context.Context, ident.StorageID) (object.Bucket, error)
	// Orphans deletes files that no manifest names; see storage.Registry.
	Orphans func(ctx context.Context, id ident.StorageID, before time.Time,
		strike func(map[ident.SegmentID][]string) error) (storage.Orphans, error)
	// Purge removes what a table keeps of deleted rows beyond its retention.
	Purge func(context.Context, *ddl.Table) error
	// Accounts, Log and Clock are for the rows of dropped users.
	Accounts Accounts
	Log      replica.Log
	Clock    *clock.Clock
	// Busy reports whether a job writes files of a table.
	Busy func(ident.TableID) bool

	walks walks
}

// Kinds returns the kinds of jobs. All begin anew after an interruption and do
// what is left.
func (m *Mover) Kinds() []job.Kind {
	m.Policy = m.Policy.withDefaults()
	return []job.Kind{
		{Name: job.Flush, Resume: true, Run: m.flush},
		{Name: job.Compact, Group: rewriting, Resume: true, Run: m.compact},
		{Name: job.Retain, Group: rewriting, Resume: true, Run: m.compact},
		{Name: job.Sweep, Resume: true, Run: m.sweep},
		{Name: job.Cleanup, Resume: true, Run: m.cleanup},
	}
}

// rewriting groups the kinds that rewrite segments: a row is rewritten by one at
// a time.
const rewriting = "rewrite"

// Writers are the kinds of jobs that write files of a table.
var Writers = []string{job.Flush, job.Compact, job.Retain, job.Sweep}

// table returns the table of a job, whose rows may go cold.
func (m *Mover) table(w *job.Work) (*ddl.Table, error) {
	t, ok := m.Catalog.Snapshot().TableByID(w.TableID)
	if !ok {
		return nil, job.Skip("table %s.%s was dropped or truncated", w.Namespace, w.Table)
	}
	return t, nil
}

// total returns the live rows of a table.
func (m *Mover) total(t *ddl.Table) (sum int64, err error) {
	v := m.DB.View()
	defer v.Release()
	for _, s := range t.Shards(m.DB.Shards()) {
		p, ok := m.DB.Partition(t.Partition(s))
		if !ok {
			continue // it was dropped
		}
		n, err := table.Table{Part: p}.Count(v)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// flush moves the hot rows of a table, or of one user.
func (m *Mover) flush(ctx context.Context, w *job.Work) error {
	t, err := m.table(w)
	if err != nil {
		return err
	}
	m.walks.keep(func(id ident.TableID) bool {
		_, ok := m.Catalog.Snapshot().TableByID(id)
		return ok
	})
	f := &flushing{m: m, w: w, t: t}
	if u, ok := w.Params[job.ForUser]; ok {
		shard := t.Shard(ident.UserID(u), m.DB.Shards())
		if err := f.user(ctx, shard, ident.UserID(u)); err != nil {
			return err
		}
		f.tell()
		return nil
	}
	total, err := m.total(t)
	if err != nil {
		return err
	}
	w.Expect(total)
	for _, s := range t.Shards(m.DB.Shards()) {
		if err := f.shard(ctx, s); err != nil {
			return err
		}
	}
	f.tell()
	return nil
}

// flushing is one run of a flush.
type flushing struct {
	m     *Mover
	w     *job.Work
	t     *ddl.Table
	users int // whose rows were moved
	wait  int // who have too few rows
	files int
	found waiting // of the present shard
}

func (f *flushing) tell() {
	f.w.Say("%s", f.message())
}

func (f *flushing) message() string {
	m := fmt.Sprintf("%d rows of %d users in %d segments", f.w.Rows(), f.users, f.files)
	if !f.t.PerUser() {
		m = fmt.Sprintf("%d rows in %d segments", f.w.Rows(), f.files)
	}
	if f.wait > 0 {
		m += fmt.Sprintf("; %d users wait until they have more rows", f.wait)
	}
	return m
}

func (f *flushing) shard(ctx context.Context, s ident.ShardID) error {
	part, ok := f.m.DB.Partition(f.t.Partition(s))
	if !ok {
		return job.Skip("table %s was dropped", f.t.FullName())
	}
	at := shardOf{f.t.ID, s}
	if idle, err := f.idle(at, part); idle || err != nil {
		return err
	}
	f.found = waiting{at: f.m.Now()}
	next, _ := row.RowSpace()
	for next != nil {
		var users []hotUser
		var read int
		var err error
		if users, next, read, err = look(f.m.DB, part, next, f.due); err != nil {
			return err
		}
		f.w.Did(int64(read))
		for _, u := range users {
			if err := f.user(ctx, s, u.id); err != nil {
				return err
			}
		}
		f.tell()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if f.sparing() {
		f.m.walks.put(at, f.found)
	}
	return nil
}

// sparing reports whether users with few rows are left alone: it is so by the
// policy. Who asks for a flush has the rows of all moved.
func (f *flushing) sparing() bool { return f.w.Params[job.ByPolicy] != "" && f.t.PerUser() }

// idle reports whether nobody's rows in a shard are due, as far as that is known
// without a walk over them.
func (f *flushing) idle(s shardOf, part store.Partition) (bool, error) {
	last, ok := f.m.walks.get(s)
	if !ok || !f.sparing() {
		return false, nil
	}
	v := f.m.DB.View()
	defer v.Release()
	t := table.Table{Part: part}
	all, err := t.Count(v)
	if err != nil {
		return false, err
	}
	cold, err := t.ColdRows(v)
	if err != nil || !last.idle(f.m.Policy, all-cold, f.m.Now()) {
		return false, err
	}
	f.w.Did(all)
	f.wait += last.users
	return true, nil
}

// due reports whether the rows of a user are moved now, which small users wait
// for.
func (f *flushing) due(u hotUser) bool {
	p := f.m.Policy
	if !f.sparing() || u.rows >= p.MinRows ||
		u.oldest < clock.SeqAt(f.m.Now().Add(-p.MaxAge)) {
		return true
	}
	f.wait++
	f.found.add(u)
	return false
}

func (f *flushing) user(ctx context.Context, s ident.ShardID, u ident.UserID) error {
	before := int64(0)
	report, err := f.m.Tier.Rewrite(ctx, f.t.ID, s, u, cold.Which{Hot: true},
		func(rows, bytes int64) {
			before += bytes
			f.w.Wrote(rows, bytes)
		})
	f.w.Wrote(0, report.Bytes-before) // the bytes of the files, which are known now
	if f.files += report.Segments; report.Rows > 0 {
		f.users++
	}
	return err
}
