package plan_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/plan"
)

func messages() *ddl.Table {
	id := column("id", kind(value.Int64))
	id.Default = ddl.FuncDefault(ddl.FuncSnowflake)
	at := column("at", kind(value.Timestamp))
	at.Default = ddl.FuncDefault(ddl.FuncNow)
	return define(100, "messages", ddl.UserTable, []int{0, 1},
		column("room", kind(value.Text)), id, column("body", kind(value.Text)), at)
}

func rooms() *ddl.Table {
	return define(101, "rooms", ddl.SharedTable, []int{0},
		column("id", kind(value.Int32)), column("title", ddl.Type{Kind: value.Text, Length: 10}))
}

func TestCache_Run_Recognises(t *testing.T) {
	w := newWorld(t, plan.New(plan.Options{}), messages(), rooms())
	for _, id := range []int{1, 2, 3} {
		w.do(alice, fmt.Sprintf("INSERT INTO messages (room, id, body) VALUES ('a', %d, 'x')", id))
	}
	text, n := value.NewText("a"), value.NewBigInt(1)
	for _, c := range []struct {
		handled bool
		sql     string
		params  []value.Value
	}{
		{true, "SELECT * FROM messages WHERE room = 'a' AND id = 1", nil},
		{true, "SELECT body, _seq FROM chat.messages WHERE id = $2 AND room = $1", []value.Value{text, n}},
		{true, "select Body from chat.user.messages where room = ? and id = -1", []value.Value{text}},
		{true, `SELECT "body" FROM chat.alice."messages" WHERE room = 'a' ORDER BY id DESC LIMIT ?`, []value.Value{n}},
		{true, "SELECT * FROM messages WHERE room = 'a' AND id > 1 AND id <= 5 ORDER BY room, id LIMIT 2", nil},
		{true, "SELECT * FROM messages ORDER BY room DESC, id DESC", nil},
		{true, "SELECT COUNT(*) FROM messages WHERE room = 'a'", nil},
		{true, "SELECT COUNT(body), MIN(id), max(`at`) FROM messages WHERE room = 'a' AND id = 1", nil},
		{true, "SELECT body, COUNT(*), AVG(id), SUM(id) FROM messages GROUP BY room, body", nil},
		{true, "SELECT COUNT(*) FROM messages WHERE id > ? AND room = 'a' GROUP BY body ORDER BY body DESC", []value.Value{n}},
		{true, "SELECT title FROM rooms", nil},
		{true, "INSERT INTO messages VALUES ('b', 1, NULL, NOW()), ('b', 2, 'it''s', DEFAULT)", nil},
		{true, "INSERT INTO messages (room, body) VALUES (?, 'x')", []value.Value{text}},
		{true, "UPDATE messages SET body = 'y', at = DEFAULT WHERE room = 'a' AND id = 1", nil},
		{true, "UPDATE messages SET body = CONCAT(body, 'y', ?) WHERE room = 'a' AND id = 1", []value.Value{text}},
		{true, `update chat.user.messages set "body"=concat( Body , $1 ) where id = 1 and room = 'a'`, []value.Value{text}},
		{true, "DELETE FROM messages WHERE id = 1 AND room = 'a'", nil},

		{false, "SELECT 1", nil},
		{false, "SELECT * FROM rooms", []value.Value{n}},
		{false, `SELECT * FROM messages WHERE room = '\%'`, nil},
		{false, "SELECT * FROM messages m WHERE room = 'a'", nil},
		{false, "SELECT body AS b FROM messages WHERE room = 'a'", nil},
		{false, "SELECT messages.body FROM messages", nil},
		{false, "SELECT DISTINCT body FROM messages", nil},
		{false, "SELECT * FROM messages WHERE id = 1", nil},
		{false, "SELECT * FROM messages WHERE room = 'a' AND body = 'x'", nil},
		{false, "SELECT * FROM messages WHERE room = 'a' AND room = 'b'", nil},
		{false, "SELECT * FROM messages WHERE room = 'a' OR id = 1", nil},
		{false, "SELECT * FROM messages WHERE room = NULL", nil},
		{false, "SELECT * FROM messages WHERE room = ?", []value.Value{value.NullValue}},
		{false, "SELECT * FROM messages WHERE room = 1", nil},
		{false, "SELECT * FROM messages WHERE room = 'a' AND id = '1'", nil},
		{false, "SELECT * FROM messages WHERE room = 'a' AND id = 1.0", nil},
		{true, "SELECT * FROM messages WHERE room = '1e99999'", nil},
		{false, "SELECT * FROM messages WHERE room = 'a' AND _deleted", nil},
		{false, "SELECT * FROM messages ORDER BY room, id DESC", nil},
		{false, "SELECT * FROM messages ORDER BY body", nil},
		{false, "SELECT * FROM messages LIMIT 1, 2", nil},
		{false, "SELECT * FROM messages LIMIT 1 FOR UPDATE", nil},
		{false, "SELECT COUNT(*) FROM messages LIMIT 1", nil},
		{false, "SELECT COUNT( *) FROM messages", nil},
		{false, "SELECT COUNT( *) FROM messages WHERE room = 'a'", nil}, // unlike the above
		{false, "SELECT room FROM messages GROUP BY room", nil},
		{false, "SELECT body, COUNT(*) FROM messages GROUP BY room", nil},
		{false, "SELECT COUNT(*) FROM messages GROUP BY room, room", nil},
		{false, "SELECT COUNT(*) FROM messages GROUP BY room, body ORDER BY room", nil},
		{false, "SELECT COUNT(*) FROM messages GROUP BY room HAVING COUNT(*) > 1", nil},
		{false, "SELECT COUNT(*) FROM messages GROUP BY room LIMIT 1", nil},
		{false, "SELECT COUNT(*), room FROM messages", nil},
		{false, "SELECT COUNT(1), SUM(*), AVG(DISTINCT id), SUM(id ) FROM messages", nil},
		{false, "SELECT SUM(id ) FROM messages", nil},
		{false, `SELECT SUM("id") FROM messages`, nil},
		{false, "SELECT SUM(body) FROM messages", nil},
		{false, "SELECT MAX(_seq) FROM messages", nil},
		{false, "SELECT room FROM system.tables", nil},
		{false, "SELECT title FROM chat.alice.rooms", nil},
		{false, "SELECT * FROM chat.bob.messages", nil},
		{false, "SELECT * FROM missing", nil},
		{false, "INSERT INTO messages VALUES ('a', 2, 'x', NOW())", nil}, // is there
		{false, "INSERT INTO messages (room, id) VALUES ('a', 9), ('a', 9)", nil},
		{false, "INSERT INTO messages (room, id) VALUES ('a', 'x')", nil},
		{false, "INSERT INTO messages (id) VALUES (9)", nil},
		{false, "INSERT INTO messages (room, _seq) VALUES ('a', 9)", nil},
		{false, "INSERT INTO messages (room) VALUES ('a'), ('b', 1)", nil},
		{false, "INSERT INTO messages (room) VALUES ('a' 'b')", nil},
		{false, "INSERT INTO messages (room) VALUES (UPPER('a'))", nil},
		{false, "INSERT INTO messages (room) VALUES (x'41')", nil},
		{false, "INSERT INTO messages (room) SELECT 'a'", nil},
		{false, "INSERT IGNORE INTO messages (room) VALUES ('a')", nil},
		{false, "INSERT INTO rooms VALUES (1, 'x')", nil}, // read only
		{false, "UPDATE messages SET body = 'y' WHERE room = 'a'", nil},
		{false, "UPDATE messages SET body = CONCAT(body, 'y') WHERE room = 'a'", nil},
		{false, "UPDATE messages SET body = CONCAT('y', body) WHERE room = 'a' AND id = 1", nil},
		{false, "UPDATE messages SET body = CONCAT(body) WHERE room = 'a' AND id = 1", nil},
		{false, "UPDATE messages SET body = CONCAT(body, 1) WHERE room = 'a' AND id = 1", nil},
		{false, "UPDATE messages SET body = CONCAT(body, NULL) WHERE room = 'a' AND id = 1", nil},
		{false, "UPDATE messages SET body = CONCAT(room, 'y') WHERE room = 'a' AND id = 1", nil},
		{false, "UPDATE messages SET at = CONCAT(at, 'y') WHERE room = 'a' AND id = 1", nil},
		{false, "UPDATE messages SET body = CONCAT(body, 'y'), at = DEFAULT WHERE room = 'a' AND id = 1", nil},
		{false, "UPDATE messages SET id = 9 WHERE room = 'a' AND id = 1", nil},
		{false, "UPDATE messages SET body = 'y', body = 'z' WHERE room = 'a' AND id = 1", nil},
		{false, "DELETE FROM messages", nil},
		{false, "DELETE FROM messages WHERE room = 'a' AND id >= 1", nil},
		{false, "DELETE FROM messages WHERE room = ? AND id = 1", nil},
		{false, "DELETE FROM messages WHERE room = $1 AND id = ?", []value.Value{text, n}},
		{false, "SELECT * FROM messages WHERE room >= $1 AND room <= ?", []value.Value{text}},
		{false, "SELECT * FROM messages WHERE room = \x01 AND id = \x01", nil}, // like a shape
		{false, "EXPLAIN SELECT * FROM messages", nil},
	} {
		for range 2 { // planned, then kept
			if a, _ := w.run(alice, c.sql, c.params...); a.handled != c.handled {
				t.Errorf("%s: by a plan %v, want %v", c.sql, a.handled, c.handled)
			}
		}
	}
}

func TestCache_Run_SharesPlansBetweenLiterals(t *testing.T) {
	c := plan.New(plan.Options{})
	w := newWorld(t, c, messages())
	for i := range 10 {
		w.do(alice, fmt.Sprintf("INSERT INTO messages (room, id) VALUES ('%c', %d)", 'a'+i, i))
		w.do(caller{id: "svc", role: ident.RoleService, as: ident.UserID(fmt.Sprint("u", i))},
			fmt.Sprintf("SELECT * FROM chat.u%d.messages WHERE room = 'x'", i))
	}
	if f := c.Figures(); f != (plan.Figures{Hits: 18, Misses: 2, Entries: 2}) {
		t.Errorf("20 statements of 2 shapes: %+v", f)
	}
}

func TestCache_Run_KeepsUsersApart(t *testing.T) {
	w := newWorld(t, plan.New(plan.Options{}), messages(), rooms())
	users := []caller{alice, {id: "bob", role: ident.RoleUser}, {id: "svc", role: ident.RoleService, as: "carol"}}
	shapes := []string{
		"SELECT body FROM messages WHERE room = 'a' AND id = 1",
		"SELECT body FROM messages WHERE room = 'a' ORDER BY id DESC LIMIT 5",
		"SELECT body FROM chat.user.messages",
	}
	for _, u := range users {
		owner := u.id
		if u.as != "" {
			owner = u.as
		}
		w.do(u, "INSERT INTO chat.user.messages (room, id, body) VALUES ('a', 1, ?)", value.NewText(string(owner)))
	}
	var wg sync.WaitGroup
	for _, u := range users {
		owner := string(u.id)
		if u.as != "" {
			owner = string(u.as)
		}
		wg.Go(func() {
			for i := range 200 {
				sql := shapes[i%len(shapes)]
				if i%7 == 0 {
					sql = "SELECT body FROM chat." + owner + ".messages"
				}
				a, _ := w.run(u, sql)
				if want := fmt.Sprintf("Text:%q \n", owner); a.rows != want || !a.handled {
					t.Errorf("%s as %s: rows %q %s, want %q by a plan", sql, owner, a.rows, a.err, want)
				}
				other := "SELECT body FROM chat.mallory.messages"
				if a, _ := w.run(u, other); !strings.Contains(a.err, string(fault.PermissionDenied)) {
					t.Errorf("%s as %s: %+v", other, owner, a)
				}
			}
		})
	}
	wg.Wait()
}

func TestCache_Run_FollowsTheCatalogue(t *testing.T) {
	def := messages()
	w := newWorld(t, plan.New(plan.Options{}), def)
	const all = "SELECT * FROM messages"
	w.do(alice, "INSERT INTO messages (room, id) VALUES ('a', 1)")
	if a := w.do(alice, all); !a.handled || a.rows == "" {
		t.Errorf("the first table: %+v", a)
	}
	next := messages() // dropped and made again, with other columns
	next.ID = 200
	next.Columns = next.Columns[:3]
	w.define(next)
	if a := w.do(alice, all); !a.handled || a.rows != "" || strings.Contains(a.columns, "at") {
		t.Errorf("the second table: %+v", a)
	}
	w.define() // dropped
	if a, _ := w.run(alice, all); a.handled || !strings.Contains(a.err, string(fault.TableNotFound)) {
		t.Errorf("no table: %+v", a)
	}
}

func TestCache_Run_GivesIDs(t *testing.T) {
	def := messages()
	for _, c := range []struct {
		name string
		f    ddl.Func
		t    ddl.Type
	}{{"u", ddl.FuncUUIDv7, kind(value.UUID)}, {"l", ddl.FuncULID, ddl.Type{Kind: value.Text, Length: 26}}} {
		col := column(c.name, c.t)
		col.Default = ddl.FuncDefault(c.f)
		def.Columns = append(def.Columns, col)
	}
	w := newWorld(t, plan.New(plan.Options{}), def)
	a := w.do(alice, `INSERT INTO messages (room, id, u, l) VALUES
		('a', SNOWFLAKE_ID(), UUID_V7(), ULID()), ('a', DEFAULT, DEFAULT, DEFAULT)`)
	if !a.handled || a.affected != 2 {
		t.Fatalf("insert: %+v", a)
	}
	seen := map[string]bool{}
	for _, f := range strings.Fields(w.do(alice, "SELECT id, u, l FROM messages").rows) {
		if seen[f] || strings.HasPrefix(f, "Null") {
			t.Errorf("%s stands twice, or is none", f)
		}
		seen[f] = true
	}
	if len(seen) != 6 {
		t.Errorf("got %d ids, want 6", len(seen))
	}
}

func TestCache_Run_BoundsWhatItRemembers(t *testing.T) {
	c := plan.New(plan.Options{MaxPlans: 20})
	w := newWorld(t, c, messages())
	for i := range 200 {
		w.do(alice, "SELECT room"+strings.Repeat(", room", i)+" FROM messages WHERE room = 'a'")
		w.do(alice, "SELECT id FROM messages WHERE room = 'a'") // is used all the time
	}
	f := c.Figures()
	if f.Entries > 20 || f.Hits < 199 {
		t.Errorf("figures %+v, want at most 20 entries and the other statement always found", f)
	}
}

func TestCache_Run_StopsWithItsContext(t *testing.T) {
	w := newWorld(t, plan.New(plan.Options{}), messages())
	w.do(alice, "INSERT INTO messages (room, id) VALUES ('a', 1)")
	env := w.env(alice, nil)
	defer env.View.Release()
	ctx, cancel := context.WithCancel(t.Context())
	res, handled, err := w.plans.Run(ctx, &dialect.Statement{Text: "SELECT * FROM messages"}, env)
	if err != nil || !handled {
		t.Fatal(handled, err)
	}
	cancel()
	if _, err := res.Rows.Next(ctx); !fault.Is(err, fault.Cancelled) {
		t.Errorf("a row of a cancelled statement: %v", err)
	}
	for range 2 {
		if err := res.Rows.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCache_Run_TellsDamage(t *testing.T) {
	w := newWorld(t, plan.New(plan.Options{}), messages())
	_, writes := w.run(alice, "INSERT INTO messages (room, id) VALUES ('a', 1)")
	payload := writes[0].payload
	writes[0].payload = payload[:len(payload)-1]
	w.apply(writes)
	for _, sql := range []string{
		"SELECT * FROM messages", "SELECT * FROM messages WHERE room = 'a' AND id = 1",
		"SELECT COUNT(at) FROM messages", "SELECT at FROM messages",
		"UPDATE messages SET body = 'x' WHERE room = 'a' AND id = 1",
		"DELETE FROM messages WHERE room = 'a' AND id = 1",
	} {
		if a, _ := w.run(alice, sql); !strings.Contains(a.err, string(fault.Corruption)) || !a.handled {
			t.Errorf("%s on a damaged row: %+v", sql, a)
		}
	}
}

func TestCache_Parse(t *testing.T) {
	c := plan.New(plan.Options{Limits: dialect.Limits{MaxTokens: 8}})
	for range 2 {
		for _, sql := range []string{"SELECT ?", "SELECT 1", "SELECT $1; SELECT 2"} {
			list, err := c.Parse(sql)
			want, _ := dialect.Parse(sql, dialect.Limits{})
			if err != nil || fmt.Sprint(list) != fmt.Sprint(want) {
				t.Errorf("%s: %v %v, want %v", sql, list, err, want)
			}
		}
		if _, err := c.Parse("SELECT ?, ?, ?, ?, ?"); !fault.Is(err, fault.PayloadTooLarge) {
			t.Errorf("a statement above the limit: %v", err)
		}
	}
}

// FuzzCache_Run compares both paths on any text.
func FuzzCache_Run(f *testing.F) {
	for _, s := range []string{
		"SELECT * FROM messages WHERE room = 'a' AND id = 1", "INSERT INTO messages VALUES ('b', 1, NULL, NOW())",
		"UPDATE messages SET body = 'y' WHERE room = 'a' AND id = 1", "DELETE FROM messages WHERE id = 1 AND room = ''",
		`SELECT "body" FROM chat.user.messages WHERE room = 'a' AND id >= -1 ORDER BY id DESC LIMIT 1`,
		"SELECT COUNT(*) FROM chat.alice.messages",
		"SELECT room, COUNT(*), MAX(id), AVG(id) FROM messages WHERE room >= '' GROUP BY room ORDER BY room DESC",
		"INSERT INTO messages (room, id) VALUES ('\\'a', 0), ('b', -0)",
	} {
		f.Add(s)
	}
	direct := newWorld(f, plan.New(plan.Options{MaxPlans: 100}), messages(), rooms())
	plain := newWorld(f, nil, messages(), rooms())
	for _, w := range []*world{direct, plain} {
		w.do(alice, "INSERT INTO messages (room, id, body) VALUES ('a', 1, 'x'), ('a', 2, 'y'), ('', 0, '')")
	}
	f.Fuzz(func(t *testing.T, sql string) {
		for _, made := range []string{"SNOWFLAKE_ID", "UUID_V7", "ULID"} {
			if strings.Contains(strings.ToUpper(sql), made) {
				t.Skip("these ids differ")
			}
		}
		one, other := *direct, *plain
		one.t, other.t = t, t
		a, _ := one.run(alice, sql)
		if !a.handled {
			return
		}
		b, _ := other.run(alice, sql)
		a.handled = false
		if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", b) {
			t.Errorf("%s\n got %+v\nwant %+v", sql, a, b)
		}
	})
}
