package dialect_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

func addSeeds(f *testing.F) {
	for _, k := range dialect.Kinds() {
		f.Add(k.Example)
	}
	for text := range alters {
		f.Add(text)
	}
	for _, text := range []string{
		"", ";", "SELECT 1; SELECT 'a;b' -- x\n;", "EXECUTE AS USER 'a' (SELECT (1););", "(((", "CASE )",
		"SELECT /* a */ `b`, \"c\", x'1f', 1.e5, $1, ?, @x, 'it''s' FROM a.b.c", "'\\", "\xff", "\x00",
		"WITH a AS (SELECT 1) SELECT 2", "SUBSCRIBE TO t OPTIONS (from = 1)", "EXECUTE AS USER a (",
		"CREATE TABLE t (key TEXT DEFAULT ('x'), PRIMARY KEY (key)) COMMENT 'c' WITH (TYPE = shared)",
		"CREATE TABLE t (a DECIMAL(5,2) DEFAULT -1 PRIMARY KEY", "CREATE", "ALTER USER a SET",
	} {
		f.Add(text)
	}
}

// checkFault checks that err is a fault with a position inside text.
func checkFault(t *testing.T, text string, err error) {
	t.Helper()
	e := fault.From(err)
	if e.Code == fault.Internal || e.Message == "" {
		t.Fatalf("error without a code: %v", err)
	}
	if e.Position < 0 || e.Position > len(text) {
		t.Fatalf("position %d in a text of %d bytes: %v", e.Position, len(text), err)
	}
	if e.Position == 0 && e.Code != fault.EmptySQL && e.Code != fault.PayloadTooLarge {
		t.Fatalf("error without a position: %v", err)
	}
}

func FuzzLex(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		toks, err := dialect.Lex(text, dialect.Limits{})
		if err != nil {
			checkFault(t, text, err)
			return
		}
		last := int32(0)
		for _, tok := range toks {
			if tok.Start < last || tok.End <= tok.Start || int(tok.End) > len(text) {
				t.Fatalf("token %+v behind %d in a text of %d bytes", tok, last, len(text))
			}
			last = tok.End
			one, err := dialect.Lex(tok.Text(text), dialect.Limits{})
			if tok.Kind != dialect.Number && (err != nil || len(one) != 1 || one[0].Kind != tok.Kind) {
				t.Fatalf("%s %q alone is %v, %v", tok.Kind, tok.Text(text), one, err)
			}
			switch tok.Kind {
			case dialect.QuotedIdentifier:
				name := tok.Name(text)
				if dialect.UnquoteIdent(dialect.QuoteIdent(name)) != name {
					t.Fatalf("name %q does not read back", name)
				}
			case dialect.String:
				s := dialect.UnquoteString(tok.Text(text))
				if dialect.UnquoteString(dialect.QuoteString(s)) != s {
					t.Fatalf("string %q does not read back", s)
				}
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		sts, err := dialect.Parse(text, dialect.Limits{})
		if err != nil {
			checkFault(t, text, err)
			if e := fault.From(err); e.Statement != 0 && e.Statement != len(sts)+1 {
				t.Fatalf("statement %d failed behind %d", e.Statement, len(sts))
			}
		} else {
			checkCover(t, text, sts)
		}
		for _, st := range sts {
			checkStatement(t, text, st)
		}
	})
}

// checkCover checks that every token is in a statement, is a semicolon, or
// belongs to an EXECUTE AS.
func checkCover(t *testing.T, text string, sts []dialect.Statement) {
	toks, err := dialect.Lex(text, dialect.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	acting := false
	i := 0
	for _, tok := range toks {
		for i < len(sts) && int(tok.Start) >= sts[i].Offset+len(sts[i].Text) {
			acting = sts[i].As != ""
			i++
		}
		inside := i < len(sts) && int(tok.Start) >= sts[i].Offset
		wrapped := acting || i < len(sts) && sts[i].As != ""
		if !inside && !wrapped && tok.Kind != dialect.Semicolon {
			t.Fatalf("%q is in no statement", tok.Text(text))
		}
	}
}

func checkStatement(t *testing.T, text string, st dialect.Statement) {
	if text[st.Offset:st.Offset+len(st.Text)] != st.Text || st.Text == "" {
		t.Fatalf("offset %d of %q is wrong", st.Offset, st.Text)
	}
	if st.Kind == 0 || st.Kind.Info().Class == 0 {
		t.Fatalf("%q has no kind", st.Text)
	}
	again, err := dialect.Parse(st.Text, dialect.Limits{})
	if err != nil || len(again) != 1 || again[0].Kind != st.Kind || again[0].As != "" {
		t.Fatalf("%q alone is %v, %v", st.Text, again, err)
	}
	if n, ok := st.Node.(*ast.CreateTable); ok {
		shown := ddl.ShowCreate(n.Table())
		back, err := dialect.Parse(shown, dialect.Limits{})
		if err != nil || ddl.ShowCreate(back[0].Node.(*ast.CreateTable).Table()) != shown {
			t.Fatalf("%s does not parse back: %v", shown, err)
		}
	}
}
