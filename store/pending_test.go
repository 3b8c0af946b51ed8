package store_test

import (
	"errors"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

// gated is a store whose syncs a test ends.
type gated struct {
	t    *testing.T
	gate *storetest.Gate
	db   *store.DB
	part store.Partition
}

func openGated(t *testing.T) *gated {
	mem, err := memkv.Open("")
	if err != nil {
		t.Fatal(err)
	}
	g := &gated{t: t, gate: storetest.NewGate(mem)}
	g.db, err = store.Open("", store.Options{
		Engine:     store.Memory,
		OpenEngine: func(string) (store.Engine, error) { return g.gate, nil },
	})
	if err == nil {
		g.part, err = g.db.CreatePartition("p")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.gate.Remove)
	g.gate.Shut(true)
	return g
}

func (g *gated) begin(key string) *store.Pending {
	g.t.Helper()
	var b store.Batch
	b.Put(g.part, []byte(key), []byte("value"))
	p, err := g.db.CommitAsync(&b, true)
	if err != nil {
		g.t.Fatal(err)
	}
	return p
}

// shows checks which of the keys a and b a view has, and releases it.
func (g *gated) shows(what string, v *store.View, want string) {
	g.t.Helper()
	defer v.Release()
	got := ""
	for _, key := range []string{"a", "b"} {
		_, found, err := v.Get(g.part, []byte(key))
		if err != nil {
			g.t.Fatal(err)
		}
		if found {
			got += key
		}
	}
	if got != want {
		g.t.Errorf("%s: %q is shown, want %q", what, got, want)
	}
}

func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func TestDB_CommitAsync(t *testing.T) {
	g := openGated(t)
	a, b := g.begin("a"), g.begin("b")
	g.shows("readers before the sync", g.db.View(), "")
	g.shows("who comes after a", a.View(), "a")
	g.shows("who comes after b", b.View(), "ab")

	second := start(b.Wait) // waits for a too
	sync := <-g.gate.Syncs
	made := start(func() error {
		_, err := g.db.CreatePartition("q")
		return err
	})
	g.shows("readers while a is synced", g.db.View(), "")
	sync <- nil
	if err := a.Wait(); err != nil {
		t.Fatal(err)
	}
	sync = <-g.gate.Syncs
	g.shows("readers while b is synced", g.db.View(), "a")
	select {
	case err := <-made:
		t.Fatalf("a commit did not wait for pending batches: %v", err)
	default:
	}
	sync <- nil
	for _, done := range []<-chan error{second, made} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	g.shows("readers in the end", g.db.View(), "ab")
	g.shows("who asks late", a.View(), "ab")
	if n := g.db.OpenViews(); n != 1 {
		t.Errorf("%d views are held", n)
	}
	if err := g.db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDB_FailedSyncFailsWhatIsBehind(t *testing.T) {
	g := openGated(t)
	a, b := g.begin("a"), g.begin("b")
	second := start(b.Wait)
	(<-g.gate.Syncs) <- errors.New("the disk is gone")
	(<-g.gate.Syncs) <- nil
	if err := a.Wait(); !fault.Is(err, fault.Internal) {
		t.Errorf("the batch whose sync failed: %v", err)
	}
	if err := <-second; !fault.Is(err, fault.Internal) {
		t.Errorf("the batch behind it: %v", err)
	}
	g.shows("readers", g.db.View(), "")
	g.shows("who comes next", b.View(), "")
	var more store.Batch
	more.Put(g.part, []byte("b"), nil)
	if _, err := g.db.CommitAsync(&more, true); !fault.Is(err, fault.Internal) {
		t.Errorf("a pending batch after the failure: %v", err)
	}
	if err := g.db.Commit(&more, true); !fault.Is(err, fault.Internal) {
		t.Errorf("a commit after the failure: %v", err)
	}
	if _, err := g.db.CreatePartition("q"); !fault.Is(err, fault.Internal) {
		t.Errorf("a partition after the failure: %v", err)
	}
	if n := g.db.OpenViews(); n != 1 {
		t.Errorf("%d views are held", n)
	}
	if err := g.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDB_CloseWaitsForPendingBatches ends with nothing published after Close.
func TestDB_CloseWaitsForPendingBatches(t *testing.T) {
	g := openGated(t)
	a := g.begin("a")
	closed := start(g.db.Close)
	(<-g.gate.Syncs) <- nil
	if err := errors.Join(<-closed, a.Wait()); err != nil {
		t.Fatal(err)
	}
	v := a.View()
	defer v.Release()
	if _, _, err := v.Get(g.part, []byte("a")); !fault.Is(err, fault.ShuttingDown) {
		t.Errorf("a read after Close: %v", err)
	}
}
