package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// parser walks over the tokens of one statement. Its methods either consume
// what they are named for or leave the parser where the error is.
type parser struct {
	src  string
	toks []Token
	i    int
}

// peek returns the next token, the zero Token at the end.
func (p *parser) peek() Token {
	if p.i < len(p.toks) {
		return p.toks[p.i]
	}
	return Token{}
}

// next consumes a token and returns it.
func (p *parser) next() Token {
	t := p.peek()
	p.i++
	return t
}

// word returns the next token in upper case if it is an unquoted word, else "".
func (p *parser) word() string {
	if t := p.peek(); t.Kind == Identifier {
		return strings.ToUpper(t.Text(p.src))
	}
	return ""
}

// is reports whether the next tokens are these words.
func (p *parser) is(words ...string) bool {
	if p.i+len(words) > len(p.toks) {
		return false
	}
	for n, w := range words {
		if !p.toks[p.i+n].Is(p.src, w) {
			return false
		}
	}
	return true
}

// accept consumes these words if they come next.
func (p *parser) accept(words ...string) bool {
	if !p.is(words...) {
		return false
	}
	p.i += len(words)
	return true
}

// acceptKind consumes the next token if it is of kind k.
func (p *parser) acceptKind(k TokenKind) bool {
	if p.peek().Kind != k {
		return false
	}
	p.i++
	return true
}

// acceptOperator consumes the operator op if it comes next.
func (p *parser) acceptOperator(op string) bool {
	if t := p.peek(); t.Kind != Operator || t.Text(p.src) != op {
		return false
	}
	p.i++
	return true
}

func (p *parser) expect(words ...string) error {
	for _, w := range words {
		if !p.accept(w) {
			return p.failExpected(w)
		}
	}
	return nil
}

func (p *parser) expectKind(k TokenKind) error {
	if !p.acceptKind(k) {
		return p.failExpected(k.String())
	}
	return nil
}

// end checks that the statement is complete.
func (p *parser) end() error {
	if p.i < len(p.toks) {
		return p.failExpected("the end of the statement")
	}
	return nil
}

// position returns the byte, from 1, of the next token, or the last byte of
// the statement at its end.
func (p *parser) position() int {
	if p.i < len(p.toks) {
		return int(p.toks[p.i].Start) + 1
	}
	return int(p.toks[len(p.toks)-1].End)
}

// fail returns an error at the next token.
func (p *parser) fail(code fault.Code, format string, args ...any) error {
	return fault.New(code, format, args...).At(0, p.position())
}

func (p *parser) unsupported(format string, args ...any) error {
	return p.fail(fault.Unsupported, format, args...)
}

// at gives err the position of token i of the statement.
func (p *parser) at(i int, err error) error {
	if err == nil {
		return nil
	}
	here := parser{src: p.src, toks: p.toks, i: i}
	return fault.From(err).At(0, here.position())
}

// failExpected says what should come next and what comes instead.
func (p *parser) failExpected(what string) error {
	switch t := p.peek(); t.Kind {
	case 0:
		return p.fail(fault.InvalidSQL, "expected %s, found the end of the statement", what)
	case Parameter:
		return p.unsupported("parameters can't stand here; write %s out", what)
	default:
		return p.fail(fault.InvalidSQL, "expected %s, found %q", what, clip(t.Text(p.src)))
	}
}

// clip shortens what a caller sent before it stands in a message.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// name consumes an identifier, quoted or not.
func (p *parser) name(what string) (string, error) {
	if k := p.peek().Kind; k != Identifier && k != QuotedIdentifier {
		return "", p.failExpected(what)
	}
	return p.next().Name(p.src), nil
}

// text consumes a string literal.
func (p *parser) text(what string) (string, error) {
	if p.peek().Kind != String {
		return "", p.failExpected(what + " as 'text'")
	}
	return UnquoteString(p.next().Text(p.src)), nil
}

// userID consumes 'id' or an identifier.
func (p *parser) userID() (ident.UserID, error) {
	at := p.i
	var id string
	var err error
	if p.peek().Kind == String {
		id = UnquoteString(p.next().Text(p.src))
	} else if id, err = p.name("a user id as 'text'"); err != nil {
		return "", err
	}
	user, err := ident.ParseUserID(id)
	return user, p.at(at, err)
}

// ownNamespace consumes the name of a namespace that users may change.
func (p *parser) ownNamespace() (ident.NamespaceID, error) {
	at := p.i
	name, err := p.name("the name of a namespace")
	if err != nil {
		return "", err
	}
	ns, err := ident.ParseNamespaceID(name)
	return ns, p.at(at, err)
}

// anyNamespace consumes the name of a namespace that is only looked at.
func (p *parser) anyNamespace() (ident.NamespaceID, error) {
	if p.is("SYSTEM") || strings.EqualFold(p.peek().Name(p.src), system.Namespace) {
		p.i++
		return system.Namespace, nil
	}
	return p.ownNamespace()
}

// table consumes [namespace.]table. With own the namespace must be one that
// users may change.
func (p *parser) table(own bool) (ast.TableRef, error) {
	var ref ast.TableRef
	var err error
	if p.i+1 < len(p.toks) && p.toks[p.i+1].Kind == Dot {
		namespace := p.anyNamespace
		if own {
			namespace = p.ownNamespace
		}
		if ref.Namespace, err = namespace(); err != nil {
			return ref, err
		}
		p.i++
	}
	at := p.i
	name, err := p.name("the name of a table")
	if err != nil {
		return ref, err
	}
	if p.peek().Kind == Dot {
		return ref, p.fail(fault.InvalidSQL,
			"a table has the same definition for every user; write namespace.table")
	}
	ref.Name, err = ident.ParseTableName(name)
	return ref, p.at(at, err)
}

// ifExists consumes IF EXISTS.
func (p *parser) ifExists() bool { return p.accept("IF", "EXISTS") }

// ifNotExists consumes IF NOT EXISTS.
func (p *parser) ifNotExists() bool { return p.accept("IF", "NOT", "EXISTS") }
