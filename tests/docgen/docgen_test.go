package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

func allPages(t *testing.T) []page {
	t.Helper()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReference_isWhatTheCodeSays(t *testing.T) {
	if err := compare("../../docs/reference"); err != nil {
		t.Error(err)
	}
}

func TestCompare_noticesAChangedPage(t *testing.T) {
	dir := t.TempDir()
	for _, p := range allPages(t) {
		if err := os.WriteFile(filepath.Join(dir, p.file), p.text(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := compare(dir); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, allPages(t)[0].file)
	if err := os.WriteFile(name, []byte("# Other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := compare(dir); err == nil || !strings.Contains(err.Error(), "make docs") {
		t.Errorf("got %v", err)
	}
}

func TestPages_keepEachRowOnOneLine(t *testing.T) {
	for _, p := range allPages(t) {
		for line := range strings.Lines(string(p.text())) {
			if strings.HasPrefix(line, "|") && !strings.HasSuffix(line, "|\n") {
				t.Errorf("%s: a row is broken: %q", p.file, line)
			}
		}
	}
}

// The forms in the documentation are of statements that parse.
func TestStatements_examplesParse(t *testing.T) {
	for _, k := range dialect.Kinds() {
		all, err := dialect.Parse(k.Example, dialect.Limits{})
		if err != nil || len(all) != 1 || all[0].Kind != k.Kind {
			t.Errorf("%s: %q gives %v, %v", k.Text, k.Example, all, err)
		}
	}
}
