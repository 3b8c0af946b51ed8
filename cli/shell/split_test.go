package shell_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/cli/shell"
)

func texts(sts []shell.Statement) []string {
	var out []string
	for _, st := range sts {
		out = append(out, st.Text)
	}
	return out
}

func TestSplitter_Feed(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
		rest       string
	}{
		{"nothing", "  \n", nil, ""},
		{"two", "SELECT 1; SELECT 2;", []string{"SELECT 1", "SELECT 2"}, ""},
		{"rest", "SELECT 1; SELECT 2", []string{"SELECT 1"}, "SELECT 2"},
		{"empty statements", ";; ;SELECT 1;;", []string{"SELECT 1"}, ""},
		{"string", "SELECT ';', 'it''s; ok', 'a\\';b';", []string{"SELECT ';', 'it''s; ok', 'a\\';b'"}, ""},
		{"quoted names", "SELECT \"a;\"\"b\", `c;``d`;", []string{"SELECT \"a;\"\"b\", `c;``d`"}, ""},
		{"a backslash in a name", `SELECT "a\";`, []string{`SELECT "a\"`}, ""},
		{"line comment", "SELECT 1 -- a; b'\n, 2;", []string{"SELECT 1 -- a; b'\n, 2"}, ""},
		{"hash comment", "SELECT 1 # a; b'\n;", []string{"SELECT 1 # a; b'"}, ""},
		{"block comment", "SELECT /* ; ' \n */ 1;", []string{"SELECT /* ; ' \n */ 1"}, ""},
		{"comments before", "# a\n/* b */ SELECT 1;", []string{"SELECT 1"}, ""},
		{"only comments", "-- a\n/* b; */ ;\n# c\n", nil, ""},
		{"lines", "SELECT\n1\n;\nSELECT 2;", []string{"SELECT\n1", "SELECT 2"}, ""},
		{"open string", "SELECT 'a; b\n", nil, "SELECT 'a; b"},
		{"unicode", "SELECT 'é;', '消息';", []string{"SELECT 'é;', '消息'"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			whole := feed(t, []string{tc.text}, tc.want, tc.rest)
			byLine := feed(t, strings.SplitAfter(tc.text, "\n"), tc.want, tc.rest)
			if !slices.Equal(whole, byLine) {
				t.Errorf("whole %q, by line %q", whole, byLine)
			}
		})
	}
}

func feed(t *testing.T, pieces, want []string, wantRest string) []string {
	t.Helper()
	var s shell.Splitter
	var got []string
	for _, p := range pieces {
		got = append(got, texts(s.Feed(p))...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("statements %q, want %q", got, want)
	}
	rest, ok := s.Rest()
	if !ok {
		rest.Text = ""
	}
	if rest.Text != wantRest {
		t.Errorf("rest %q, want %q", rest.Text, wantRest)
	}
	if !s.Empty() {
		t.Error("not empty after Rest")
	}
	return got
}

func TestSplitter_lines(t *testing.T) {
	var s shell.Splitter
	s.Feed("-- head\n\n")
	got := s.Feed("SELECT 1;\n\n  SELECT\n2;\n")
	if len(got) != 2 || got[0].Line != 3 || got[1].Line != 5 {
		t.Errorf("statements %+v", got)
	}
}

func FuzzSplitter(f *testing.F) {
	for _, s := range []string{"SELECT 1;", "'", "/*", "--\n;", "\"a;`;", "\\';"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var whole, lines shell.Splitter
		a := texts(whole.Feed(text))
		var b []string
		for line := range strings.Lines(text) {
			b = append(b, texts(lines.Feed(line))...)
		}
		if !slices.Equal(a, b) {
			t.Errorf("whole %q, by line %q", a, b)
		}
	})
}
