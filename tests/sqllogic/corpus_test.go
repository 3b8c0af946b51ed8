package sqllogic_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/tests/sqllogic"
)

var rewrite = flag.Bool("rewrite", false, "put what the engine answers into the scripts")

// corpus returns the paths of the scripts.
func corpus(t *testing.T) []string {
	t.Helper()
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "testdata", "sqllogic", "*.slt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata/sqllogic: %v", err)
	}
	return files
}

func read(t *testing.T, file string) *sqllogic.Script {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqllogic.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(file), err)
	}
	return s
}

// run runs a script in a namespace of its own, which is named after it.
func run(t *testing.T, db sqllogic.Database, file string) {
	s := read(t, file)
	space := strings.TrimSuffix(filepath.Base(file), ".slt")
	root := db.As(sqllogic.Root, "", "")
	drop := "DROP NAMESPACE IF EXISTS " + space + " CASCADE"
	for _, sql := range []string{drop, "CREATE NAMESPACE " + space} {
		if _, err := root.Run(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	r := sqllogic.Runner{
		DB: db, Namespace: space, Rewrite: *rewrite, Names: map[string]string{"folder": t.TempDir()},
	}
	r.Run(t.Context(), s, func(line int, text string) {
		t.Errorf("testdata/sqllogic/%s:%d\n%s", filepath.Base(file), line, text)
	})
	if *rewrite {
		if err := os.WriteFile(file, []byte(s.Rewritten()), 0o644); err != nil {
			t.Error(err)
		}
	}
	if _, err := root.Run(t.Context(), drop); err != nil {
		t.Error(err)
	}
}

func TestCorpus_InProcess(t *testing.T) {
	for _, file := range corpus(t) {
		t.Run(filepath.Base(file), func(t *testing.T) { run(t, newInProcess(t), file) })
	}
}

// TestCorpus_OverHTTP runs the same scripts on a server, one after the other.
func TestCorpus_OverHTTP(t *testing.T) {
	if testing.Short() || *rewrite {
		t.Skip("in process only")
	}
	db := newOverHTTP(t)
	for _, file := range corpus(t) {
		t.Run(filepath.Base(file), func(t *testing.T) { run(t, db, file) })
	}
}

// ofOthers are statements about what no script makes: live queries of a WebSocket,
// which server/ws has, and a job that runs on and changes of a cluster, which
// core/engine has. Scripts have them refused.
var ofOthers = map[dialect.Kind]bool{
	dialect.KillLiveQuery: true, dialect.TraceDelivery: true, dialect.KillJob: true,
	dialect.ClusterJoin: true, dialect.ClusterLeave: true, dialect.ClusterReplace: true,
	dialect.ClusterTransfer: true, dialect.ClusterRebalance: true,
}

// TestCorpus_CoversStatements fails when a kind of statement or a data type of
// columns is in no script.
func TestCorpus_CoversStatements(t *testing.T) {
	kinds := map[dialect.Kind]bool{}
	types := map[value.Kind]bool{}
	for _, file := range corpus(t) {
		for _, r := range read(t, file).Records {
			done := r.Form == sqllogic.OK || r.Form == sqllogic.Query || r.Form == sqllogic.Let
			sts, err := dialect.Parse(r.SQL, dialect.Limits{})
			if err != nil && done {
				t.Fatalf("%s:%d: %v", filepath.Base(file), r.Line, err)
			}
			for _, st := range sts {
				if !done && !ofOthers[st.Kind] {
					continue
				}
				kinds[st.Kind] = true
				if c, ok := st.Node.(*ast.CreateTable); ok {
					for _, col := range c.Columns {
						types[col.Type.Kind] = true
					}
				}
			}
		}
	}
	for _, k := range dialect.Kinds() {
		if !kinds[k.Kind] {
			t.Errorf("no script of testdata/sqllogic runs %s", k.Text)
		}
	}
	for _, k := range value.Kinds() {
		if k.Column && !types[k.Kind] {
			t.Errorf("no script of testdata/sqllogic has a column of type %s", k.SQL)
		}
	}
}
