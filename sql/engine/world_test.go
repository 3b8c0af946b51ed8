package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// testNow is what NOW() says in all tests.
var testNow = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

// world is a store with a few tables, and an engine over it. Statements run as
// alice, a caller of role user, unless a test changes env.
type world struct {
	t      testing.TB
	db     *store.DB
	snap   *catalog.Snapshot
	engine *engine.Engine
	gen    *clock.Generator
	seq    clock.Seq
	env    engine.Env // copied for each statement
}

func col(id int, name string, k value.Kind, opts ...func(*ddl.Column)) ddl.Column {
	c := ddl.Column{ID: ident.ColumnID(id), Name: name, Type: ddl.Type{Kind: k}}
	for _, o := range opts {
		o(&c)
	}
	return c
}

func notNull(c *ddl.Column) { c.NotNull = true }

func length(n int) func(*ddl.Column) { return func(c *ddl.Column) { c.Type.Length = n } }

func labelled(labels ...string) func(*ddl.Column) {
	return func(c *ddl.Column) { c.Type.Labels = labels }
}

func scale(p, s int) func(*ddl.Column) {
	return func(c *ddl.Column) { c.Type.Precision, c.Type.Scale = p, s }
}

func literal(text string) func(*ddl.Column) {
	return func(c *ddl.Column) { c.Default = &ddl.Default{Text: text} }
}

func generated(f ddl.Func) func(*ddl.Column) {
	return func(c *ddl.Column) { c.Default = &ddl.Default{Func: f} }
}

func testTables() []*ddl.Table {
	def := func(id int, name string, kind ddl.TableKind, pk []int, cols ...ddl.Column) *ddl.Table {
		return &ddl.Table{ID: ident.TableID(id), Namespace: "chat", Name: ident.TableName(name), Kind: kind,
			State: ddl.Ready, Version: 1, Codec: serde.Row, PrimaryKey: pk, Columns: cols}
	}
	stock := def(104, "stock", ddl.UserTable, []int{0},
		col(1, "id", value.Int32, notNull), col(2, "low", value.Int32), col(3, "high", value.Int32),
		col(4, "unit", value.Text, literal("kg")))
	stock.Checks = []ddl.Check{
		{Name: "positive", Expr: "low > 0", Columns: []ident.ColumnID{2}},
		{Name: "ordered", Expr: "low <= high OR LENGTH(unit) > 3", Columns: []ident.ColumnID{2, 3, 4}},
	}
	return []*ddl.Table{
		def(100, "messages", ddl.UserTable, []int{0, 1},
			col(1, "conversation_id", value.Int64, notNull), col(2, "id", value.Int64, notNull),
			col(3, "author", value.Text), col(4, "body", value.Text)),
		def(101, "kinds", ddl.UserTable, []int{0},
			col(1, "id", value.Int64, notNull, generated(ddl.FuncSnowflake)),
			col(2, "flag", value.Bool), col(3, "tiny", value.Int8), col(4, "wide", value.Uint64),
			col(5, "ratio", value.Float64), col(6, "price", value.Decimal, scale(10, 2)),
			col(7, "name", value.Text, notNull, length(5), literal("none")),
			col(8, "raw", value.Bytes), col(9, "doc", value.JSON), col(10, "day", value.Date),
			col(11, "clock", value.Time), col(12, "at", value.Timestamp, generated(ddl.FuncNow)),
			col(13, "uid", value.UUID), col(14, "small", value.Float32), col(15, "local", value.DateTime),
			col(16, "short", value.Int16), col(17, "mood", value.Enum, labelled("sad", "glad", "a", "mad")),
			col(18, "near", value.Embedding, length(2))),
		def(102, "texts", ddl.UserTable, []int{0, 1},
			col(1, "k", value.Text, notNull), col(2, "u", value.UUID, notNull), col(3, "n", value.Int32)),
		def(103, "rooms", ddl.SharedTable, []int{0},
			col(1, "id", value.Int32, notNull), col(2, "title", value.Text)),
		stock,
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldWith(t, engine.Options{})
}

func newWorldWith(t testing.TB, opts engine.Options) *world {
	t.Helper()
	db, err := store.Open("", store.Options{Engine: "memory", Shards: 4, OpenEngine: memkv.Open})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	tables := testTables()
	for _, def := range tables {
		for _, s := range def.Shards(4) {
			if _, err := db.CreatePartition(def.Partition(s)); err != nil {
				t.Fatalf("create a partition: %v", err)
			}
		}
	}
	w := &world{t: t, db: db, engine: engine.New(opts), seq: clock.SeqAt(testNow),
		snap: catalog.NewSnapshot([]*ddl.Namespace{{Name: "chat"}}, tables),
		gen:  clock.NewGenerator(func() time.Time { return testNow }, 1, 0)}
	w.env = engine.Env{Catalog: w.snap, DB: db, Rights: ownRights{"alice"}, System: fakeSystem{}, Gen: w.gen,
		Now: testNow, Caller: "alice", Role: ident.RoleUser, Namespace: "chat"}
	return w
}

// ownRights lets a user use their own rows and all shared tables.
type ownRights struct{ user ident.UserID }

func (r ownRights) CheckTable(t *ddl.Table, owner ident.UserID, write bool) error {
	if t.Kind == ddl.UserTable && owner != r.user {
		return fault.New(fault.PermissionDenied, "not your table")
	}
	return nil
}

type fakeSystem struct{}

func (fakeSystem) SystemRows(_ context.Context, t system.Table) ([][]value.Value, error) {
	if t != system.Namespaces {
		return nil, nil
	}
	return nil, nil
}

// as returns a copy of w whose statements run as another user.
func (w *world) as(user ident.UserID) *world {
	c := *w
	c.env.Caller, c.env.Rights = user, ownRights{user}
	return &c
}

// result is an executed statement.
type result struct {
	*engine.Result
	rows [][]value.Value
	read int64
}

func (w *world) try(sql string, params ...any) (*result, error) {
	w.t.Helper()
	env := w.env
	for _, p := range params {
		v, err := value.Infer(p)
		if err != nil {
			w.t.Fatalf("parameter %v: %v", p, err)
		}
		env.Params = append(env.Params, v)
	}
	env.View = w.db.View()
	defer env.View.Release()
	ctx := context.Background()
	res, err := w.engine.Run(ctx, &dialect.Statement{Text: sql}, &env)
	if err != nil {
		var f *fault.Error
		if !errors.As(err, &f) {
			w.t.Fatalf("%s: an error of type %T left the engine: %v", sql, err, err)
		}
		return nil, err
	}
	defer res.Rows.Close()
	out := &result{Result: res}
	for {
		vals, err := res.Rows.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		out.rows = append(out.rows, append([]value.Value(nil), vals...))
	}
	out.read = res.RowsRead()
	if res.Writes != nil {
		w.apply(res)
	}
	return out, nil
}

// apply commits a write set without any precondition but that of Stage.
func (w *world) apply(res *engine.Result) {
	w.t.Helper()
	var b store.Batch
	for _, x := range res.Writes.Writes() {
		p, ok := w.db.Partition(x.Table.Partition(x.Table.Shard(x.User, w.db.Shards())))
		if !ok {
			w.t.Fatalf("no partition for %s", x.Table.FullName())
		}
		v := w.db.View()
		tab := table.Table{Part: p}
		rec, found, err := tab.Present(v, &b, x.User, x.PK)
		v.Release()
		if err != nil {
			w.t.Fatalf("read before a write: %v", err)
		}
		write := table.Write{User: x.User, PK: x.PK, Op: x.Op, Schema: x.Table.Version,
			Codec: x.Table.Codec, Payload: x.Payload}
		if found {
			write.Present = &rec
		}
		live := clock.Seq(0)
		if found && !rec.Deleted {
			live = rec.Seq
		}
		if x.Expect != live {
			w.t.Fatalf("a write expects seq %d, the row has %d", x.Expect, live)
		}
		if x.Op == row.Delete {
			write.Payload = nil
		}
		w.seq++
		write.Seq = w.seq
		if _, err := tab.Stage(&b, write); err != nil {
			w.t.Fatalf("stage: %v", err)
		}
	}
	if err := w.db.Commit(&b, false); err != nil {
		w.t.Fatalf("commit: %v", err)
	}
}

func (w *world) run(sql string, params ...any) *result {
	w.t.Helper()
	res, err := w.try(sql, params...)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return res
}

// want runs a statement and compares its rows, written "a|b; c|d".
func (w *world) want(rows, sql string, params ...any) *result {
	w.t.Helper()
	res := w.run(sql, params...)
	if got := show(res.rows); got != rows {
		w.t.Errorf("%s\n got %s\nwant %s", sql, got, rows)
	}
	return res
}

func (w *world) fails(code fault.Code, sql string, params ...any) error {
	w.t.Helper()
	res, err := w.try(sql, params...)
	if err == nil {
		w.t.Errorf("%s: got %s, want %s", sql, show(res.rows), code)
		return nil
	}
	if !fault.Is(err, code) {
		w.t.Errorf("%s: got %v, want %s", sql, err, code)
	}
	return err
}

func show(rows [][]value.Value) string {
	var b strings.Builder
	for i, r := range rows {
		if i > 0 {
			b.WriteString("; ")
		}
		for j, v := range r {
			if j > 0 {
				b.WriteByte('|')
			}
			if v.IsNull() {
				b.WriteString("NULL")
			} else {
				fmt.Fprintf(&b, "%s", v.Text())
			}
		}
	}
	return b.String()
}

func idOf(s string) ident.UserID { return ident.UserID(s) }
