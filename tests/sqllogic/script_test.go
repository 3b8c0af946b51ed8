package sqllogic_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/tests/sqllogic"
)

const sample = `# a comment
user app as bob

statement ok 2
INSERT INTO t
VALUES (1)

statement error NO_TABLE position=8
SELECT 1
----
no table

query IT rowsort
SELECT a, b FROM t
----
1 | x
2 | (empty)
`

// canned answers every statement alike.
type canned struct {
	answer  *sqllogic.Answer
	failure *sqllogic.Failure
	as      []string
}

func (c *canned) As(user, acting, namespace string) sqllogic.Conn {
	c.as = append(c.as, user+"/"+acting+"/"+namespace)
	return c
}

func (c *canned) Run(_ context.Context, sql string) (*sqllogic.Answer, error) {
	if sql == "SELECT 1" {
		return nil, c.failure
	}
	return c.answer, nil
}

func good() *canned {
	return &canned{
		answer: &sqllogic.Answer{
			Types: []string{"BigInt", "Text"}, Rows: [][]string{{"2", ""}, {"1", "x"}}, Affected: 2,
		},
		failure: &sqllogic.Failure{
			Code: "NO_TABLE", Message: "there is no table t", At: sqllogic.Place{Statement: 1, Position: 8},
		},
	}
}

func reports(t *testing.T, db sqllogic.Database) string {
	t.Helper()
	s, err := sqllogic.Parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	r := sqllogic.Runner{DB: db, Namespace: "n"}
	r.Run(t.Context(), s, func(_ int, text string) { all = append(all, text) })
	return strings.Join(all, "\n")
}

func TestRunner_Run(t *testing.T) {
	db := good()
	if got := reports(t, db); got != "" {
		t.Errorf("reports %s", got)
	}
	if db.as[0] != "app/bob/n" {
		t.Errorf("ran as %v", db.as)
	}
	for name, change := range map[string]func(*canned){
		"want NO_TABLE":    func(c *canned) { c.failure.Code = "OTHER" },
		"at position 8":    func(c *canned) { c.failure.At.Position = 9 },
		"in statement 1":   func(c *canned) { c.failure.At.Statement = 2 },
		"in its message":   func(c *canned) { c.failure.Message = "gone" },
		"affected 3 rows":  func(c *canned) { c.answer.Affected = 3 },
		"are IB, want IT":  func(c *canned) { c.answer.Types[1] = "Boolean" },
		"1 | x\n\t3 | (em": func(c *canned) { c.answer.Rows[0][0] = "3" },
	} {
		db := good()
		change(db)
		if got := reports(t, db); !strings.Contains(got, name) {
			t.Errorf("want a report with %q, got %q", name, got)
		}
	}
}

// echo answers with the SQL that it is given.
type echo struct{ ran []string }

func (e *echo) As(string, string, string) sqllogic.Conn { return e }

func (e *echo) Run(_ context.Context, sql string) (*sqllogic.Answer, error) {
	e.ran = append(e.ran, sql)
	if sql == "" || strings.HasPrefix(sql, "EMPTY") {
		return &sqllogic.Answer{}, nil
	}
	return &sqllogic.Answer{Types: []string{"Text"}, Rows: [][]string{{sql}}}, nil
}

func TestRunner_Run_names(t *testing.T) {
	s, err := sqllogic.Parse("let job\nJOB 1\n\nquery T\nWAIT ${job} ${folder} ${other}\n----\n" +
		"WAIT ${job} ${folder} ${other}\n\nlet none\nEMPTY")
	if err != nil {
		t.Fatal(err)
	}
	db := new(echo)
	var all []string
	r := sqllogic.Runner{DB: db, Names: map[string]string{"folder": "/here"}}
	r.Run(t.Context(), s, func(_ int, text string) { all = append(all, text) })
	if len(all) != 1 || !strings.Contains(all[0], "no value to name none") {
		t.Errorf("reports %q", all)
	}
	if want := "WAIT JOB 1 /here ${other}"; db.ran[1] != want {
		t.Errorf("ran %q, want %q", db.ran[1], want)
	}
}

func TestScript_Rewritten(t *testing.T) {
	s, err := sqllogic.Parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Rewritten(); got != sample {
		t.Errorf("a script that is not changed reads\n%s", got)
	}
	db := good()
	db.failure.Message, db.answer.Rows = "gone", nil
	r := sqllogic.Runner{DB: db, Rewrite: true}
	r.Run(t.Context(), s, func(int, string) {})
	want := strings.Replace(strings.Replace(sample, "no table", "gone", 1), "1 | x\n2 | (empty)\n", "", 1)
	if got := s.Rewritten(); got != want {
		t.Errorf("rewritten as\n%s", got)
	}
}

func TestParse_refuses(t *testing.T) {
	for _, text := range []string{
		"frobnicate", "statement", "statement maybe\nSELECT 1", "query\nSELECT 1",
		"statement ok x\nSELECT 1", "statement error A place=1\nSELECT 1", "user", "statement ok",
		"let\nSELECT 1", "let a",
	} {
		if _, err := sqllogic.Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
