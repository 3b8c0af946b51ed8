package dialect_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

func TestLex_Tokens(t *testing.T) {
	for text, want := range map[string]string{
		"a.b":                 "identifier:a .:. identifier:b",
		"t.1e5":               "identifier:t .:. number:1e5",
		"SELECT .5":           "identifier:SELECT number:.5",
		"1.5e-3, 0xFF 1.":     "number:1.5e-3 ,:, number:0xFF number:1.",
		"1abc 2e 3ex":         "identifier:1abc identifier:2e identifier:3ex",
		"x'1F' B'101' N'a'":   "bit string:x'1F' bit string:B'101' identifier:N string:'a'",
		`'a''b\'c' 'd'`:       `string:'a''b\'c' string:'d'`,
		"`a``b` \"c\"\"d\\\"": "quoted identifier:`a``b` quoted identifier:\"c\"\"d\\\"",
		"$1 ? $23":            "parameter:$1 parameter:? parameter:$23",
		"@a @@b.c 'u'@'h'": "variable:@a variable:@@b.c string:'u' " +
			"operator:@ string:'h'",
		"a<=>b->>c->d::e": "identifier:a operator:<=> identifier:b operator:->> identifier:c " +
			"operator:-> identifier:d operator::: identifier:e",
		"a:=1!=!2||~3": "identifier:a operator::= number:1 operator:!= operator:! number:2 " +
			"operator:|| operator:~ number:3",
		"1--1\n2 #x\n3/**/4": "number:1 number:2 number:3 number:4",
		"/*/ a */b/***/c":    "identifier:b identifier:c",
		"(;)":                "(:( ;:; ):)",
		"\t\r\n ":            "",
	} {
		toks, err := dialect.Lex(text, dialect.Limits{})
		if err != nil {
			t.Errorf("Lex(%q): %v", text, err)
			continue
		}
		var got []string
		for _, tok := range toks {
			got = append(got, tok.Kind.String()+":"+tok.Text(text))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("Lex(%q)\n got %s\nwant %s", text, s, want)
		}
	}
}

func TestLex_Refuses(t *testing.T) {
	for text, pos := range map[string]int{
		"a 'b": 3, "`a": 1, `"a`: 1, `'a\'`: 1, `""`: 1, "$": 1, "$1a": 1, "@@": 1,
		"@@a'('": 1, `@@a.b"("`: 1, "@@.`(`": 1, "@`a`": 1,
		"x'1'": 1, "x'1g'": 1, "b'2'": 1, "1.5a": 1, "a$b": 2, "a\u00a0b": 2, "\v": 1, "a [1]": 3,
		"\\": 1, "a // b": 3, "a:b": 2, "\ufeffSELECT": 1,
	} {
		_, err := dialect.Lex(text, dialect.Limits{})
		if e := fault.From(err); e == nil || e.Code != fault.InvalidSQL || e.Position != pos {
			t.Errorf("Lex(%q) gave %+v, want position %d", text, e, pos)
		}
	}
}

func TestLex_BoundsBytes(t *testing.T) {
	_, err := dialect.Lex(strings.Repeat(" ", 11), dialect.Limits{MaxBytes: 10})
	if !fault.Is(err, fault.PayloadTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestToken_Is(t *testing.T) {
	src := "Select `select`"
	toks, err := dialect.Lex(src, dialect.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !toks[0].Is(src, "SELECT") || toks[0].Is(src, "SELEC") || toks[1].Is(src, "SELECT") {
		t.Error("a word is recognised in any case, a quoted name never")
	}
	if toks[0].Name(src) != "Select" || toks[1].Name(src) != "select" {
		t.Errorf("names are %q and %q", toks[0].Name(src), toks[1].Name(src))
	}
}

func TestQuote_ReadsBack(t *testing.T) {
	for _, s := range []string{"", "a", "it's", `a\b`, `\`, "`", "a``b", `"`, "\x00", "ü\n\t", `\'`} {
		lit := dialect.QuoteString(s)
		if got := dialect.UnquoteString(lit); got != s {
			t.Errorf("%q became %s and %q", s, lit, got)
		}
		toks, err := dialect.Lex(lit, dialect.Limits{})
		if err != nil || len(toks) != 1 || toks[0].Kind != dialect.String {
			t.Errorf("%s lexes as %v, %v", lit, toks, err)
		}
		if got := dialect.UnquoteIdent(dialect.QuoteIdent(s)); got != s {
			t.Errorf("%q became %q as a name", s, got)
		}
	}
	if got := dialect.UnquoteString(`'\b\n\r\t\Z\0\%\''''`); got != "\b\n\r\t\x1a\x00\\%''" {
		t.Errorf("escapes mean %q", got)
	}
	if dialect.UnquoteIdent(`"a""b"`) != `a"b` || dialect.UnquoteIdent("a") != "a" {
		t.Error("double-quoted and bare names read wrong")
	}
}
