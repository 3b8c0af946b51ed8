package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

// tracked is an engine whose snapshots say when they are read after Close.
type tracked struct {
	store.Engine
	open atomic.Int64
}

var errReadAfterClose = errors.New("a snapshot was read after it was closed")

func (e *tracked) Snapshot() (store.Snapshot, error) {
	s, err := e.Engine.Snapshot()
	e.open.Add(1)
	return &trackedSnapshot{Snapshot: s, engine: e}, err
}

type trackedSnapshot struct {
	store.Snapshot
	engine *tracked
	closed atomic.Bool
}

func (s *trackedSnapshot) Get(key []byte) ([]byte, bool, error) {
	if s.closed.Load() {
		return nil, false, errReadAfterClose
	}
	return nil, false, nil
}

func (s *trackedSnapshot) Close() error {
	if s.closed.Swap(true) {
		return errors.New("a snapshot was closed twice")
	}
	s.engine.open.Add(-1)
	return s.Snapshot.Close()
}

// TestView_RacesWithPublication takes views while the DB replaces them as fast
// as it can: a view that is handed out is never one that was just freed.
func TestView_RacesWithPublication(t *testing.T) {
	engine := &tracked{}
	db := mustOpen(t, "", store.Options{
		Engine: memkv.Name,
		OpenEngine: func(dir string) (e store.Engine, err error) {
			engine.Engine, err = memkv.Open(dir)
			return engine, err
		},
	})
	p, err := db.CreatePartition("p")
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for !done.Load() {
				v := db.View()
				_, _, err := v.Get(p, nil)
				v.Release()
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 60_000 {
		var b store.Batch
		b.Put(p, nil, nil)
		if err := db.Commit(&b, false); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	readers.Wait()
	if n := engine.open.Load(); n != 1 {
		t.Errorf("%d snapshots are open, want the published one", n)
	}
	mustClose(t, db)
	if n := engine.open.Load(); n != 0 {
		t.Errorf("%d snapshots are open after Close", n)
	}
}

func TestView_ReadAfterRelease(t *testing.T) {
	db := mustOpen(t, "", store.Options{Engine: memkv.Name, OpenEngine: memkv.Open})
	p, err := db.CreatePartition("p")
	if err != nil {
		t.Fatal(err)
	}
	v := db.View()
	v.Release()
	if _, err := db.CreatePartition("q"); err != nil { // replaces and frees v
		t.Fatal(err)
	}
	if _, _, err := v.Get(p, nil); err == nil {
		t.Error("a freed view was read")
	}
	if it := v.Scan(p, store.Range{}); it.Next() || it.Close() == nil {
		t.Error("a freed view was scanned")
	}
	mustClose(t, db)
}

// WaitOlder waits for who reads states before, and for nobody else.
func TestDB_WaitOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := mustOpen(t, "", store.Options{Engine: memkv.Name, OpenEngine: memkv.Open})
		p, err := db.CreatePartition("p")
		if err != nil {
			t.Fatal(err)
		}
		change := func() {
			var b store.Batch
			b.Put(p, nil, nil)
			if err := db.Commit(&b, false); err != nil {
				t.Fatal(err)
			}
		}
		older := db.View()
		it := older.Scan(p, store.Range{})
		change()
		v := db.View()
		change()
		newer := db.View()
		ended := make(chan error, 1)
		go func() { ended <- db.WaitOlder(t.Context(), v) }()
		older.Release()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatal("it did not wait for an iterator over a state before")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := db.WaitOlder(ctx, v); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("beyond its time: %v", err)
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		newer.Release()
		v.Release()
		mustClose(t, db)
	})
}
