package table_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// eraseSome erases all of a user, in both passes and small pieces.
func (f *fixture) eraseSome() {
	u := users[f.r.IntN(len(users))]
	f.erase(table.Erasure{User: u, UpTo: f.seq, Limit: 1 + f.r.IntN(7)})
	for pk, i := range f.model.rows[u] {
		delete(f.model.kept, tombstone{i.seq, u, pk})
	}
	delete(f.model.rows, u)
	delete(f.model.history, u)
	v := f.db.View()
	defer v.Release()
	if has, err := f.table.HasOf(v, u); err != nil || has {
		f.t.Fatalf("something is left of user %q: %v", u, err)
	}
	if upTo, err := f.table.ErasedUpTo(v, u); err != nil || upTo != f.seq {
		f.t.Fatalf("user %q was erased up to %d, want %d: %v", u, upTo, f.seq, err)
	}
}

// erase runs both passes of an erasure, and returns how many keys went.
func (f *fixture) erase(e table.Erasure) (removed int) {
	f.t.Helper()
	for _, e.Entries = range []bool{false, true} {
		e.Cursor = nil
		for done := false; !done; {
			f.change(func(v *store.View, b *store.Batch) {
				out, err := f.table.Erase(v, b, e, f.seq)
				f.must(err)
				if out.Removed > e.Limit {
					f.t.Fatalf("a piece of %d keys with a limit of %d", out.Removed, e.Limit)
				}
				f.must(f.table.AddCount(v, b, -out.Rows))
				e.Cursor, done = out.Cursor, out.Done
				removed += out.Removed
			})
			f.erasing(e.User, !done || !e.Entries)
		}
	}
	return removed
}

func (f *fixture) erasing(u ident.UserID, want bool) {
	f.t.Helper()
	v := f.db.View()
	defer v.Release()
	if is, err := f.table.Erasing(v, u); err != nil || is != want {
		f.t.Fatalf("user %q is being erased: %v, want %v (%v)", u, is, want, err)
	}
}

// all returns what the partition holds.
func (f *fixture) all() (list []string) {
	v := f.db.View()
	defer v.Release()
	it := v.Scan(f.table.Part, store.Range{})
	for it.Next() {
		list = append(list, fmt.Sprintf("%q %x", it.Key(), it.Value()))
	}
	f.must(it.Close())
	return list
}

// What is newer stays, with its history, and so do entries of other users and
// those of rows that stay.
func TestTable_Erase_keepsWhatIsNewer(t *testing.T) {
	f := memory(t)
	entry := func(u ident.UserID, x ident.IndexID, column, pk string, unique bool) {
		f.change(func(_ *store.View, b *store.Batch) {
			f.table.PutEntry(b, u, []byte(pk), row.Entry{Index: x, Columns: []byte(column), Unique: unique})
		})
	}
	for i, pk := range []string{"k1", "k2", "k3"} {
		f.stage(change(row.Insert, pk, clock.Seq(i+1), "old"))
		entry("a", 1, "c"+pk, pk, i == 0)
		entry("b", 1, "c"+pk, pk, false)
		entry("a", 2, "d", pk, false)
	}
	id, _ := f.freeze("a", func(rec row.Record) bool { return rec.Seq <= 2 }, nil)
	f.stage(change(row.Update, "k3", 4, "new"))
	f.stage(change(row.Insert, "k4", 5, "new"))
	entry("a", 1, "ck4", "k4", false)
	f.change(func(_ *store.View, b *store.Batch) { f.must(f.table.PutCount(b, 4)) })
	f.erase(table.Erasure{User: "a", UpTo: 3, Limit: 2, Indexes: []ident.IndexID{1, 2}})
	v := f.db.View()
	defer v.Release()
	if n, err := f.table.Count(v); err != nil || n != 2 {
		t.Errorf("%d rows are left: %v", n, err)
	}
	if n, err := f.table.ColdRows(v); err != nil || n != 0 {
		t.Errorf("%d rows are cold: %v", n, err)
	}
	e, found, err := manifest.Get(v, nil, f.table.Part, "a", id)
	if err != nil || !found || e.State != manifest.Dying || e.Live != 0 {
		t.Errorf("the segment is %+v, %v", e, err)
	}
	var images []string
	changes := f.table.Changes(t.Context(), v, "a", 3)
	for changes.Next() {
		before, after, err := changes.Images()
		f.must(err)
		images = append(images, fmt.Sprint(before != nil, after.Seq))
	}
	if f.must(changes.Close()); !slices.Equal(images, []string{"true 4", "false 5"}) {
		t.Errorf("the changes are %q", images)
	}
	var entries []string
	for _, u := range []ident.UserID{"a", "b"} {
		for _, x := range []ident.IndexID{1, 2} {
			scan := f.table.ScanIndex(v, u, x, table.Span{})
			for scan.Next() {
				entries = append(entries, fmt.Sprintf("%s%d:%s", u, x, scan.PK()))
			}
			f.must(scan.Close())
		}
	}
	if want := []string{"a1:k3", "a1:k4", "a2:k3", "b1:k1", "b1:k2", "b1:k3"}; !slices.Equal(
		entries, want) {
		t.Errorf("the entries are %q", entries)
	}
}

// Two pieces in one batch see each other, and an erasure that begins anew finds
// nothing more.
func TestTable_Erase_inOneBatch(t *testing.T) {
	f := memory(t)
	for i := range 20 {
		f.stage(change(row.Insert, pkOf(i), clock.Seq(i+1), "p"))
	}
	f.change(func(v *store.View, b *store.Batch) {
		f.must(f.table.PutCount(b, 20))
		for _, cursor := range []table.Cursor{nil, nil} {
			out, err := f.table.Erase(v, b,
				table.Erasure{User: "a", UpTo: 100, Limit: 1000, Cursor: cursor}, 100)
			f.must(err)
			f.must(f.table.AddCount(v, b, -out.Rows))
		}
	})
	before := f.all()
	if n := f.erase(table.Erasure{User: "a", UpTo: 100, Limit: 5}); n != 0 {
		t.Errorf("%d more keys went", n)
	}
	after := f.all()
	if len(after) != len(before)-1 || bytes.Contains([]byte(fmt.Sprint(after)), []byte("erasing")) {
		t.Errorf("left are %q", after)
	}
}
