package live_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// note is a row of the table that tests follow.
type note struct {
	id    int64
	topic string
	body  string
	seq   clock.Seq // of this version
}

// op is one write of a commit: a put, a delete of note.id, or an append of the
// body to that of note.id, if it is there.
type op struct {
	note
	del, app bool
}

func put(id int64, topic, body string) op {
	return op{note: note{id: id, topic: topic, body: body}}
}

func del(id int64) op { return op{note: note{id: id}, del: true} }

func app(id int64, body string) op { return op{note: note{id: id, body: body}, app: true} }

// commit is what one user writes at once.
type commit struct {
	user ident.UserID
	ops  []op
}

// change is what the log of a world remembers, for the oracle.
type change struct {
	user     ident.UserID
	seq      clock.Seq
	last     bool
	old, new *note
	app      bool // new is old with something appended
}

// world is an engine in small: it commits to a real store as the commit path
// does and publishes to a hub. It is the hub's Source.
type world struct {
	t     testing.TB
	db    *store.DB
	hub   *live.Hub
	opts  live.Options
	table *ddl.Table

	commits sync.Mutex // one committer: Publish is called in order

	// Hooks for what else may happen at these moments; nil for nothing.
	afterView     func() // a reader has taken its view
	beforePublish func() // a commit is in the view, nobody is told yet
	midPublish    func() // Publish composes events
	publishing    bool

	mu      sync.Mutex
	applied clock.Seq
	log     []change
	rows    map[ident.UserID]map[int64]note
	dropped bool
	gap     [2]clock.Seq // cursors inside are not covered
}

var notes = &ddl.Table{
	ID: 7, Namespace: "chat", Name: "notes", Kind: ddl.UserTable, State: ddl.Ready, Version: 1,
	Columns: []ddl.Column{
		{ID: 1, Name: "id", Type: ddl.Type{Kind: value.Int64}, NotNull: true},
		{ID: 2, Name: "topic", Type: ddl.Type{Kind: value.Text}},
		{ID: 3, Name: "body", Type: ddl.Type{Kind: value.Text}},
	},
	PrimaryKey: []int{0}, Codec: serde.Row,
}

// newWorld opens a world on the engine called name.
func newWorld(t testing.TB, name string, opts live.Options) *world {
	t.Helper()
	dir, so := "", store.Options{Engine: memkv.Name, Shards: 3, OpenEngine: memkv.Open}
	if name == pebblekv.Name {
		dir, so.Engine = t.TempDir(), name
		so.OpenEngine = pebblekv.Opener(pebblekv.Options{})
	}
	db, err := store.Open(dir, so)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, table: notes, rows: make(map[ident.UserID]map[int64]note)}
	w.applied = 1000
	for _, sh := range notes.Shards(db.Shards()) {
		if _, err := db.CreatePartition(notes.Partition(sh)); err != nil {
			t.Fatal(err)
		}
	}
	opts.Source = w
	w.opts = opts
	w.hub = live.New(opts)
	t.Cleanup(func() {
		w.hub.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// restart puts a new hub in the place of the old one, as a new process would.
func (w *world) restart() {
	w.hub.Close()
	w.hub = live.New(w.opts)
}

func (w *world) View(ident.ShardID) (*store.View, clock.Seq) {
	defer call(w.afterView)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.db.View(), w.applied
}

func call(hook func()) {
	if hook != nil {
		hook()
	}
}

func (w *world) Partition(t *ddl.Table, sh ident.ShardID) (store.Partition, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dropped {
		return store.Partition{}, false
	}
	return w.db.Partition(t.Partition(sh))
}

func (w *world) Reader(t *ddl.Table, v ident.SchemaVersion) (*row.Reader, error) {
	if t.ID != notes.ID || v != notes.Version {
		return nil, fault.New(fault.Internal, "no version %d of table %d", v, t.ID)
	}
	if hook := w.midPublish; hook != nil && w.publishing {
		w.publishing = false
		hook()
	}
	return t.Reader(notesSchema)
}

var notesSchema = notes.Schema()

func (w *world) Shard(t *ddl.Table, u ident.UserID) ident.ShardID {
	return t.Shard(u, w.db.Shards())
}

func (w *world) Covered(_ *ddl.Table, _ ident.ShardID, _ ident.UserID, cursor clock.Seq) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cursor > w.applied || cursor > w.gap[0] && cursor < w.gap[1] {
		return fault.New(fault.CursorTooOld, "cursor %d is not of this history", cursor)
	}
	return nil
}

func (w *world) part(u ident.UserID) table.Table {
	p, ok := w.db.Partition(notes.Partition(w.Shard(notes, u)))
	if !ok {
		w.t.Fatal("the partition is missing")
	}
	return table.Table{Part: p}
}

// apply makes commits durable in one batch, and publishes them.
func (w *world) apply(commits ...commit) {
	w.commits.Lock()
	defer w.commits.Unlock()
	byShard := make(map[ident.ShardID][]live.Change)
	w.mu.Lock()
	b, seq := &store.Batch{}, w.applied
	view := w.db.View()
	for _, c := range commits {
		changes := w.stage(view, b, &seq, c)
		sh := w.Shard(notes, c.user)
		byShard[sh] = append(byShard[sh], changes...)
	}
	view.Release()
	seq += 5 // commits of others
	if err := w.db.Commit(b, false); err != nil {
		w.t.Error(err)
	}
	w.applied = seq
	w.mu.Unlock()
	call(w.beforePublish)
	for _, sh := range notes.Shards(w.db.Shards()) {
		w.publishing = w.midPublish != nil
		w.hub.Publish(sh, seq, byShard[sh])
	}
}

func (w *world) stage(v *store.View, b *store.Batch, seq *clock.Seq, c commit) []live.Change {
	if w.rows[c.user] == nil {
		w.rows[c.user] = make(map[int64]note)
	}
	rows := w.rows[c.user]
	var ops []op
	for _, o := range c.ops {
		if _, ok := rows[o.id]; ok || !o.del && !o.app {
			ops = append(ops, o)
		}
	}
	var out []live.Change
	for i, o := range ops {
		*seq++
		ch := change{user: c.user, seq: *seq, last: i == len(ops)-1}
		kind := row.Insert
		if old, ok := rows[o.id]; ok {
			ch.old, kind = &old, row.Update
		}
		if o.del {
			kind = row.Delete
			delete(rows, o.id)
		} else {
			n := o.note
			if o.app {
				ch.app, kind = true, row.Append
				n.topic, n.body = ch.old.topic, ch.old.body+o.body
			}
			n.seq = *seq
			ch.new, rows[o.id] = &n, n
		}
		w.log = append(w.log, ch)
		out = append(out, w.stageOne(v, b, ch, kind, o.id))
	}
	return out
}

func (w *world) stageOne(v *store.View, b *store.Batch, ch change, kind row.Op, id int64,
) live.Change {
	tab, pk := w.part(ch.user), value.AppendKey(nil, value.NewBigInt(id))
	wr := table.Write{User: ch.user, PK: pk, Op: kind, Seq: ch.seq, Last: ch.last,
		Schema: notes.Version, Codec: notes.Codec}
	out := live.Change{Table: notes.ID, User: ch.user, Op: kind, Seq: ch.seq, Last: ch.last, PK: pk}
	rec, found, err := tab.Present(v, b, ch.user, pk)
	if err != nil {
		w.t.Fatal(err)
	}
	if found {
		wr.Present = &rec
		if !rec.Deleted {
			out.Old = &rec
		}
	}
	if ch.new != nil {
		n := ch.new
		wr.Payload, err = notesSchema.Encode([]value.Value{
			value.NewBigInt(n.id), value.NewText(n.topic), value.NewText(n.body)})
		if err != nil {
			w.t.Fatal(err)
		}
		out.New = &row.Record{Seq: ch.seq, Schema: notes.Version, Codec: notes.Codec, Payload: wr.Payload}
	}
	if ch.app {
		wr.Piece = row.Piece{Column: 3, Offset: len(ch.old.body), Length: len(ch.new.body) - len(ch.old.body)}
		out.New.Run = 3
	}
	if _, err := tab.Stage(b, wr); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// trim removes all history below a seq.
func (w *world) trim(below clock.Seq) {
	w.commits.Lock()
	defer w.commits.Unlock()
	for _, sh := range notes.Shards(w.db.Shards()) {
		p, _ := w.db.Partition(notes.Partition(sh))
		var from table.Cursor
		for done := false; !done; {
			b, v := &store.Batch{}, w.db.View()
			var err error
			from, done, _, err = table.Table{Part: p}.Trim(v, b, from, below, 0, 1000)
			v.Release()
			if err != nil {
				w.t.Fatal(err)
			}
			if err := w.db.Commit(b, false); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// follow describes a query: WHERE topic = topic, or all rows for "".
type follow struct {
	topic string
	seq   bool // project _seq too
	blind bool // do not project body
}

func (f follow) text() string { return fmt.Sprintf("SELECT notes %+v", f) }

func (f follow) matches(n *note) bool {
	return n != nil && (f.topic == "" || n.topic == f.topic)
}

func (f follow) positions() []int {
	at := []int{0, 1}
	if !f.blind {
		at = append(at, 2)
	}
	if f.seq {
		at = append(at, 3)
	}
	return at
}

// query compiles f as package engine would.
func (f follow) query() *predicate.Query {
	names := []predicate.Column{
		{Name: "id", Kind: value.Int64, Key: true, NotNull: true}, {Name: "topic", Kind: value.Text},
		{Name: "body", Kind: value.Text}, {Name: "_seq", Kind: value.Int64, NotNull: true},
	}
	q := &predicate.Query{Text: f.text(), Table: notes}
	at := f.positions()
	for _, i := range at {
		q.Columns = append(q.Columns, names[i])
	}
	if f.topic != "" {
		q.Equal = []predicate.Equal{{Column: 1, Value: value.NewText(f.topic)}}
	}
	q.Match = func(r []value.Value) (bool, error) {
		if r[1].Str() == "poison" {
			return false, fault.New(fault.ValueOutOfRange, "poisoned row")
		}
		return f.topic == "" || r[1].Str() == f.topic, nil
	}
	q.Project = func(dst, r []value.Value) ([]value.Value, error) {
		for _, i := range at {
			dst = append(dst, r[i])
		}
		return dst, nil
	}
	return q
}

// show writes a row down as readers do: the columns that f projects, or only
// those that differ from other.
func (f follow) show(n, other *note) string {
	all := []string{fmt.Sprintf("id=%d", n.id), "topic=" + n.topic, "body=" + n.body,
		fmt.Sprintf("_seq=%d", n.seq)}
	same := []bool{false, false, false, false}
	if other != nil {
		same = []bool{false, n.topic == other.topic, n.body == other.body, n.seq == other.seq}
	}
	var out string
	for _, i := range f.positions() {
		if !same[i] {
			out += all[i] + ";"
		}
	}
	return out
}
