package plan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/plan"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

const shards = 3

// world is a store with tables, and both ways to run statements over it.
type world struct {
	t      testing.TB
	db     *store.DB
	snap   *catalog.Snapshot
	engine *engine.Engine
	plans  *plan.Cache // nil: the engine runs everything
	seq    clock.Seq
}

// caller is who runs a statement.
type caller struct {
	id   ident.UserID
	role ident.Role
	as   ident.UserID
}

var alice = caller{id: "alice", role: ident.RoleUser}

func newWorld(t testing.TB, plans *plan.Cache, tables ...*ddl.Table) *world {
	t.Helper()
	db, err := store.Open("", store.Options{Engine: "memory", Shards: shards, OpenEngine: memkv.Open})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	w := &world{t: t, db: db, engine: engine.New(engine.Options{}), plans: plans, seq: clock.SeqAt(now)}
	w.define(tables...)
	return w
}

func (w *world) define(tables ...*ddl.Table) {
	w.t.Helper()
	for _, def := range tables {
		for _, s := range def.Shards(shards) {
			if _, err := w.db.CreatePartition(def.Partition(s)); err != nil {
				w.t.Fatalf("create a partition: %v", err)
			}
		}
	}
	w.snap = snapshot(tables...)
}

func snapshot(tables ...*ddl.Table) *catalog.Snapshot {
	return catalog.NewSnapshot([]*ddl.Namespace{{Name: "chat"}, {Name: "other"}}, tables)
}

// rights are those of a caller: their own rows and those of whom they act for,
// shared tables to read, and to write as an operator.
type rights struct{ caller }

func (r rights) CheckTable(t *ddl.Table, owner ident.UserID, write bool) error {
	switch {
	case t.Kind == ddl.UserTable && owner != r.id && (r.as == "" || owner != r.as):
		return fault.New(fault.PermissionDenied, "you may not act for another user")
	case t.Kind == ddl.SharedTable && write && r.role == ident.RoleUser:
		return fault.New(fault.PermissionDenied, "role %s may only read", r.role)
	}
	return nil
}

type noSystem struct{}

func (noSystem) SystemRows(context.Context, system.Table) ([][]value.Value, error) { return nil, nil }

// answer is what a statement led to.
type answer struct {
	columns  string
	rows     string
	affected int64
	err      string
	writes   []string
	handled  bool
}

func (w *world) env(c caller, params []value.Value) *engine.Env {
	return &engine.Env{Catalog: w.snap, DB: w.db, View: w.db.View(), Rights: rights{c},
		System: noSystem{}, Gen: clock.NewGenerator(func() time.Time { return now }, 1, 0), Now: now,
		Caller: c.id, Role: c.role, User: c.as, Namespace: "chat", Params: params}
}

// run executes a statement and gives back its writes without applying them.
func (w *world) run(c caller, sql string, params ...value.Value) (a answer, writes []writesOf) {
	w.t.Helper()
	ctx := context.Background()
	st := &dialect.Statement{Text: sql}
	env := w.env(c, params)
	defer func() { env.View.Release() }()
	var res *engine.Result
	var err error
	if w.plans != nil {
		res, a.handled, err = w.plans.Run(ctx, st, env)
	}
	var assumed []writeset.Write
	if a.handled && err == nil && res.Assumed {
		if assumed, a.handled = w.settle(res.Writes.Writes()); !a.handled {
			assumed = nil // as it is found out when the writes are applied
		}
	}
	if !a.handled {
		env.View.Release()
		env = w.env(c, params) // with ids from the beginning
		res, err = w.engine.Run(ctx, st, env)
	}
	if err == nil {
		err = a.read(ctx, res)
	}
	if err != nil {
		var f *fault.Error
		if !errors.As(err, &f) {
			w.t.Fatalf("%s: an error of type %T: %v", sql, err, err)
		}
		a.err = err.Error()
		return a, nil
	}
	if res.Writes == nil {
		return a, nil
	}
	if assumed == nil {
		assumed = res.Writes.Writes()
	}
	for _, x := range assumed {
		a.writes = append(a.writes, fmt.Sprintf("%s %s op %d key %x expect %d payload %x",
			x.Table.Name, x.User, x.Op, x.PK, x.Expect, x.Payload))
		writes = append(writes, writesOf{x.Table, x.User, x.Op, x.PK, x.Payload})
	}
	return a, writes
}

// settle returns writes as they are once they meet the stored rows: an append
// is an update then. ok is false when one of them can't be applied.
func (w *world) settle(writes []writeset.Write) (settled []writeset.Write, ok bool) {
	w.t.Helper()
	v := w.db.View()
	defer v.Release()
	for _, x := range writes {
		part, _ := w.db.Partition(x.Table.Partition(x.Table.Shard(x.User, shards)))
		rec, found, err := table.Table{Part: part}.Get(context.Background(), v, x.User, x.PK)
		if err != nil {
			w.t.Fatalf("read before a write: %v", err)
		}
		found = found && !rec.Deleted
		if found != (x.Op == row.Append) {
			return nil, false
		}
		if found {
			if x, ok = w.extended(x, rec); !ok {
				return nil, false
			}
		}
		settled = append(settled, x)
	}
	return settled, true
}

// extended returns an append as the update that it is for a record.
func (w *world) extended(x writeset.Write, rec row.Record) (_ writeset.Write, ok bool) {
	w.t.Helper()
	payload, _, ok, err := x.Tail.Append(rec, x.Payload)
	if err != nil || !ok {
		return x, false
	}
	reader, err := w.snap.Reader(x.Table, rec.Schema)
	if err != nil {
		w.t.Fatalf("read before an append: %v", err)
	}
	vals := make([]value.Value, len(x.Table.Columns))
	rec.Payload = payload
	if err := reader.Read(rec, vals); err != nil {
		w.t.Fatalf("read an appended row: %v", err)
	}
	if x.Payload, err = x.Table.Schema().Encode(vals); err != nil {
		w.t.Fatal(err)
	}
	x.Op, x.Expect, x.Tail = row.Update, rec.Seq, nil
	return x, true
}

type writesOf struct {
	def         *ddl.Table
	user        ident.UserID
	op          row.Op
	pk, payload []byte
}

func (a *answer) read(ctx context.Context, res *engine.Result) error {
	a.columns, a.affected = fmt.Sprintf("%+v", res.Columns), res.Affected
	defer res.Rows.Close()
	for {
		vals, err := res.Rows.Next(ctx)
		if err == io.EOF {
			return res.Rows.Close()
		}
		if err != nil {
			return err
		}
		for _, v := range vals {
			a.rows += fmt.Sprintf("%s:%q ", v.Kind(), v.Text())
		}
		a.rows += "\n"
	}
}

// apply commits writes, after their preconditions were compared elsewhere.
func (w *world) apply(writes []writesOf) {
	w.t.Helper()
	var b store.Batch
	v := w.db.View()
	defer v.Release()
	for _, x := range writes {
		part, _ := w.db.Partition(x.def.Partition(x.def.Shard(x.user, shards)))
		tab := table.Table{Part: part}
		rec, found, err := tab.Present(v, &b, x.user, x.pk)
		if err != nil {
			w.t.Fatalf("read before a write: %v", err)
		}
		w.seq++
		write := table.Write{User: x.user, PK: x.pk, Op: x.op, Seq: w.seq, Schema: x.def.Version,
			Codec: x.def.Codec, Payload: x.payload}
		if found {
			write.Present = &rec
		}
		if x.op == row.Delete {
			write.Payload = nil
		}
		if _, err := tab.Stage(&b, write); err != nil {
			w.t.Fatalf("stage a write: %v", err)
		}
	}
	if err := w.db.Commit(&b, false); err != nil {
		w.t.Fatalf("commit: %v", err)
	}
}

// do runs a statement that has to succeed, and applies it.
func (w *world) do(c caller, sql string, params ...value.Value) answer {
	w.t.Helper()
	a, writes := w.run(c, sql, params...)
	if a.err != "" {
		w.t.Fatalf("%s: %s", sql, a.err)
	}
	w.apply(writes)
	return a
}

// stored returns all rows of all users, as they are stored.
func (w *world) stored(def *ddl.Table) string {
	w.t.Helper()
	out := ""
	for _, s := range def.Shards(shards) {
		part, _ := w.db.Partition(def.Partition(s))
		v := w.db.View()
		lo, hi := row.RowSpace()
		it := v.Scan(part, store.Range{Lo: lo, Hi: hi})
		for it.Next() {
			out += fmt.Sprintf("%x=%x\n", it.Key(), it.Value())
		}
		if err := it.Close(); err != nil {
			w.t.Fatal(err)
		}
		v.Release()
	}
	return out
}

func define(id int, name string, kind ddl.TableKind, pk []int, cols ...ddl.Column) *ddl.Table {
	for i := range cols {
		cols[i].ID = ident.ColumnID(i + 1)
	}
	return &ddl.Table{ID: ident.TableID(id), Namespace: "chat", Name: ident.TableName(name), Kind: kind,
		State: ddl.Ready, Version: 1, Codec: serde.Row, PrimaryKey: pk, Columns: cols}
}

func column(name string, t ddl.Type) ddl.Column { return ddl.Column{Name: name, Type: t} }

func kind(k value.Kind) ddl.Type { return ddl.Type{Kind: k} }
