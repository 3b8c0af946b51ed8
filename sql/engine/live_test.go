package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

func (w *world) live(sql string, params ...any) (*predicate.Query, string, error) {
	w.t.Helper()
	env := w.env
	for _, p := range params {
		v, err := value.Infer(p)
		if err != nil {
			w.t.Fatal(err)
		}
		env.Params = append(env.Params, v)
	}
	q, owner, err := w.engine.CompileLive(context.Background(), sql, &env)
	return q, string(owner), err
}

func TestCompileLive_RefusesByName(t *testing.T) {
	w := newWorld(t)
	for _, x := range []struct {
		code fault.Code
		sql  string
		say  string
	}{
		{fault.LiveSharedTable, "SELECT * FROM rooms", "chat.rooms"},
		{fault.LiveUnsupportedQuery, "SELECT * FROM system.namespaces", "system"},
		{fault.LiveUnsupportedQuery, "SELECT 1 UNION SELECT 2", "reads no table"},
		{fault.LiveUnsupportedQuery, "SELECT 1", "reads no table"},
		{fault.LiveUnsupportedQuery, "SELECT COUNT(*) FROM messages WHERE NOW() > '2020-01-01'", "NOW"},
		{fault.LiveUnsupportedQuery, "SELECT MAX(RAND()) FROM messages", "RAND"},
		{fault.LiveUnsupportedQuery, "SELECT * FROM messages JOIN system.namespaces n ON n.name = body", "system"},
		{fault.LiveSharedTable, "SELECT COUNT(*) FROM rooms", "chat.rooms"},
		{fault.LiveSharedTable, "SELECT * FROM rooms LIMIT 3", "chat.rooms"},
		{fault.LiveSharedTable, "SELECT rooms.id FROM rooms JOIN messages m ON m.id = rooms.id", "chat.rooms"},
		{fault.LiveSharedTable, "SELECT m.id FROM messages m RIGHT JOIN rooms r ON m.id = r.id", "chat.rooms"},
		{fault.LiveSharedTable, "SELECT id FROM messages UNION SELECT id FROM rooms", "chat.rooms"},
		{fault.PermissionDenied, "SELECT COUNT(*) FROM chat.bob.messages", ""},
		{fault.ColumnNotFound, "SELECT COUNT(autor) FROM messages", "author"},
		{fault.LiveUnsupportedQuery, "SELECT * FROM messages WHERE id IN (SELECT 1) FOR UPDATE", "FOR UPDATE"},
		{fault.LiveUnsupportedQuery, "DELETE FROM messages", "SELECT"},
		{fault.LiveUnsupportedQuery, "SELECT * FROM messages WHERE NOW() > '2020-01-01'", ""},
		{fault.LiveUnsupportedQuery, "SELECT * FROM messages WHERE RAND() > 0.5", "RAND"},
		{fault.LiveUnsupportedQuery, "SELECT * FROM messages WHERE author = CURRENT_USER_ID()", "CURRENT_USER_ID"},
		{fault.LiveUnsupportedQuery, "SELECT * FROM messages WHERE SLEEP(1)", "SLEEP"},
		{fault.ColumnNotFound, "SELECT * FROM messages WHERE autor = 'x'", "did you mean author?"},
		{fault.ColumnNotFound, "SELECT bdy FROM messages", "did you mean body?"},
		{fault.TableNotFound, "SELECT * FROM mesages", ""},
		{fault.PermissionDenied, "SELECT * FROM chat.bob.messages", ""},
		{fault.InvalidParameter, "SELECT * FROM messages WHERE id = ?", ""},
	} {
		q, _, err := w.live(x.sql)
		if err == nil || q != nil {
			t.Errorf("%s was compiled", x.sql)
			continue
		}
		if !fault.Is(err, x.code) || !strings.Contains(err.Error(), x.say) {
			t.Errorf("%s: got %v, want %s about %q", x.sql, err, x.code, x.say)
		}
	}
}

func TestCompileLive_SharesWhatMeansTheSame(t *testing.T) {
	w := newWorld(t)
	a, owner, err := w.live("SELECT * FROM messages WHERE id > ?", 5)
	if err != nil || owner != "alice" {
		t.Fatalf("owner %q, %v", owner, err)
	}
	bob := w.as("bob")
	b, owner, err := bob.live("select * from chat.bob.messages as m where m.id > 5")
	if err != nil || owner != "bob" {
		t.Fatalf("owner %q, %v", owner, err)
	}
	if a != b {
		t.Errorf("two queries for %q and %q", a.Text, b.Text)
	}
	if strings.Contains(a.Text, "alice") || strings.Contains(a.Text, "616c") {
		t.Errorf("the text %q names its owner", a.Text)
	}
	if got := fmt.Sprint(a.Columns); got != "[{conversation_id BigInt true true 0 0 0} {id BigInt true true 0 0 0} "+
		"{author Text false false 0 0 0} {body Text false false 0 0 0}]" {
		t.Errorf("columns are %s", got)
	}
	if _, _, err := w.live("SELECT * FROM chat.bob.messages WHERE id > 5"); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("a compiled query of another user's table: %v", err)
	}
}

// predicates builds random conditions and projections over the table kinds.
type predicates struct{ r *rand.Rand }

func (p predicates) pick(list ...string) string { return list[p.r.IntN(len(list))] }

func (p predicates) number() string {
	return p.pick("tiny", "short", "tiny + 1", "price", "ratio", "0", "1", "-3", "2.5", "1.25", "100", "NULL", "small",
		"wide", "LENGTH(name)", "'2'", "short * 2", "id", "flag", "mood + 0", "mood", "LENGTH(mood)",
		"COSINE_DISTANCE(near, '[1, 0]')", "L2_DISTANCE(near, '[0, 1]')")
}

func (p predicates) text() string {
	return p.pick("name", "mood", "mood", "'glad'", "UPPER(mood)", "'a'", "'b'", "'ab'",
		"UPPER(name)", "NULL", "CONCAT(name, 'b')", "''", "'A'", "'a '")
}

func (p predicates) bound() string {
	return p.pick("0", "7", "12", "12.5", "-1", "39", "'20'", "'x'", "NULL", "99999999999999999999", "tiny",
		"1e1", "true", "20 + 1", "9223372036854775807")
}

func (p predicates) op() string { return p.pick("=", "<>", "<", "<=", ">", ">=", "<=>") }

func (p predicates) condition(depth int) string {
	if depth > 0 && p.r.IntN(2) == 0 {
		switch p.r.IntN(3) {
		case 0:
			return "NOT (" + p.condition(depth-1) + ")"
		case 1:
			return "(" + p.condition(depth-1) + " AND " + p.condition(depth-1) + ")"
		}
		return "(" + p.condition(depth-1) + " OR " + p.condition(depth-1) + ")"
	}
	not := p.pick("", "NOT ")
	switch p.r.IntN(13) {
	case 12:
		id := p.pick("id", "(id)", "id", "kinds.id", "-id")
		if p.r.IntN(3) == 0 {
			return id + " " + not + "BETWEEN " + p.bound() + " AND " + p.bound()
		}
		if p.r.IntN(3) == 0 {
			return p.bound() + " " + p.op() + " " + id
		}
		return id + " " + p.op() + " " + p.bound()
	case 10:
		return "mood " + p.pick(not+"LIKE '%ad'", not+"IN ('sad', 'a', 'x')", "IS "+not+"NULL", p.op()+" mood",
			not+"BETWEEN 'a' AND 'm'", p.op()+" "+p.text())
	case 11:
		return p.pick("near IS "+not+"NULL", "near "+p.op()+" '[1, 0]'",
			"COSINE_DISTANCE(near, '[1, 1]') "+p.op()+" 0.5")
	case 0:
		return p.text() + " " + p.op() + " " + p.text()
	case 1:
		return "name " + not + "LIKE " + p.pick("'a%'", "'%b'", "'_'", "'%'", "'A%'", `'a\%'`, "'%b%'", "NULL")
	case 2:
		return p.number() + " " + not + "BETWEEN " + p.number() + " AND " + p.number()
	case 3:
		return p.pick("name", "tiny", "price", "flag", "day", "doc") + " IS " + not + "NULL"
	case 4:
		return p.pick("tiny", "short", "price") + " " + not + "IN (" + p.number() + ", 1, 2.5)"
	case 5:
		return "name " + not + "IN ('a', 'ab', " + p.text() + ")"
	case 6:
		return p.pick("flag", "NOT flag", "flag IS TRUE", "flag IS NOT FALSE", "flag = true", "_deleted", "tiny", "name")
	case 7:
		return "day " + p.op() + " " + p.pick("'2026-01-02'", "NULL", "'2026-01-01 12:00:00'")
	case 8:
		return "at " + p.op() + " " + p.pick("'2026-03-04 05:06:07.123456'", "'2026-03-04'", "local")
	}
	return p.number() + " " + p.op() + " " + p.number()
}

// TestCompileLive_AgreesWithSelect compares what a compiled query says of each
// row with what SELECT answers.
func TestCompileLive_AgreesWithSelect(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := predicates{rand.New(rand.NewPCG(seed, 1))}
	w := newWorld(t)
	for i := range 40 {
		w.run(fmt.Sprintf("INSERT INTO kinds (id, flag, tiny, wide, ratio, price, name, day, at, small, local, short, doc, "+
			"mood, near) VALUES (%d, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", i, p.pick("true", "false", "NULL"),
			p.pick("0", "1", "-3", "2", "NULL"), p.pick("0", "1", "NULL"), p.pick("2.5", "-3", "0", "NULL"),
			p.pick("2.5", "1.25", "100", "NULL"), p.pick("'a'", "'b'", "'ab'", "''", "'A'", "'ä'", "'a%'"),
			p.pick("'2026-01-02'", "'2026-01-01'", "NULL"), p.pick("'2026-03-04 05:06:07.123456'", "'2026-03-04'", "NULL"),
			p.pick("0.5", "2.5", "NULL"), p.pick("'2026-03-04'", "NULL"), p.pick("0", "1", "100", "NULL"),
			p.pick("'[]'", "NULL"), p.pick("'sad'", "'glad'", "'a'", "'mad'", "NULL"),
			p.pick("'[1, 0]'", "'[0, 0]'", "'[1, 1]'", "'[-1, 0.5]'", "NULL")))
	}
	all := w.run("SELECT *, _seq, _updated, _deleted FROM kinds").rows
	for range 1500 {
		where, expr := p.condition(3), p.pick(p.number(), p.text(), p.condition(0))
		// The id goes first so that rows can be told apart.
		sql := "SELECT id, " + expr + " FROM kinds WHERE " + where
		q, _, err := w.live(sql)
		res, errSelect := w.try(sql)
		if err != nil || errSelect != nil {
			if (err == nil) != (errSelect == nil) && !evaluationFails(q, all) {
				t.Fatalf("%s: live %v, select %v", sql, err, errSelect)
			}
			continue
		}
		var got [][]value.Value
		for _, row := range all {
			ok, err := q.Match(row)
			if err != nil {
				t.Fatalf("%s: match: %v", sql, err)
			}
			if !ok {
				continue
			}
			if !within(q, row[0]) {
				t.Fatalf("%s: matches the row with id %d, which is not within the keys", sql, row[0].Int())
			}
			vals, err := q.Project(nil, row)
			if err != nil {
				t.Fatalf("%s: project: %v", sql, err)
			}
			got = append(got, vals)
		}
		if g, s := show(got), show(res.rows); g != s {
			t.Fatalf("%s\n  live %s\nselect %s", sql, g, s)
		}
		if !slices.Equal(kindsOf(q.Columns), kindsOf(res.Columns)) {
			t.Fatalf("%s: columns\n  live %v\nselect %v", sql, q.Columns, res.Columns)
		}
	}
}

// within reports whether a key of one column is within the bounds of q.
func within(q *predicate.Query, key value.Value) bool {
	pk := value.AppendKey(nil, key)
	return bytes.Compare(pk, q.Lo) >= 0 && (q.Hi == nil || bytes.Compare(pk, q.Hi) < 0)
}

func evaluationFails(q *predicate.Query, rows [][]value.Value) bool {
	for _, r := range rows {
		if q == nil {
			return false
		}
		if _, err := q.Match(r); err != nil {
			return true
		}
		if _, err := q.Project(nil, r); err != nil {
			return true
		}
	}
	return false
}

func kindsOf(cols []predicate.Column) (out []string) {
	for _, c := range cols {
		out = append(out, c.Name+" "+c.Kind.String())
	}
	return out
}

func TestCompileLive_ServesSeveralReadersAtOnce(t *testing.T) {
	w := newWorld(t)
	q, _, err := w.live("SELECT UPPER(author) FROM messages WHERE body LIKE 'a%' AND REGEXP_LIKE(body, 'a.c') AND id > 3")
	if err != nil {
		t.Fatal(err)
	}
	row := []value.Value{value.NewBigInt(1), value.NewBigInt(4), value.NewText("x"), value.NewText("abc"),
		value.NewBigInt(1), value.NullValue, value.NewBool(false)}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				ok, err := q.Match(row)
				out, err2 := q.Project(nil, row)
				if !ok || err != nil || err2 != nil || out[0].Str() != "X" {
					t.Errorf("match %v %v, project %v %v", ok, err, out, err2)
					return
				}
			}
		})
	}
	wg.Wait()
	if _, err := q.Match(row[:2]); !fault.Is(err, fault.Internal) {
		t.Errorf("a row that is too short: %v", err)
	}
}

// TestRun_DirectAgreesWithPlanned runs random SELECTs of two users with and
// without the library's planner.
func TestRun_DirectAgreesWithPlanned(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := predicates{rand.New(rand.NewPCG(seed, 3))}
	w := newWorld(t)
	w.fill(12)
	w.run("DELETE FROM messages WHERE id = 4")
	bob := w.as("bob")
	bob.seq = w.seq
	bob.run("INSERT INTO messages VALUES (1, 4, 'bob', 'x'), (2, 5, 'bob', NULL), (7, 1, NULL, 'x')")
	all := engine.New(engine.Options{PlanAll: true})
	for range 1500 {
		sql := "SELECT " + p.pick("*", "id", "m.body, id AS n", "_seq, id", "m.*, _deleted", "ID, Body") + " FROM messages m"
		var conds []string
		for range p.r.IntN(4) {
			conds = append(conds, p.key())
		}
		if len(conds) > 0 {
			sql += " WHERE " + strings.Join(conds, " AND ")
		}
		sql += p.pick("", " ORDER BY id", " ORDER BY id DESC", " ORDER BY conversation_id, id",
			" ORDER BY conversation_id DESC", " ORDER BY m.conversation_id DESC, m.id DESC", " ORDER BY id, conversation_id")
		sql += p.pick("", "", " LIMIT 3", " LIMIT 2 OFFSET 1", " LIMIT 0")
		for _, u := range []*world{w, bob} {
			planned := *u
			planned.engine = all
			a, errA := u.try(sql)
			b, errB := planned.try(sql)
			if fault.CodeOf(errA) != fault.CodeOf(errB) {
				t.Fatalf("%s: direct %v, planned %v", sql, errA, errB)
			}
			if errA != nil {
				continue
			}
			tied := strings.Contains(sql, "ORDER BY id") && !strings.Contains(sql, "ORDER BY id, c")
			if tied || strings.HasSuffix(sql, "conversation_id DESC") || strings.Contains(sql, "conversation_id DESC L") {
				sortRows(a.rows)
				sortRows(b.rows)
				if strings.Contains(sql, "LIMIT") {
					a.rows, b.rows = a.rows[:0], b.rows[:0] // which of equals come first is open
				}
			}
			if show(a.rows) != show(b.rows) || fmt.Sprint(a.Columns) != fmt.Sprint(b.Columns) {
				t.Fatalf("%s\n direct %s %v\nplanned %s %v", sql, show(a.rows), a.Columns, show(b.rows), b.Columns)
			}
		}
	}
}

func sortRows(rows [][]value.Value) {
	slices.SortFunc(rows, func(a, b []value.Value) int {
		return strings.Compare(show([][]value.Value{a}), show([][]value.Value{b}))
	})
}

// key is a random condition that is mostly about the key of messages.
func (p predicates) key() string {
	c := p.pick("conversation_id", "id", "m.id", "m.conversation_id")
	v := p.pick("1", "2", "3", "7", "-1", "2.5", "'2'", "NULL", "id", "99999999999999999999", "1e0", "true")
	switch p.r.IntN(9) {
	case 0:
		return c + " BETWEEN " + v + " AND " + p.pick("3", "5", "10", "0")
	case 1:
		return c + " IN (1, " + v + ", 3)"
	case 2:
		return v + " " + p.op() + " " + c
	case 3:
		return p.pick("author = 'u1'", "body LIKE '%1%'", "author <> 'bob'", "body >= 'text 3'", "author IN ('u0', 'bob')")
	case 4:
		return p.pick("_deleted = false", "_deleted = true", "_seq > 0", "(id > 2 OR id = 1)", "NOT (id = 3)", "id + 1 = 4")
	case 5, 6:
		return "conversation_id = " + p.pick("1", "2", "7")
	}
	return c + " " + p.op() + " " + v
}

func TestCompileLive_ColumnsAreNamedAsTheyAreWritten(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{`body LIKE 'a%'`, `body LIKE 'a\%'`, `id+1`, `id + 1`,
		`LENGTH("body")`, "id::text", "( id )::numeric(5, 2)"} {
		q, _, err := w.live("SELECT " + name + " FROM messages")
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Columns[0].Name; got != name {
			t.Errorf("column %q is called %q", name, got)
		}
	}
}
