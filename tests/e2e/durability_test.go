package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// writer inserts rows as one user, one after another, and keeps what was
// acknowledged.
type writer struct {
	client *blackbox.Client
	table  string
	next   int
	acked  map[string]string // id -> body
	shard  string
	seq    uint64 // of the last acknowledged write
}

// run writes until the server is gone, which is how a round ends.
func (w *writer) run(ctx context.Context, t *testing.T) {
	for {
		id, body := fmt.Sprint(w.next), fmt.Sprintf("row %d of %s", w.next, w.table)
		w.next++
		r, err := w.client.SQL(ctx, "INSERT INTO "+w.table+" (id, body) VALUES ($1, $2)", id, body)
		if err != nil {
			return
		}
		w.acked[id] = body
		shard, seq := shardSeq(r.Seq)
		if seq <= w.seq || w.shard != "" && shard != w.shard {
			t.Errorf("seq %s follows %s:%d", r.Seq, w.shard, w.seq)
		}
		w.shard, w.seq = shard, seq
	}
}

// check fails when an acknowledged row is missing or a row is not as written.
func (w *writer) check(t *testing.T) {
	t.Helper()
	found := map[string]string{}
	for _, row := range testkit.Must(t, w.client, "SELECT id, body FROM "+w.table).Strings() {
		found[row[0]] = row[1]
	}
	missing := 0
	for id, body := range w.acked {
		if found[id] != body {
			missing++
			t.Logf("row %s was acknowledged and is now %q", id, found[id])
		}
	}
	// A write that was cut off may be there or not; never more than one a round.
	extra := len(found) - (len(w.acked) - missing)
	if missing > 0 || extra > 1 {
		t.Errorf("%s: %d of %d acknowledged rows are missing, %d rows too many",
			w.table, missing, len(w.acked), extra)
	}
	w.acked = maps.Clone(found)
}

func TestDurability_whatWasAcknowledgedSurvivesKill(t *testing.T) {
	engines := []string{"pebble", "badger"}
	if testing.Short() {
		engines = engines[:1]
	}
	for _, engine := range engines {
		t.Run("on "+engine, func(t *testing.T) {
			s := testkit.Start(t, "KALAMDB_STORAGE_ENGINE="+engine)
			killUnderLoad(t, s, 3, 8, 400)
		})
	}
}

// killUnderLoad runs rounds of concurrent writers that each end in a crash
// after enough writes were acknowledged.
func killUnderLoad(t *testing.T, s *testkit.Server, rounds, writers, enough int) {
	p := s.Process(t)
	ns := s.Namespace(t)
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+ns+".t (id BIGINT PRIMARY KEY, body TEXT)")
	all := make([]*writer, writers)
	for i := range all {
		all[i] = &writer{client: s.User(t, fmt.Sprintf("writer%d", i)), table: ns + ".t",
			acked: map[string]string{}}
	}
	for round := range rounds {
		var wg sync.WaitGroup
		for _, w := range all {
			wg.Go(func() { w.run(t.Context(), t) })
		}
		watcher := s.User(t, "writer0")
		testkit.Eventually(t, patience, "enough rows", func() bool {
			r, err := watcher.SQL(t.Context(), "SELECT COUNT(*) FROM "+ns+".t")
			return err == nil && number(r.Strings()[0][0]) >= uint64((round+1)*enough/writers)
		})
		p.Kill()
		wg.Wait()
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, w := range all {
			w.check(t)
			total += len(w.acked)
		}
		t.Logf("round %d: %d rows", round+1, total)
	}
}

func TestDurability_aCleanStopKeepsAll(t *testing.T) {
	s := testkit.Start(t)
	p := s.Process(t)
	ns := s.Namespace(t)
	alice := s.User(t, "alice")
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+ns+".t (a TEXT, b BIGINT, PRIMARY KEY (a, b))")
	before := testkit.Must(t, alice, "INSERT INTO "+ns+".t (a, b) VALUES ('x', 2), ('x', 1), ('w', 3)")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.WantRows(t, alice, "SELECT a, b FROM "+ns+".t",
		[]string{"w", "3"}, []string{"x", "1"}, []string{"x", "2"})
	after := testkit.Must(t, alice, "INSERT INTO "+ns+".t (a, b) VALUES ('y', 1)")
	_, b := shardSeq(before.Seq)
	if _, a := shardSeq(after.Seq); a <= b {
		t.Errorf("seq %s after the restart is not behind %s", after.Seq, before.Seq)
	}
}

// A data directory says what it was made for; a start with something else
// refuses and leaves it as it is.
func TestDurability_anotherEngineIsRefused(t *testing.T) {
	s := testkit.Start(t)
	p := s.Process(t)
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	other, err := blackbox.Start(t.Context(), blackbox.Options{
		Binary: testkit.Binary(t, "kalamdb-server"), DataDir: p.DataDir(),
		LogFile: p.DataDir() + "-other.log", Env: []string{"KALAMDB_STORAGE_ENGINE=badger"},
	})
	if err == nil {
		other.Kill()
		t.Error("a pebble directory was opened as badger")
	}
	if err := p.Restart(t.Context()); err != nil {
		t.Errorf("the directory is not usable any more: %v", err)
	}
}
