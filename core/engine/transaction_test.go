package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/exec"
)

// client runs statements in a session of its own.
type client struct {
	*bench
	id engine.Identity
	s  *engine.Session
}

func (b *bench) client(id engine.Identity) *client {
	c := &client{bench: b, id: id, s: b.db.NewSession()}
	b.t.Cleanup(c.s.Close)
	return c
}

// send returns the rows of the statements as text.
func (c *client) send(sql string) (string, error) {
	var lines []string
	err := c.db.Execute(c.t.Context(), c.id, engine.Request{SQL: sql, Session: c.s},
		func(r *engine.Result) error {
			for r.Rows != nil {
				row, err := r.Rows.Next(c.t.Context())
				if err != nil {
					break
				}
				var cells []string
				for _, v := range row {
					cells = append(cells, v.Text())
				}
				lines = append(lines, strings.Join(cells, " "))
			}
			return nil
		})
	return strings.Join(lines, ","), err
}

func (c *client) ok(want, sql string) {
	c.t.Helper()
	if got, err := c.send(sql); err != nil || got != want {
		c.t.Errorf("%s: %q %v, want %q", sql, got, err, want)
	}
}

func (c *client) refused(code fault.Code, sql string) {
	c.t.Helper()
	if _, err := c.send(sql); !fault.Is(err, code) {
		c.t.Errorf("%s: %v, want %s", sql, err, code)
	}
}

func accounts(t *testing.T, o engine.Options) *bench {
	t.Helper()
	b := open(t, "", o)
	b.run(root, "CREATE NAMESPACE bank")
	b.run(root, "CREATE TABLE bank.a (id INT PRIMARY KEY, n BIGINT NOT NULL)")
	b.run(root, "CREATE SHARED TABLE bank.s (id INT PRIMARY KEY, n BIGINT NOT NULL)")
	b.run(alice, "INSERT INTO bank.a VALUES (1, 10), (2, 20), (3, 30)")
	return b
}

func TestTransaction_ReadsItsOwnWritesAndNobodyElseDoes(t *testing.T) {
	b := accounts(t, engine.Options{Storage: engine.Memory})
	tx, other := b.client(alice), b.client(alice)
	tx.ok("", "BEGIN")
	tx.ok("", "INSERT INTO bank.a VALUES (4, 40), (0, 0)")
	tx.ok("", "UPDATE bank.a SET n = n + 1 WHERE id IN (1, 4)")
	tx.ok("", "DELETE FROM bank.a WHERE id = 2")
	const all = "SELECT id, n FROM bank.a"
	tx.ok("0 0,1 11,3 30,4 41", all)
	tx.ok("4 41,3 30,1 11,0 0", all+" ORDER BY id DESC")
	tx.ok("3 30", all+" WHERE id > 1 AND id < 4")
	tx.ok("4 41", all+" WHERE id = 4")
	tx.ok("", all+" WHERE id = 2")
	tx.ok("4 82", "SELECT COUNT(*), SUM(n) FROM bank.a")
	tx.refused(fault.DuplicateKey, "INSERT INTO bank.a VALUES (9, 9), (4, 1)")
	tx.ok("", "INSERT INTO bank.a VALUES (2, 22)")
	tx.ok("", "DELETE FROM bank.a WHERE id = 0")
	other.ok("1 10,2 20,3 30", all)
	tx.ok("", "COMMIT")
	other.ok("1 11,2 22,3 30,4 41", all)
	tx.refused(fault.InvalidSQL, "COMMIT")
}

func TestTransaction_Rollback(t *testing.T) {
	b := accounts(t, engine.Options{Storage: engine.Memory})
	tx := b.client(alice)
	tx.ok("", "BEGIN; DELETE FROM bank.a; ROLLBACK")
	tx.ok("3", "SELECT COUNT(*) FROM bank.a")
	tx.ok("", "START TRANSACTION; UPDATE bank.a SET n = 0")
	tx.s.Close()
	b.want(alice, "60", "SELECT SUM(n) FROM bank.a")
	b.want(root, "0", "SELECT COUNT(*) FROM system.transactions")

	err := b.db.Execute(t.Context(), alice, engine.Request{SQL: "BEGIN; DELETE FROM bank.a"},
		func(*engine.Result) error { return nil })
	if e := fault.From(err); e == nil || e.Code != fault.InvalidSQL || e.Statement != 2 {
		t.Errorf("a request that ends in a transaction: %v", err)
	}
	err = b.db.Execute(t.Context(), alice,
		engine.Request{SQL: "BEGIN; DELETE FROM bank.a; SELECT * FROM bank.nothing; COMMIT"},
		func(*engine.Result) error { return nil })
	if !fault.Is(err, fault.TableNotFound) {
		t.Errorf("a failing statement inside: %v", err)
	}
	b.want(alice, "3", "SELECT COUNT(*) FROM bank.a")
}

func TestTransaction_Conflicts(t *testing.T) {
	b := accounts(t, engine.Options{Storage: engine.Memory})
	tx, other := b.client(alice), b.client(alice)
	tx.ok("10", "BEGIN; SELECT n FROM bank.a WHERE id = 1")
	other.ok("", "UPDATE bank.a SET n = 11 WHERE id = 1")
	tx.ok("10", "SELECT n FROM bank.a WHERE id = 1") // the snapshot
	tx.ok("", "UPDATE bank.a SET n = n + 100 WHERE id = 1; INSERT INTO bank.a VALUES (7, 7)")
	tx.refused(fault.TransactionConflict, "COMMIT")
	other.ok("11", "SELECT n FROM bank.a WHERE id IN (1, 7)")

	tx.ok("", "BEGIN; INSERT INTO bank.a VALUES (8, 1)")
	other.ok("", "INSERT INTO bank.a VALUES (8, 2)")
	tx.refused(fault.TransactionConflict, "COMMIT")

	// Without FOR UPDATE what is only read may change; with it, not.
	for clause, code := range map[string]fault.Code{"": "", " FOR UPDATE": fault.TransactionConflict} {
		tx.ok("30", "BEGIN; SELECT n FROM bank.a WHERE id = 3"+clause)
		other.ok("", "UPDATE bank.a SET n = 30 WHERE id = 3")
		tx.ok("", "UPDATE bank.a SET n = 5 WHERE id = 2")
		if _, err := tx.send("COMMIT"); fault.CodeOf(err) != code {
			t.Errorf("commit after a read%s: %v, want %q", clause, err, code)
		}
	}
	other.refused(fault.Unsupported, "SELECT * FROM bank.a FOR UPDATE")
}

func TestTransaction_SeveralShardsCommitTogether(t *testing.T) {
	b := accounts(t, engine.Options{Storage: engine.Memory})
	tx := b.client(root)
	users := []string{"u1", "u2", "u3", "u4", "u5", "u6"}
	tx.ok("", "BEGIN; INSERT INTO bank.s VALUES (1, 1)")
	for _, u := range users {
		tx.ok("", fmt.Sprintf("INSERT INTO bank.%s.a VALUES (1, 1)", u))
	}
	tx.ok("", "COMMIT")
	tx.ok("", "BEGIN; UPDATE bank.s SET n = 2")
	for _, u := range users {
		tx.ok("", fmt.Sprintf("UPDATE bank.%s.a SET n = 2", u))
	}
	b.run(root, "UPDATE bank.u6.a SET n = 9")
	tx.refused(fault.TransactionConflict, "COMMIT")
	for i, u := range users {
		want := "1"
		if i == 5 {
			want = "9"
		}
		b.want(root, want, fmt.Sprintf("SELECT n FROM bank.%s.a", u))
	}
	b.want(root, "1", "SELECT n FROM bank.s")
}

func TestTransaction_LimitsAndStatementsThatDoNotFit(t *testing.T) {
	b := accounts(t, engine.Options{Storage: engine.Memory, Limits: exec.Limits{TransactionRows: 3}})
	tx := b.client(root)
	tx.ok("", "BEGIN; INSERT INTO bank.s VALUES (1, 1), (2, 2)")
	tx.refused(fault.PayloadTooLarge, "INSERT INTO bank.s VALUES (3, 1), (4, 2)")
	tx.refused(fault.InvalidSQL, "BEGIN")
	tx.refused(fault.Unsupported, "CREATE TABLE bank.b (id INT PRIMARY KEY)")
	tx.refused(fault.Unsupported, "DROP USER 'alice'")
	tx.ok("root 2", "SELECT user_id, `rows` FROM system.transactions")
	tx.ok("", "COMMIT")
	tx.ok("2", "SELECT COUNT(*) FROM bank.s")
}

func TestTransaction_AbandonedOneIsRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := engine.Open("", engine.Options{
			Storage: engine.Memory, Limits: exec.Limits{TransactionTimeout: time.Second},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		b := &bench{t: t, db: db}
		b.run(root, "CREATE NAMESPACE bank; CREATE SHARED TABLE bank.s (id INT PRIMARY KEY)")
		tx := b.client(root)
		tx.ok("", "BEGIN; INSERT INTO bank.s VALUES (1)")
		<-time.After(2 * time.Second) // of the bubble
		synctest.Wait()
		b.want(root, "0", "SELECT COUNT(*) FROM system.transactions")
		tx.refused(fault.StatementTimeout, "INSERT INTO bank.s VALUES (2)")
		tx.refused(fault.InvalidSQL, "COMMIT")
		tx.ok("0", "SELECT COUNT(*) FROM bank.s")
	})
}

func TestTransaction_RepeatedRequests(t *testing.T) {
	b := accounts(t, engine.Options{Storage: engine.Memory})
	send := func(sql string) (out []string, err error) {
		err = b.db.Execute(t.Context(), alice, engine.Request{SQL: sql, RequestID: "r"},
			func(r *engine.Result) error {
				out = append(out, fmt.Sprint(r.Message, r.Seq))
				return nil
			})
		return out, err
	}
	const sql = "BEGIN; INSERT INTO bank.a VALUES (4, 1), (5, 1); UPDATE bank.a SET n = n + 1; COMMIT"
	first, err := send(sql)
	if err != nil {
		t.Fatal(err)
	}
	again, err := send(sql)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("a repeat gave %q %v, want %q", again, err, first)
	}
	b.want(alice, "67", "SELECT SUM(n) FROM bank.a")
	if _, err := send(strings.Replace(sql, "n + 1", "n + 2", 1)); !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("another transaction under the same id: %v", err)
	}
}

// TestTransaction_Transfers moves money between accounts of several tables
// from many clients at once, some of which give up: the total never changes.
func TestTransaction_Transfers(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	b := accounts(t, engine.Options{Storage: engine.Memory})
	b.run(root, "INSERT INTO bank.s VALUES (1, 100), (2, 100), (3, 100)")
	b.run(root, "INSERT INTO bank.a VALUES (1, 100), (2, 100), (3, 100)")
	tables := []string{"bank.s", "bank.root.a"}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			s := b.db.NewSession()
			defer s.Close()
			run := func(sql string) error {
				return b.db.Execute(context.Background(), root, engine.Request{SQL: sql, Session: s},
					func(*engine.Result) error { return nil })
			}
			for range 60 {
				err := errors.Join(run("BEGIN"),
					run(fmt.Sprintf("UPDATE %s SET n = n - 1 WHERE id = %d", tables[r.IntN(2)], 1+r.IntN(3))),
					run(fmt.Sprintf("UPDATE %s SET n = n + 1 WHERE id = %d", tables[r.IntN(2)], 1+r.IntN(3))))
				end := "COMMIT"
				if r.IntN(5) == 0 {
					end = "ROLLBACK"
				}
				if err == nil {
					err = run(end)
				}
				if err != nil && !fault.Is(err, fault.TransactionConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 50 {
		b.want(root, "600", `SELECT (SELECT SUM(n) FROM bank.s) + (SELECT SUM(n) FROM bank.root.a)`)
	}
	wg.Wait()
	b.want(root, "600", `SELECT (SELECT SUM(n) FROM bank.s) + (SELECT SUM(n) FROM bank.root.a)`)
}
