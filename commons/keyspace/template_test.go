package keyspace_test

import (
	"path"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
)

func TestParseTemplate(t *testing.T) {
	for _, good := range []string{
		string(keyspace.UserTemplate), "a/{namespace}/{table}/{shard}/{user}", "{user}/{table}",
		"ns={namespace}/{table}/user={user}", "v1.2/{table}/{user}",
	} {
		if got, err := keyspace.ParseTemplate(good, true); err != nil || string(got) != good {
			t.Errorf("%q is %q, %v", good, got, err)
		}
	}
	for _, good := range []string{string(keyspace.SharedTemplate), "x/{table}", "{table}-{shard}"} {
		if got, err := keyspace.ParseTemplate(good, false); err != nil || string(got) != good {
			t.Errorf("%q is %q, %v", good, got, err)
		}
	}
	for bad, part := range map[string]string{
		"":                                     "empty",
		"{namespace}/{user}":                   "no {table}",
		"{namespace}/{table}":                  "no {user}",
		"{table}/{user}/{tenant}":              "unknown placeholder",
		"{table}/{user}/{":                     "unknown placeholder",
		"{table}/{user}}":                      "unknown placeholder",
		"{TABLE}/{user}":                       "unknown placeholder",
		"/{table}/{user}":                      "absolute",
		"../{table}/{user}":                    "empty element",
		"{table}/../{user}":                    "empty element",
		"{table}/./{user}":                     "empty element",
		"{table}//{user}":                      "empty element",
		"{table}/{user}/":                      "empty element",
		".hidden/{table}/{user}":               "dot",
		"{table}/x{user}":                      "mixes {user}",
		"{table}/{user}{shard}":                "mixes {user}",
		"{user}/{table}{shard}":                "goes on with a number",
		"{user}/{table}1":                      "goes on with a number",
		`c:\{table}\{user}`:                    "more than letters",
		"{table}/{user}/\x00":                  "more than letters",
		"{table}/{user}/é":                     "more than letters",
		"{table}/{user}/%2e":                   "more than letters",
		"{table}/{user}/" + longElement("x/a"): "too long",
	} {
		got, err := keyspace.ParseTemplate(bad, true)
		if !fault.Is(err, fault.InvalidParameter) || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is %q, %v", bad, got, err)
		}
	}
	if _, err := keyspace.ParseTemplate("{table}/{user}", false); !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("a shared table has users: %v", err)
	}
}

func longElement(s string) string { return strings.Repeat(s, 100) }

// Paths of segments are stored in storages: a change loses them.
func TestTemplate_Folder(t *testing.T) {
	place := keyspace.Place{Namespace: "chat", Table: "messages", ID: 12, Shard: 4, User: "Alice/.."}
	for template, want := range map[keyspace.Template]string{
		keyspace.UserTemplate:            "chat/messages-12/%41lice%2f%2e%2e",
		keyspace.SharedTemplate:          "chat/messages-12",
		"x/{shard}/{table}/user={user}":  "x/4/messages-12/user=%41lice%2f%2e%2e",
		"{namespace}{namespace}/{table}": "chatchat/messages-12",
	} {
		if got := template.Folder(place); got != want {
			t.Errorf("%s is %q, not %q", template, got, want)
		}
	}
	if got := keyspace.SharedTemplate.SegmentFile(place, 7); got !=
		"chat/messages-12/00000000000000000007.parquet" {
		t.Errorf("a segment is %q", got)
	}
}

// What stands in braces in an id is no placeholder.
func TestTemplate_Folder_of_ids_like_placeholders(t *testing.T) {
	place := keyspace.Place{Namespace: "a", Table: "t", ID: 1, User: "{table}"}
	if got := keyspace.UserTemplate.Folder(place); got != "a/t-1/%7btable%7d" {
		t.Errorf("%q", got)
	}
}

func FuzzTemplate_Folder_keepsUsersApart(f *testing.F) {
	f.Add("alice", "Alice")
	f.Add(strings.Repeat("é", 128), strings.Repeat("é", 127)+"e")
	f.Add("..", ".")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := ident.ParseUserID(a)
		y, errY := ident.ParseUserID(b)
		if errX != nil || errY != nil {
			return
		}
		place := keyspace.Place{Namespace: "n", Table: "t", ID: 1, User: x}
		p := keyspace.UserTemplate.Folder(place)
		place.User = y
		q := keyspace.UserTemplate.Folder(place)
		if (x == y) != strings.EqualFold(p, q) {
			t.Fatalf("%q and %q are %q and %q", a, b, p, q)
		}
		if path.Clean(p) != p || strings.Count(p, "/") != 2 || len(path.Base(p)) > 255 {
			t.Fatalf("%q is %q", a, p)
		}
	})
}

func TestParseSegmentFile(t *testing.T) {
	for _, id := range []ident.SegmentID{1, 42, 1<<64 - 1} {
		file := path.Base(keyspace.UserTemplate.SegmentFile(keyspace.Place{User: "u"}, id))
		if got, ok := keyspace.ParseSegmentFile(file); !ok || got != id {
			t.Errorf("%s is %s, %v", file, got, ok)
		}
	}
	for _, other := range []string{
		"", ".parquet", "part-0.parquet", "42.parquet", "00000000000000000042", "manifest.json",
		"99999999999999999999.parquet", "+0000000000000000042.parquet",
		"00000000000000000042.parquet.bak", "000000000000000000042.parquet",
	} {
		if got, ok := keyspace.ParseSegmentFile(other); ok {
			t.Errorf("%q is segment %s", other, got)
		}
	}
}
