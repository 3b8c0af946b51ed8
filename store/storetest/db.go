package storetest

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/store"
)

// RunDB checks a store.DB over the engine called name.
func RunDB(t *testing.T, name string, o Opener) {
	d := dbSuite{store.Options{Engine: name, Shards: 4, OpenEngine: o}}
	t.Run("partitions do not mix", d.testPartitions)
	t.Run("a view shows one moment", d.testViews)
	t.Run("nothing shows before its sync", d.testPublish)
	t.Run("a failed write shows nothing and stops writes", d.testFailure)
	t.Run("a refused batch leaves the store usable", d.testRefused)
	t.Run("views are taken and given back by many", d.testManyViews)
	t.Run("close waits for readers", d.testClose)
	t.Run("a new handle reads nothing of a dropped name", d.testDrop)
}

type dbSuite struct{ opts store.Options }

// OpenDB opens a DB in a new folder that is closed with the test.
func OpenDB(t testing.TB, opts store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "data"), opts)
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	return db
}

// spied opens a DB over a Spy.
func (s dbSuite) spied(t *testing.T) (*store.DB, *Spy) {
	t.Helper()
	spy := &Spy{}
	opts := s.opts
	opts.OpenEngine = func(dir string) (store.Engine, error) {
		e, err := s.opts.OpenEngine(dir)
		spy.Engine = e
		return spy, err
	}
	return OpenDB(t, opts), spy
}

func partition(t testing.TB, db *store.DB, name keyspace.Name) store.Partition {
	t.Helper()
	p, err := db.CreatePartition(name)
	check(t, err)
	return p
}

func commit(t testing.TB, db *store.DB, p store.Partition, pairs ...string) {
	t.Helper()
	check(t, db.Commit(batchOf(p, pairs...), true))
}

func batchOf(p store.Partition, pairs ...string) *store.Batch {
	b := &store.Batch{}
	for i := 0; i < len(pairs); i += 2 {
		b.Put(p, []byte(pairs[i]), []byte(pairs[i+1]))
	}
	return b
}

func content(t testing.TB, v *store.View, p store.Partition, r store.Range) string {
	t.Helper()
	it := v.Scan(p, r)
	out := ""
	for it.Next() {
		out += fmt.Sprintf("%s=%s ", it.Key(), it.Value())
	}
	check(t, it.Close())
	return out
}

func now(t testing.TB, db *store.DB, p store.Partition) string {
	t.Helper()
	v := db.View()
	defer v.Release()
	return content(t, v, p, store.Range{})
}

func (s dbSuite) testPartitions(t *testing.T) {
	db := OpenDB(t, s.opts)
	a, b := partition(t, db, "a"), partition(t, db, "b")
	if again := partition(t, db, "a"); again != a {
		t.Fatalf("a is %v, then %v", a, again)
	}
	var batch store.Batch
	batch.Put(a, []byte("k"), []byte("in a"))
	batch.Put(b, []byte("k"), []byte("in b"))
	batch.Put(b, nil, []byte("empty key"))
	check(t, db.Commit(&batch, true))
	want(t, "a", now(t, db, a), "k=in a ")
	want(t, "b", now(t, db, b), "=empty key k=in b ")
	v := db.View()
	defer v.Release()
	want(t, "a from k", content(t, v, a, store.Range{Lo: []byte("k")}), "k=in a ")
	want(t, "a below k", content(t, v, a, store.Range{Hi: []byte("k"), Reverse: true}), "")
	want(t, "b down", content(t, v, b, store.Range{Reverse: true}), "k=in b =empty key ")
	if got := fmt.Sprint(db.Partitions()); got != fmt.Sprint([]store.Partition{a, b}) {
		t.Fatalf("partitions: %v", got)
	}
	if n, err := db.PartitionSize(b); err != nil || n != 14 {
		t.Fatalf("size of b: %d %v", n, err)
	}
	if _, err := db.CreatePartition(""); !fault.Is(err, fault.InvalidParameter) {
		t.Fatalf("a partition without a name: %v", err)
	}
	if n, err := db.Size(); err != nil || n <= 0 {
		t.Fatalf("size: %d %v", n, err)
	}
}

func (s dbSuite) testViews(t *testing.T) {
	db := OpenDB(t, s.opts)
	p := partition(t, db, "p")
	commit(t, db, p, "a", "1")
	v := db.View()
	it := v.Scan(p, store.Range{})
	commit(t, db, p, "a", "2", "b", "2")
	want(t, "the old view", content(t, v, p, store.Range{}), "a=1 ")
	want(t, "a new view", now(t, db, p), "a=2 b=2 ")
	v.Retain().Release()
	v.Release()
	if !it.Next() || string(it.Value()) != "1" || it.Next() {
		t.Fatal("an iterator that outlives its view's release changed")
	}
	check(t, it.Close())
	check(t, it.Close())
	check(t, db.Commit(batchOf(p, "c", "3"), false))
	want(t, "an unsynced commit shows at once", now(t, db, p), "a=2 b=2 c=3 ")
	check(t, db.Sync())
}

// testPublish looks at the store at the moment when the engine has a batch,
// before Commit could publish it.
func (s dbSuite) testPublish(t *testing.T) {
	db, spy := s.spied(t)
	p := partition(t, db, "p")
	before := len(spy.Events())
	spy.AfterApply = func(_ *store.Batch, sync bool) error {
		want(t, "what shows between apply and publication", now(t, db, p), "")
		return nil
	}
	commit(t, db, p, "a", "1")
	want(t, "what shows after Commit", now(t, db, p), "a=1 ")
	events := fmt.Sprint(spy.Events()[before:])
	want(t, "events", events, fmt.Sprint([]Event{AppliedSynced, Snapped}))
	spy.AfterApply = nil
	before = len(spy.Events())
	check(t, db.Commit(&store.Batch{}, true))
	check(t, db.Commit(&store.Batch{}, false))
	events = fmt.Sprint(spy.Events()[before:])
	want(t, "events of empty batches", events, fmt.Sprint([]Event{Synced}))
}

func (s dbSuite) testFailure(t *testing.T) {
	db, spy := s.spied(t)
	p := partition(t, db, "p")
	commit(t, db, p, "a", "1")
	broken := errors.New("the disk is gone")
	spy.AfterApply = func(*store.Batch, bool) error { return broken }
	if err := db.Commit(batchOf(p, "a", "2"), true); !errors.Is(err, broken) {
		t.Fatalf("a failed commit: %v", err)
	}
	spy.AfterApply = nil
	want(t, "after the failure", now(t, db, p), "a=1 ")
	if err := db.Commit(batchOf(p, "b", "1"), true); !errors.Is(err, broken) {
		t.Fatalf("a commit after a failed one: %v", err)
	}
	if err := db.Sync(); !errors.Is(err, broken) {
		t.Fatalf("a sync after a failed commit: %v", err)
	}
	if _, err := db.CreatePartition("q"); !errors.Is(err, broken) {
		t.Fatalf("a new partition after a failed commit: %v", err)
	}
	if _, ok := db.Partition("q"); ok {
		t.Fatal("a partition that was not made is there")
	}
	want(t, "in the end", now(t, db, p), "a=1 ")
}

func (s dbSuite) testRefused(t *testing.T) {
	db, spy := s.spied(t)
	p := partition(t, db, "p")
	spy.BeforeApply = func(*store.Batch) error {
		return fault.New(fault.PayloadTooLarge, "too much")
	}
	if err := db.Commit(batchOf(p, "a", "1"), true); !fault.Is(err, fault.PayloadTooLarge) {
		t.Fatalf("a refused batch: %v", err)
	}
	spy.BeforeApply = nil
	want(t, "after the refusal", now(t, db, p), "")
	commit(t, db, p, "a", "2")
	want(t, "after the next batch", now(t, db, p), "a=2 ")
}

func (s dbSuite) testManyViews(t *testing.T) {
	db := OpenDB(t, s.opts)
	p := partition(t, db, "p")
	commit(t, db, p, "n", "0", "m", "0")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := db.View()
				n, _, err1 := v.Get(p, []byte("n"))
				m, _, err2 := v.Retain().Get(p, []byte("m"))
				v.Release()
				v.Release()
				if err1 != nil || err2 != nil || string(n) != string(m) {
					t.Errorf("a view shows %s and %s: %v %v", n, m, err1, err2)
					return
				}
			}
		})
	}
	for i := range 300 {
		n := fmt.Sprint(i)
		check(t, db.Commit(batchOf(p, "n", n, "m", n), i%50 == 0))
	}
	close(stop)
	readers.Wait()
}

func (s dbSuite) testClose(t *testing.T) {
	opts := s.opts
	opts.CloseWait = 20 * time.Millisecond
	db, err := store.Open(filepath.Join(t.TempDir(), "data"), opts)
	check(t, err)
	p := partition(t, db, "p")
	commit(t, db, p, "a", "1")
	held := db.View()
	if err := db.Close(); !fault.Is(err, fault.InUse) {
		t.Fatalf("close with a view open: %v", err)
	}
	want(t, "the view that is still held", content(t, held, p, store.Range{}), "a=1 ")
	v := db.View()
	if _, _, err := v.Get(p, []byte("a")); !fault.Is(err, fault.ShuttingDown) {
		t.Fatalf("read after close: %v", err)
	}
	if err := v.Scan(p, store.Range{}).Close(); !fault.Is(err, fault.ShuttingDown) {
		t.Fatalf("scan after close: %v", err)
	}
	v.Release()
	if err := db.Commit(batchOf(p, "a", "2"), true); !fault.Is(err, fault.ShuttingDown) {
		t.Fatalf("commit after close: %v", err)
	}
	held.Release()
	check(t, db.Close())
	check(t, db.Close())
	if _, err := db.Size(); !fault.Is(err, fault.ShuttingDown) {
		t.Fatalf("size after close: %v", err)
	}
}

func (s dbSuite) testDrop(t *testing.T) {
	db := OpenDB(t, s.opts)
	old, other := partition(t, db, "p"), partition(t, db, "q")
	commit(t, db, old, "a", "1", "\xff\xff", "2")
	commit(t, db, other, "a", "other")
	check(t, db.DropPartition("p"))
	check(t, db.DropPartition("p"))
	check(t, db.DropPartition("never there"))
	if _, ok := db.Partition("p"); ok {
		t.Fatal("a dropped partition is there")
	}
	want(t, "the old handle", now(t, db, old), "")
	p := partition(t, db, "p")
	if p.ID == old.ID || p.ID == other.ID {
		t.Fatalf("the id %d is used again", p.ID)
	}
	want(t, "the new one", now(t, db, p), "")
	want(t, "its neighbour", now(t, db, other), "a=other ")
}

// RunDurableDB checks what a store.DB on disk promises besides RunDB.
func RunDurableDB(t *testing.T, name string, o Opener) {
	opts := store.Options{Engine: name, OpenEngine: o}
	dir := filepath.Join(t.TempDir(), "data")
	reopen := func() *store.DB {
		db, err := store.Open(dir, opts)
		check(t, err)
		return db
	}
	db := reopen()
	p, q := partition(t, db, "p"), partition(t, db, "q")
	commit(t, db, p, "a", "1")
	check(t, db.Commit(batchOf(q, "b", "2"), false))
	check(t, db.DropPartition("p"))
	check(t, db.Close())

	db = reopen()
	if _, ok := db.Partition("p"); ok {
		t.Fatal("a dropped partition is back")
	}
	if again, ok := db.Partition("q"); !ok || again != q {
		t.Fatalf("q is %v after opening again", again)
	}
	want(t, "q", now(t, db, q), "b=2 ")
	if r := partition(t, db, "r"); r.ID <= q.ID {
		t.Fatalf("the id %d is used again", r.ID)
	}
	if db.Shards() != store.DefaultShards || db.EngineName() != name || db.Dir() != dir {
		t.Fatalf("the store says %d %s %s", db.Shards(), db.EngineName(), db.Dir())
	}
	check(t, db.Close())
}
