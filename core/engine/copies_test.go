package engine_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// trio are three nodes, each with a storage of its own. Files go between them by calls.
type trio struct {
	*nodes
	away map[ident.NodeID]bool // give and take no files; guarded by mu, as gets
	gets int
}

func startTrio(t *testing.T) *trio {
	t.Helper()
	c := &trio{nodes: newNodes(t, 3), away: map[ident.NodeID]bool{}}
	c.shards, c.files = 1, counted{c.node, c}
	return c
}

func (c *trio) start(id ident.NodeID) { c.nodes.start(id, c.list, false) }

// wires are how files go between engines: it returns one that is there, or nil.
type wires func(ident.NodeID) *engine.Engine

// node returns a node that takes and gives files.
func (c *trio) node(id ident.NodeID) *engine.Engine {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away[id] {
		return nil
	}
	return c.open[id]
}

func errAway(n cluster.Node) error {
	return fault.New(fault.StorageUnavailable, "node %d is away", n.ID)
}

// PutFile implements engine.Files.
func (w wires) PutFile(ctx context.Context, to cluster.Node, c cold.Copy, r io.Reader) error {
	e := w(to.ID)
	if e == nil {
		return errAway(to)
	}
	return e.AcceptFile(ctx, c, r)
}

// GetFile implements engine.Files.
func (w wires) GetFile(ctx context.Context, from cluster.Node, c cold.Copy) (
	io.ReadCloser, error,
) {
	e := w(from.ID)
	if e == nil {
		return nil, errAway(from)
	}
	r, err := e.LendFile(ctx, c.Storage, c.Path)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(r, 0, r.Size())), nil
}

// counted counts the files that came.
type counted struct {
	wires
	c *trio
}

// GetFile implements engine.Files.
func (w counted) GetFile(ctx context.Context, from cluster.Node, c cold.Copy) (
	io.ReadCloser, error,
) {
	r, err := w.wires.GetFile(ctx, from, c)
	if err == nil {
		w.c.mu.Lock()
		defer w.c.mu.Unlock()
		w.c.gets++
	}
	return r, err
}

func (c *trio) setAway(ids ...ident.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.away)
	for _, id := range ids {
		c.away[id] = true
	}
}

func (c *trio) must(id ident.NodeID, sql string) string {
	c.t.Helper()
	got, err := c.open[id].Query(c.t.Context(), root, sql)
	if err != nil {
		c.t.Fatalf("node %d, %s: %v", id, sql, err)
	}
	return strings.Join(lines(got), ",")
}

func lines(t engine.Table) (all []string) {
	for _, r := range t.Rows {
		line := ""
		for i, v := range r {
			if i > 0 {
				line += "|"
			}
			line += v.Text()
		}
		all = append(all, line)
	}
	return all
}

// segments returns the segments in the folder `local` of a node.
func (c *trio) segments(id ident.NodeID) (found []string) {
	c.t.Helper()
	dir := filepath.Join(c.dirs[id], "cold")
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if filepath.Ext(name) == ".parquet" {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return found
}

// withRows starts three nodes with a table of n rows that all know.
func withRows(t *testing.T, n int) *trio {
	t.Helper()
	c := startTrio(t)
	c.each(c.start)
	leader := c.leader(ident.SystemShard)
	c.must(leader, "CREATE NAMESPACE app")
	c.must(leader, "CREATE SHARED TABLE app.t (id INT PRIMARY KEY, v TEXT) "+
		"WITH (ACCESS_LEVEL = 'public', FLUSH_POLICY = 'none')")
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf("(%d, 'v%d')", i, i))
	}
	c.must(leader, "INSERT INTO app.t (id, v) VALUES "+strings.Join(rows, ", "))
	c.each(c.stop)
	c.each(c.start)
	return c
}

// flush has a node move all rows of the table.
func (c *trio) flush(id ident.NodeID) (cold.Report, error) {
	c.t.Helper()
	c.must(id, "SELECT COUNT(*) FROM app.t") // behind it the node has all rows
	return c.open[id].Flush(c.t.Context(), "app", "t", "")
}

const lastRows = "SELECT v FROM app.t WHERE id >= 8 ORDER BY id"

// TestCopies_ReadEverywhere has rows that one node flushed be read on the others:
// from their own copies, from those of others where these are missing or damaged.
func TestCopies_ReadEverywhere(t *testing.T) {
	c := withRows(t, 10)
	if r, err := c.flush(1); err != nil || r.Swapped != 10 {
		t.Fatalf("flush: %+v, %v", r, err)
	}
	for id := range ident.NodeID(4) {
		if id == 0 {
			continue
		}
		if got := c.segments(id); len(got) != 1 {
			t.Fatalf("node %d has %d files after the flush", id, len(got))
		}
		if got := c.must(id, lastRows); got != "v8,v9" {
			t.Fatalf("node %d reads %s", id, got)
		}
	}
	if c.gets != 0 {
		t.Errorf("%d files were fetched that were there", c.gets)
	}
	c.damage(2, os.Remove)
	c.readAtOnce(2)
	if c.gets != 1 || len(c.segments(2)) != 1 {
		t.Errorf("%d transfers of a missing file, %d files", c.gets, len(c.segments(2)))
	}
	for name, edit := range map[string]func(b []byte) []byte{
		"a byte of a row": func(b []byte) []byte { b[len(b)/4] ^= 1; return b },
		"the end":         func(b []byte) []byte { return b[:len(b)-9] },
		"all":             func(b []byte) []byte { return make([]byte, len(b)) },
	} {
		c.damage(3, func(file string) error {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, edit(b), 0o600)
		})
		c.readAtOnce(3)
		if c.gets != 1 {
			t.Errorf("%d transfers where %s was damaged", c.gets, name)
		}
	}
	for _, name := range c.segments(3) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.must(3, "CHECK TABLE app.t"); strings.Contains(got, "CORRUPTION") ||
		len(c.segments(3)) != 1 {
		t.Errorf("CHECK TABLE on a node without the file: %s", got)
	}
}

// damage does something to the files of a node that is stopped.
func (c *trio) damage(id ident.NodeID, do func(name string) error) {
	c.t.Helper()
	c.setAway(1, 2, 3) // so that it does not fill before the read
	c.stop(id)
	c.gets = 0
	for _, name := range c.segments(id) {
		if err := do(name); err != nil {
			c.t.Fatal(err)
		}
	}
	c.start(id)
	if _, err := c.open[id].Query(c.t.Context(), root, lastRows); !fault.Is(err,
		fault.StorageUnavailable) {
		c.t.Fatalf("a read while no node gives the file: %v", err)
	}
	c.setAway()
}

func (c *trio) readAtOnce(id ident.NodeID) {
	c.t.Helper()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := c.open[id].Query(c.t.Context(), root, lastRows)
			if text := strings.Join(lines(got), ","); err != nil || text != "v8,v9" {
				c.t.Errorf("node %d reads %s, %v", id, text, err)
			}
		})
	}
	wg.Wait()
}

// TestCopies_NeedsMost has a flush move nothing while its file is on less than half of
// the nodes, and a node that was away get it later.
func TestCopies_NeedsMost(t *testing.T) {
	c := withRows(t, 10)
	c.setAway(2, 3)
	if r, err := c.flush(1); !fault.Is(err, fault.StorageUnavailable) || r.Swapped != 0 {
		t.Fatalf("with two nodes away: %+v, %v", r, err)
	}
	c.setAway(3)
	if r, err := c.flush(1); err != nil || r.Swapped != 10 {
		t.Fatalf("with one node away: %+v, %v", r, err)
	}
	if got := len(c.segments(3)); got != 0 {
		t.Fatalf("node 3 has %d files", got)
	}
	c.setAway()
	if missing, err := c.open[3].FillCold(t.Context()); missing != 0 || err != nil {
		t.Fatalf("%d files are missing: %v", missing, err)
	}
	if got := len(c.segments(3)); got != 1 {
		t.Fatalf("node 3 has %d files", got)
	}
	c.setAway(1, 2)
	if got := c.must(3, lastRows); got != "v8,v9" {
		t.Errorf("node 3 reads %s", got)
	}
	if missing, err := c.open[2].FillCold(t.Context()); missing != 0 || err != nil {
		t.Errorf("node 2 lacks %d files: %v", missing, err)
	}
}

// TestCopies_Swept has each node delete its own files of segments that were merged.
func TestCopies_Swept(t *testing.T) {
	c := withRows(t, 10)
	if _, err := c.flush(1); err != nil {
		t.Fatal(err)
	}
	c.must(1, "UPDATE app.t SET v = 'new' WHERE id = 9")
	if _, err := c.flush(1); err != nil {
		t.Fatal(err)
	}
	c.must(1, "SELECT COUNT(*) FROM app.t")
	if _, err := c.open[1].Compact(t.Context(), "app", "t", ""); err != nil {
		t.Fatal(err)
	}
	if n, err := c.open[1].SweepCold(t.Context(), "app", "t"); err != nil || n != 2 {
		t.Fatalf("swept %d, %v", n, err)
	}
	for id := range ident.NodeID(4) {
		if id == 0 {
			continue
		}
		if err := c.open[id].SweepOwn(t.Context(), time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		want := 3
		if id == 1 {
			want = 1
		}
		if got := len(c.segments(id)); got != want {
			t.Errorf("node %d has %d files while they are young, not %d", id, got, want)
		}
		if err := c.open[id].SweepOwn(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := len(c.segments(id)); got != 1 {
			t.Errorf("node %d has %d files", id, got)
		}
		if got := c.must(id, lastRows); got != "v8,new" {
			t.Errorf("node %d reads %s", id, got)
		}
	}
}
