package ident_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

func TestParseUserID_takes_what_identity_providers_give(t *testing.T) {
	for _, s := range []string{
		"a", "alice", "Alice", "alice@example.com", "auth0|123", "google-oauth2|1098",
		"CN=Bob Smith,O=Example", "00000000-0000-0000-0000-000000000001", "søren", "用户", "👩",
		"a b", "a.b", "a/../b", "../a", `a\b`, "a'b\"c", "%2e%2e", "-", "...", "users", "42",
		strings.Repeat("x", 256), strings.Repeat("é", 128),
	} {
		if id, err := ident.ParseUserID(s); err != nil || string(id) != s {
			t.Errorf("%q: %q, %v", s, id, err)
		}
	}
}

func TestParseUserID_refuses(t *testing.T) {
	for name, s := range map[string]string{
		"nothing":               "",
		"257 bytes":             strings.Repeat("x", 257),
		"a megabyte":            strings.Repeat("é", 1<<19),
		"a dot":                 ".",
		"the parent directory":  "..",
		"NUL":                   "a\x00b",
		"a line feed":           "a\nb",
		"an escape":             "a\x1b[31m",
		"DEL":                   "a\x7f",
		"a C1 control":          "a\u0085b",
		"invalid UTF-8":         "a\xff",
		"the replacement rune":  "a\uFFFDb",
		"a zero-width space":    "a\u200bb",
		"a change of direction": "a\u202eb",
		"a byte order mark":     "\ufeffa",
		"a space before":        " a",
		"a space behind":        "a ",
		"a no-break space":      "\u00a0a",
		"system":                "system",
		"system in capitals":    "SYSTEM",
		"user":                  "User",
		"shared":                "shared",
		"stream":                "stream",
		"null":                  "NULL",
	} {
		id, err := ident.ParseUserID(s)
		if !fault.Is(err, fault.InvalidParameter) || id != "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		if err != nil && (len(err.Error()) > 400 || !utf8.ValidString(err.Error())) {
			t.Errorf("%s: the message is %d bytes or no UTF-8", name, len(err.Error()))
		}
	}
}

func TestParseUserID_tells_case_and_prefixes_apart(t *testing.T) {
	ids := map[ident.UserID]bool{}
	for _, s := range []string{"alice", "Alice", "alice1", "alic", "ALICE"} {
		id, err := ident.ParseUserID(s)
		if err != nil || ids[id] {
			t.Errorf("%q: %q, %v", s, id, err)
		}
		ids[id] = true
	}
}

func TestParseRole(t *testing.T) {
	for s, want := range map[string]ident.Role{
		"user": ident.RoleUser, "Service": ident.RoleService, "DBA": ident.RoleDBA,
	} {
		if got, err := ident.ParseRole(s); err != nil || got != want {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"system", "", "root", "user "} {
		if got, err := ident.ParseRole(s); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
}

func TestParseName_folds_and_checks(t *testing.T) {
	if ns, err := ident.ParseNamespaceID("Chat_2"); err != nil || ns != "chat_2" {
		t.Errorf("%q, %v", ns, err)
	}
	if n, err := ident.ParseTableName(strings.Repeat("T", 64)); err != nil || len(n) != 64 {
		t.Errorf("%q, %v", n, err)
	}
	if c, err := ident.ParseColumnName("createdAt"); err != nil || c != "createdat" {
		t.Errorf("%q, %v", c, err)
	}
	for _, bad := range []string{
		"", "1a", "_a", "a-b", "a.b", "a b", "é", "a\x00", "..", strings.Repeat("a", 65), "a;drop",
	} {
		if _, err := ident.ParseNamespaceID(bad); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("namespace %q: %v", bad, err)
		}
		if _, err := ident.ParseTableName(bad); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("table %q: %v", bad, err)
		}
		if _, err := ident.ParseColumnName(bad); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("column %q: %v", bad, err)
		}
	}
	for _, taken := range []string{"system", "SYSTEM", "information_schema", "mysql", "sys", "user"} {
		if _, err := ident.ParseNamespaceID(taken); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("namespace %q: %v", taken, err)
		}
	}
}

func FuzzParseUserID(f *testing.F) {
	for _, s := range []string{
		"alice@example.com", "auth0|123", "..", "a\x00", "é", "\xff", "System",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ident.ParseUserID(s)
		if err != nil {
			if !fault.Is(err, fault.InvalidParameter) || !utf8.ValidString(err.Error()) {
				t.Fatalf("%q", err)
			}
			return
		}
		if string(id) != s || s == "" || len(s) > ident.MaxUserID || !utf8.ValidString(s) ||
			strings.ContainsAny(s, "\x00\n\r\t\x7f") || s == ".." {
			t.Fatalf("%q became %q", s, id)
		}
	})
}
