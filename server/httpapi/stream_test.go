package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

var (
	acceptNDJSON = servertest.With("Accept", "application/x-ndjson")
	acceptCSV    = servertest.With("Accept", "text/csv")
)

// post sends one request for statements.
func post(t *testing.T, s *servertest.Server, sql string, headers ...servertest.Header) (
	*http.Response, []byte,
) {
	t.Helper()
	body, err := json.Marshal(wire.SQLRequest{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	return s.Do(t, http.MethodPost, wire.PathSQL, bytes.NewReader(body), headers...)
}

// fill writes n messages of alice.
func fill(t *testing.T, s *servertest.Server, n int) {
	t.Helper()
	fillFrom(t, s, 0, n)
}

func fillFrom(t *testing.T, s *servertest.Server, first, n int) {
	t.Helper()
	var sql strings.Builder
	sql.WriteString("INSERT INTO chat.messages VALUES ")
	for i := range n {
		if i > 0 {
			sql.WriteByte(',')
		}
		fmt.Fprintf(&sql, "(%d,'message %d')", first+i, first+i)
	}
	s.MustSQL(t, user("alice"), sql.String())
}

func TestStream_Forms(t *testing.T) {
	s := servertest.WithMessages(t)
	fill(t, s, 3)
	const sql = "SELECT id, body FROM chat.messages WHERE id < 2"
	res, body := post(t, s, sql, user("alice"), acceptNDJSON)
	want := `{"id":"0","body":"message 0"}` + "\n" + `{"id":"1","body":"message 1"}` + "\n"
	if res.StatusCode != http.StatusOK || string(body) != want ||
		res.Header.Get("Content-Type") != "application/x-ndjson; charset=utf-8" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
	}
	res, body = post(t, s, sql, user("alice"), acceptCSV)
	if res.StatusCode != http.StatusOK || string(body) != "id,body\r\n0,message 0\r\n1,message 1\r\n" ||
		res.Header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
	}
	if _, body = post(t, s, "SHOW TABLES IN chat", user("alice"), acceptCSV); !bytes.Contains(
		body, []byte("\r\nchat,messages,USER,")) {
		t.Errorf("body = %s", body)
	}
}

func TestStream_OneStatementThatReads(t *testing.T) {
	s := servertest.WithMessages(t)
	for sql, want := range map[string]fault.Code{
		"INSERT INTO chat.messages VALUES (1, 'x')":           fault.InvalidParameter,
		"SELECT 1; SELECT 2":                                  fault.InvalidParameter,
		"SELECT 1; INSERT INTO chat.messages VALUES (1, 'x')": fault.InvalidParameter,
		"USE chat":                          fault.InvalidParameter,
		"CREATE NAMESPACE other":            fault.InvalidParameter,
		"SELECT id, id FROM chat.messages":  fault.InvalidParameter,
		"SELECT * FROM chat.mesages":        fault.TableNotFound,
		"SELECT 1 +":                        fault.InvalidSQL,
		"SELECT * FROM chat.bob.messages":   fault.PermissionDenied,
		"SELECT id FROM chat.user.messages": "",
	} {
		res, body := post(t, s, sql, user("alice"), acceptNDJSON)
		if want == "" {
			if res.StatusCode != http.StatusOK || len(body) != 0 {
				t.Errorf("%s: %d %s", sql, res.StatusCode, body)
			}
			continue
		}
		var answer wire.ErrorResponse
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatalf("%s: %v in %s", sql, err, body)
		}
		if answer.Error.Code != want || res.StatusCode != want.Info().HTTP ||
			res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %s", sql, res.StatusCode, body)
		}
	}
	if got := s.MustSQL(t, user("alice"), "SELECT COUNT(*) FROM chat.messages"); got[0].Rows[0][0] !=
		"0" {
		t.Errorf("a refused request wrote: %v", got[0].Rows)
	}
	if res, body := post(t, s, "SELECT 1", acceptCSV); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d %s", res.StatusCode, body)
	}
}

// endless is more rows than any test reads.
const endless = "SELECT a.id, b.body FROM chat.messages a, chat.messages b, chat.messages c"

func TestStream_HasNoLimitOfSize(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIMITS_RESULT_SIZE=1KiB")
	fill(t, s, 300)
	const sql = "SELECT a.id, b.body FROM chat.messages a, chat.messages b"
	if res, body := post(t, s, sql, user("alice")); res.StatusCode != fault.ResultTooLarge.Info().HTTP {
		t.Errorf("JSON: %d %.200s", res.StatusCode, body)
	}
	_, body := post(t, s, sql, user("alice"), acceptNDJSON)
	if n := bytes.Count(body, []byte("\n")); n != 300*300 {
		t.Errorf("%d lines", n)
	}
	_, body = post(t, s, sql, user("alice"), acceptCSV)
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 300*300+1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestStream_FailureInTheMiddle(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIMITS_STATEMENT_TIMEOUT=300ms")
	fill(t, s, 500)
	t.Run("NDJSON ends with a line that tells", func(t *testing.T) {
		_, body := post(t, s, endless, user("alice"), acceptNDJSON)
		lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
		var last struct{ Error *wire.Error }
		if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
			t.Fatal(err)
		}
		if len(lines) < 1000 || last.Error == nil || last.Error.Code != fault.StatementTimeout ||
			last.Error.Statement != 1 {
			t.Errorf("%d lines, the last %s", len(lines), lines[len(lines)-1])
		}
	})
	t.Run("CSV is cut off", func(t *testing.T) {
		conn := begin(t, s, endless, "text/csv")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		if n == 0 || err == nil {
			t.Errorf("%d bytes and a whole answer", n)
		}
	})
}

func TestStream_StatementTimeoutBoundsAllRows(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIMITS_STATEMENT_TIMEOUT=1s")
	fill(t, s, 500)
	for i := range 3 { // 15 MB, more than sockets hold
		s.MustSQL(t, user("alice"), "INSERT INTO chat.messages SELECT id + ?, REPEAT('x', 10000) "+
			"FROM chat.messages WHERE id < 500", 1000*(i+1))
	}
	conn := begin(t, s, "SELECT id, body FROM chat.messages", "application/x-ndjson")
	sent := time.Now()
	servertest.Eventually(t, "the statement's time is over", func() bool {
		return time.Since(sent) > 1200*time.Millisecond
	})
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(body, []byte(`{"error":{"code":"STATEMENT_TIMEOUT"`)) {
		t.Errorf("%d bytes, %v, the last %s", len(body), err, body[max(0, len(body)-100):])
	}
}

// begin sends a request over a socket of its own.
func begin(t *testing.T, s *servertest.Server, sql, accept string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	body := `{"sql":` + strconv.Quote(sql) + `}`
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nAccept: %s\r\nContent-Length: %d\r\n\r\n%s",
		wire.PathSQL, s.Addr, servertest.Token("alice", time.Hour), accept, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// views returns how many earlier states of the store are still read. It writes
// a row of bob first, which makes the present one an earlier one.
func views(t *testing.T, s *servertest.Server) int {
	t.Helper()
	s.MustSQL(t, user("bob"), "DELETE FROM chat.messages")
	s.MustSQL(t, user("bob"), "INSERT INTO chat.messages VALUES (1, 'x')")
	r := s.MustSQL(t, servertest.Root(), "SELECT value FROM system.stats WHERE name = 'open_views'")
	n, err := strconv.Atoi(r[0].Rows[0][0].(string))
	if err != nil {
		t.Fatal(err)
	}
	return n - 1
}

func TestStream_ClientThatStopsReadingIsCutOff(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_API_STREAM_WRITE_TIMEOUT=300ms")
	fill(t, s, 1000)
	conn := begin(t, s, endless, "application/x-ndjson")
	line, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if err != nil || line != "HTTP/1.1 200 OK\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	if n := views(t, s); n == 0 {
		t.Fatal("the statement ended although rows are left")
	}
	servertest.Eventually(t, "the statement ends", func() bool { return views(t, s) == 0 })
	if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection is still open: %v", err)
	}
	s.MustSQL(t, user("alice"), "SELECT 1")
}

func TestStream_ConnectionIsUsedAgain(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_API_STREAM_WRITE_TIMEOUT=100ms")
	fill(t, s, 10)
	conn := begin(t, s, "SELECT * FROM chat.messages", "application/x-ndjson")
	buf := bufio.NewReader(conn)
	read := func(want string) {
		t.Helper()
		res, err := http.ReadResponse(buf, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || !bytes.Contains(body, []byte(want)) {
			t.Fatalf("%s %v", body, err)
		}
	}
	read(`{"id":"9","body":"message 9"}`)
	sent := time.Now()
	servertest.Eventually(t, "the bound on the stream's writes is over", func() bool {
		return time.Since(sent) > 150*time.Millisecond
	})
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", wire.PathHealth); err != nil {
		t.Fatal(err)
	}
	read(`"healthy"`)
}
