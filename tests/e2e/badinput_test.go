package e2e_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// newBad starts a server with a table of one row for bad statements about it.
func newBad(t *testing.T) (s *testkit.Server, alice *blackbox.Client, ns string) {
	t.Helper()
	s = testkit.Start(t)
	ns = s.Namespace(t)
	alice = s.User(t, "alice")
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+ns+".t (id BIGINT PRIMARY KEY, "+
		"name TEXT NOT NULL, small TINYINT, day DATE, price DECIMAL(6,2), ok BOOLEAN)")
	testkit.Must(t, s.Root(), "CREATE SHARED TABLE "+ns+".news (id BIGINT PRIMARY KEY) "+
		"WITH (ACCESS = 'public')")
	testkit.Must(t, alice, "INSERT INTO "+ns+".t (id, name) VALUES (1, 'one')")
	alice.Namespace = ns
	t.Cleanup(func() {
		if !t.Failed() {
			testkit.WantRows(t, alice, "SELECT id, name FROM "+ns+".t", []string{"1", "one"})
		}
	})
	return s, alice, ns
}

func TestBadInput_statements(t *testing.T) {
	s, alice, ns := newBad(t)
	big := func(part string, n int) string { return strings.Repeat(part, n) }
	cases := []struct {
		name, sql string
		codes     []string
	}{
		{"nothing", "", []string{"EMPTY_SQL"}},
		{"only a comment", "-- nothing", []string{"EMPTY_SQL"}},
		{"no SQL at all", "hello there", []string{"INVALID_SQL"}},
		{"an open string", "SELECT 'abc", []string{"INVALID_SQL"}},
		{"an unknown table", "SELECT * FROM t2", []string{"TABLE_NOT_FOUND"}},
		{"an unknown namespace", "SELECT * FROM nowhere.t", []string{"NAMESPACE_NOT_FOUND", "TABLE_NOT_FOUND"}},
		{"an unknown column", "SELECT nam FROM t", []string{"COLUMN_NOT_FOUND"}},
		{"an unknown column in WHERE", "SELECT id FROM t WHERE nam = 1", []string{"COLUMN_NOT_FOUND"}},
		{"an unknown column in INSERT", "INSERT INTO t (id, nam) VALUES (2, 'x')", []string{"COLUMN_NOT_FOUND"}},
		{"an unknown column in UPDATE", "UPDATE t SET nam = 1", []string{"COLUMN_NOT_FOUND"}},
		{"text for a number", "INSERT INTO t (id, name) VALUES ('two', 'x')", []string{"TYPE_MISMATCH"}},
		{"text for a date", "INSERT INTO t (id, name, day) VALUES (2, 'x', 'soon')", []string{"TYPE_MISMATCH"}},
		{"a number out of range", "INSERT INTO t (id, name, small) VALUES (2, 'x', 300)", []string{"VALUE_OUT_OF_RANGE"}},
		{"a decimal out of range", "INSERT INTO t (id, name, price) VALUES (2, 'x', 12345.67)", []string{"VALUE_OUT_OF_RANGE"}},
		{"a duplicate key", "INSERT INTO t (id, name) VALUES (2, 'x'), (1, 'x')", []string{"DUPLICATE_KEY"}},
		{"a duplicate key in one statement", "INSERT INTO t (id, name) VALUES (2, 'x'), (2, 'y')", []string{"DUPLICATE_KEY"}},
		{"NULL in NOT NULL", "INSERT INTO t (id, name) VALUES (2, NULL)", []string{"NOT_NULL_VIOLATION"}},
		{"NOT NULL left out", "INSERT INTO t (id) VALUES (2)", []string{"NOT_NULL_VIOLATION"}},
		{"NULL into NOT NULL by UPDATE", "UPDATE t SET name = NULL WHERE id = 1", []string{"NOT_NULL_VIOLATION"}},
		{"a NULL key", "INSERT INTO t (id, name) VALUES (NULL, 'x')", []string{"NOT_NULL_VIOLATION"}},
		{"a write to a system column", "UPDATE t SET _seq = 1 WHERE id = 1",
			[]string{"INVALID_SQL", "UNSUPPORTED", "COLUMN_NOT_FOUND", "INVALID_PARAMETER"}},
		{"INTO OUTFILE", "SELECT * FROM t INTO OUTFILE '/tmp/kalam-out'", []string{"UNSUPPORTED", "INVALID_SQL"}},
		{"INTO DUMPFILE", "SELECT name FROM t INTO DUMPFILE '/tmp/kalam-out'", []string{"UNSUPPORTED", "INVALID_SQL"}},
		{"LOAD_FILE", "SELECT LOAD_FILE('/etc/passwd')", []string{"UNSUPPORTED"}},
		{"LOAD DATA", "LOAD DATA INFILE '/etc/passwd' INTO TABLE t", []string{"UNSUPPORTED", "INVALID_SQL"}},
		{"SLEEP", "SELECT SLEEP(100)", []string{"UNSUPPORTED"}},
		{"SLEEP in a filter", "SELECT id FROM t WHERE SLEEP(100) = 0", []string{"UNSUPPORTED"}},
		{"GET_LOCK", "SELECT GET_LOCK('a', 100)", []string{"UNSUPPORTED"}},
		{"BENCHMARK", "SELECT BENCHMARK(1000000000, 1 + 1)", []string{"UNSUPPORTED", "INVALID_SQL"}},
		{"KILL", "KILL 1", []string{"UNSUPPORTED", "INVALID_SQL", "NOT_FOUND"}},
		{"LOCK TABLES", "LOCK TABLES t WRITE", []string{"UNSUPPORTED", "INVALID_SQL"}},
		{"SET GLOBAL", "SET GLOBAL max_connections = 1", []string{"UNSUPPORTED"}},
		{"CALL", "CALL anything()", []string{"UNSUPPORTED"}},
		{"CREATE DATABASE", "CREATE DATABASE x", []string{"UNSUPPORTED", "INVALID_SQL"}},
		{"CREATE VIEW", "CREATE VIEW v AS SELECT 1", []string{"UNSUPPORTED", "INVALID_SQL"}},
		{"CREATE PROCEDURE", "CREATE PROCEDURE p() SELECT 1", []string{"UNSUPPORTED", "INVALID_SQL"}},
		{"a 300 MB REPEAT", "SELECT REPEAT('x', 300000000)", []string{"RESULT_TOO_LARGE"}},
		{"a 300 MB REPEAT inside", "SELECT LENGTH(REPEAT('x', 300000000))", []string{"RESULT_TOO_LARGE"}},
		{"a REPEAT of REPEAT", "SELECT REPEAT(REPEAT('x', 30000), 30000)", []string{"RESULT_TOO_LARGE"}},
		{"padding to 300 MB", "SELECT LPAD('x', 300000000, 'y')", []string{"RESULT_TOO_LARGE"}},
		{"spaces of 300 MB", "SELECT SPACE(300000000)", []string{"RESULT_TOO_LARGE", "UNSUPPORTED"}},
		{"a million parentheses", "SELECT " + big("(", 1e6) + "1" + big(")", 1e6), tooMuch},
		{"many parentheses", "SELECT " + big("(", 1e5) + "1" + big(")", 1e5), tooMuch},
		{"a million NOT", "SELECT " + big("NOT ", 1e6) + "1", tooMuch},
		{"many NOT", "SELECT " + big("NOT ", 1e5) + "1", tooMuch},
		{"many additions", "SELECT 1" + big(" + 1", 2e5), tooMuch},
		{"many conjunctions", "SELECT 1" + big(" AND 1", 1e5), tooMuch},
		{"many minus signs", "SELECT " + big("- ", 2e5) + "1", tooMuch},
		{"many nested CASE", "SELECT " + big("CASE WHEN 1 THEN ", 4e4) + "1" + big(" END", 4e4), tooMuch},
		{"many nested subqueries", "SELECT " + big("(SELECT ", 5e4) + "1" + big(")", 5e4), tooMuch},
		{"many statements", big("SELECT 1;", 1e5), tooMuch},
		{"a dba's statement", "CREATE NAMESPACE mine", []string{"PERMISSION_DENIED"}},
		{"a table of a user", "CREATE USER TABLE t3 (id BIGINT PRIMARY KEY)", []string{"PERMISSION_DENIED"}},
		{"an account by a user", "CREATE USER 'x' WITH PASSWORD 'yyyyyyyyyyyy' ROLE dba", []string{"PERMISSION_DENIED"}},
		{"a write to public news", "INSERT INTO news (id) VALUES (1)", []string{"PERMISSION_DENIED"}},
		{"a write to a system table", "DELETE FROM system.users",
			[]string{"PERMISSION_DENIED", "UNSUPPORTED"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			testkit.WantCode(t, alice, c.sql, c.codes...)
			testkit.WantRows(t, alice, "SELECT 1", []string{"1"})
		})
	}
	t.Run("DDL that is wrong", func(t *testing.T) {
		root := s.Root()
		testkit.WantCode(t, root, "CREATE NAMESPACE "+ns, "ALREADY_EXISTS")
		testkit.WantCode(t, root, "CREATE NAMESPACE system", "ALREADY_EXISTS", "INVALID_PARAMETER")
		testkit.WantCode(t, root, "CREATE USER TABLE "+ns+".t (id BIGINT PRIMARY KEY)", "ALREADY_EXISTS")
		testkit.WantCode(t, root, "CREATE USER TABLE "+ns+".u (id BIGINT)", "INVALID_SQL", "INVALID_PARAMETER")
		testkit.WantCode(t, root, "CREATE USER TABLE "+ns+".u (id BIGINT PRIMARY KEY, id TEXT)",
			"ALREADY_EXISTS", "INVALID_SQL", "INVALID_PARAMETER")
		testkit.WantCode(t, root, "CREATE USER TABLE "+ns+".u (_seq BIGINT PRIMARY KEY)",
			"INVALID_PARAMETER", "INVALID_SQL")
		testkit.WantCode(t, root, "CREATE USER TABLE "+ns+".u (id BIGINT PRIMARY KEY) WITH (COLOUR = 'red')",
			"INVALID_PARAMETER")
		testkit.WantCode(t, root, "DROP NAMESPACE "+ns, "NOT_EMPTY")
		testkit.WantCode(t, root, "DROP TABLE "+ns+".nothing", "TABLE_NOT_FOUND")
		testkit.WantCode(t, root, "DROP USER 'nobody-here'", "USER_NOT_FOUND")
		testkit.WantCode(t, root, "CREATE USER '../etc' WITH PASSWORD '' ROLE user", "INVALID_PARAMETER")
	})
}

// tooMuch are the codes for statements beyond a limit.
var tooMuch = []string{"INVALID_SQL", "PAYLOAD_TOO_LARGE"}

func TestBadInput_requests(t *testing.T) {
	_, alice, _ := newBad(t)
	cases := []struct {
		name, body string
		status     int
		code       string
	}{
		{"no JSON", `{"sql": `, 400, "MALFORMED_REQUEST"},
		{"another JSON", `[1, 2]`, 400, "MALFORMED_REQUEST"},
		{"text behind", `{"sql": "SELECT 1"} and more`, 400, "MALFORMED_REQUEST"},
		{"a key twice", `{"sql": "SELECT 1", "sql": "SELECT 2"}`, 400, "MALFORMED_REQUEST"},
		{"a key twice in a parameter", `{"sql": "SELECT $1", "params": [{"a": 1, "a": 2}]}`, 400, "MALFORMED_REQUEST"},
		{"a wrong type", `{"sql": 7}`, 400, "MALFORMED_REQUEST"},
		{"invalid UTF-8", "{\"sql\": \"SELECT '\xff\xfe'\"}", 400, "MALFORMED_REQUEST"},
		{"nothing", ``, 400, "MALFORMED_REQUEST"},
		{"too few parameters", `{"sql": "SELECT $1, $2", "params": [1]}`, 400, "INVALID_PARAMETER"},
		{"too many parameters", `{"sql": "SELECT $1", "params": [1, 2]}`, 400, "INVALID_PARAMETER"},
		{"parameters for two statements", `{"sql": "SELECT $1; SELECT $1", "params": [1]}`, 400, "INVALID_PARAMETER"},
		{"deep JSON", strings.Repeat(`{"a":`, 100000), 400, "MALFORMED_REQUEST"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, err := alice.Post(t.Context(), "/v1/api/sql", "application/json", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if a.Error == nil || a.HTTP != c.status || a.Error.Code != c.code {
				t.Errorf("got %d %+v, want %d %s", a.HTTP, a.Error, c.status, c.code)
			}
		})
	}
	t.Run("a body of 100 MB", func(t *testing.T) {
		body := io.LimitReader(spaces{}, 100<<20)
		a, err := alice.Post(t.Context(), "/v1/api/sql", "application/json", body)
		if err != nil {
			t.Logf("the server hung up on it: %v", err)
		} else if a.Error == nil || a.HTTP != 413 || a.Error.Code != "PAYLOAD_TOO_LARGE" {
			t.Errorf("got %d %+v", a.HTTP, a.Error)
		}
		testkit.WantRows(t, alice, "SELECT 1", []string{"1"})
	})
	t.Run("a path that is not there", func(t *testing.T) {
		resp, err := http.Get(alice.URL + "/v1/api/nothing")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 404 {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
	t.Run("a failure says which statement and where", func(t *testing.T) {
		a, err := alice.Do(t.Context(), blackbox.Request{SQL: "SELECT 1; SELECT 2; SELECT * FROM nowhere.x"})
		if err != nil {
			t.Fatal(err)
		}
		if a.Error == nil || a.Error.Statement != 3 || len(a.Results) != 2 {
			t.Errorf("got %d results, error %+v", len(a.Results), a.Error)
		}
	})
}

// spaces reads as white space without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestBadInput_credentials(t *testing.T) {
	s, alice, _ := newBad(t)
	s.Process(t) // the secret must be known
	now := time.Now()
	claims := func(change func(*blackbox.Claims)) blackbox.Claims {
		c := blackbox.AccessClaims("alice", now)
		change(&c)
		return c
	}
	good := blackbox.AccessClaims("alice", now)
	expired := claims(func(c *blackbox.Claims) { c.IssuedAt -= 7200; c.ExpiresAt -= 7200 })
	refresh := claims(func(c *blackbox.Claims) { c.Type = "refresh" })
	dba := claims(func(c *blackbox.Claims) { c.Subject, c.Role = "stranger", "dba" })
	system := claims(func(c *blackbox.Claims) { c.Subject, c.Role = "stranger", "system" })
	signed := func(c blackbox.Claims) string { return "Bearer " + blackbox.Sign(c, blackbox.JWTSecret) }
	cut := signed(good)

	cases := []struct {
		name, authorization string
		codes               []string
	}{
		{"none", "", []string{"AUTH_REQUIRED"}},
		{"no known scheme", "Digest abc", []string{"INVALID_CREDENTIALS", "AUTH_REQUIRED"}},
		{"no token", "Bearer ", []string{"INVALID_CREDENTIALS", "AUTH_REQUIRED"}},
		{"no JWT", "Bearer abc.def.ghi", []string{"INVALID_CREDENTIALS"}},
		{"signed by another secret", "Bearer " + blackbox.Sign(good, "another secret of thirty-two bytes!"),
			[]string{"INVALID_CREDENTIALS"}},
		{"alg none", "Bearer " + blackbox.Unsigned(good), []string{"INVALID_CREDENTIALS"}},
		{"a cut signature", cut[:len(cut)-4], []string{"INVALID_CREDENTIALS"}},
		{"expired", signed(expired), []string{"TOKEN_EXPIRED"}},
		{"a refresh token as access", signed(refresh), []string{"INVALID_CREDENTIALS"}},
		{"a role no account has", signed(dba), []string{"INVALID_CREDENTIALS", "PERMISSION_DENIED"}},
		{"role system", signed(system), []string{"INVALID_CREDENTIALS", "PERMISSION_DENIED"}},
		{"a wrong password", blackbox.Basic("root", "guess"), []string{"INVALID_CREDENTIALS"}},
		{"an unknown user", blackbox.Basic("nobody", "guess"), []string{"INVALID_CREDENTIALS"}},
		{"Basic without a colon", "Basic cm9vdA==", []string{"INVALID_CREDENTIALS", "MALFORMED_REQUEST"}},
		{"Basic that is no base64", "Basic %%%", []string{"INVALID_CREDENTIALS", "MALFORMED_REQUEST"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client := &blackbox.Client{URL: alice.URL, Authorization: c.authorization}
			testkit.WantCode(t, client, "SELECT 1", c.codes...)
			socket, err := blackbox.Dial(t.Context(), client.URL, client.Header())
			if err == nil {
				defer socket.Close()
			}
			var e *blackbox.Error
			if c.authorization != "" && (!errors.As(err, &e) || !slices.Contains(c.codes, e.Code)) {
				t.Errorf("WebSocket: got %v, want %v", err, c.codes)
			}
		})
	}
	t.Run("a role that is not the account's", func(t *testing.T) {
		raised := claims(func(c *blackbox.Claims) { c.Role = "dba" })
		client := &blackbox.Client{URL: alice.URL, Authorization: signed(raised)}
		testkit.WantCode(t, client, "CREATE NAMESPACE raised", "PERMISSION_DENIED")
	})
	for _, user := range []string{"..", "../alice", "system", "a\tb", strings.Repeat("x", 257), "\xff"} {
		t.Run("acting for a user of no good name", func(t *testing.T) {
			r, err := s.Root().WithUser(user).SQL(t.Context(), "SELECT 1")
			var e *blackbox.Error
			if user == "../alice" && err == nil {
				return // a slash is allowed: ids become keys only escaped
			}
			if !errors.As(err, &e) || e.HTTP != 400 && e.HTTP != 403 {
				t.Errorf("%q: got %v, %v", user, r, err)
			}
		})
	}
}

func TestBadInput_subscriptions(t *testing.T) {
	_, alice, ns := newBad(t)
	cases := []struct {
		name, sql string
		codes     []string
	}{
		{"nothing", "", []string{"EMPTY_SQL", "INVALID_SQL"}},
		{"a table that isn't there", "SELECT * FROM " + ns + ".nothing", []string{"TABLE_NOT_FOUND"}},
		{"a namespace that isn't there", "SELECT * FROM nowhere.t", []string{"NAMESPACE_NOT_FOUND", "TABLE_NOT_FOUND"}},
		{"a column that isn't there", "SELECT nam FROM " + ns + ".t", []string{"COLUMN_NOT_FOUND"}},
		{"a filter on a column that isn't there", "SELECT id FROM " + ns + ".t WHERE nam = 1", []string{"COLUMN_NOT_FOUND"}},
		{"a SHARED table", "SELECT * FROM " + ns + ".news", []string{"LIVE_SHARED_TABLE"}},
		{"a join with a system table", "SELECT a.id FROM " + ns + ".t a JOIN system.tables b ON a.id = 1", []string{"LIVE_UNSUPPORTED_QUERY"}},
		{"a write", "DELETE FROM " + ns + ".t", []string{"LIVE_UNSUPPORTED_QUERY", "INVALID_SQL"}},
		{"SLEEP", "SELECT * FROM " + ns + ".t WHERE SLEEP(10) = 0", []string{"UNSUPPORTED", "LIVE_UNSUPPORTED_QUERY"}},
		{"the time", "SELECT * FROM " + ns + ".t WHERE day < NOW()", []string{"UNSUPPORTED", "LIVE_UNSUPPORTED_QUERY"}},
		{"chance", "SELECT * FROM " + ns + ".t WHERE RAND() < 0.5", []string{"UNSUPPORTED", "LIVE_UNSUPPORTED_QUERY"}},
	}
	socket := testkit.Dial(t, alice)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			subscribe(t, socket, c.name, c.sql)
			m := read(t, socket)
			if m.Type != "error" || m.SubscriptionID != c.name || !slices.Contains(c.codes, m.Code) {
				t.Errorf("got %s, want %v", m.Raw, c.codes)
			}
		})
	}
	subscribe(t, socket, "good", "SELECT id FROM "+ns+".t")
	if rows := snapshot(t, socket, "good"); len(rows) != 1 {
		t.Errorf("got %v", rows)
	}
	subscribe(t, socket, "good", "SELECT id FROM "+ns+".t")
	if m := read(t, socket); m.Type != "error" {
		t.Errorf("the same id twice: got %s", m.Raw)
	}
}

// A client that speaks nonsense is answered or cut off; the others go on.
func TestBadInput_frames(t *testing.T) {
	_, alice, ns := newBad(t)
	bystander := testkit.Dial(t, alice)
	subscribe(t, bystander, "s", "SELECT id FROM "+ns+".t")
	snapshot(t, bystander, "s")

	for name, text := range map[string]string{
		"no JSON":       "{",
		"no type":       "{}",
		"another type":  `{"type": "dance"}`,
		"a wrong shape": `{"type": "subscribe", "subscription": 7}`,
		"a key twice":   `{"type": "ping", "type": "ping"}`,
		"invalid UTF-8": "{\"type\": \"\xff\"}",
		"deep":          strings.Repeat("[", 100000),
		"10 MB":         strings.Repeat(" ", 10<<20) + `{"type": "ping"}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := testkit.Dial(t, alice)
			if err := s.SendText([]byte(text)); err != nil {
				return // cut off while sending
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			m, err := s.Read(ctx)
			for err == nil && m.Type == "auth_success" {
				m, err = s.Read(ctx)
			}
			if ctx.Err() != nil || err == nil && m.Type != "error" {
				t.Errorf("got %+v, %v", m, err)
			}
		})
	}
	testkit.Must(t, alice, "INSERT INTO "+ns+".t (id, name) VALUES (2, 'two')")
	if m := nextChange(t, bystander); m.Rows[0]["id"] != "2" {
		t.Errorf("got %s", m.Raw)
	}
	testkit.Must(t, alice, "DELETE FROM "+ns+".t WHERE id = 2")
}
