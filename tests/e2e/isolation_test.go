package e2e_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// The ids are chosen to be mistaken for one another: by case, as a prefix, by
// what escapes and separators do to them.
var mistakable = []string{
	"alice", "Alice", "alice2", "alic", "alice@example.com", "auth0|alice", "ali/ce", "ali%2fce",
	"ālice", "a.lice",
}

// isolated is a table in which each user has the rows (1, name) and (2, name).
type isolated struct {
	server *testkit.Server
	ns     string
	users  map[string]*blackbox.Client
}

func newIsolated(t *testing.T) isolated {
	t.Helper()
	s := testkit.Start(t)
	in := isolated{server: s, ns: s.Namespace(t), users: map[string]*blackbox.Client{}}
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+in.ns+".notes "+
		"(id BIGINT PRIMARY KEY, body TEXT NOT NULL)")
	for _, u := range mistakable {
		in.users[u] = s.User(t, u)
		testkit.Must(t, in.users[u], "INSERT INTO "+in.ns+".notes (id, body) VALUES (1, $1), (2, $1)",
			"of "+u)
	}
	return in
}

// check fails when any user's rows are not as they were made.
func (in isolated) check(t *testing.T) {
	t.Helper()
	for u, c := range in.users {
		testkit.WantRows(t, c, "SELECT id, body FROM "+in.ns+".notes",
			[]string{"1", "of " + u}, []string{"2", "of " + u})
	}
}

// quoted is a user id as the middle part of a three-part name.
func quoted(user string) string { return `"` + strings.ReplaceAll(user, `"`, `""`) + `"` }

func TestIsolation_eachUserSeesTheirOwnRows(t *testing.T) {
	in := newIsolated(t)
	in.check(t)
	for u, c := range in.users {
		mine := []string{"1", "of " + u}
		for _, table := range []string{in.ns + ".user.notes", in.ns + "." + quoted(u) + ".notes"} {
			testkit.WantRows(t, c, "SELECT id, body FROM "+table+" WHERE id = 1", mine)
		}
		testkit.WantRows(t, c, "SELECT COUNT(*) FROM "+in.ns+".notes", []string{"2"})
		testkit.WantRows(t, c, "SELECT id, body FROM "+in.ns+".notes WHERE id < 2 OR 1 = 1 LIMIT 1", mine)
	}
}

func TestIsolation_anotherUsersRowsAreOutOfReach(t *testing.T) {
	in := newIsolated(t)
	for _, u := range mistakable[:4] {
		for _, other := range append(slices.Clone(mistakable), "nobody-of-that-name", "root") {
			if other == u {
				continue
			}
			for _, sql := range reaches(in.ns, other) {
				testkit.WantCode(t, in.users[u], sql, "PERMISSION_DENIED")
			}
			testkit.WantCode(t, in.users[u].WithUser(other), "SELECT * FROM "+in.ns+".notes",
				"PERMISSION_DENIED")
		}
	}
	in.check(t)
}

// reaches are the ways in which a statement can name another user's table.
func reaches(ns, other string) []string {
	theirs := ns + "." + quoted(other) + ".notes"
	mine := ns + ".notes"
	as := func(sql string) string { return "EXECUTE AS USER '" + other + "' (" + sql + ")" }
	return []string{
		"SELECT * FROM " + theirs,
		"SELECT COUNT(*) FROM " + theirs,
		"SELECT * FROM " + mine + " m JOIN " + theirs + " t ON m.id = t.id",
		"SELECT * FROM " + mine + " WHERE id IN (SELECT id FROM " + theirs + ")",
		"SELECT (SELECT body FROM " + theirs + " WHERE id = 1)",
		"SELECT id FROM " + mine + " UNION ALL SELECT id FROM " + theirs,
		"WITH t AS (SELECT * FROM " + theirs + ") SELECT * FROM t",
		"SELECT * FROM " + mine + " WHERE EXISTS (SELECT 1 FROM " + theirs + " WHERE id = 1)",
		"INSERT INTO " + theirs + " (id, body) VALUES (3, 'intruder')",
		"INSERT INTO " + mine + " (id, body) SELECT id + 10, body FROM " + theirs,
		"INSERT INTO " + theirs + " (id, body) SELECT id + 10, body FROM " + mine,
		"UPDATE " + theirs + " SET body = 'intruder'",
		"UPDATE " + mine + " SET body = (SELECT MAX(body) FROM " + theirs + ")",
		"DELETE FROM " + theirs,
		"DELETE FROM " + mine + " WHERE id IN (SELECT id FROM " + theirs + ")",
		as("SELECT * FROM " + mine),
		as("INSERT INTO " + mine + " (id, body) VALUES (3, 'intruder')"),
		as("DELETE FROM " + mine),
	}
}

// Names that a user could guess from how others are written inside the server.
func TestIsolation_guessedNamesReachNothing(t *testing.T) {
	in := newIsolated(t)
	alice := in.users["alice"]
	hidden := []string{"PERMISSION_DENIED", "NAMESPACE_NOT_FOUND", "TABLE_NOT_FOUND", "INVALID_SQL",
		"INVALID_PARAMETER", "UNSUPPORTED"}
	for _, other := range mistakable[1:] {
		code := hex.EncodeToString([]byte(other))
		for _, db := range []string{"@" + code, "." + other, "/" + other, "$" + code, "_" + code} {
			for _, quote := range []string{`"`, "`"} {
				name := quote + in.ns + db + quote
				testkit.WantCode(t, alice, "SELECT * FROM "+name+".notes", hidden...)
				testkit.WantCode(t, alice, "INSERT INTO "+name+".notes (id, body) VALUES (3, 'x')", hidden...)
				testkit.WantCode(t, alice, "DELETE FROM "+name+".notes", hidden...)
				testkit.WantCode(t, alice, "USE "+name+"; SELECT * FROM notes", hidden...)
			}
		}
	}
	for _, sql := range []string{
		"SELECT * FROM information_schema.tables", "SELECT * FROM information_schema.schemata",
		"SELECT * FROM information_schema.processlist", "SHOW DATABASES", "SHOW PROCESSLIST",
		"SELECT * FROM mysql.user", "SHOW NAMESPACES", "SHOW TABLES IN " + in.ns,
	} {
		r, err := alice.SQL(t.Context(), sql)
		if err != nil {
			continue // refused is fine
		}
		if text := fmt.Sprint(r.Rows); strings.Contains(text, "alice2") ||
			strings.Contains(text, hex.EncodeToString([]byte("alice2"))) {
			t.Errorf("%s shows %s", sql, text)
		}
	}
	in.check(t)
}

func TestIsolation_writesStayWithTheirUser(t *testing.T) {
	in := newIsolated(t)
	alice := in.users["alice"]
	testkit.Must(t, alice, "UPDATE "+in.ns+".notes SET body = 'changed' WHERE id > 0")
	testkit.Must(t, alice, "DELETE FROM "+in.ns+".notes WHERE body = 'changed' AND id = 1")
	testkit.WantRows(t, alice, "SELECT id, body FROM "+in.ns+".notes", []string{"2", "changed"})
	testkit.Must(t, alice, "DELETE FROM "+in.ns+".notes")
	testkit.WantRows(t, alice, "SELECT * FROM "+in.ns+".notes")
	delete(in.users, "alice")
	in.check(t)
}

func TestIsolation_actingForAUser(t *testing.T) {
	in := newIsolated(t)
	root, ns := in.server.Root(), in.ns
	testkit.Must(t, root, "CREATE USER 'worker_"+ns+"' WITH PASSWORD 'worker-password' ROLE service")
	worker := &blackbox.Client{
		URL: root.URL, Authorization: blackbox.Basic("worker_"+ns, "worker-password")}

	for name, c := range map[string]*blackbox.Client{"dba": root, "service": worker} {
		t.Run("a "+name+" acts for one user at a time", func(t *testing.T) {
			for _, u := range mistakable {
				mine := []string{"of " + u}
				testkit.WantRows(t, c.WithUser(u), "SELECT body FROM "+ns+".notes WHERE id = 1", mine)
				testkit.WantRows(t, c.WithUser(u), "SELECT body FROM "+ns+".user.notes WHERE id = 2", mine)
				testkit.WantRows(t, c, "SELECT body FROM "+ns+"."+quoted(u)+".notes WHERE id = 1", mine)
				testkit.WantRows(t, c, "EXECUTE AS USER '"+u+"' (SELECT body FROM "+ns+
					".notes WHERE id = 2)", mine)
			}
		})
		t.Run("a "+name+" sees nobody's rows without saying whose", func(t *testing.T) {
			testkit.WantRows(t, c, "SELECT * FROM "+ns+".notes")
			testkit.WantCode(t, c, "SELECT * FROM "+ns+".user.notes", "USER_REQUIRED")
		})
	}
	testkit.WantCode(t, worker.WithUser("root"), "SELECT 1", "PERMISSION_DENIED")
	testkit.WantCode(t, worker, "EXECUTE AS USER 'root' (SELECT 1)", "PERMISSION_DENIED")
}

func TestIsolation_subscriptions(t *testing.T) {
	in := newIsolated(t)
	alice, ns := in.users["alice"], in.ns
	socket := testkit.Dial(t, alice)

	for i, sql := range []string{
		"SELECT * FROM " + ns + `."Alice".notes`,
		"SELECT * FROM " + ns + ".alic.notes",
		"SELECT * FROM " + ns + ".nobody.notes",
		"SELECT id FROM " + ns + `."auth0|alice".notes WHERE id > 0`,
	} {
		id := fmt.Sprintf("bad%d", i)
		subscribe(t, socket, id, sql)
		if m := read(t, socket); m.Type != "error" || m.SubscriptionID != id ||
			m.Code != "PERMISSION_DENIED" {
			t.Errorf("%s: got %s", sql, m.Raw)
		}
	}

	subscribe(t, socket, "own", "SELECT id, body FROM "+ns+".notes")
	if rows := snapshot(t, socket, "own"); len(rows) != 2 {
		t.Fatalf("snapshot has %v", rows)
	}
	for _, u := range mistakable[1:] {
		testkit.Must(t, in.users[u], "INSERT INTO "+ns+".notes (id, body) VALUES (7, 'not alice')")
	}
	testkit.Must(t, alice, "INSERT INTO "+ns+".notes (id, body) VALUES (8, 'alice')")
	m := nextChange(t, socket)
	if len(m.Rows) != 1 || m.Rows[0]["body"] != "alice" {
		t.Errorf("alice was told %s", m.Raw)
	}
}

// What a role user reads of the system names nobody else.
func TestIsolation_systemTablesNameNobodyElse(t *testing.T) {
	in := newIsolated(t)
	socket := testkit.Dial(t, in.users["auth0|alice"])
	subscribe(t, socket, "s", "SELECT * FROM "+in.ns+".notes")
	snapshot(t, socket, "s")

	bob := in.server.User(t, "bob")
	for _, table := range []string{"users", "live_queries", "partitions", "settings", "stats"} {
		r, err := bob.SQL(t.Context(), "SELECT * FROM system."+table)
		var e *blackbox.Error
		if errors.As(err, &e) {
			if e.Code != "PERMISSION_DENIED" && e.Code != "TABLE_NOT_FOUND" {
				t.Errorf("system.%s: %v", table, e)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(r.Rows); strings.Contains(text, "auth0|alice") ||
			strings.Contains(text, "argon2") || strings.Contains(text, blackbox.JWTSecret) {
			t.Errorf("system.%s shows bob %s", table, text)
		}
	}
}

const patience = 20 * time.Second
