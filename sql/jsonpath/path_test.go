package jsonpath_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/sql/jsonpath"
)

const doc = `{"a": [1, 2, {"b": 3, "c": [4]}], "bb": "x", "d e": null, "o": {"b": 5, "é": 6}}`

func TestPath_Find(t *testing.T) {
	for _, x := range []struct{ path, want string }{
		{"$", "[" + doc + "]"},
		{"$.bb", `["x"]`},
		{` $ . a [ 1 ] `, `[2]`},
		{`$."d e"`, `[null]`},
		{`$."\u0062b"`, `["x"]`},
		{"$.o.é", `[6]`},
		{"$.zz", `null`},
		{"$.a.b", `null`},
		{"$.bb[0]", `["x"]`},
		{"$.bb[last]", `["x"]`},
		{"$.bb[1]", `null`},
		{"$.bb[0 to 5]", `["x"]`},
		{"$.bb[*]", `null`},
		{"$.a[last]", `[{"b": 3, "c": [4]}]`},
		{"$.a[last-2]", `[1]`},
		{"$.a[last-3]", `null`},
		{"$.a[3]", `null`},
		{"$.a[0 to 1]", `[1, 2]`},
		{"$.a[last-1 to last]", `[2, {"b": 3, "c": [4]}]`},
		{"$.a[1 to 9]", `[2, {"b": 3, "c": [4]}]`},
		{"$.a[2 to 1]", `null`},
		{"$.a[*]", `[1, 2, {"b": 3, "c": [4]}]`},
		{"$.o.*", `[5, 6]`},
		{"$**.b", `[3, 5]`},
		{"$.a**[0]", `[1, 1, 2, {"b": 3, "c": [4]}, 3, 4, 4]`},
	} {
		var v any
		if err := json.Unmarshal([]byte(doc), &v); err != nil {
			t.Fatal(err)
		}
		p, err := jsonpath.Parse(x.path)
		if err != nil {
			t.Errorf("%s: %v", x.path, err)
			continue
		}
		found, err := p.Find(v, 100)
		if err != nil {
			t.Errorf("%s: %v", x.path, err)
		}
		got, err := json.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		if want := compact(t, x.want); string(got) != want {
			t.Errorf("%s finds %s, not %s", x.path, got, want)
		}
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPath_Wild(t *testing.T) {
	for path, want := range map[string]bool{
		"$": false, "$.a[0]": false, "$.a[last]": false, "$.*": true, "$[*]": true,
		"$[0 to 1]": true, "$**.a": true,
	} {
		if p, err := jsonpath.Parse(path); err != nil || p.Wild() != want {
			t.Errorf("%s: %v, %v", path, p.Wild(), err)
		}
	}
}

func TestPath_FindIsBounded(t *testing.T) {
	var v any = 1.0
	for range 200 {
		v = []any{v}
	}
	p, err := jsonpath.Parse("$" + strings.Repeat("**[*]", 10))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Find(v, 1000); !errors.Is(err, jsonpath.ErrTooMany) {
		t.Errorf("%v", err)
	}
}

func TestParse_Refuses(t *testing.T) {
	for _, path := range []string{
		"", "a", ".a", "$a", "$.", "$.1", "$.a-b", "$[", "$[]", "$[-1]", "$[1", "$[a]", "$[1:2]",
		"$[1 to]", "$[99999999999]", "$**", `$."a`, `$."\x"`, "$..a", "$[?(@.a)]", "$.a b",
		"$" + strings.Repeat(".a", 101),
	} {
		if _, err := jsonpath.Parse(path); !errors.Is(err, jsonpath.ErrSyntax) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`$.a[0]."b c"**[last-1 to last].*`)
	f.Add(`$ [*] ."\u0000" . $é`)
	var v any
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := jsonpath.Parse(text)
		if err != nil {
			if !errors.Is(err, jsonpath.ErrSyntax) {
				t.Fatal(err)
			}
			return
		}
		if found, err := p.Find(v, 1000); err == nil && !p.Wild() && len(found) > 1 {
			t.Fatalf("%q finds %d parts", text, len(found))
		}
	})
}
