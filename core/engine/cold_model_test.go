package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// shaky are storages of which calls fail by chance while they are down.
type shaky struct {
	cold.Storages
	state *weather
}

// weather says how storages are.
type weather struct {
	mu   sync.Mutex
	r    *rand.Rand
	down bool

	// meanwhile is called when a file was written and nothing points to it yet, by
	// what runs with a context of stepping: jobs of the engine write files too.
	meanwhile func()
}

// stepping marks the contexts of a test's own steps.
type stepping struct{}

var errDown = fault.New(fault.StorageUnavailable, "the storage is down; try again")

// strikes reports whether a call fails.
func (w *weather) strikes() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down && w.r.IntN(3) > 0 {
		return errDown
	}
	return nil
}

func (w *weather) set(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

func (s shaky) Bucket(ctx context.Context, id ident.StorageID) (object.Bucket, error) {
	b, err := s.Storages.Bucket(ctx, id)
	return shakyBucket{b, s.state}, err
}

type shakyBucket struct {
	object.Bucket
	state *weather
}

func (b shakyBucket) Put(ctx context.Context, path string, write func(io.Writer) error) error {
	err := b.Bucket.Put(ctx, path, func(w io.Writer) error {
		if err := write(w); err != nil {
			return err
		}
		return b.state.strikes() // when all of it was sent
	})
	if ctx.Value(stepping{}) != nil && b.state.meanwhile != nil {
		b.state.meanwhile()
	}
	return err
}

func (b shakyBucket) Open(ctx context.Context, path string) (object.Reader, error) {
	if err := b.state.strikes(); err != nil {
		return nil, err
	}
	r, err := b.Bucket.Open(ctx, path)
	return shakyReader{r, b.state}, err
}

func (b shakyBucket) Delete(ctx context.Context, path string) error {
	if err := b.state.strikes(); err != nil {
		return err
	}
	return b.Bucket.Delete(ctx, path)
}

func (b shakyBucket) List(ctx context.Context, p string) iter.Seq2[object.Info, error] {
	return b.Bucket.List(ctx, p)
}

type shakyReader struct {
	object.Reader
	state *weather
}

func (r shakyReader) ReadAt(p []byte, at int64) (int, error) {
	if err := r.state.strikes(); err != nil {
		return 0, err
	}
	return r.Reader.ReadAt(p, at)
}

// note is a row of the model.
type note struct {
	room int
	body string
}

// tiers is a table of two tiers and what it should hold.
type tiers struct {
	*bench
	r      *rand.Rand
	state  *weather
	rows   map[ident.UserID]map[int]note
	added  int // columns
	failed int // statements that the storage failed
	moved  int64
}

// TestCold_AgainstModel does every operation at random, with flushes, compactions,
// restarts and failing storages in between, against a map.
func TestCold_AgainstModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("COLD_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		storage engine.Storage
		steps   int
	}{{engine.Memory, 1500}, {engine.Pebble, 400}, {engine.Badger, 250}} {
		t.Run(string(c.storage), func(t *testing.T) {
			t.Logf("COLD_SEED=%d", seed)
			if testing.Short() {
				c.steps /= 5
			}
			m := newTiers(t, c.storage, seed)
			for range c.steps {
				m.step()
			}
			m.state.set(false)
			m.compare()
			if m.moved == 0 || m.failed == 0 && c.storage == engine.Memory && !testing.Short() {
				t.Errorf("%d rows were moved, %d statements failed", m.moved, m.failed)
			}
		})
	}
}

func newTiers(t *testing.T, storage engine.Storage, seed uint64) *tiers {
	r := rand.New(rand.NewPCG(seed, 5))
	m := &tiers{r: r, state: &weather{r: rand.New(rand.NewPCG(seed, 6))},
		rows: map[ident.UserID]map[int]note{"alice": {}, "bob": {}}}
	o := engine.Options{Storage: storage, Shards: 2,
		WrapStorages: func(s cold.Storages) cold.Storages { return shaky{s, m.state} },
		// Small, so that there are many segments, and much is fetched again.
		Cold: cold.Options{SegmentRows: 20, CacheBytes: 4 << 10, FileBytes: 1 << 20,
			Reads: cold.Reads(r.IntN(3))},
	}
	dir := ""
	if storage != engine.Memory {
		dir = t.TempDir()
	}
	m.bench = open(t, dir, o)
	m.run(root, "CREATE NAMESPACE chat")
	m.run(root, `CREATE TABLE chat.m (id INT PRIMARY KEY, room INT, body TEXT,
		INDEX by_room (room), UNIQUE INDEX by_body (body))`)
	return m
}

func (m *tiers) who() engine.Identity { return []engine.Identity{alice, bob}[m.r.IntN(2)] }

// step does one thing.
func (m *tiers) step() {
	m.t.Helper()
	who := m.who()
	ctx := context.WithValue(m.t.Context(), stepping{}, true)
	m.state.meanwhile = func() { m.write(who) }
	defer func() { m.state.meanwhile = nil }()
	switch n := m.r.IntN(40); {
	case n < 3:
		m.move(func() (cold.Report, error) {
			return m.db.Flush(ctx, "chat", "m", who.Caller)
		})
	case n == 3:
		m.move(func() (cold.Report, error) { return m.db.Flush(ctx, "chat", "m", "") })
	case n == 4:
		m.move(func() (cold.Report, error) {
			return m.db.Compact(ctx, "chat", "m", who.Caller)
		})
	case n == 5:
		_, err := m.db.SweepCold(ctx, "chat", "m")
		m.excuse(err)
	case n == 6 && m.dir != "" && m.r.IntN(3) == 0:
		m.close()
		m.open()
	case n == 7:
		m.state.set(m.r.IntN(2) == 0)
	case n == 8 && m.added < 3 && m.r.IntN(10) == 0:
		m.added++
		m.run(root, fmt.Sprintf("ALTER TABLE chat.m ADD COLUMN c%d INT DEFAULT %d", m.added, m.added))
	case n == 9 && m.r.IntN(10) == 0:
		if err := m.db.TrimHistory(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
	case n == 10 && m.r.IntN(30) == 0:
		m.run(root, "TRUNCATE TABLE chat.m")
		m.rows = map[ident.UserID]map[int]note{"alice": {}, "bob": {}}
	case n < 14:
		m.state.meanwhile = nil
		m.transact(who)
	default:
		m.write(who)
	}
	if m.r.IntN(4) == 0 {
		m.read(who.Caller)
	}
	if m.r.IntN(25) == 0 {
		m.state.set(false)
		m.compare()
	}
}

// move moves rows, which fails where the storage does.
func (m *tiers) move(f func() (cold.Report, error)) {
	m.t.Helper()
	r, err := f()
	m.moved += r.Swapped
	m.excuse(err)
}

// excuse reports whether something failed because the storage did.
func (m *tiers) excuse(err error) bool {
	m.t.Helper()
	switch {
	case err == nil:
		return false
	case !fault.Is(err, fault.StorageUnavailable):
		m.t.Fatal(err)
	case !m.state.down:
		m.t.Fatalf("a storage that is up: %v", err)
	}
	m.failed++
	return true
}

// change is a statement and what it makes of a user's rows.
type change struct {
	sql    string
	do     func(rows map[int]note)
	refuse bool // a duplicate
}

// duplicate reports whether another row has a body.
func duplicate(rows map[int]note, id int, body string) bool {
	for k, n := range rows {
		if k != id && n.body == body {
			return true
		}
	}
	return false
}

func (m *tiers) random(rows map[int]note) change {
	id, room := m.r.IntN(60), m.r.IntN(5)
	body := fmt.Sprintf("%d %s", m.r.IntN(300), strings.Repeat("x", m.r.IntN(30)))
	_, there := rows[id]
	set := func(rows map[int]note) { rows[id] = note{room, body} }
	dup := duplicate(rows, id, body)
	switch m.r.IntN(10) {
	case 0, 1, 2:
		return change{fmt.Sprintf("INSERT INTO chat.m (id, room, body) VALUES (%d, %d, '%s')",
			id, room, body), set, there || dup}
	case 3:
		return change{fmt.Sprintf("UPDATE chat.m SET body = '%s', room = %d WHERE id = %d",
			body, room, id), func(rows map[int]note) {
			if there {
				set(rows)
			}
		}, there && dup}
	case 4:
		return change{fmt.Sprintf("UPDATE chat.m SET room = %d WHERE room = %d AND id < %d",
			(room+1)%5, room, id), func(rows map[int]note) {
			for k, n := range rows {
				if n.room == room && k < id {
					rows[k] = note{(room + 1) % 5, n.body}
				}
			}
		}, false}
	case 5:
		return change{fmt.Sprintf("DELETE FROM chat.m WHERE id = %d", id),
			func(rows map[int]note) { delete(rows, id) }, false}
	case 6:
		return change{fmt.Sprintf("DELETE FROM chat.m WHERE room = %d AND id > %d", room, id),
			func(rows map[int]note) {
				maps.DeleteFunc(rows, func(k int, n note) bool { return n.room == room && k > id })
			}, false}
	case 7:
		return change{fmt.Sprintf("UPDATE chat.m SET room = room + 0, body = CONCAT(body, '.') "+
			"WHERE id = %d", id), func(rows map[int]note) {
			if n, ok := rows[id]; ok {
				rows[id] = note{n.room, n.body + "."}
			}
		}, there && duplicate(rows, id, rows[id].body+".")}
	case 8:
		return change{fmt.Sprintf("REPLACE INTO chat.m (id, room, body) VALUES (%d, %d, '%s')",
			id, room, body), func(rows map[int]note) {
			maps.DeleteFunc(rows, func(_ int, n note) bool { return n.body == body })
			set(rows)
		}, false}
	}
	return change{fmt.Sprintf("INSERT INTO chat.m (id, room, body) VALUES (%d, %d, '%s') "+
		"ON CONFLICT (id) DO UPDATE SET room = %d", id, room, body, room),
		func(rows map[int]note) {
			if n, ok := rows[id]; ok {
				rows[id] = note{room, n.body}
				return
			}
			set(rows)
		}, !there && dup}
}

// write runs one statement.
func (m *tiers) write(who engine.Identity) {
	m.t.Helper()
	rows := m.rows[who.Caller]
	c := m.random(rows)
	_, err := m.db.Query(m.t.Context(), who, c.sql)
	switch {
	case c.refuse && fault.Is(err, fault.DuplicateKey), m.excuse(err):
	case c.refuse:
		m.t.Fatalf("%s: %v, want a duplicate", c.sql, err)
	default:
		c.do(rows)
	}
}

// transact runs several statements as one, while rows may be moved.
func (m *tiers) transact(who engine.Identity) {
	m.t.Helper()
	s := m.db.NewSession()
	defer s.Close()
	next := maps.Clone(m.rows[who.Caller])
	send := func(sql string) error {
		return m.db.Execute(m.t.Context(), who, engine.Request{SQL: sql, Session: s},
			func(r *engine.Result) error {
				for r.Rows != nil {
					if _, err := r.Rows.Next(m.t.Context()); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						return err
					}
				}
				return nil
			})
	}
	if m.excuse(send("BEGIN")) {
		return
	}
	for range 1 + m.r.IntN(4) {
		c := m.random(next)
		err := send(c.sql)
		switch {
		case c.refuse && fault.Is(err, fault.DuplicateKey):
			return // it is rolled back
		case m.excuse(err):
			return
		case c.refuse:
			m.t.Fatalf("%s: %v, want a duplicate", c.sql, err)
		}
		c.do(next)
		if m.r.IntN(3) == 0 {
			m.move(func() (cold.Report, error) {
				return m.db.Flush(m.t.Context(), "chat", "m", who.Caller)
			})
		}
	}
	if !m.excuse(send("COMMIT")) {
		m.rows[who.Caller] = next
	}
}

// read asks something of a user's rows, which fails where the storage does.
func (m *tiers) read(u ident.UserID) {
	m.t.Helper()
	who, rows := engine.Identity{Caller: u, Role: ident.RoleUser}, m.rows[u]
	ids := slices.Sorted(maps.Keys(rows))
	id, room := m.r.IntN(60), m.r.IntN(5)
	var sql string
	var want []string
	show := func(ids []int) {
		for _, k := range ids {
			want = append(want, fmt.Sprintf("%d %d %s", k, rows[k].room, rows[k].body))
		}
	}
	inRoom := slices.DeleteFunc(slices.Clone(ids), func(k int) bool { return rows[k].room != room })
	const columns = "SELECT id, room, body FROM chat.m "
	switch n := m.r.IntN(11); n {
	case 6, 7, 8, 9, 10:
		sql, want = m.sifted(n, rows, ids, id, room)
	case 0:
		sql = columns + "ORDER BY id"
		show(ids)
	case 1:
		sql = columns + "ORDER BY id DESC LIMIT 7"
		slices.Reverse(ids)
		show(ids[:min(7, len(ids))])
	case 2:
		sql = columns + fmt.Sprintf("WHERE id = %d", id)
		if _, ok := rows[id]; ok {
			show([]int{id})
		}
	case 3:
		sql = columns + fmt.Sprintf("WHERE room = %d ORDER BY id", room)
		show(inRoom)
	case 4:
		sql = "SELECT COUNT(*) FROM chat.m"
		want = []string{strconv.Itoa(len(ids))}
	case 5:
		sql = columns + fmt.Sprintf("WHERE id > %d AND body LIKE '%%x' ORDER BY id", id)
		show(slices.DeleteFunc(ids, func(k int) bool {
			return k <= id || !strings.HasSuffix(rows[k].body, "x")
		}))
	}
	out, err := m.db.Query(m.t.Context(), who, sql)
	if m.excuse(err) {
		return
	}
	var got []string
	for _, r := range out.Rows {
		var cells []string
		for _, v := range r {
			cells = append(cells, v.Text())
		}
		got = append(got, strings.Join(cells, " "))
	}
	if !slices.Equal(got, want) {
		m.t.Fatalf("%s as %s:\n got %q\nwant %q", sql, u, got, want)
	}
}

// sifted returns a query that leaves out many rows, or makes groups of them, and
// what it gives.
func (m *tiers) sifted(n int, rows map[int]note, ids []int, id, room int) (
	sql string, want []string,
) {
	kept := func(keep func(note) bool) []int {
		return slices.DeleteFunc(slices.Clone(ids), func(k int) bool { return !keep(rows[k]) })
	}
	switch {
	case n == 6:
		sum := 0
		list := kept(func(n note) bool { return strings.Contains(n.body, "1") && n.room != room })
		for _, k := range list {
			sum += k
		}
		want = []string{fmt.Sprintf("%d %d", len(list), sum)}
		if len(list) == 0 {
			want = []string{"0 "}
		}
		return fmt.Sprintf("SELECT COUNT(*), SUM(id) FROM chat.m "+
			"WHERE body LIKE '%%1%%' AND room <> %d", room), want
	case n == 7:
		for r := range 5 {
			if list := kept(func(n note) bool { return n.room == r }); len(list) > 0 {
				want = append(want, fmt.Sprintf("%d %d %d", r, len(list), list[len(list)-1]))
			}
		}
		return "SELECT room, COUNT(*), MAX(id) FROM chat.m GROUP BY room ORDER BY room", want
	case n == 8 && m.added > 0:
		return fmt.Sprintf("SELECT COUNT(*) FROM chat.m WHERE c%d = %[1]d AND room >= 0", m.added),
			[]string{strconv.Itoa(len(ids))}
	case n == 9: // what changes below the filter of the other side is another's
		list := kept(func(n note) bool { return n.body < "2" })
		return fmt.Sprintf("SELECT (SELECT COUNT(*) FROM chat.m WHERE body < '2'), COUNT(*) "+
				"FROM chat.m WHERE id >= %d AND room + 0 >= 0", id), []string{fmt.Sprintf("%d %d", len(list),
				len(slices.DeleteFunc(slices.Clone(ids), func(k int) bool { return k < id })))}
	}
	list := kept(func(n note) bool {
		return (n.room == room || n.room == 1) && strings.HasSuffix(n.body, "x")
	})
	slices.Reverse(list)
	for _, k := range list[:min(5, len(list))] {
		want = append(want, fmt.Sprintf("%d %s", k, rows[k].body))
	}
	return fmt.Sprintf("SELECT id, body FROM chat.m WHERE (room = %d OR room = 1) AND "+
		"body LIKE '%%x' ORDER BY id DESC LIMIT 5", room), want
}

// compare compares all rows, and takes away what nothing points to: then each
// file has an entry, and each entry a file.
func (m *tiers) compare() {
	m.t.Helper()
	for u := range m.rows {
		for range 4 {
			m.read(u)
		}
	}
	if _, err := m.db.SweepCold(m.t.Context(), "chat", "m"); err != nil {
		m.t.Fatal(err)
	}
}
