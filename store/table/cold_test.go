package table_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// freezer holds segments in memory. It is of one goroutine.
type freezer struct {
	segments map[ident.SegmentID][]row.Record
	last     ident.SegmentID
	columns  []ident.ColumnID        // of the last Fetch
	fetched  []int                   // rows of each Fetch
	fails    func(row.Place) bool    // nil for never
	lost     map[ident.SegmentID]int // fetches that failed

	scans func(table.Wanted) bool // nil for never
	keeps func(row.Record) bool   // what the filters of scans keep
	taken int                     // rows by scans
	open  int                     // scans
}

func newFreezer() *freezer {
	return &freezer{segments: map[ident.SegmentID][]row.Record{}, lost: map[ident.SegmentID]int{}}
}

var errFrozen = fault.New(fault.StorageUnavailable, "the storage is away")

// Fetch implements table.Cold.
func (z *freezer) Fetch(
	ctx context.Context, _ *store.View, _ store.Partition, _ ident.UserID,
	columns []ident.ColumnID, recs []*row.Record,
) error {
	z.columns = columns
	if err := ctx.Err(); err != nil {
		return err
	}
	z.fetched = append(z.fetched, len(recs))
	for _, rec := range recs {
		at := rec.Place()
		if z.fails != nil && z.fails(at) {
			z.lost[at.Segment]++
			return errFrozen
		}
		have := z.segments[at.Segment]
		if int(at.Ordinal) >= len(have) || have[at.Ordinal].Seq != rec.Seq {
			return fault.New(fault.Corruption, "no row %d of seq %d in %v", at.Ordinal, rec.Seq, at.Segment)
		}
		r := have[at.Ordinal]
		*rec = rec.Thaw(r.Schema, r.Codec, r.Payload)
	}
	return nil
}

// Scan implements table.Cold. It takes rows by their places.
func (z *freezer) Scan(_ context.Context, _ *store.View, w table.Wanted) (table.Scan, error) {
	if z.scans == nil || !z.scans(w) {
		return nil, nil
	}
	z.open++
	return &thawing{z: z, want: w}, nil
}

// Outlook implements table.Cold. Nobody asks it here.
func (z *freezer) Outlook(context.Context, *store.View, table.Wanted) (table.Outlook, error) {
	return table.Outlook{}, errFrozen
}

// thawing is a scan of a freezer.
type thawing struct {
	z    *freezer
	want table.Wanted
}

func (s *thawing) Take(rec *row.Record) (bool, error) {
	at := rec.Place()
	if s.z.fails != nil && s.z.fails(at) {
		return false, errFrozen
	}
	s.z.taken++
	r := s.z.segments[at.Segment][at.Ordinal]
	if s.want.Filter != nil && !s.z.keeps(r) {
		return false, nil
	}
	*rec = rec.Thaw(r.Schema, r.Codec, r.Payload)
	return true, nil
}

func (s *thawing) Close() { s.z.open-- }

// change commits what stage stages.
func (f *fixture) change(stage func(v *store.View, b *store.Batch)) {
	f.t.Helper()
	v := f.db.View()
	defer v.Release()
	var b store.Batch
	stage(v, &b)
	f.must(f.db.Commit(&b, false))
}

func (f *fixture) edit(u ident.UserID, id ident.SegmentID, s manifest.State) (done bool) {
	f.t.Helper()
	f.change(func(v *store.View, b *store.Batch) {
		var err error
		done, err = f.table.EditSegment(v, b, u, manifest.Entry{ID: id, State: s, Storage: "local"})
		f.must(err)
	})
	return done
}

// freeze writes rows of a user that choose chooses into a segment. meanwhile may
// change them before they point to it. It returns the segment and how many do.
func (f *fixture) freeze(u ident.UserID, choose func(row.Record) bool, meanwhile func()) (
	id ident.SegmentID, done int,
) {
	f.t.Helper()
	z := f.cold
	z.last++
	id = z.last
	s := table.Swap{User: u, Segment: id}
	if !f.edit(u, id, manifest.Pending) || f.edit(u, id, manifest.Pending) {
		f.t.Fatal("a segment is not pending once")
	}
	v := f.db.View()
	rows := f.table.Scan(f.t.Context(), v, u, table.Span{Headers: true})
	for rows.Next() {
		rec := rows.Record()
		if rec.Deleted || !choose(rec) {
			continue
		}
		m := table.Moved{PK: slices.Clone(rows.PK()), Seq: rec.Seq, From: rec.Place().Segment,
			Ordinal: uint32(len(s.Rows))}
		s.Rows = append(s.Rows, m)
		whole, found, err := f.table.Get(f.t.Context(), v, u, m.PK)
		if f.must(err); !found {
			f.t.Fatalf("row %q of a scan is not there", m.PK)
		}
		z.segments[id] = append(z.segments[id], whole)
	}
	f.must(rows.Close())
	v.Release()
	if !f.edit(u, id, manifest.There) || f.edit(u, id, manifest.There) {
		f.t.Fatal("a segment is not there once")
	}
	if meanwhile != nil {
		meanwhile()
	}
	f.change(func(v *store.View, b *store.Batch) {
		var err error
		done, err = f.table.Swap(v, b, s, f.seq)
		f.must(err)
	})
	if done == 0 && !f.edit(u, id, manifest.Dying) {
		f.t.Fatal("a segment of no rows does not die")
	}
	return id, done
}

// freezeSome flushes or compacts random rows of a random user, while others
// write.
func (f *fixture) freezeSome() {
	u := users[f.r.IntN(len(users))]
	n := f.r.IntN(4)
	f.freeze(u, func(rec row.Record) bool {
		return f.r.IntN(4) < n && (!rec.Cold || f.r.IntN(2) == 0)
	}, func() {
		if f.r.IntN(2) == 0 {
			f.commit()
		}
	})
}

// compareSegments checks the manifest against the records, and removes what is
// dying.
func (f *fixture) compareSegments() {
	f.t.Helper()
	v := f.db.View()
	defer v.Release()
	points, all := map[string]uint32{}, int64(0)
	for _, u := range users {
		rows := f.table.Scan(f.t.Context(), v, u, table.Span{Headers: true})
		for rows.Next() {
			if p := rows.Record().Place(); p.Segment != 0 {
				points[fmt.Sprint(u, p.Segment)]++
				all++
			}
		}
		f.must(rows.Close())
	}
	if n, err := f.table.ColdRows(v); err != nil || n != all {
		f.t.Fatalf("counted %d cold rows, there are %d: %v", n, all, err)
	}
	var unsettled []string
	f.must(manifest.Unsettled(v, f.table.Part, func(u ident.UserID, e *manifest.Entry) error {
		unsettled = append(unsettled, fmt.Sprint(u, e.ID))
		return nil
	}))
	f.must(manifest.All(v, f.table.Part, "", func(u ident.UserID, e *manifest.Entry) error {
		name := fmt.Sprint(u, e.ID)
		dying := e.State == manifest.Dying
		if e.Live != points[name] || dying != (e.Live == 0) || dying != slices.Contains(unsettled, name) {
			f.t.Fatalf("%d records point to %s: %+v, unsettled %v", points[name], name, e, unsettled)
		}
		delete(points, name)
		if dying && (f.edit(u, e.ID, manifest.Dying) || !f.edit(u, e.ID, 0) || f.edit(u, e.ID, 0)) {
			f.t.Fatalf("%s is not removed once", name)
		}
		return nil
	}))
	if len(points) > 0 {
		f.t.Fatalf("records point to segments that are not in the manifest: %v", points)
	}
}

// frozen makes a table of n rows of user a, all cold, in segments of 100.
func frozen(t *testing.T, n int) *fixture {
	t.Helper()
	f := memory(t)
	for i := range n {
		f.stage(change(row.Insert, pkOf(i), clock.Seq(i+1), fmt.Sprintf("p%d", i)))
	}
	for lo := 0; lo < n; lo += 100 {
		f.freeze("a", func(rec row.Record) bool {
			return int(rec.Seq) > lo && int(rec.Seq) <= lo+100
		}, nil)
	}
	f.cold.fetched = nil
	return f
}

func pkOf(i int) string { return fmt.Sprintf("%05d", i) }

func TestRows_FetchesInBulk(t *testing.T) {
	f := frozen(t, 5000)
	v := f.db.View()
	defer v.Release()
	var need table.Need
	take := func(n int, s table.Span) (fetched, fetches int) {
		t.Helper()
		f.cold.fetched = nil
		rows := f.table.Scan(t.Context(), v, "a", s)
		rows.Need(need)
		for i := range n {
			at := i
			if s.Reverse {
				at = 4999 - i
			}
			if !rows.Next() || string(rows.PK()) != pkOf(at) ||
				string(rows.Record().Payload) != fmt.Sprintf("p%d", at) && !s.Headers {
				t.Fatalf("row %d: %q %q %v", i, rows.PK(), rows.Record().Payload, rows.Err())
			}
		}
		if n == 5000 && rows.Next() {
			t.Fatal("there are more rows than were written")
		}
		if err := rows.Close(); err != nil || rows.Read() != n {
			t.Fatalf("read %d of %d: %v", rows.Read(), n, err)
		}
		for _, n := range f.cold.fetched {
			fetched += n
		}
		return fetched, len(f.cold.fetched)
	}
	need.Rows = 50
	if rows, calls := take(50, table.Span{Reverse: true}); rows != 50 || calls != 1 {
		t.Errorf("the last 50 fetch %d rows in %d calls", rows, calls)
	}
	need.Rows = 0
	if rows, _ := take(50, table.Span{Reverse: true}); rows > 150 {
		t.Errorf("the last 50 without a limit fetch %d rows", rows)
	}
	if rows, calls := take(1, table.Span{}); rows > 16 || calls != 1 {
		t.Errorf("the first row fetches %d rows in %d calls", rows, calls)
	}
	if rows, calls := take(5000, table.Span{}); rows != 5000 || calls > 12 {
		t.Errorf("all 5000 rows fetch %d rows in %d calls", rows, calls)
	}
	need.Columns = []ident.ColumnID{3}
	if take(50, table.Span{}); f.cold.columns != nil {
		t.Errorf("a few rows are fetched with the columns %v only", f.cold.columns)
	}
	if take(5000, table.Span{}); len(f.cold.columns) != 1 {
		t.Errorf("many rows are fetched with the columns %v", f.cold.columns)
	}
	if rows, _ := take(5000, table.Span{Headers: true}); rows != 0 {
		t.Errorf("headers fetch %d rows", rows)
	}
}

// TestRows_FailWhereTheyAreNeeded reads around a segment that can't be read.
func TestRows_FailWhereTheyAreNeeded(t *testing.T) {
	f := frozen(t, 300)
	f.cold.fails = func(p row.Place) bool { return p.Segment == 2 } // rows 100 to 199
	v := f.db.View()
	defer v.Release()
	for _, reverse := range []bool{false, true} {
		rows := f.table.Scan(t.Context(), v, "a", table.Span{Reverse: reverse})
		n := 0
		for rows.Next() {
			n++
		}
		if err := rows.Close(); n != 100 || !fault.Is(err, fault.StorageUnavailable) {
			t.Errorf("reverse %v: %d rows, %v", reverse, n, err)
		}
		if rows.Next() {
			t.Error("a walk goes on after its error")
		}
	}
	for pk, fails := range map[string]bool{pkOf(99): false, pkOf(100): true, pkOf(200): false} {
		rec, found, err := f.table.Get(t.Context(), v, "a", []byte(pk))
		if (err != nil) != fails || found == fails || !fails && rec.Cold {
			t.Errorf("row %s: %+v %v %v", pk, rec, found, err)
		}
		if rec, found, err := f.table.Peek(v, "a", []byte(pk)); err != nil || !found || !rec.Cold {
			t.Errorf("header of %s: %+v %v %v", pk, rec, found, err)
		}
	}
}

func TestRows_StopWithTheirContext(t *testing.T) {
	f := frozen(t, 100)
	v := f.db.View()
	defer v.Release()
	ctx, cancel := context.WithCancel(t.Context())
	rows := f.table.Scan(ctx, v, "a", table.Span{})
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	cancel()
	for rows.Next() {
	}
	if err := rows.Close(); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	hot := table.Table{Part: f.table.Part}
	if _, _, err := hot.Get(t.Context(), v, "a", []byte(pkOf(0))); !fault.Is(err, fault.Internal) {
		t.Errorf("a cold row without a cold tier: %v", err)
	}
}

// TestIndexed_Cold walks cold rows by an index, and by their keys.
func TestIndexed_Cold(t *testing.T) {
	f := frozen(t, 300)
	f.change(func(_ *store.View, b *store.Batch) {
		for i := range 300 {
			columns := fmt.Appendf(nil, "%03d", 299-i)
			f.table.PutEntry(b, "a", []byte(pkOf(i)), row.Entry{Index: 1, Columns: columns})
		}
	})
	v := f.db.View()
	defer v.Release()
	f.cold.fetched = nil
	var pks [][]byte
	rows := f.table.RowsByIndex(t.Context(), v, "a", 1, table.Span{})
	for i := 299; i >= 0; i-- {
		if !rows.Next() || string(rows.PK()) != pkOf(i) || rows.Present().Cold ||
			string(rows.Columns()) != fmt.Sprintf("%03d", 299-i) ||
			string(rows.Key()) != string(rows.Columns())+pkOf(i) ||
			string(rows.Record().Payload) != fmt.Sprintf("p%d", i) {
			t.Fatalf("row %d: %q %q %+v %v", i, rows.PK(), rows.Key(), rows.Record(), rows.Err())
		}
		pks = append(pks, []byte(pkOf(i)))
	}
	if rows.Next() || rows.Close() != nil || rows.Read() != 300 || len(f.cold.fetched) > 6 {
		t.Errorf("%d rows, %v, fetched %v", rows.Read(), rows.Err(), f.cold.fetched)
	}
	f.cold.fetched = nil
	keyed := f.table.RowsByKey(t.Context(), v, "a", pks, table.Need{})
	for i := 299; i >= 0; i-- {
		if !keyed.Next() || string(keyed.PK()) != pkOf(i) ||
			string(keyed.Record().Payload) != fmt.Sprintf("p%d", i) {
			t.Fatalf("row %d: %q %+v %v", i, keyed.PK(), keyed.Record(), keyed.Err())
		}
	}
	if keyed.Next() || keyed.Close() != nil || len(f.cold.fetched) > 6 {
		t.Errorf("%v, fetched %v", keyed.Err(), f.cold.fetched)
	}
	headers := f.table.RowsByIndex(t.Context(), v, "a", 1, table.Span{Headers: true})
	if f.cold.fetched = nil; !headers.Next() || !headers.Record().Cold || f.cold.fetched != nil {
		t.Errorf("headers: %+v, fetched %v", headers.Record(), f.cold.fetched)
	}
	f.must(headers.Close())
	f.cold.fails = func(p row.Place) bool { return p.Segment == 2 }
	failing, n := f.table.RowsByIndex(t.Context(), v, "a", 1, table.Span{}), 0
	for failing.Next() {
		n++
	}
	if err := failing.Close(); n != 100 || !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("%d rows, %v", n, err)
	}
	late, n := f.table.RowsByKey(t.Context(), v, "a", pks, table.Need{}), 0
	for late.Next() {
		n++
	}
	if err := late.Close(); n != 100 || !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("%d rows by their keys, %v", n, err)
	}
}

// TestSwap_OnlyWhatItWasMadeFor swaps rows that are not what they were.
func TestSwap_OnlyWhatItWasMadeFor(t *testing.T) {
	f := memory(t)
	f.stage(change(row.Insert, "k", 1, "x"), change(row.Insert, "l", 2, "y"))
	swap := func(id ident.SegmentID, rows ...table.Moved) (done int) {
		f.change(func(v *store.View, b *store.Batch) {
			var err error
			done, err = f.table.Swap(v, b, table.Swap{User: "a", Segment: id, Rows: rows}, 9)
			f.must(err)
		})
		return done
	}
	k := table.Moved{PK: []byte("k"), Seq: 1}
	if swap(1, k) != 0 {
		t.Error("a row points to a segment that is not in the manifest")
	}
	if f.edit("a", 1, manifest.Pending); swap(1, k) != 0 {
		t.Error("a row points to a segment that is pending")
	}
	f.edit("a", 1, manifest.There)
	for name, m := range map[string]table.Moved{
		"of another seq":     {PK: []byte("k"), Seq: 2},
		"that is not there":  {PK: []byte("m"), Seq: 1},
		"from elsewhere":     {PK: []byte("k"), Seq: 1, From: 7},
		"from where it goes": {PK: []byte("k"), Seq: 1, From: 1},
	} {
		if swap(1, m) != 0 {
			t.Errorf("a row %s is swapped", name)
		}
	}
	if swap(1, k) != 1 || swap(1, k) != 0 {
		t.Error("a row is not swapped once")
	}
	if f.edit("a", 1, manifest.Dying) {
		t.Error("a segment dies while a row is in it")
	}
	f.edit("a", 2, manifest.Pending)
	f.edit("a", 2, manifest.There)
	k.From = 1
	if swap(2, k, table.Moved{PK: []byte("l"), Seq: 2, Ordinal: 1}) != 2 {
		t.Error("rows are not swapped on")
	}
	v := f.db.View()
	defer v.Release()
	e, _, err := manifest.Get(v, nil, f.table.Part, "a", 1)
	if err != nil || e.State != manifest.Dying || e.DeadSince != 9 {
		t.Errorf("the first segment is %+v %v", e, err)
	}
	e, _, err = manifest.Get(v, nil, f.table.Part, "a", 2)
	if err != nil || e.State != manifest.There || e.Live != 2 || e.DeadSince != 0 {
		t.Errorf("the second segment is %+v %v", e, err)
	}
}
