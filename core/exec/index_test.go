package exec_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

func inMemory(t *testing.T) *process { return inMemoryPlanning(t, false) }

func inMemoryPlanning(t *testing.T, planAll bool) *process {
	t.Helper()
	db, err := store.Open("", store.Options{Engine: memkv.Name, Shards: 3, OpenEngine: memkv.Open})
	if err != nil {
		t.Fatal(err)
	}
	p := startPlanning(t, db, planAll)
	t.Cleanup(func() {
		p.stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// checkIndexes compares what the indexes of app.t hold, on all shards, with
// what a walk over its rows gives.
func (p *process) checkIndexes(after string) *ddl.Table {
	p.t.Helper()
	def, err := p.cat.Snapshot().Table("app", "t")
	if err != nil {
		p.t.Fatal(err)
	}
	if def.Building() || len(def.Gone) > 0 {
		p.t.Fatalf("after %s the definition is unfinished: %+v", after, def)
	}
	v := p.db.View()
	defer v.Release()
	for _, s := range def.Shards(p.db.Shards()) {
		part, ok := p.db.Partition(def.Partition(s))
		if !ok {
			p.t.Fatalf("no partition on shard %d", s)
		}
		want, got := p.entriesOfRows(v, part, def), entriesStored(p.t, v, part)
		if !maps.Equal(got, want) {
			p.t.Fatalf("after %s shard %d holds\n%q\nbut its rows need\n%q", after, s, got, want)
		}
		for id := ident.IndexID(1); id <= def.NextIndex; id++ {
			complete, err := (table.Table{Part: part}).IndexComplete(v, id)
			if err != nil || complete != (def.IndexByID(id) != nil) {
				p.t.Fatalf("after %s index %d is complete: %v %v", after, id, complete, err)
			}
		}
	}
	return def
}

func (p *process) entriesOfRows(v *store.View, part store.Partition, def *ddl.Table) map[string]string {
	p.t.Helper()
	want := make(map[string]string)
	lo, hi := row.RowSpace()
	it := v.Scan(part, store.Range{Lo: lo, Hi: hi})
	defer it.Close()
	for it.Next() {
		rec, err := row.ParseRecord(it.Value())
		if err != nil {
			p.t.Fatal(err)
		}
		if rec.Deleted {
			continue
		}
		user, pk, err := row.SplitKey(it.Key())
		if err != nil {
			p.t.Fatal(err)
		}
		reader, err := p.cat.Snapshot().Reader(def, rec.Schema)
		if err != nil {
			p.t.Fatal(err)
		}
		vals := make([]value.Value, len(def.Columns))
		if err := reader.Read(rec, vals); err != nil {
			p.t.Fatal(err)
		}
		entries, err := def.Entries(vals)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, e := range entries {
			key := string(e.Key(user, pk))
			if _, twice := want[key]; twice {
				p.t.Fatalf("two rows of %q have the entry %q", user, key)
			}
			want[key] = string(e.Value(pk))
		}
	}
	return want
}

func entriesStored(t *testing.T, v *store.View, part store.Partition) map[string]string {
	t.Helper()
	got := make(map[string]string)
	it := v.Scan(part, store.Range{Lo: []byte("i"), Hi: []byte("j")})
	defer it.Close()
	for it.Next() {
		got[string(it.Key())] = string(it.Value())
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

// statements makes statements about app.t, which has few values, so that they
// clash.
type statements struct{ r *rand.Rand }

func (s statements) letter() string {
	if s.r.IntN(6) == 0 {
		return "NULL"
	}
	return "'" + string("abcde"[s.r.IntN(5)]) + "'"
}

func (s statements) row() string {
	return fmt.Sprintf("(%d, %s, %s, %d)", s.r.IntN(8), s.letter(), s.letter(), s.r.IntN(4))
}

func (s statements) rows() string {
	rows := make([]string, 1+s.r.IntN(3))
	for i := range rows {
		rows[i] = s.row()
	}
	return strings.Join(rows, ", ")
}

func (s statements) write() string {
	const into = " INTO app.t (id, u, a, n) VALUES "
	switch s.r.IntN(12) {
	case 0, 1:
		return "INSERT" + into + s.rows()
	case 2:
		return "REPLACE" + into + s.rows()
	case 3:
		return "INSERT" + into + s.rows() + " ON DUPLICATE KEY UPDATE a = VALUES(a), n = app.t.n + 1"
	case 4:
		return "INSERT" + into + s.rows() + " ON DUPLICATE KEY UPDATE u = VALUES(u)"
	case 5:
		return "INSERT" + into + s.rows() + " ON CONFLICT (id) DO UPDATE SET u = excluded.u"
	case 6:
		return "INSERT" + into + s.rows() + " ON CONFLICT DO NOTHING"
	case 7:
		return fmt.Sprintf("UPDATE app.t SET u = %s, a = %s WHERE id = %d", s.letter(), s.letter(),
			s.r.IntN(8))
	case 8: // an exchange
		return "UPDATE app.t SET u = CASE u WHEN 'a' THEN 'b' WHEN 'b' THEN 'a' ELSE u END"
	case 9:
		return fmt.Sprintf("UPDATE app.t SET id = id + 1, n = %d WHERE n = %d", s.r.IntN(4), s.r.IntN(4))
	case 10:
		return fmt.Sprintf("DELETE FROM app.t WHERE n = %d", s.r.IntN(4))
	}
	return fmt.Sprintf("DELETE FROM app.t WHERE id = %d", s.r.IntN(8))
}

func (s statements) transaction() string {
	parts := []string{"BEGIN"}
	for range 1 + s.r.IntN(4) {
		parts = append(parts, s.write())
	}
	return strings.Join(append(parts, "COMMIT"), "; ")
}

func (s statements) schema(n int) string {
	switch s.r.IntN(8) {
	case 0:
		return fmt.Sprintf("ALTER TABLE app.t ADD c%d VARCHAR(5) DEFAULT 'x%d'", n, n)
	case 1:
		return fmt.Sprintf("CREATE INDEX i%d ON app.t (c%d, n)", s.r.IntN(3), s.r.IntN(n+1))
	case 2:
		return fmt.Sprintf("CREATE INDEX i%d ON app.t (a, n)", s.r.IntN(3))
	case 3:
		return fmt.Sprintf("CREATE UNIQUE INDEX u%d ON app.t (a, u)", s.r.IntN(3))
	case 4:
		return fmt.Sprintf("DROP INDEX IF EXISTS i%d ON app.t", s.r.IntN(3))
	case 5:
		return fmt.Sprintf("DROP INDEX IF EXISTS u%d ON app.t", s.r.IntN(3))
	case 6:
		return fmt.Sprintf("ALTER TABLE app.t DROP COLUMN IF EXISTS c%d", s.r.IntN(n+1))
	}
	return "ALTER TABLE app.t MODIFY n BIGINT"
}

// expected are the errors that random statements meet.
var expected = []fault.Code{fault.DuplicateKey, fault.AlreadyExists, fault.ColumnNotFound,
	fault.InUse, fault.NotFound}

func TestExecutor_IndexesHoldWhatRowsHave(t *testing.T) {
	for _, kind := range []string{"USER", "SHARED"} {
		t.Run(kind, func(t *testing.T) {
			p := inMemory(t)
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			s := statements{rand.New(rand.NewPCG(seed, 1))}
			p.run(root, "CREATE NAMESPACE app")
			p.run(root, "CREATE "+kind+" TABLE app.t (id INT PRIMARY KEY, u TEXT UNIQUE, a TEXT, "+
				"n INT NOT NULL, INDEX by_n (n))")
			who := []session.Identity{root}
			if kind == "USER" {
				who = []session.Identity{alice, {Caller: "bob", Role: ident.RoleUser}}
			}
			done := map[string]int{}
			for n := range 1500 {
				sql, id := s.write(), who[s.r.IntN(len(who))]
				switch s.r.IntN(20) {
				case 0:
					sql, id = s.schema(n/50), root
				case 1, 2:
					sql = s.transaction()
				case 3:
					if s.r.IntN(10) == 0 {
						sql, id = "TRUNCATE TABLE app.t", root
					}
				}
				_, err := p.query(id, sql)
				if err != nil && !slices.Contains(expected, fault.CodeOf(err)) {
					t.Fatalf("%s: %v", sql, err)
				}
				if err == nil {
					done[strings.Fields(sql)[0]]++
				}
				p.checkIndexes(sql)
			}
			t.Log(done)
			for _, verb := range []string{"INSERT", "REPLACE", "UPDATE", "DELETE", "BEGIN;", "CREATE", "DROP"} {
				if done[verb] < 5 {
					t.Errorf("%s was done %d times only", verb, done[verb])
				}
			}
		})
	}
}

// TestExecutor_BuildsIndexesUnderLoad makes and drops indexes while others
// write.
func TestExecutor_BuildsIndexesUnderLoad(t *testing.T) {
	p := inMemory(t)
	p.run(root, "CREATE NAMESPACE app")
	p.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, u TEXT, a TEXT, n INT NOT NULL)")
	for i := range 40 {
		p.run(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'u%d', 'x', 1)", 1000+i, i))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for w := range 4 {
		wg.Go(func() {
			s := statements{rand.New(rand.NewPCG(seed, uint64(w)))}
			id := []session.Identity{alice, {Caller: "bob", Role: ident.RoleUser}}[w%2]
			for {
				select {
				case <-stop:
					return
				default:
				}
				sql := s.write()
				_, err := p.query(id, sql)
				if err != nil && !fault.Is(err, fault.DuplicateKey) && !fault.Is(err, fault.TransactionConflict) {
					t.Errorf("%s: %v", sql, err)
					return
				}
			}
		})
	}
	unique := 0
	for range 12 {
		p.run(root, "CREATE INDEX i ON app.t (n, a)")
		if _, err := p.query(root, "CREATE UNIQUE INDEX u ON app.t (u)"); err == nil {
			unique++
			p.run(root, "DROP INDEX u ON app.t")
		} else if !fault.Is(err, fault.DuplicateKey) {
			t.Error(err)
		}
		p.run(root, "DROP INDEX i ON app.t")
	}
	p.run(root, "CREATE INDEX i ON app.t (n, a)")
	close(stop)
	wg.Wait()
	t.Logf("%d unique indexes were built", unique)
	p.checkIndexes("the load")
}

// TestExecutor_BuildsAnIndexUnderWrites writes rows between the fence of an
// index and the filling in of the rows before it.
func TestExecutor_BuildsAnIndexUnderWrites(t *testing.T) {
	p := inMemory(t)
	p.run(root, "CREATE NAMESPACE app")
	p.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, a TEXT, n INT)")
	p.run(alice, "INSERT INTO app.t VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 1), (4, 'd', 1)")
	refused := func(sql string) {
		if _, err := p.query(root, sql); !fault.Is(err, fault.InUse) {
			t.Errorf("%s during the build: %v, want IN_USE", sql, err)
		}
	}
	p.log.onFill = func() {
		p.run(alice, "UPDATE app.t SET n = 2 WHERE id = 1") // its entry stays the same
		p.run(alice, "UPDATE app.t SET a = 'e' WHERE id = 2")
		p.run(alice, "DELETE FROM app.t WHERE id = 3")
		p.run(alice, "INSERT INTO app.t VALUES (5, 'f', 1)")
		refused("CREATE INDEX other ON app.t (n)")
		refused("DROP INDEX i ON app.t")
		refused("ALTER TABLE app.t ADD c INT")
		refused("TRUNCATE TABLE app.t")
		refused("DROP TABLE app.t")
		refused("DROP NAMESPACE app CASCADE")
		p.run(root, "CREATE TABLE app.other (id INT PRIMARY KEY)") // another table's are not held up
		if got := p.run(root, "SELECT name, state FROM system.indexes WHERE table_name = 't'"); got !=
			"PRIMARY ready\ni building" {
			t.Errorf("during the build the indexes are\n%s", got)
		}
	}
	p.run(root, "CREATE INDEX i ON app.t (a)")
	p.checkIndexes("the build")

	p.log.onFill = func() {
		p.run(alice, "UPDATE app.t SET n = 3, a = 'g' WHERE id = 5")
		p.run(alice, "UPDATE app.t SET a = 'f' WHERE id = 4")
		p.run(alice, "INSERT INTO app.t VALUES (6, 'a', 1)") // like row 1, which is not filled in yet
	}
	_, err := p.query(root, "CREATE UNIQUE INDEX u ON app.t (a)")
	if !fault.Is(err, fault.DuplicateKey) || !strings.Contains(err.Error(), "index u") {
		t.Errorf("a unique index over duplicates: %v", err)
	}
	if def := p.checkIndexes("a build in vain"); def.Index("u") != nil || len(def.Indexes) != 1 {
		t.Errorf("the definition has %+v", def.Indexes)
	}
	p.run(alice, "DELETE FROM app.t WHERE id = 6")
	p.run(root, "CREATE UNIQUE INDEX u ON app.t (a)")
	p.checkIndexes("another build")
}

// TestExecutor_RecoversIndexes has the process die at each command of a change
// of indexes. Afterwards the index is there whole or not at all.
func TestExecutor_RecoversIndexes(t *testing.T) {
	for sql, lost := range map[string]string{
		"CREATE INDEX i ON app.t (a)":                 "CREATE INDEX i ON app.t (a)",
		"CREATE UNIQUE INDEX i ON app.t (a)":          "CREATE INDEX i ON app.t (a)",
		"CREATE UNIQUE INDEX i ON app.t (n)":          "CREATE INDEX i ON app.t (n)", // has duplicates
		"DROP INDEX old ON app.t":                     "CREATE INDEX i ON app.t (a)",
		"ALTER TABLE app.t DROP INDEX old, ADD c INT": "CREATE INDEX i ON app.t (a)",
	} {
		for _, applies := range []bool{false, true} {
			for lived := 0; ; lived++ {
				if lived > 100 {
					t.Fatalf("%s never ends", sql)
				}
				name := fmt.Sprintf("%s, dies behind %d commands, applied %v", sql, lived, applies)
				if crashIndex(t, name, sql, lost, lived, applies) {
					break
				}
			}
		}
	}
}

func crashIndex(t *testing.T, name, sql, lost string, lived int, applies bool) (done bool) {
	t.Helper()
	db, err := store.Open("", store.Options{Engine: memkv.Name, Shards: 3, OpenEngine: memkv.Open})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p := start(t, db)
	p.run(root, "CREATE NAMESPACE app")
	p.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, a TEXT, n INT, UNIQUE old (a, n))")
	p.run(alice, "INSERT INTO app.t VALUES (1, 'a', 1), (2, 'b', 1), (3, NULL, 2)")
	p.log.left = make(chan struct{}, lived)
	p.log.applies.Store(applies)
	for range lived {
		p.log.left <- struct{}{}
	}
	_, err = p.query(root, sql)
	done = err == nil || fault.Is(err, fault.DuplicateKey) && len(p.log.left) > 0
	p.stop()

	p = start(t, db)
	defer p.stop()
	if err := p.x.Recover(t.Context()); err != nil {
		t.Fatalf("%s: recover: %v", name, err)
	}
	def := p.checkIndexes(name)
	p.run(alice, "UPDATE app.t SET a = 'z' WHERE id = 3")
	p.run(alice, "DELETE FROM app.t WHERE id = 1")
	p.checkIndexes(name + ", written")
	if def.Index("i") == nil {
		p.run(root, lost) // the name is free
	}
	p.run(root, "CREATE UNIQUE INDEX again ON app.t (a)")
	p.checkIndexes(name + ", made again")
	return done
}
