package engine_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/engine"
)

// likePattern is a pattern of LIKE as a regular expression.
func likePattern(pattern string, escape rune) *regexp.Regexp {
	var b strings.Builder
	signs := []rune(pattern)
	for i := 0; i < len(signs); i++ {
		switch r := signs[i]; {
		case r == escape && i+1 < len(signs):
			i++
			b.WriteString(regexp.QuoteMeta(string(signs[i])))
		case r == escape:
			b.WriteString(regexp.QuoteMeta(string(r)))
		case r == '_':
			b.WriteString(".")
		case r == '%':
			b.WriteString(".*")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return regexp.MustCompile("(?s)^(?:" + b.String() + ")$")
}

// mysqlString writes a string as MySQL's manual does: the backslash of \_ and
// \% alone.
func mysqlString(s string) string {
	quoted := dialect.QuoteString(s)
	return strings.ReplaceAll(strings.ReplaceAll(quoted, `\\_`, `\_`), `\\%`, `\%`)
}

func TestLike_AsARegularExpression(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	text := func() string {
		b := ""
		for range r.IntN(6) {
			b += string([]rune{'a', 'b', 'A', '\\', '_', '%', '|', 'é', '\U0010FFFF', '\''}[r.IntN(10)])
		}
		return b
	}
	w := newWorldWith(t, engine.Options{PlanAll: r.IntN(2) == 0})
	texts := []string{"", "a_c", "abc", `a\_c`, "a%c"}
	for range 60 {
		texts = append(texts, text())
	}
	for i, s := range texts {
		w.run("INSERT INTO messages VALUES (1, ?, 'x', ?)", i, s)
		w.run("INSERT INTO texts VALUES (?, ?, ?)", s, fmt.Sprintf("00000000-0000-0000-0000-%012d", i), i)
	}
	for range 400 {
		pattern, escape, clause := text(), '\\', ""
		switch r.IntN(4) {
		case 0:
			escape, clause = '|', " ESCAPE '|'"
		case 1:
			escape, clause = -1, " ESCAPE ''"
		}
		likeEverywhere(t, w, texts, pattern, escape, clause)
	}
}

// likeEverywhere asks for what fits a pattern in all ways to run a condition.
func likeEverywhere(t *testing.T, w *world, texts []string, pattern string, escape rune, clause string) {
	t.Helper()
	re := likePattern(pattern, escape)
	var fit, not []string
	for i, s := range texts {
		if re.MatchString(s) {
			fit = append(fit, fmt.Sprint(i))
		} else {
			not = append(not, fmt.Sprint(i))
		}
	}
	yes, no := strings.Join(fit, "; "), strings.Join(not, "; ")
	for _, lit := range []string{dialect.QuoteString(pattern), mysqlString(pattern)} {
		cond := "body LIKE " + lit + clause
		w.want(yes, "SELECT id FROM messages WHERE "+cond)
		w.want(no, "SELECT id FROM messages WHERE NOT ("+cond+")")
		w.want(no, "SELECT id FROM messages WHERE body NOT LIKE "+lit+clause)
		w.want(yes, "SELECT id FROM (SELECT id, "+cond+" AS l FROM messages) m WHERE l ORDER BY id")
		w.want(yes, "SELECT n FROM texts WHERE k LIKE "+lit+clause+" ORDER BY n")
		w.want(yes, "SELECT a.id FROM messages a JOIN (SELECT "+lit+" AS p) b ON a.body LIKE b.p"+clause)
		w.want(yes, "SELECT id FROM messages m WHERE EXISTS (SELECT 1 FROM rooms RIGHT JOIN "+
			"(SELECT 1) x ON TRUE WHERE m.body LIKE "+lit+clause+")")
		for _, where := range []string{cond, "CONCAT(body, '') LIKE " + lit + clause} {
			w.liveLike(texts, where, yes)
		}
	}
	w.want(yes, "SELECT id FROM messages WHERE body LIKE ?"+clause, pattern)
	w.want(no, "SELECT id FROM messages WHERE body NOT LIKE $1"+clause, pattern)
}

// liveLike wants what a live query has of messages with these bodies.
func (w *world) liveLike(texts []string, where, want string) {
	w.t.Helper()
	q, _, err := w.live("SELECT id FROM messages WHERE " + where)
	if err != nil {
		w.t.Errorf("%s: %v", where, err)
		return
	}
	var got []string
	for i, s := range texts {
		row := []value.Value{value.NewBigInt(1), value.NewBigInt(int64(i)), value.NewText("x"),
			value.NewText(s), value.NewBigInt(1), value.NullValue, value.NewBool(false)}
		if ok, err := q.Match(row); err != nil {
			w.t.Errorf("%s: %v", where, err)
		} else if ok {
			got = append(got, fmt.Sprint(i))
		}
	}
	if got := strings.Join(got, "; "); got != want {
		w.t.Errorf("live %s: rows %s, want %s", where, got, want)
	}
}

func TestLike_EdgesAreMySQLs(t *testing.T) {
	w := newWorld(t)
	w.run(`INSERT INTO messages VALUES (1, 1, 'a\_b', 'a\%b'), (1, 2, '12', NULL)`)
	w.want(`a\_b|a\%b|4`, `SELECT author, body, LENGTH('a\_b') FROM messages WHERE id = 1`)
	w.want("1", `SELECT id FROM messages WHERE author = 'a\_b' AND 'a\_b' = 'a\\_b'`)
	w.want("1", `SELECT id FROM messages WHERE author LIKE 'a\\\\\_b'`)
	w.want("1", `SELECT id FROM messages WHERE author ILIKE 'A\\\\\_B'`)
	w.want("2", "SELECT id FROM messages WHERE id LIKE '2' AND author LIKE 12")
	w.want("NULL|NULL", "SELECT body LIKE 'a', 'a' LIKE body FROM messages WHERE id = 2")
	w.want("true|false|true|false", "SELECT 'ABC' COLLATE utf8mb4_0900_ai_ci LIKE 'a%', 'ABC' LIKE 'a%', "+
		`'a\\' LIKE 'a\\', 'é' LIKE '__'`)
	w.want("true|false", "SELECT 'a_' LIKE 'a|_' ESCAPE ?, 'ab' LIKE 'a|_' ESCAPE ?", "|", "|")
	if name := w.run(`SELECT 'a\_b'`).Columns[0].Name; name != `a\_b` {
		t.Errorf("the column is called %s", name)
	}
	for _, escape := range []string{"'ab'", "author", "1", "CONCAT('|')"} {
		w.fails(fault.InvalidSQL, "SELECT 'a' LIKE 'a' ESCAPE "+escape+" FROM messages")
	}
	long := strings.Repeat("a", 20000)
	w.want("false", "SELECT ? LIKE ?", long, strings.Repeat("%a", 200)+"%b")
}

func TestLike_ReadsAnIndexByItsBeginning(t *testing.T) {
	for _, planAll := range []bool{false, true} {
		testLikeReadsAnIndex(t, newWorldWith(t, engine.Options{PlanAll: planAll}))
	}
}

func testLikeReadsAnIndex(t *testing.T, w *world) {
	t.Helper()
	for i := range 50 {
		w.run("INSERT INTO texts VALUES (?, UUID(), ?)", fmt.Sprintf("k_%02d", i), i)
	}
	for where, most := range map[string]int64{
		`k LIKE 'k\_0%'`: 10, `k LIKE 'k\_01'`: 1, "k LIKE 'k|_1_' ESCAPE '|'": 10, "k LIKE '%1'": 50,
		"k = 'k_01'": 1, "k >= 'k_0' AND k < 'k_1'": 10,
	} {
		if n := w.run("SELECT n FROM texts WHERE " + where).read; n != most {
			t.Errorf("%s read %d rows, want %d", where, n, most)
		}
	}
}
