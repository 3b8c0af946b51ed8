package table_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/badgerkv"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/storetest"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// users and pks are few and close to each other, so that they would mix.
var (
	users = []ident.UserID{"", "a", "a\x00", "ab", "b"}
	pks   = keys("\x00", "\x00\x00", "k", "k\x00", "k\x00\x01", "l", "\xff")
)

// keys encodes primary keys: no encoding is the beginning of another.
func keys(texts ...string) []string {
	for i, t := range texts {
		texts[i] = string(value.AppendKey(nil, value.NewString(value.Bytes, t)))
	}
	return texts
}

// image is what the model knows of a record.
type image struct {
	seq     clock.Seq
	deleted bool
	payload string
}

// schema is that of the rows: two texts, which an image's payload shows with a
// bar between them.
var schema = &row.Schema{Version: 2, Codec: serde.Row,
	IDs: []ident.ColumnID{3, 4}, Kinds: []value.Kind{value.Text, value.Text}}

type event struct {
	seq           clock.Seq
	op            row.Op
	piece         row.Piece
	last          bool
	pk            string
	before, after *image
}

// model is a table as plain maps, all history included.
type model struct {
	rows    map[ident.UserID]map[string]image
	history map[ident.UserID][]event
	trimmed clock.Seq
	kept    map[tombstone]bool // tombstones that outlived their history
}

type tombstone struct {
	seq  clock.Seq
	user ident.UserID
	pk   string
}

type fixture struct {
	t     *testing.T
	r     *rand.Rand
	db    *store.DB
	table table.Table
	model model
	seq   clock.Seq
	evict bool // rows go with their history
	cold  *freezer
}

func newFixture(t *testing.T, name string, open storetest.Opener) *fixture {
	t.Helper()
	db := storetest.OpenDB(t, store.Options{Engine: name, OpenEngine: open})
	p, err := db.CreatePartition("user.chat.messages.1.1")
	if err != nil {
		t.Fatal(err)
	}
	cold := newFreezer()
	return &fixture{
		t: t, r: storetest.Seed(t), db: db, table: table.Table{Part: p, Cold: cold}, seq: 1000,
		cold: cold,
		model: model{map[ident.UserID]map[string]image{}, map[ident.UserID][]event{}, 0,
			map[tombstone]bool{}},
	}
}

func TestTable_AgainstModel(t *testing.T) {
	for _, c := range []struct {
		name  string
		open  storetest.Opener
		steps int
	}{
		{memkv.Name, memkv.Open, 600},
		{pebblekv.Name, pebblekv.Opener(pebblekv.Options{}), 150},
		{badgerkv.Name, badgerkv.Opener(badgerkv.Options{}), 80},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.name, c.open)
			for range c.steps {
				f.commit()
				if f.r.IntN(12) == 0 {
					f.trim()
				}
				if f.r.IntN(4) == 0 {
					f.freezeSome()
				}
				if f.r.IntN(20) == 0 {
					f.eraseSome()
				}
				f.compare()
				f.compareSegments()
			}
		})
	}
}

// TestTable_EvictAgainstModel removes rows with their history, as of streams.
func TestTable_EvictAgainstModel(t *testing.T) {
	f := newFixture(t, memkv.Name, memkv.Open)
	f.evict = true
	for range 600 {
		f.commit()
		if f.r.IntN(12) == 0 {
			f.trim()
		}
		if f.r.IntN(20) == 0 {
			f.eraseSome()
		}
		f.compare()
	}
}

// commit writes one command: up to five rows, each at most once.
func (f *fixture) commit() {
	v := f.db.View()
	defer v.Release()
	var b store.Batch
	delta, n := 0, 1+f.r.IntN(5)
	seen := map[string]bool{}
	for i := range n {
		u, pk := users[f.r.IntN(len(users))], pks[f.r.IntN(len(pks))]
		if seen[string(u)+"/"+pk] {
			continue
		}
		seen[string(u)+"/"+pk] = true
		f.seq += clock.Seq(1 + f.r.IntN(3))
		delta += f.write(v, &b, u, pk, i == n-1)
	}
	f.must(f.table.AddCount(v, &b, delta))
	f.must(f.db.Commit(&b, f.r.IntN(10) == 0))
}

func (f *fixture) write(v *store.View, b *store.Batch, u ident.UserID, pk string, last bool) int {
	present, found, err := f.table.Present(v, b, u, []byte(pk))
	f.must(err)
	w := table.Write{User: u, PK: []byte(pk), Op: row.Insert, Seq: f.seq, Last: last,
		Schema: 2, Codec: serde.Row}
	texts := []string{fmt.Sprintf("p%d", f.seq), "q"}
	e := event{seq: f.seq, op: row.Insert, last: last, pk: pk}
	ops := []row.Op{row.Update, row.Delete, row.Append, row.Append, row.Append}
	if present.Cold { // who writes over it has read it
		ops = ops[:2]
		place := present.Place()
		f.must(f.cold.Fetch(f.t.Context(), v, f.table.Part, u, nil, []*row.Record{&present}))
		f.must(f.table.Lose(v, b, u, place.Segment, f.seq))
	}
	if found {
		w.Present = &present
	}
	if found && !present.Deleted {
		w.Op = ops[f.r.IntN(len(ops))]
		old := f.model.rows[u][pk]
		e.op, e.before = w.Op, &old
		if w.Op != row.Update {
			texts = strings.Split(old.payload, "|")
		}
	}
	if w.Op == row.Append {
		c, piece := max(0, f.r.IntN(4)-2), "grüß\x00dich"[:f.r.IntN(3)]
		w.Piece = row.Piece{Column: schema.IDs[c], Offset: len(texts[c]), Length: len(piece)}
		texts[c] += piece
		e.piece = w.Piece
	}
	e.after = &image{f.seq, w.Op == row.Delete, strings.Join(texts, "|")}
	if w.Op != row.Delete {
		w.Payload, err = schema.Encode([]value.Value{value.NewText(texts[0]), value.NewText(texts[1])})
		f.must(err)
	}
	delta, err := f.table.Stage(b, w)
	f.must(err)
	if f.model.rows[u] == nil {
		f.model.rows[u] = map[string]image{}
	}
	f.model.rows[u][pk] = *e.after
	f.model.history[u] = append(f.model.history[u], e)
	return delta
}

// trim removes the history below a random seq in small pieces.
func (f *fixture) trim() {
	below := f.seq - clock.Seq(f.r.IntN(60))
	limit := 1 + f.r.IntN(7)
	keep := []clock.Seq{0, below, f.seq - clock.Seq(f.r.IntN(200))}[f.r.IntN(3)]
	var at table.Cursor
	total := 0
	for done := false; !done; {
		v := f.db.View()
		var b store.Batch
		var removed, rows int
		var err error
		if f.evict {
			at, done, removed, rows, err = f.table.Evict(v, &b, at, below, limit)
		} else {
			at, done, removed, err = f.table.Trim(v, &b, at, below, keep, limit)
		}
		f.must(err)
		f.must(f.table.AddCount(v, &b, -rows))
		if removed > limit {
			f.t.Fatalf("trimmed %d changes with a limit of %d", removed, limit)
		}
		total += removed
		f.must(f.db.Commit(&b, false))
		v.Release()
	}
	if f.evict || keep == 0 {
		keep = clock.MaxSeq
	}
	if want := f.model.trim(below, keep, f.evict); total != want {
		f.t.Fatalf("trimmed %d changes below %d, want %d", total, below, want)
	}
}

func (m *model) trim(below, keep clock.Seq, evict bool) (removed int) {
	for k := range m.kept {
		if k.seq >= keep {
			continue
		}
		delete(m.kept, k)
		if removed++; m.rows[k.user][k.pk].seq == k.seq {
			delete(m.rows[k.user], k.pk)
		}
	}
	for u, all := range m.history {
		m.history[u] = slices.DeleteFunc(all, func(e event) bool {
			if e.seq < below {
				removed++
				m.trimmed = max(m.trimmed, e.seq)
			}
			return e.seq < below
		})
		maps.DeleteFunc(m.rows[u], func(pk string, i image) bool {
			if i.deleted && i.seq < below && i.seq >= keep {
				m.kept[tombstone{i.seq, u, pk}] = true
			}
			return (i.deleted || evict) && i.seq < min(below, keep)
		})
	}
	return removed
}

func (f *fixture) compare() {
	f.t.Helper()
	v := f.db.View()
	defer v.Release()
	live := int64(0)
	for _, u := range users {
		for _, i := range f.model.rows[u] {
			if !i.deleted {
				live++
			}
		}
		f.compareRows(v, u)
		f.compareChanges(v, u)
		f.compareEarlier(v, u)
	}
	n, err := f.table.Count(v)
	f.must(err)
	trimmed, err := f.table.Trimmed(v)
	f.must(err)
	if n != live || trimmed != f.model.trimmed {
		f.t.Fatalf("%d rows, trimmed %d; want %d and %d", n, trimmed, live, f.model.trimmed)
	}
}

func (f *fixture) compareRows(v *store.View, u ident.UserID) {
	f.t.Helper()
	var s table.Span
	if f.r.IntN(2) == 0 {
		s.Lo = []byte(pks[f.r.IntN(len(pks))])
	}
	if f.r.IntN(2) == 0 {
		s.Hi = []byte(pks[f.r.IntN(len(pks))])
	}
	s.Reverse = f.r.IntN(2) == 0
	var want []string
	for _, pk := range slices.Sorted(maps.Keys(f.model.rows[u])) {
		if pk >= string(s.Lo) && (s.Hi == nil || pk < string(s.Hi)) {
			want = append(want, fmt.Sprintf("%q %v", pk, f.model.rows[u][pk]))
		}
	}
	if s.Reverse {
		slices.Reverse(want)
	}
	rows := f.table.Scan(f.t.Context(), v, u, s)
	var got []string
	for rows.Next() {
		got = append(got, fmt.Sprintf("%q %v", rows.PK(), imageOf(rows.Record())))
	}
	f.must(rows.Close())
	if !slices.Equal(got, want) || rows.Read() != len(want) {
		f.t.Fatalf("rows of %q in %+v:\n got %v\nwant %v (%d read)", u, s, got, want, rows.Read())
	}
	pk := pks[f.r.IntN(len(pks))]
	rec, found, err := f.table.Get(f.t.Context(), v, u, []byte(pk))
	f.must(err)
	if i, ok := f.model.rows[u][pk]; ok != found || ok && imageOf(rec) != i {
		f.t.Fatalf("row %q of %q: %v %v, want %v %v", pk, u, rec, found, i, ok)
	}
}

func imageOf(r row.Record) image {
	if r.Schema != schema.Version {
		return image{r.Seq, r.Deleted, string(r.Payload)}
	}
	vals := make([]value.Value, 2)
	if err := schema.Decode(r, vals); err != nil {
		return image{r.Seq, r.Deleted, err.Error()}
	}
	return image{r.Seq, r.Deleted, vals[0].Str() + "|" + vals[1].Str()}
}

func show(i *row.Record) string {
	if i == nil {
		return "none"
	}
	return fmt.Sprint(imageOf(*i))
}

func showModel(i *image) string {
	if i == nil {
		return "none"
	}
	return fmt.Sprint(*i)
}

func (f *fixture) compareChanges(v *store.View, u ident.UserID) {
	f.t.Helper()
	after := f.seq - clock.Seq(f.r.IntN(100)) - 1
	var got, want []string
	for _, e := range f.model.history[u] {
		if e.seq > after {
			want = append(want, fmt.Sprintf("%d %d %v %v %q %s %s",
				e.seq, e.op, e.piece, e.last, e.pk, showModel(e.before), showModel(e.after)))
		}
	}
	c := f.table.Changes(f.t.Context(), v, u, after)
	for c.Next() {
		e := c.Entry()
		before, now, err := c.Images()
		f.must(err)
		got = append(got, fmt.Sprintf("%d %d %v %v %q %s %s",
			e.Seq, e.Op, e.Piece, e.Last, e.PK, show(before), show(now)))
	}
	f.must(c.Close())
	if !slices.Equal(got, want) {
		f.t.Fatalf("changes of %q after %d:\n got %v\nwant %v", u, after, got, want)
	}
}

// compareEarlier reads a row as it was at a seq that the history reaches.
func (f *fixture) compareEarlier(v *store.View, u ident.UserID) {
	f.t.Helper()
	pk := pks[f.r.IntN(len(pks))]
	seq := max(f.model.trimmed, f.seq-clock.Seq(f.r.IntN(100)))
	var want *image
	if i, ok := f.model.rows[u][pk]; ok {
		want = &i
	}
	for _, e := range slices.Backward(f.model.history[u]) {
		if e.pk == pk && e.seq > seq {
			want = e.before
		}
	}
	if want != nil && want.deleted {
		want = nil
	}
	present, found, err := f.table.Get(f.t.Context(), v, u, []byte(pk))
	f.must(err)
	var got *row.Record
	if found {
		rec, found, err := f.table.AsOf(v, u, []byte(pk), present, seq)
		f.must(err)
		if found && !rec.Deleted {
			got = &rec
		}
	}
	if show(got) != showModel(want) {
		f.t.Fatalf("row %q of %q at %d: %s, want %s", pk, u, seq, show(got), showModel(want))
	}
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}
