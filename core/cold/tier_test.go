package cold_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
)

func TestTier_Rewrite_cutsSegmentsAndReadsThemBack(t *testing.T) {
	w := newWorld(t, cold.Options{SegmentRows: 10})
	w.insert("u", 0, 25)
	w.insert("v", 0, 3)
	told := int64(0)
	r, err := w.tier.Rewrite(t.Context(), w.def.ID, shard, "u", cold.Which{Hot: true},
		func(rows, _ int64) { told += rows })
	w.must(err)
	if r.Segments != 3 || r.Rows != 25 || r.Swapped != 25 || r.Bytes <= 0 || told != 25 {
		t.Errorf("it has done %+v and told of %d rows", r, told)
	}
	there := w.entries("u", manifest.There)
	if len(there) != 3 || there[0].Rows != 10 || there[2].Rows != 5 || there[2].Live != 5 ||
		string(there[1].MinKey) != string(pkOf(10)) || string(there[1].MaxKey) != string(pkOf(19)) {
		t.Errorf("the manifest has %+v", there)
	}
	for _, e := range there {
		if info, err := os.Stat(w.file(e)); err != nil || info.Size() != e.Bytes {
			t.Errorf("the file of %s: %v", e.ID, err)
		}
	}
	w.want("u", 0, 25)
	w.want("v", 0, 3)
	if n, err := w.tier.HotRows(w.def, shard); err != nil || n != 3 {
		t.Errorf("%d rows are hot: %v", n, err)
	}
	var hot []string
	w.must(w.tier.EachHot(t.Context(), w.def, shard, func(h cold.Hot) error {
		hot = append(hot, fmt.Sprint(h.User, h.Rows))
		return nil
	}))
	if strings.Join(hot, " ") != "v3" {
		t.Errorf("hot are %v", hot)
	}
	if again := w.rewrite("u", cold.Which{Hot: true}); again != (cold.Report{}) {
		t.Errorf("there was more: %+v", again)
	}
	if _, err := w.tier.Rewrite(t.Context(), 999, shard, "u", cold.Which{Hot: true}, nil); err == nil {
		t.Error("a table that is not there was rewritten")
	}
}

// Rows that change while they are written stay as they are.
func TestTier_Rewrite_leavesWhatChangesMeanwhile(t *testing.T) {
	w := newWorld(t, cold.Options{})
	w.insert("u", 0, 6)
	w.store.hook(func() error {
		w.store.hook(nil)
		w.propose(&command.Command{Shard: shard, Writes: []command.Write{
			w.write(row.Update, "u", 1, "new"), w.write(row.Delete, "u", 2, "")}})
		w.insert("u", 10, 11)
		return nil
	})
	if r := w.rewrite("u", cold.Which{Hot: true}); r.Rows != 6 || r.Swapped != 4 {
		t.Errorf("it has done %+v", r)
	}
	for id, want := range map[int64]string{0: body("u", 0), 1: "new", 2: "<none>", 10: body("u", 10)} {
		if got, err := w.read("u", id); err != nil || got != want {
			t.Errorf("row %d is %q, %v", id, got, err)
		}
	}
	if n, err := w.tier.HotRows(w.def, shard); err != nil || n != 2 {
		t.Errorf("%d rows are hot: %v", n, err)
	}
	w.store.hook(func() error { // all of them
		w.store.hook(nil)
		w.propose(&command.Command{Shard: shard, Writes: []command.Write{
			w.write(row.Update, "u", 1, "newer"), w.write(row.Update, "u", 10, "newer")}})
		return nil
	})
	if r := w.rewrite("u", cold.Which{Hot: true}); r.Rows != 2 || r.Swapped != 0 {
		t.Errorf("it has done %+v", r)
	}
	if dying := w.entries("u", manifest.Dying); len(dying) != 1 {
		t.Errorf("the segment that nothing points to: %+v", dying)
	}
}

// What merges segments leaves the old ones to Sweep, which waits for those who
// read them.
func TestTier_Sweep_waitsForReaders(t *testing.T) {
	w := newWorld(t, cold.Options{SegmentRows: 5})
	w.insert("u", 0, 15)
	w.rewrite("u", cold.Which{Hot: true})
	old := w.entries("u", manifest.There)
	reader := w.db.View()
	defer func() { reader.Release() }()
	w.tier = w.larger()
	if r := w.rewrite("u", cold.Which{Segments: ids(old)}); r.Segments != 1 || r.Swapped != 15 {
		t.Fatalf("it has done %+v", r)
	}
	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if n, _, err := w.tier.Sweep(brief, w.def, shard); n != 0 || !errors.Is(
		err, context.DeadlineExceeded) {
		t.Errorf("a reader is there, and %d files went: %v", n, err)
	}
	if n := w.files(); n != 4 {
		t.Errorf("%d files are there", n)
	}
	rec, found, err := w.table.Get(t.Context(), reader, "u", pkOf(7))
	if err != nil || !found || !rec.Thawed {
		t.Errorf("the reader gets %+v, %v", rec, err)
	}
	reader.Release()
	reader = w.db.View()
	if n := w.sweep(); n != 3 || w.files() != 1 || w.sweep() != 0 {
		t.Errorf("%d files went, %d are left", n, w.files())
	}
	w.want("u", 0, 15)
}

// larger returns a tier that cuts no segment.
func (w *world) larger() *cold.Tier {
	next := cold.New(w.tier.Parts, cold.Options{})
	w.table.Cold = next
	return next
}

// An upload that fails leaves the rows where they were and a pending entry, which
// the next sweep takes.
func TestTier_Sweep_takesWhatAFailureLeft(t *testing.T) {
	w := newWorld(t, cold.Options{})
	w.insert("u", 0, 5)
	away := fault.New(fault.StorageUnavailable, "the storage is away")
	w.store.hook(func() error { return away })
	_, err := w.tier.Rewrite(t.Context(), w.def.ID, shard, "u", cold.Which{Hot: true}, nil)
	if !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("a failed upload: %v", err)
	}
	if pending := w.entries("u", manifest.Pending); len(pending) != 1 {
		t.Errorf("pending are %+v", pending)
	}
	w.want("u", 0, 5)
	w.store.hook(nil)
	if n := w.sweep(); n != 1 || len(w.entries("u", manifest.Pending)) != 0 {
		t.Errorf("%d segments went", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.tier.Rewrite(ended, w.def.ID, shard, "u", cold.Which{Hot: true}, nil); err == nil {
		t.Error("who is gone has rows rewritten")
	}
	w.sweep()
	if r := w.rewrite("u", cold.Which{Hot: true}); r.Swapped != 5 || w.files() != 1 {
		t.Errorf("it has done %+v, %d files", r, w.files())
	}
	w.want("u", 0, 5)
}

// A row that is asked for again comes out of memory, within bounds; with none it is
// read each time.
func TestTier_Fetch_keepsWhatWasRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		o     cold.Options
		kept  bool
		bound int64
	}{
		{"with room", cold.Options{}, true, 64 << 20},
		{"without", cold.Options{CacheBytes: 1, FileBytes: 1}, false, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.o)
			w.insert("u", 0, 500)
			w.rewrite("u", cold.Which{Hot: true})
			w.want("u", 100, 101)
			before := w.tier.Figures()
			w.want("u", 100, 102)
			after := w.tier.Figures()
			if read := after.BytesRead - before.BytesRead; (read == 0) != c.kept {
				t.Errorf("%d bytes were read for rows that were read before", read)
			}
			if after.CacheBytes > c.bound || before.BytesRead == 0 {
				t.Errorf("the figures are %+v", after)
			}
			w.want("u", 0, 500)
			if f := w.tier.Figures(); f.CacheBytes > c.bound || f.RowsFetched < 503 {
				t.Errorf("the figures are %+v", f)
			}
		})
	}
}

// A file that is gone or another is an error of the rows in it, which names it, and
// of no others.
func TestTier_Fetch_namesTheFileThatFails(t *testing.T) {
	w := newWorld(t, cold.Options{SegmentRows: 5, CacheBytes: 1, FileBytes: 1})
	w.insert("u", 0, 10)
	w.insert("v", 0, 5)
	w.rewrite("u", cold.Which{Hot: true})
	w.rewrite("v", cold.Which{Hot: true})
	first, other := w.entries("u", manifest.There)[0], w.entries("v", manifest.There)[0]
	whole, err := os.ReadFile(w.file(first))
	w.must(err)
	foreign, err := os.ReadFile(w.file(other))
	w.must(err)
	for name, content := range map[string][]byte{
		"missing": nil, "cut": whole[:len(whole)-1], "another user's": foreign, "no file of ours": {'P'},
	} {
		w.must(os.Remove(w.file(first)))
		if content != nil {
			w.must(os.WriteFile(w.file(first), content, 0o600))
		}
		if _, err := w.read("u", 2); !fault.Is(err, fault.Corruption) ||
			!strings.Contains(err.Error(), first.Path) {
			t.Errorf("%s: %v", name, err)
		}
		w.want("u", 5, 10)
		w.want("v", 0, 5)
		w.must(os.WriteFile(w.file(first), whole, 0o600))
		w.want("u", 0, 10)
	}
	w.wrongPlaces(first.ID)
}

// wrongPlaces fetches records that no file has.
func (w *world) wrongPlaces(there ident.SegmentID) {
	w.t.Helper()
	v := w.db.View()
	defer v.Release()
	for name, at := range map[string]row.Place{
		"an unknown segment":     {Segment: there + 1, Ordinal: 0},
		"a row behind the end":   {Segment: there, Ordinal: 5},
		"a row far behind it":    {Segment: there, Ordinal: 1 << 31},
		"a row of another seq":   {Segment: there, Ordinal: 1},
		"another user's segment": {Segment: there, Ordinal: 0},
	} {
		user := ident.UserID("u")
		if name == "another user's segment" {
			user = "v"
		}
		rec := row.Record{Seq: 1, Schema: 1}.At(at)
		if err := w.fetch(v, user, &rec); !fault.Is(err, fault.Corruption) {
			w.t.Errorf("%s: %v", name, err)
		}
	}
}

func (w *world) fetch(v *store.View, u ident.UserID, rec *row.Record) error {
	return w.tier.Fetch(w.t.Context(), v, w.table.Part, u, nil, []*row.Record{rec})
}
