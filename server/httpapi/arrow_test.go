package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
	"github.com/kalamdb/kalamdb-go/store/arrowio/arrowiotest"
)

const arrowType = "application/vnd.apache.arrow.stream"

var acceptArrow = servertest.With("Accept", arrowType)

func TestArrow_EveryType(t *testing.T) {
	s := servertest.WithMessages(t)
	s.MustSQL(t, servertest.Root(), "CREATE TABLE chat.kinds (id INT PRIMARY KEY, b BOOLEAN, "+
		"i1 TINYINT, i2 SMALLINT, i8 BIGINT, u1 TINYINT UNSIGNED, u2 SMALLINT UNSIGNED, "+
		"u4 INT UNSIGNED, u8 BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(10, 2), w DECIMAL(60, 2), "+
		"t TEXT, v VARCHAR(5), y BYTES, j JSON, da DATE, ti TIME, dt DATETIME, ts TIMESTAMP, u UUID, "+
		"e ENUM('open', 'done'), em EMBEDDING(2))")
	s.MustSQL(t, user("alice"), "INSERT INTO chat.kinds VALUES (1, true, -1, -2, -3, 1, 2, 3, "+
		"18446744073709551615, 0.5, 1e100, 12.5, -1234567890123456789012345678901234567890.25, 'ä', "+
		"'abc', x'00ff', '{\"a\": 1}', '2026-01-02', '15:04:05', '2026-01-02 03:04:05', "+
		"'2026-01-02T03:04:05.5Z', '01890a5d-ac96-774b-bcce-b302099a8057', 'done', '[0.5, -1]')")
	s.MustSQL(t, user("alice"), "INSERT INTO chat.kinds (id) VALUES (2)")
	for _, sql := range []string{"SELECT * FROM chat.kinds", "SELECT * FROM chat.kinds WHERE id > 0",
		"SELECT k.* FROM chat.kinds k LEFT JOIN chat.messages m ON m.id = k.id ORDER BY k.id"} {
		res, body := post(t, s, sql, user("alice"), acceptArrow)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != arrowType {
			t.Fatalf("%s: %d %v %s", sql, res.StatusCode, res.Header, body)
		}
		got, err := arrowiotest.Read(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		const fields = "id: int32; b: bool; i1: int8; i2: int16; i8: int64; u1: uint8; u2: uint16; " +
			"u4: uint32; u8: uint64; f: float32; d: float64; n: decimal(10, 2); w: decimal256(60, 2); " +
			"t: utf8; v: utf8; y: binary; j: utf8 [arrow.json]; da: date32; ti: duration[us]; " +
			"dt: timestamp[us, tz=UTC]; ts: timestamp[us, tz=UTC]; " +
			"u: fixed_size_binary[16] [arrow.uuid]; e: utf8; em: fixed_size_list<item: float32>[2]"
		if is := strings.Join(got.Fields, "; "); is != fields {
			t.Errorf("%s:\n got %s\nwant %s", sql, is, fields)
		}
		const row = `1 true -1 -2 -3 1 2 3 18446744073709551615 0.5 1e+100 12.5 ` +
			`-1234567890123456789012345678901234567890.25 ä abc AP8= {"a":1} 2026-01-02 54245000000us ` +
			`2026-01-02T03:04:05Z 2026-01-02T03:04:05.5Z AYkKXayWd0u8zrMCCZqAVw== done [0.5,-1]`
		if len(got.Rows) != 2 || strings.Join(got.Rows[0], " ") != row {
			t.Errorf("%s:\n got %v\nwant %s", sql, got.Rows, row)
			continue
		}
		if nulls := strings.Count(strings.Join(got.Rows[1], " "), "(null)"); nulls != 23 {
			t.Errorf("%s: %d columns are NULL: %v", sql, nulls, got.Rows[1])
		}
	}
}

func TestArrow_ComputedColumns(t *testing.T) {
	s := servertest.WithMessages(t)
	fill(t, s, 3)
	for sql, want := range map[string]string{
		"SELECT COUNT(*) AS n, MAX(id) AS m, AVG(id) AS a FROM chat.messages": "n: int64; m: int64; a: " +
			"utf8 = 3 2 1.0000",
		"SELECT 1.5 AS d, NULL AS x, 'a' AS t, TRUE AS b, 1 + 1 AS n": "d: utf8; x: utf8; t: utf8; " +
			"b: bool; n: int64 = 1.5 (null) a true 2",
		"SELECT id FROM chat.messages WHERE id = 99": "id: int64 = ",
		"SHOW TABLES IN chat":                        "",
	} {
		_, body := post(t, s, sql, user("alice"), acceptArrow)
		got, err := arrowiotest.Read(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v in %.100q", sql, err, body)
		}
		var rows []string
		for _, r := range got.Rows {
			rows = append(rows, strings.Join(r, " "))
		}
		if is := strings.Join(got.Fields, "; ") + " = " + strings.Join(rows, "; "); want != "" && is != want {
			t.Errorf("%s: %s, want %s", sql, is, want)
		}
	}
}

func TestArrow_FailuresBeforeTheFirstRow(t *testing.T) {
	s := servertest.WithMessages(t)
	for sql, want := range map[string]fault.Code{
		"INSERT INTO chat.messages VALUES (1, 'x')":                       fault.InvalidParameter,
		"SELECT 1; SELECT 2":                                              fault.InvalidParameter,
		"SELECT * FROM chat.mesages":                                      fault.TableNotFound,
		"SELECT * FROM chat.bob.messages":                                 fault.PermissionDenied,
		"SELECT 9223372036854775807 + 1":                                  fault.ValueOutOfRange,
		"SELECT COSINE_DISTANCE('[1]', body) FROM (SELECT 'x' AS body) b": fault.TypeMismatch,
	} {
		res, body := post(t, s, sql, user("alice"), acceptArrow)
		var answer wire.ErrorResponse
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatalf("%s: %v in %q", sql, err, body)
		}
		if answer.Error.Code != want || res.StatusCode != want.Info().HTTP ||
			res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %s", sql, res.StatusCode, body)
		}
	}
}

func TestArrow_FailureInTheMiddleCutsTheAnswerOff(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIMITS_STATEMENT_TIMEOUT=300ms")
	fill(t, s, 500)
	conn := begin(t, s, endless, arrowType)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := arrowiotest.Read(res.Body)
	if err == nil {
		t.Fatalf("a stream of %d rows reads as whole", len(got.Rows))
	}
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestArrow_StatementEndsWithItsClient(t *testing.T) {
	s := servertest.WithMessages(t)
	fill(t, s, 1000)
	conn := begin(t, s, endless, arrowType)
	line, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if err != nil || line != "HTTP/1.1 200 OK\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	if n := views(t, s); n == 0 {
		t.Fatal("the statement ended although rows are left")
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	servertest.Eventually(t, "the statement ends", func() bool { return views(t, s) == 0 })
}

func TestArrow_HasNoLimitOfSize(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIMITS_RESULT_SIZE=1KiB")
	fill(t, s, 300)
	_, body := post(t, s, "SELECT a.id, b.body FROM chat.messages a, chat.messages b", user("alice"),
		acceptArrow)
	got, err := arrowiotest.Read(bytes.NewReader(body))
	if err != nil || len(got.Rows) != 300*300 || len(got.Batches) < 10 {
		t.Errorf("%v, %s", err, fmt.Sprint(got.Batches))
	}
}
