package lint_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kalamdb/kalamdb-go/internal/lint"
)

// Each rule is shown code that breaks it, so that it can be seen to fail, and
// code close to it that is fine.
func TestRules_seeWhatBreaksThem(t *testing.T) {
	long := strings.Repeat("x", 120)
	cases := []struct {
		rule, path, bad, good string
	}{
		{"module-direction", "store/a/a.go",
			`import _ "github.com/kalamdb/kalamdb-go/sql/ddl"`,
			`import _ "github.com/kalamdb/kalamdb-go/commons/ident"`},
		{"module-direction", "cli/a/a.go",
			`import _ "github.com/kalamdb/kalamdb-go/store"`,
			`import _ "github.com/kalamdb/kalamdb-go/commons/ident"`},
		{"module-direction", "core/a/a.go",
			`import _ "github.com/kalamdb/kalamdb-go/tests/bench"`,
			`import _ "github.com/kalamdb/kalamdb-go/internal/testkit"`},
		{"one-importer", "core/a/a.go",
			`import _ "github.com/cockroachdb/pebble/v2"`,
			`import _ "github.com/cockroachdb/pebbles"`},
		{"telling-names", "core/util/a.go", `var x int`, ``},
		{"telling-names", "core/a/helpers.go", `var x int`, ``},
		{"no-sleep-in-tests", "core/a/a_test.go",
			"import \"time\"\nfunc f() { time.Sleep(1) }", "import \"time\"\nvar _ = time.Now"},
		{"context-comes-in", "core/a/a.go",
			"import \"context\"\nvar _ = context.Background()", "import \"context\"\nvar _ context.Context"},
		{"no-print", "core/a/a.go",
			"import \"fmt\"\nfunc f() { fmt.Println() }", "import \"fmt\"\nvar _ = fmt.Sprint(1)"},
		{"no-print", "core/a/a.go", "func f() { println() }", "func f() {}"},
		{"no-loose-ends", "core/a/a.go",
			"// TO" + "DO: later.\nvar x int", "// TO" + "DO: see docs/roadmap.md, Flows.\nvar x int"},
		{"package-comment", "core/a/a.go", `var x int`, ``},
		{"exported-doc", "core/a/a.go", "func F() {}", "// F does.\nfunc F() {}"},
		{"exported-doc", "core/a/a.go", "// Does it.\ntype T int", "// A T is.\ntype T int"},
		{"exported-doc", "core/a/a.go",
			"type t int\n// A M.\nfunc (T) Z() {}\n// T is.\ntype T int", "type t int\nfunc (t) Z() {}"},
		{"file-length", "core/a/a.go", strings.Repeat("\n", 701), strings.Repeat("\n", 600)},
		{"line-length", "core/a/a.go", "// " + long + " y", "var _ = []string{\n\t\"" + long + "\",\n}"},
		{"goroutine-wait", "core/a/a.go",
			"func f() { go f() }", "import \"sync\"\nfunc f() { var w sync.WaitGroup; w.Go(f); w.Wait() }"},
		{"code-literals", "core/a/a.go", `var x = "TABLE_NOT_FOUND"`, `var x = "TABLE_NOT"`},
		{"column-literals", "core/a/a.go", `var x = "_seq"`, `var x = "seq"`},
	}
	covered := map[string]bool{}
	for _, c := range cases {
		covered[c.rule] = true
		t.Run(c.rule+" in "+c.path, func(t *testing.T) {
			if found := check(t, c.rule, c.path, "package a\n"+c.bad); len(found) == 0 {
				t.Errorf("nothing found in:\n%s", c.bad)
			}
			if c.good == "" {
				return
			}
			if found := check(t, c.rule, c.path, "package a\n"+c.good); len(found) != 0 {
				t.Errorf("found %v in:\n%s", found, c.good)
			}
		})
	}
	for _, r := range lint.Rules() {
		if !covered[r.Name] {
			t.Errorf("rule %s has no case that breaks it", r.Name)
		}
	}
}

func check(t *testing.T, rule, path, src string) []lint.Finding {
	t.Helper()
	if strings.Contains(path, "/util/") {
		src = strings.Replace(src, "package a", "package util", 1)
	}
	files, err := lint.Load(fstest.MapFS{path: {Data: []byte(src)}})
	if err != nil {
		t.Fatal(err)
	}
	rules := lint.Rules()
	i := slices.IndexFunc(rules, func(r lint.Rule) bool { return r.Name == rule })
	if i < 0 {
		t.Fatalf("no rule %s", rule)
	}
	return rules[i].Check(files)
}

func TestLoad_saysWhichFileDoesNotParse(t *testing.T) {
	_, err := lint.Load(fstest.MapFS{"core/a/a.go": {Data: []byte("packag a")}})
	if err == nil || !strings.Contains(err.Error(), "core/a/a.go") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
