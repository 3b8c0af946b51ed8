package cold_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// world is a database with one USER table, all of it in one shard, on disk.
type world struct {
	t     *testing.T
	dir   string
	db    *store.DB
	log   *replica.Local
	clock *clock.Clock
	tier  *cold.Tier
	def   *ddl.Table
	table table.Table
	store *storages
}

const shard = ident.ShardID(1)

// storages is one folder. before, if any, is called before each upload.
type storages struct {
	object.Bucket
	mu     sync.Mutex
	before func() error
}

func (s *storages) For(*ddl.Table, ident.UserID) (ident.StorageID, error) {
	return ident.LocalStorage, nil
}

func (s *storages) Path(_ context.Context, _ ident.StorageID, t *ddl.Table, shard ident.ShardID,
	u ident.UserID, g ident.SegmentID,
) (string, error) {
	place := keyspace.Place{Namespace: t.Namespace, Table: t.Name, ID: t.ID, Shard: shard, User: u}
	return keyspace.UserTemplate.SegmentFile(place, g), nil
}

func (s *storages) Put(ctx context.Context, path string, write func(io.Writer) error) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil && filepath.Ext(path) == ".parquet" {
		if err := before(); err != nil {
			return err
		}
	}
	return s.Bucket.Put(ctx, path, write)
}

// bucketed gives out the storages themselves as the bucket.
type bucketed struct{ *storages }

func (b bucketed) Bucket(context.Context, ident.StorageID) (object.Bucket, error) {
	return b.storages, nil
}

func (s *storages) hook(before func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func newWorld(t *testing.T, o cold.Options) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	var err error
	w.db, err = store.Open(filepath.Join(w.dir, "db"), store.Options{
		Engine: pebblekv.Name, Shards: 1, OpenEngine: pebblekv.Opener(pebblekv.Options{}),
	})
	w.must(err)
	machine, err := apply.Open(w.db)
	w.must(err)
	w.clock, err = replica.NewClock(w.db, time.Now)
	w.must(err)
	w.log, err = replica.NewLocal(w.db, machine, w.clock, replica.Options{
		Publish: func(ident.ShardID, clock.Seq, []live.Change) {}, Logger: slog.New(slog.DiscardHandler),
	})
	w.must(err)
	bucket, err := object.OpenFolder(filepath.Join(w.dir, "cold"))
	w.must(err)
	t.Cleanup(func() {
		w.must(w.log.Close())
		w.must(bucket.Close())
		w.must(w.db.Close())
	})
	w.store = &storages{Bucket: bucket}
	cat := w.define()
	w.tier = cold.New(cold.Parts{
		DB: w.db, Storages: bucketed{w.store}, Log: w.log, Clock: w.clock,
		Gen: clock.NewGenerator(time.Now, 0, w.clock.Now()), Catalog: cat,
		Logger: slog.New(slog.DiscardHandler),
	}, o)
	w.table.Cold = w.tier
	return w
}

// define makes the system tables and the table.
func (w *world) define() *catalog.Catalog {
	w.t.Helper()
	fence := func(s ident.ShardID, t *ddl.Table) {
		w.propose(&command.Command{Shard: s, Fences: []command.Fence{
			{Table: t.ID, Partition: t.Partition(s), Min: t.Version},
		}})
	}
	for _, k := range catalog.AllKept() {
		fence(ident.SystemShard, k.Table())
	}
	w.def = &ddl.Table{
		ID: 100, Namespace: "app", Name: "notes", Kind: ddl.UserTable, State: ddl.Ready, Version: 1,
		Codec: serde.Row, PrimaryKey: []int{0}, Columns: []ddl.Column{
			{ID: 1, Name: "id", Type: ddl.Type{Kind: value.Int64}, NotNull: true},
			{ID: 2, Name: "body", Type: ddl.Type{Kind: value.Text}},
		},
	}
	fence(shard, w.def)
	keeper, err := exec.NewKeeper(w.db, w.log, w.clock)
	w.must(err)
	put, err := catalog.KeptTables.Put(catalog.TableKey("app", "notes"), w.def, 0)
	w.must(err)
	w.must(keeper.Write(w.t.Context(), put))
	cat, err := catalog.Open(w.db)
	w.must(err)
	part, ok := w.db.Partition(w.def.Partition(shard))
	if !ok {
		w.t.Fatal("the table has no partition")
	}
	w.table.Part = part
	return cat
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) propose(c *command.Command) {
	w.t.Helper()
	c.Clock = w.clock.Now()
	out, err := w.log.Propose(context.Background(), c)
	w.must(err)
	w.must(out.Err)
}

func pkOf(id int64) []byte { return value.AppendKey(nil, value.NewBigInt(id)) }

func body(u ident.UserID, id int64) string { return fmt.Sprintf("row %d of %s", id, u) }

// insert writes rows from lo to hi-1.
func (w *world) insert(u ident.UserID, lo, hi int64) {
	w.t.Helper()
	c := &command.Command{Shard: shard}
	for id := lo; id < hi; id++ {
		c.Writes = append(c.Writes, w.write(row.Insert, u, id, body(u, id)))
	}
	w.propose(c)
}

func (w *world) write(op row.Op, u ident.UserID, id int64, text string) command.Write {
	w.t.Helper()
	payload, err := w.def.Schema().Encode([]value.Value{value.NewBigInt(id), value.NewText(text)})
	w.must(err)
	c := command.Write{Table: w.def.ID, Schema: 1, Codec: serde.Row, Op: op, User: u,
		PK: pkOf(id), Payload: payload}
	if op == row.Insert {
		return c
	}
	v := w.db.View()
	defer v.Release()
	rec, found, err := w.table.Get(context.Background(), v, u, c.PK)
	if err != nil || !found {
		w.t.Fatalf("row %d: %v, %v", id, found, err)
	}
	if c.Expect = rec.Seq; rec.Thawed {
		c.Old = &row.Record{Schema: rec.Schema, Codec: rec.Codec, Payload: rec.Payload}
	}
	if op == row.Delete {
		c.Payload = nil
	}
	return c
}

// rewrite runs a Rewrite, which is to succeed.
func (w *world) rewrite(u ident.UserID, which cold.Which) cold.Report {
	w.t.Helper()
	r, err := w.tier.Rewrite(w.t.Context(), w.def.ID, shard, u, which, nil)
	w.must(err)
	return r
}

func (w *world) sweep() int {
	w.t.Helper()
	n, more, err := w.tier.Sweep(w.t.Context(), w.def, shard)
	if w.must(err); more {
		w.t.Fatal("the sweep has looked at some only")
	}
	return n
}

// entries returns the segments of a user in a state.
func (w *world) entries(u ident.UserID, s manifest.State) (list []manifest.Entry) {
	w.t.Helper()
	v := w.db.View()
	defer v.Release()
	w.must(manifest.Of(v, w.table.Part, u, func(e *manifest.Entry) error {
		if e.State == s {
			list = append(list, *e)
		}
		return nil
	}))
	return list
}

// ids returns their numbers.
func ids(list []manifest.Entry) (all []ident.SegmentID) {
	for _, e := range list {
		all = append(all, e.ID)
	}
	return all
}

func (w *world) file(e manifest.Entry) string {
	return filepath.Join(w.dir, "cold", filepath.FromSlash(e.Path))
}

func (w *world) files() (n int) {
	w.t.Helper()
	for info, err := range w.store.List(w.t.Context(), "") {
		if w.must(err); filepath.Ext(info.Path) == ".parquet" {
			n++
		}
	}
	return n
}

// read returns the text of a row, or why it can't be read.
func (w *world) read(u ident.UserID, id int64) (string, error) {
	v := w.db.View()
	defer v.Release()
	rec, found, err := w.table.Get(w.t.Context(), v, u, pkOf(id))
	if err != nil || !found || rec.Deleted {
		return "<none>", err
	}
	vals := make([]value.Value, 2)
	err = w.def.Schema().Decode(rec, vals)
	return vals[1].Str(), err
}

// want compares rows from lo to hi-1 with what insert wrote.
func (w *world) want(u ident.UserID, lo, hi int64) {
	w.t.Helper()
	for id := lo; id < hi; id++ {
		if got, err := w.read(u, id); err != nil || got != body(u, id) {
			w.t.Fatalf("row %d is %q, %v", id, got, err)
		}
	}
}
