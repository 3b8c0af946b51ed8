package dialect_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

func TestParse_Checks(t *testing.T) {
	for body, want := range map[string][]string{
		"(a INT PRIMARY KEY, b INT)":                                     nil,
		"(a INT PRIMARY KEY CHECK (a > 0), b INT)":                       {"chk_1: a > 0 [1]"},
		"(a INT CHECK(a>0) ENFORCED PRIMARY KEY CHECK ((a) < 9), b INT)": {"chk_1: a>0 [1]", "chk_2: (a) < 9 [1]"},
		"(a INT PRIMARY KEY, CHECK (`B` = a), b INT)":                    {"chk_1: `B` = a [2 1]"},
		"(a INT PRIMARY KEY, CONSTRAINT Chk_1 CHECK (a = 1), b INT, CHECK (b = 'a)(')) ": {
			"chk_1: a = 1 [1]", "chk_2: b = 'a)(' [2]"},
		"(a INT PRIMARY KEY, b INT CONSTRAINT CHECK (b /* or ) */ > -- a\n 1))": {"chk_1: b > 1 [2]"},
		"(a INT PRIMARY KEY, b INT, CHECK (b(a) > 1))":                          {"chk_1: b(a) > 1 [1]"},
	} {
		st, err := dialect.Parse("CREATE TABLE t "+body, dialect.Limits{})
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		n, _ := st[0].Node.(*ast.CreateTable)
		var got []string
		for _, c := range n.Table().Checks {
			got = append(got, fmt.Sprintf("%s: %s %v", c.Name, c.Expr, c.Columns))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
	for body, code := range map[string]fault.Code{
		"(a INT PRIMARY KEY, CHECK (1 > 0))":                                          fault.InvalidSQL,
		"(a INT PRIMARY KEY, CHECK ())":                                               fault.InvalidSQL,
		"(a INT PRIMARY KEY, CHECK a)":                                                fault.InvalidSQL,
		"(a INT PRIMARY KEY, CHECK (a = ?))":                                          fault.Unsupported,
		"(a INT PRIMARY KEY, CHECK (a = @x))":                                         fault.Unsupported,
		"(a INT PRIMARY KEY, CHECK (a = 1) NOT ENFORCED)":                             fault.Unsupported,
		"(a INT PRIMARY KEY, CONSTRAINT `x y` CHECK (a = 1))":                         fault.InvalidParameter,
		"(a INT PRIMARY KEY, CONSTRAINT c FOREIGN KEY (a))":                           fault.Unsupported,
		"(a INT PRIMARY KEY CONSTRAINT c REFERENCES b (a))":                           fault.Unsupported,
		"(a INT PRIMARY KEY, CONSTRAINT c CHECK (a = 1), CONSTRAINT C CHECK (a = 2))": fault.InvalidSQL,
	} {
		if _, err := dialect.Parse("CREATE TABLE t "+body, dialect.Limits{}); fault.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", body, err, code)
		}
	}
}
