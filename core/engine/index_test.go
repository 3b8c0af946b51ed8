package engine_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// TestEngine_ExplainIndexes tells which index each of some statements reads,
// and which part of it.
func TestEngine_ExplainIndexes(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, a INT, b TEXT, u TEXT NOT NULL UNIQUE, "+
		"n INT NOT NULL UNIQUE, INDEX ab (a, b))")
	b.run(root, "CREATE SHARED TABLE app.s (id INT PRIMARY KEY, name TEXT, INDEX (name)) "+
		"WITH (ACCESS = 'public')")
	for sql, want := range map[string]string{
		"WHERE u = 'x'":                        "app.t key u u = 'x'",
		"WHERE n = 5":                          "app.t key n n = 5",
		"WHERE id = 5 AND a = 2":               "app.t key PRIMARY id = 5",
		"WHERE a = 5":                          "app.t range ab a = 5",
		"WHERE a = 5 ORDER BY b DESC LIMIT 50": "backward app.t range ab a = 5",
		"WHERE a = 5 AND b = 'x' ORDER BY id DESC LIMIT 50":    "backward app.t range ab a = 5 AND b = 'x'",
		"WHERE a = 5 AND b = 'x' AND id < 9 ORDER BY id":       "app.t range ab a = 5 AND b = 'x' AND id < 9",
		"WHERE a = 5 AND b > 'x'":                              "app.t range ab a = 5 AND b > 'x'",
		"WHERE b = 'x'":                                        "All rows of app.t app.t scan",
		"WHERE a > 5":                                          "app.t range ab a > 5",
		"WHERE a = 5 ORDER BY id LIMIT 3":                      "app.t range ab a = 5",
		"WHERE b = 'x' ORDER BY id LIMIT 3":                    "All rows of app.t app.t scan",
		"ORDER BY a DESC, b DESC LIMIT 3":                      "backward app.t scan ab",
		"ORDER BY a DESC, b LIMIT 3":                           "app.t scan",
		"WHERE a IN (1, 2)":                                    "app.t range ab a = 1 OR a = 2",
		"WHERE a IS NULL":                                      "app.t range ab a IS NULL",
		"WHERE LOWER(b) = 'x' AND a = 1 ORDER BY b DESC":       "backward app.t range ab a = 1",
		"WHERE LOWER(b) = 'x' AND u > 'k'":                     "app.t range u u > 'k'",
		"WHERE a = 1 AND _deleted":                             "app.t scan", // deleted rows are in no index
		"WHERE id IN (SELECT id FROM app.s WHERE name = 'x')":  "app.s range name name = 'x'",
		"JOIN app.s ON app.s.name = app.t.u WHERE app.t.n = 3": "app.t key n n = 3",
	} {
		sql = "SELECT app.t.id FROM app.t " + sql
		got := b.rows(alice, "EXPLAIN "+sql)
		plain := regexp.MustCompile(`, columns \w+(, \w+)* *| +`).ReplaceAllString(got, " ")
		if !strings.Contains(plain, want) {
			t.Errorf("%s:\n%s\nwant %s", sql, got, want)
		}
	}
}

// TestEngine_ExplainIndexesOfLabels reads an index of an ENUM for one label, and
// where its order is asked for; not for ranges, which are of texts.
func TestEngine_ExplainIndexesOfLabels(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, e ENUM('z', 'a', 'm'), c INT, INDEX en (e, c))")
	for sql, want := range map[string]string{
		"WHERE e = 'a'":                   "app.t range en e = 'a'",
		"WHERE e = 'a' AND c = 3":         "Direct plan",
		"WHERE e = 'a' AND c > 3":         "app.t range en e = 'a' AND c > 3",
		"WHERE e = 'a' AND c + 1 > 3":     "app.t range en e = 'a'",
		"WHERE e = 'a' AND LOWER(e) = ''": "app.t range en e = 'a'",
		"WHERE e IN ('a', 'z')":           "app.t range en e = 'a' OR e = 'z'",
		"WHERE e > 'a' LIMIT 2":           "app.t scan",
		"WHERE e = 2":                     "app.t scan",
		"WHERE e IS NULL":                 "app.t range en e IS NULL",
		"ORDER BY e DESC, c DESC LIMIT 1": "backward app.t scan en",
	} {
		got := b.rows(alice, "EXPLAIN SELECT id FROM app.t "+sql)
		plain := regexp.MustCompile(`, columns \w+(, \w+)* *| +|\n`).ReplaceAllString(got, " ")
		if !strings.Contains(plain, want) {
			t.Errorf("%s:\n%s\nwant %s", sql, got, want)
		}
	}
}

// TestEngine_PlansReadIndexes keeps plans of reads by an index, and leaves to the
// engine what would come in another order.
func TestEngine_PlansReadIndexes(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, a INT, b TEXT, u TEXT UNIQUE, INDEX ab (a, b))")
	b.run(alice, "INSERT INTO app.t VALUES (1, 7, 'x', 'k'), (2, 7, 'w', 'l'), (3, 7, NULL, NULL), (4, 8, 'x', NULL)")
	b.run(bob, "INSERT INTO app.t VALUES (1, 7, 'bob', 'k')")
	for _, tt := range []struct{ sql, want string }{
		{"SELECT id, b FROM app.t WHERE u = 'k'", "1 x"},
		{"SELECT id FROM app.t WHERE a = 7 AND b = 'x'", "1"},
		{"SELECT id FROM app.t WHERE a = 7 ORDER BY b LIMIT 2", "3\n2"},
		{"SELECT id FROM app.t WHERE a = 7 ORDER BY b DESC LIMIT 2", "1\n2"},
		{"SELECT id FROM app.t WHERE a = 7 AND b < 'x' ORDER BY b", "2"}, // not NULL
		{"SELECT id FROM app.t WHERE a = 7 AND b > 'a' AND b <= 'x' ORDER BY b DESC", "1\n2"},
		{"SELECT COUNT(*) FROM app.t WHERE a = 7", "3"},
		{"SELECT COUNT(*) FROM app.t WHERE u = 'none'", "0"},
		{"SELECT MAX(id) FROM app.t WHERE a = 8 AND b = 'x'", "4"},
	} {
		b.want(alice, tt.want, tt.sql)
		if got := b.rows(alice, "EXPLAIN "+tt.sql); !strings.HasPrefix(got, "Direct plan, kept") {
			t.Errorf("%s:\n%s", tt.sql, got)
		}
	}
	b.want(bob, "1 bob", "SELECT id, b FROM app.t WHERE u = 'k'")
	b.want(bob, "", "SELECT id, b FROM app.t WHERE u = 'l'")
	b.want(alice, "1\n2\n3", "SELECT id FROM app.t WHERE a = 7")
	b.run(root, "DROP INDEX ab ON app.t")
	b.want(alice, "3\n2", "SELECT id FROM app.t WHERE a = 7 ORDER BY b LIMIT 2")
}

// TestEngine_IndexesSurviveARestart writes, restarts and reads by an index, with
// both stores on disk.
func TestEngine_IndexesSurviveARestart(t *testing.T) {
	for _, storage := range []engine.Storage{engine.Pebble, engine.Badger} {
		t.Run(string(storage), func(t *testing.T) {
			b := open(t, t.TempDir(), engine.Options{Storage: storage, RootPassword: "long enough"})
			b.run(root, "CREATE NAMESPACE app")
			b.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, a INT, u TEXT UNIQUE)")
			b.run(alice, "INSERT INTO app.t VALUES (1, 7, 'x'), (2, 7, 'y'), (3, 8, NULL)")
			b.run(root, "CREATE INDEX by_a ON app.t (a)")
			b.run(alice, "UPDATE app.t SET a = 8 WHERE id = 2")
			b.close()
			b.open()
			b.want(alice, "3\n2", "SELECT id FROM app.t WHERE a = 8 ORDER BY id DESC")
			b.fails(alice, fault.DuplicateKey, "INSERT INTO app.t VALUES (4, 1, 'x')")
			b.run(root, "DROP INDEX by_a ON app.t")
			b.want(alice, "2\n3", "SELECT id FROM app.t WHERE a = 8")
			b.run(root, "CREATE INDEX by_a ON app.t (a, id)")
			b.want(alice, "3", "SELECT MAX(id) FROM app.t WHERE a = 8")
		})
	}
}

// TestEngine_TransactionsReadIndexesOfTheirView begins before an index is there
// and reads by it only what its view has.
func TestEngine_TransactionsReadIndexesOfTheirView(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, a INT, n INT)")
	b.run(alice, "INSERT INTO app.t VALUES (1, 1, 1), (2, 2, 1), (3, 1, 1)")
	s := b.db.NewSession()
	defer s.Close()
	in := func(want, sql string) {
		t.Helper()
		var got []string
		err := b.db.Execute(t.Context(), alice, engine.Request{SQL: sql, Session: s},
			func(r *engine.Result) error {
				for r.Rows != nil {
					vals, err := r.Rows.Next(t.Context())
					if err != nil {
						return nil // the end: an error would give too few rows
					}
					got = append(got, vals[0].Text())
				}
				return nil
			})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v %v, want %s", sql, got, err, want)
		}
	}
	in("", "BEGIN")
	in("1 3", "SELECT id FROM app.t WHERE a = 1 ORDER BY id")
	b.run(root, "CREATE INDEX by_a ON app.t (a)")
	b.run(alice, "UPDATE app.t SET a = 2 WHERE id = 3")
	in("1 3", "SELECT id FROM app.t WHERE a = 1 ORDER BY id")
	in("", "INSERT INTO app.t VALUES (0, 1, 1)")
	in("0 1 3", "SELECT id FROM app.t WHERE a = 1 ORDER BY id")
	in("", "ROLLBACK")
	in("", "BEGIN")
	in("1", "SELECT id FROM app.t WHERE a = 1")
	in("", "UPDATE app.t SET a = 1 WHERE a = 2 AND id > 2; DELETE FROM app.t WHERE id = 1")
	in("3", "SELECT id FROM app.t WHERE a = 1")
	in("2", "SELECT id FROM app.t WHERE a = 2")
	b.run(root, "DROP INDEX by_a ON app.t")
	in("3", "SELECT id FROM app.t WHERE a = 1")
	b.run(root, "CREATE UNIQUE INDEX u ON app.t (id, a)")
	if err := b.db.Execute(t.Context(), alice, engine.Request{SQL: "COMMIT", Session: s},
		func(*engine.Result) error { return nil }); !fault.Is(err, fault.TransactionConflict) {
		t.Errorf("a commit of rows planned before the index: %v", err)
	}
	b.want(alice, "1 1\n2 2\n3 2", "SELECT id, a FROM app.t")
}

// TestEngine_RequestsRepeatByUniqueIndex sends a write again whose value is
// taken since, by itself.
func TestEngine_RequestsRepeatByUniqueIndex(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, u TEXT UNIQUE)")
	for i := range 2 {
		err := b.db.Execute(t.Context(), alice, engine.Request{
			SQL: "INSERT INTO app.t (u) VALUES ('x')", RequestID: "one",
		}, func(r *engine.Result) error {
			if r.Affected != 1 {
				return fmt.Errorf("%d rows", r.Affected)
			}
			return nil
		})
		if err != nil {
			t.Errorf("time %d: %v", i, err)
		}
	}
	b.want(alice, "1", "SELECT COUNT(*) FROM app.t")
	b.fails(alice, fault.DuplicateKey, "INSERT INTO app.t (u) VALUES ('x')")
}

// TestEngine_UpsertsByUniqueIndexAtOnce has writers bring the same values. Each
// finds the row of who was faster and changes it.
func TestEngine_UpsertsByUniqueIndexAtOnce(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, u TEXT UNIQUE, n INT NOT NULL)")
	const writers, values, times = 4, 3, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range times {
				sql := "INSERT INTO app.t (u, n) VALUES (?, 1) ON CONFLICT (u) DO UPDATE SET n = app.t.n + 1"
				if w%2 == 0 {
					sql = "INSERT INTO app.t (u, n) VALUES (?, 1) ON DUPLICATE KEY UPDATE n = app.t.n + 1"
				}
				for {
					_, err := b.db.Query(t.Context(), alice, sql, fmt.Sprint(i%values))
					if fault.Is(err, fault.TransactionConflict) {
						continue // others were faster each time it was tried
					}
					if err != nil {
						t.Errorf("%s: %v", sql, err)
					}
					break
				}
			}
		})
	}
	wg.Wait()
	b.want(alice, fmt.Sprintf("%d %d", values, writers*times), "SELECT COUNT(*), SUM(n) FROM app.t")
}
