package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

const million = 1_000_000

// roomy lets a text through to the checks behind the number of bytes.
var roomy = dialect.Limits{MaxBytes: 64 << 20, MaxTokens: 16 * million}

func TestParse_RefusesTallExpressions(t *testing.T) {
	for name, text := range map[string]string{
		"NOT":          "SELECT " + strings.Repeat("NOT ", million) + "1",
		"open":         "SELECT " + strings.Repeat("(", million),
		"parentheses":  "SELECT " + strings.Repeat("(", million) + "1" + strings.Repeat(")", million),
		"plus":         "SELECT 1" + strings.Repeat(" + 1", million),
		"minus":        "SELECT " + strings.Repeat("- ", million) + "1",
		"AND":          "SELECT 1" + strings.Repeat(" AND 1", million),
		"CASE":         "SELECT " + strings.Repeat("CASE WHEN ", million) + "1",
		"function":     "SELECT " + strings.Repeat("f(", million) + strings.Repeat(")", million),
		"UNION":        "SELECT 1, 2" + strings.Repeat(" UNION ALL SELECT 1, 2", million/4),
		"JOIN":         "SELECT 1 FROM a" + strings.Repeat(" JOIN b USING (x, y)", million/4),
		"FROM":         "SELECT 1 FROM a" + strings.Repeat(", a", million),
		"strings":      "SELECT 'a'" + strings.Repeat(" 'a'", million),
		"old join":     "SELECT 1 FROM a" + strings.Repeat(" STRAIGHT_JOIN b ON f(1, 2), c", million/8),
		"straight":     "SELECT 1 FROM a" + strings.Repeat(" STRAIGHT_JOIN b", million/8),
		"IS NULL":      "SELECT 1" + strings.Repeat(" IS NULL", million),
		"FOR":          "SELECT 1 " + strings.Repeat("FOR ", million),
		"in a node":    "CREATE TABLE t (a INT DEFAULT " + strings.Repeat("(", million) + "1",
		"as user":      "EXECUTE AS USER 'a' (SELECT " + strings.Repeat("NOT ", million) + "1)",
		"subscription": "SUBSCRIBE TO SELECT " + strings.Repeat("NOT ", million) + "1",
		"layers":       "SELECT " + layers(150, 100),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dialect.Parse(text, roomy)
			if e := fault.From(err); e == nil || e.Code != fault.InvalidSQL || e.Position < 8 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// layers nests parentheses with a chain of operators at each level, none of
// which is long or deep.
func layers(depth, chain int) string {
	return strings.Repeat("(", depth) + "1" +
		strings.Repeat(strings.Repeat(" + 1", chain)+")", depth)
}

func TestParse_AllowsWideStatements(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("INSERT INTO t VALUES ")
	for i := range 10_000 {
		if i > 0 {
			rows.WriteByte(',')
		}
		fmt.Fprintf(&rows, "(%d, -%d, 'text', NOW() + 1, NOT TRUE)", i, i)
	}
	for name, text := range map[string]string{
		"rows":    rows.String(),
		"list":    "SELECT 1 FROM t WHERE a IN (-1" + strings.Repeat(", -1", 50_000) + ")",
		"columns": "SELECT a + 1" + strings.Repeat(", a + 1 + 2", 10_000) + " FROM t",
		"ors":     "SELECT 1 FROM t WHERE a = 1" + strings.Repeat(" OR a = 1", 900),
		"depth":   "SELECT " + strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200),
		"cases": "SELECT CASE WHEN a = 1 THEN 2" + strings.Repeat(" WHEN a = 1 THEN -2", 5_000) +
			" END, CASE a WHEN 1 THEN 2 END FROM t",
		"names":  "SELECT t.case, t.end, `case` FROM t",
		"layers": "SELECT " + layers(19, 100),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := dialect.Parse(text, dialect.Limits{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParse_Limits(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		lim  dialect.Limits
		code fault.Code
	}{
		"bytes":      {"SELECT 1", dialect.Limits{MaxBytes: 7}, fault.PayloadTooLarge},
		"tokens":     {"SELECT 1, 2", dialect.Limits{MaxTokens: 3}, fault.PayloadTooLarge},
		"statements": {"USE a; USE b; USE c", dialect.Limits{MaxStatements: 2}, fault.PayloadTooLarge},
		"depth":      {"SELECT ((1))", dialect.Limits{MaxDepth: 1}, fault.InvalidSQL},
		"height":     {"SELECT 1 + 1 + 1", dialect.Limits{MaxHeight: 1}, fault.InvalidSQL},
	} {
		if _, err := dialect.Parse(c.text, c.lim); !fault.Is(err, c.code) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := dialect.Parse("USE a; SELECT 1, 2", dialect.Limits{MaxTokens: 3})
	if e := fault.From(err); e == nil || e.Statement != 2 || e.Position != 8 {
		t.Errorf("a statement with too many tokens gave %+v", e)
	}
	lim := dialect.Limits{MaxBytes: 16, MaxTokens: 6, MaxDepth: 1, MaxHeight: 3, MaxStatements: 1}
	if _, err := dialect.Parse("SELECT (1+1);", lim); err != nil {
		t.Errorf("at the limits: %v", err)
	}
}

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{
		"point": "SELECT id, content FROM chat.messages WHERE conversation_id = ? AND id = ?",
		"rows": "INSERT INTO t VALUES (1, 'x')" +
			strings.Repeat(", (1, 'some longer text in a row')", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := dialect.Parse(text, dialect.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
