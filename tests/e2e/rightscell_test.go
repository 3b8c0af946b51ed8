package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/tests/rights"
)

const accountPassword = "a-long-password"

// rightsWorld is a server with the accounts of the matrix.
type rightsWorld struct {
	server *testkit.Server
	root   *blackbox.Client
	made   int // namespaces so far, and names made from their number
}

func newRightsWorld(t *testing.T) *rightsWorld {
	s := testkit.Start(t, "KALAMDB_STORAGE_ENGINE=memory", "KALAMDB_STORAGE_SHARDS=2")
	s.Process(t) // its accounts are changed
	m := &rightsWorld{server: s, root: s.Root()}
	for id, role := range map[string]string{
		"alice": "user", "bob": "user", "sam": "service", "dana": "dba", "gone": "user",
	} {
		m.account(t, id, role)
	}
	testkit.Must(t, m.root, "DROP USER 'gone'")
	return m
}

func (m *rightsWorld) account(t *testing.T, id, role string) {
	t.Helper()
	testkit.Must(t, m.root, fmt.Sprintf(
		"CREATE USER '%s' WITH PASSWORD '%s' ROLE %s", id, accountPassword, role))
}

func (m *rightsWorld) client(caller string) *blackbox.Client {
	switch caller {
	case rights.Anonymous:
		return &blackbox.Client{URL: m.server.URL}
	case rights.Root:
		return m.root
	}
	return &blackbox.Client{
		URL: m.server.URL, Authorization: blackbox.Basic(caller, accountPassword),
	}
}

// place is a namespace for a row, with its tables.
type place struct {
	ns, fresh, account, live string
}

// newPlace makes a namespace with tables of one row, and what else the row
// names.
func (m *rightsWorld) newPlace(t *testing.T, row rights.Row, tables []string) place {
	t.Helper()
	m.made++
	p := place{ns: fmt.Sprintf("m%05d", m.made), fresh: fmt.Sprintf("n%05d", m.made)}
	var sql strings.Builder
	fmt.Fprintf(&sql, "CREATE NAMESPACE %s; USE %[1]s;", p.ns)
	for _, name := range tables {
		insert := "INSERT INTO " + name + " (id, v) VALUES (1, 'x')"
		sql.WriteString(matrixTables[name] + ";" + insert + ";")
		if name == "notes" || name == "typing" {
			sql.WriteString("EXECUTE AS USER 'alice' (" + insert + ");")
		}
	}
	testkit.Must(t, m.root, sql.String())
	if strings.Contains(row.SQL+row.As, "{account}") {
		p.account = fmt.Sprintf("a%05d", m.made)
		m.account(t, p.account, "user")
	}
	if strings.Contains(row.SQL, "{live}") {
		p.live = m.follow(t, p.ns)
	}
	return p
}

// follow opens a live query of alice and returns its id.
func (m *rightsWorld) follow(t *testing.T, ns string) string {
	t.Helper()
	socket := testkit.Dial(t, m.client("alice"))
	subscribe(t, socket, "s", "SELECT * FROM "+ns+".notes")
	snapshot(t, socket, "s")
	rows := testkit.Must(t, m.root,
		"SELECT id FROM system.live_queries WHERE namespace = '"+ns+"'").Strings()
	if len(rows) != 1 {
		t.Fatalf("live queries of %s: %v", ns, rows)
	}
	return rows[0][0]
}

func (p place) fill(s string) string {
	return strings.NewReplacer("{ns}", p.ns, "{new}", p.fresh, "{account}", p.account,
		"{live}", p.live).Replace(s)
}

// blank takes out of an answer what only the place's names make of it.
func (p place) blank(s string) string {
	names := []string{p.ns, "NS", p.fresh, "NEW"}
	if p.live != "" {
		names = append(names, p.live, "LIVE")
	}
	return strings.NewReplacer(names...).Replace(s)
}

// heard is what a caller was answered.
type heard struct {
	code fault.Code
	as   string // acting user of the last result
	text string // the whole answer without the place's names and the time it took
}

// places are those of a row, by the tables that are in them. One that a
// statement has changed is used no more.
type places map[string]place

// of returns the row's place with some tables.
func (ps places) of(t *testing.T, m *rightsWorld, row rights.Row, tables []string) place {
	t.Helper()
	key := strings.Join(tables, " ")
	p, ok := ps[key]
	if !ok {
		p = m.newPlace(t, row, tables)
		ps[key] = p
	}
	return p
}

// tryRow tries a row as every caller.
func (m *rightsWorld) tryRow(t *testing.T, row rights.Row) {
	t.Helper()
	ps, changing := places{}, changes(row)
	for i, caller := range rights.Callers {
		got := m.tryCell(t, ps, row, caller, row.Want[i])
		if changing && got.code == rights.OK {
			clear(ps)
		}
	}
}

// tryCell tries a row as one caller, who is to hear want.
func (m *rightsWorld) tryCell(t *testing.T, ps places, row rights.Row, caller string,
	want fault.Code,
) heard {
	t.Helper()
	p := ps.of(t, m, row, tablesIn(row.SQL))
	got := m.try(t, p, row, caller)
	at := fmt.Sprintf("line %d: [%s] %s as %s", row.Line, row.Kind, row.SQL, caller)
	if row.As != "" {
		at += " for " + row.As
	}
	as := actingFor(p, row)
	switch {
	case got.code != want:
		t.Errorf("%s:\n got %s\nwant %q", at, got.text, rights.Word(want))
		return got
	case as != "" && got.code == rights.OK && !row.Socket && got.as != as:
		t.Errorf("%s: done as %q", at, got.as)
	}
	m.tellsNothing(t, ps, row, caller, at, got)
	return got
}

// tellsNothing checks that an answer is the same as if what the caller may not
// know of were not there.
func (m *rightsWorld) tellsNothing(t *testing.T, ps places, row rights.Row, caller, at string,
	got heard,
) {
	t.Helper()
	same := func(p place, row rights.Row, what string) {
		t.Helper()
		if other := m.try(t, p, row, caller); other.text != got.text {
			t.Errorf("%s tells whether there is %s:\n got %s\nelse %s", at, what, got.text, other.text)
		}
	}
	tables := tablesIn(row.SQL)
	p := ps.of(t, m, row, tables)
	shown := slices.DeleteFunc(slices.Clone(tables), func(name string) bool {
		return hidden(caller, name)
	})
	if len(shown) < len(tables) {
		same(ps.of(t, m, row, shown), row, "a table")
	}
	if got.code == fault.NotFound && p.live != "" {
		p.live = strings.Repeat("0", len(p.live))
		same(p, row, "a live query")
	}
	if ofUser := caller == "alice" || caller == "bob"; ofUser && got.code == fault.PermissionDenied {
		row.SQL = nameNobody(row.SQL)
		if row.As != caller {
			row.As = nameNobody(row.As)
		}
		same(p, row, "a user")
	}
}

var userName = regexp.MustCompile(`\b(alice|sam|dana|root|gone)\b`)

func nameNobody(s string) string { return userName.ReplaceAllString(s, "nobody") }

// hidden reports whether a caller who is known may not know of a table.
func hidden(caller, table string) bool {
	switch caller {
	case "alice", "bob":
		return table == "staff" || table == "vault"
	case "sam":
		return table == "vault"
	}
	return false
}

// changes reports whether a row, where it is allowed, may change its place.
func changes(row rights.Row) bool {
	stmts, err := dialect.Parse(placeholders.Replace(row.SQL), dialect.Limits{})
	return err == nil && slices.ContainsFunc(stmts, func(st dialect.Statement) bool {
		c := st.Kind.Info().Class
		return c != dialect.Read && c != dialect.Session || st.Kind == dialect.KillLiveQuery
	})
}

// actingFor returns the user that a row acts for, "" for the caller.
func actingFor(p place, row rights.Row) string {
	stmts, err := dialect.Parse(p.fill(row.SQL), dialect.Limits{})
	if err == nil && stmts[0].As != "" {
		return string(stmts[0].As)
	}
	return p.fill(row.As)
}

// try sends a row's statement as a caller.
func (m *rightsWorld) try(t *testing.T, p place, row rights.Row, caller string) heard {
	t.Helper()
	c := *m.client(caller)
	c.As, c.Namespace = p.fill(row.As), p.ns
	var got heard
	if row.Socket {
		got = trySocket(t, &c, p.fill(row.SQL))
	} else {
		got = tryHTTP(t, &c, p.fill(row.SQL))
	}
	got.text, got.as = nameNobody(p.blank(got.text)), p.blank(got.as)
	return got
}

func tryHTTP(t *testing.T, c *blackbox.Client, sql string) (got heard) {
	t.Helper()
	a, err := c.Do(t.Context(), blackbox.Request{SQL: sql, Namespace: c.Namespace})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	a.Took = ""
	if a.Error != nil {
		got.code = fault.Code(a.Error.Code)
	} else if n := len(a.Results); n > 0 {
		got.as = a.Results[n-1].AsUser
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	got.text = fmt.Sprintf("%d %s", a.HTTP, text)
	return got
}

// trySocket subscribes on a socket of its own; a refused upgrade counts as the
// answer.
func trySocket(t *testing.T, c *blackbox.Client, sql string) heard {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	socket, err := blackbox.Dial(ctx, c.URL, c.Header())
	var refused *blackbox.Error
	if errors.As(err, &refused) {
		return heard{code: fault.Code(refused.Code), text: refused.Error()}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	subscribe(t, socket, "s", sql)
	m := read(t, socket)
	return heard{code: fault.Code(m.Code), text: string(m.Raw)}
}
