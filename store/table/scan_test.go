package table_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// TestRows_ScanWhatAFilterKeeps walks over to scanning, and leaves out what the
// filter excludes, in the order of the keys.
func TestRows_ScanWhatAFilterKeeps(t *testing.T) {
	f := frozen(t, 1000)
	hot := pkOf(500) + "x"
	f.stage(change(row.Insert, hot, 5001, "hot"))
	var asked []int
	f.cold.scans = func(w table.Wanted) bool {
		asked = append(asked, w.Passed)
		if w.User != "a" || string(w.Lo) != pkOf(100) || string(w.Hi) != pkOf(900) {
			t.Errorf("a scan of %q to %q of %q", w.Lo, w.Hi, w.User)
		}
		return w.Passed > 0
	}
	f.cold.keeps = func(r row.Record) bool { return r.Seq%10 == 0 }
	v := f.db.View()
	defer v.Release()
	for _, reverse := range []bool{false, true} {
		f.cold.taken, asked = 0, nil
		rows := f.table.Scan(t.Context(), v, "a",
			table.Span{Lo: []byte(pkOf(100)), Hi: []byte(pkOf(900)), Reverse: reverse})
		rows.Need(table.Need{Values: true, Filter: &row.Filter{After: 300}})
		var pks []string
		for rows.Next() {
			pks = append(pks, string(rows.PK()))
			if rec := rows.Record(); rec.Seq <= 300 || rec.Cold {
				t.Errorf("row %s: %+v", rows.PK(), rec)
			}
		}
		f.must(rows.Close())
		if reverse {
			slices.Reverse(pks)
		}
		if !slices.IsSorted(pks) || !slices.Contains(pks, hot) || !slices.Contains(pks, pkOf(399)) ||
			slices.Contains(pks, pkOf(299)) || len(pks) < 60 || len(pks) > 80 {
			t.Errorf("reverse %v: %d rows: %v", reverse, len(pks), pks)
		}
		if f.cold.taken < 500 || f.cold.open != 0 || !slices.Equal(asked, []int{0, 16}) {
			t.Errorf("%d rows taken, %d scans open, asked behind %v", f.cold.taken, f.cold.open, asked)
		}
	}
}

// A walk that may not scan, or has no end that it knows, is as it was.
func TestRows_DoNotScanUnasked(t *testing.T) {
	f := frozen(t, 600)
	f.cold.scans = func(table.Wanted) bool { return true }
	v := f.db.View()
	defer v.Release()
	rows := f.table.Scan(t.Context(), v, "a", table.Span{})
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Close(); err != nil || n != 600 || f.cold.taken != 0 {
		t.Errorf("%d rows, %d by a scan, %v", n, f.cold.taken, err)
	}
	asked := 0
	f.cold.scans = func(table.Wanted) bool {
		asked++
		return false
	}
	rows = f.table.Scan(t.Context(), v, "a", table.Span{})
	rows.Need(table.Need{Values: true})
	for n = 0; rows.Next(); n++ {
	}
	if err := rows.Close(); err != nil || n != 600 || asked != 3 {
		t.Errorf("%d rows, asked %d times, %v", n, asked, err)
	}
}

// A scan that fails is given up: only the reads that need the row fail.
func TestRows_FetchWhereAScanFails(t *testing.T) {
	f := frozen(t, 300)
	f.cold.scans = func(table.Wanted) bool { return true }
	f.cold.fails = func(p row.Place) bool { return p.Segment == 2 && p.Ordinal >= 40 }
	v := f.db.View()
	defer v.Release()
	rows := f.table.Scan(t.Context(), v, "a", table.Span{})
	rows.Need(table.Need{Values: true})
	n := 0
	for rows.Next() {
		if want := pkOf(n); !bytes.Equal(rows.PK(), []byte(want)) || rows.Record().Seq != clock.Seq(n+1) {
			t.Fatalf("row %s is %q", want, rows.PK())
		}
		n++
	}
	if err := rows.Close(); n != 140 || !fault.Is(err, fault.StorageUnavailable) || f.cold.open != 0 {
		t.Errorf("%d rows, %d scans open, %v", n, f.cold.open, err)
	}
}
