package e2e_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/tests/rights"
)

// matrixTables are the tables that rows of the matrix name, and how they are
// made.
var matrixTables = map[string]string{
	"notes":  "CREATE USER TABLE notes (id INT PRIMARY KEY, v TEXT)",
	"news":   "CREATE SHARED TABLE news (id INT PRIMARY KEY, v TEXT) WITH (ACCESS = 'public')",
	"staff":  "CREATE SHARED TABLE staff (id INT PRIMARY KEY, v TEXT) WITH (ACCESS = 'restricted')",
	"vault":  "CREATE SHARED TABLE vault (id INT PRIMARY KEY, v TEXT) WITH (ACCESS = 'private')",
	"typing": "CREATE STREAM TABLE typing (id INT PRIMARY KEY, v TEXT) WITH (TTL = '1h')",
	"board": "CREATE STREAM TABLE board (id INT PRIMARY KEY, v TEXT) " +
		"WITH (TTL = '1h', SCOPE = 'namespace')",
}

var tableName = regexp.MustCompile(`\b(notes|news|staff|vault|typing|board)\b`)

// tablesIn returns the tables that a row names, each once.
func tablesIn(sql string) []string {
	names := tableName.FindAllString(sql, -1)
	slices.Sort(names)
	return slices.Compact(names)
}

func readMatrix(t *testing.T) []rights.Row {
	t.Helper()
	rows, err := rights.Rows()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestRights_everyKindIsInTheMatrix fails by name for a kind of statement, a
// kind of table or a system table that nobody decided about.
func TestRights_everyKindIsInTheMatrix(t *testing.T) {
	byKind := map[string]string{} // its statements
	for _, row := range readMatrix(t) {
		byKind[row.Kind] += row.SQL + "\n"
		stmts, err := dialect.Parse(placeholders.Replace(row.SQL), dialect.Limits{})
		ofKind := func(st dialect.Statement) bool { return st.Kind.String() == row.Kind }
		refused := row.Want[len(row.Want)-1] != rights.OK // it need not parse
		if err == nil && !slices.ContainsFunc(stmts, ofKind) || err != nil && !refused {
			t.Errorf("line %d: %s is no %s: %v", row.Line, row.SQL, row.Kind, err)
		}
	}
	for _, k := range dialect.Kinds() {
		sql := byKind[k.Text]
		if sql == "" {
			t.Errorf("%s has no row in tests/rights/matrix.txt: say there who may run it", k.Text)
			continue
		}
		for name := range matrixTables {
			if ofTables(k) && !slices.Contains(tablesIn(sql), name) {
				t.Errorf("%s has no row with table %s", k.Text, name)
			}
		}
	}
	for _, def := range catalog.SystemTables() {
		if !strings.Contains(byKind["SELECT"], def.FullName()) {
			t.Errorf("SELECT has no row with %s", def.FullName())
		}
	}
}

var placeholders = strings.NewReplacer(
	"{ns}", "m1", "{new}", "n1", "{account}", "a1", "{live}", "live-1")

// ofTables reports whether statements of a kind are about a table that exists.
func ofTables(k dialect.KindInfo) bool {
	switch k.Kind {
	case dialect.CreateUserTable, dialect.CreateSharedTable, dialect.CreateStreamTable,
		dialect.ShowTables:
		return false
	}
	return k.Class == dialect.Read || k.Class == dialect.Write || k.Area == "table" ||
		k.Kind == dialect.Subscribe
}

// TestRights tries every row of the matrix as every caller, over sockets.
func TestRights(t *testing.T) {
	m := newRightsWorld(t)
	for _, row := range readMatrix(t) {
		m.tryRow(t, row)
	}
}

// Nobody is system: it has no account, no password and no token.
func TestRights_nobodyIsSystem(t *testing.T) {
	m := newRightsWorld(t)
	claims := blackbox.AccessClaims("system", time.Now())
	asRole := blackbox.AccessClaims("alice", time.Now())
	asRole.Role = "system"
	bearer := func(c blackbox.Claims) string { return "Bearer " + blackbox.Sign(c, blackbox.JWTSecret) }
	for name, authorization := range map[string]string{
		"by password":        blackbox.Basic("system", accountPassword),
		"by no password":     blackbox.Basic("system", ""),
		"by root's password": blackbox.Basic("system", blackbox.RootPassword),
		"by token":           bearer(claims),
		"by role":            bearer(asRole),
	} {
		c := &blackbox.Client{URL: m.server.URL, Authorization: authorization}
		if name == "by role" { // a token's role gives an account nothing
			testkit.WantCode(t, c, "CREATE NAMESPACE no", "INVALID_CREDENTIALS", "PERMISSION_DENIED")
			continue
		}
		testkit.WantCode(t, c, "SELECT 1", "INVALID_CREDENTIALS")
	}
	for _, body := range []string{
		`{"user": "system", "password": ""}`, `{"user": "SYSTEM", "password": "a-long-password"}`,
	} {
		c := &blackbox.Client{URL: m.server.URL}
		a, err := c.Post(t.Context(), "/v1/api/auth/login", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if a.Error == nil || a.HTTP != 401 || a.Error.Code != "INVALID_CREDENTIALS" {
			t.Errorf("login %s: got %d %+v", body, a.HTTP, a.Error)
		}
	}
}
