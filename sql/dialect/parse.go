package dialect

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Parse splits text into its statements and recognises each. An error is a
// *fault.Error with the number of the statement, from 1, and a position, the
// byte in text from 1; the statements before it are returned with it. A text
// without any statement is fault.EmptySQL. The statements alias text.
func Parse(text string, lim Limits) ([]Statement, error) {
	lim = lim.withDefaults()
	toks, err := Lex(text, lim)
	if err != nil {
		return nil, err
	}
	var all []Statement
	for len(toks) > 0 {
		var one []Token
		one, toks = cut(text, toks)
		if len(one) == 0 {
			continue
		}
		if len(all) == lim.MaxStatements {
			return all, fault.New(fault.PayloadTooLarge,
				"the text has more than %d statements; send it in parts", lim.MaxStatements).
				At(len(all)+1, int(one[0].Start)+1)
		}
		st, err := parseOne(text, one, lim)
		if err != nil {
			return all, locate(err, len(all)+1, one[0])
		}
		all = append(all, st)
	}
	if len(all) == 0 {
		return nil, fault.New(fault.EmptySQL, "there is no statement in the text")
	}
	return all, nil
}

// locate names the statement in err, and its first token if err has no
// position.
func locate(err error, statement int, first Token) error {
	e := fault.From(err)
	if e.Position == 0 {
		e = e.At(0, int(first.Start)+1)
	}
	return e.At(statement, 0)
}

// cut returns the tokens of the first statement, without its semicolon, and
// those behind it. Within the parentheses of EXECUTE AS a semicolon does not
// end the statement.
func cut(src string, toks []Token) (one, rest []Token) {
	acting := len(toks) > 1 && toks[0].Is(src, "EXECUTE") && toks[1].Is(src, "AS")
	depth := 0
	for i, t := range toks {
		switch t.Kind {
		case LeftParen:
			depth++
		case RightParen:
			depth--
		case Semicolon:
			if !acting || depth <= 0 {
				return toks[:i], toks[i+1:]
			}
		}
	}
	return toks, nil
}

// parseOne recognises the statement that toks are; there is at least one.
func parseOne(src string, toks []Token, lim Limits) (Statement, error) {
	var st Statement
	if err := bound(src, toks, lim); err != nil {
		return st, err
	}
	if toks[0].Is(src, "EXECUTE") {
		var err error
		if st.As, toks, err = parseExecuteAs(src, toks); err != nil {
			return st, err
		}
	}
	p := &parser{src: src, toks: toks}
	kind, node, err := p.statement()
	if err != nil {
		return st, err
	}
	start, end := toks[0].Start, toks[len(toks)-1].End
	st.Kind, st.Node = kind, node
	st.Text, st.Offset = src[start:end], int(start)
	return st, nil
}

// parseExecuteAs reads EXECUTE AS USER 'id' (statement [;]) and returns the
// tokens of the statement inside.
func parseExecuteAs(src string, toks []Token) (ident.UserID, []Token, error) {
	p := &parser{src: src, toks: toks}
	if !p.accept("EXECUTE", "AS") {
		return "", nil, p.unsupported("EXECUTE of prepared statements is not supported")
	}
	if err := p.expect("USER"); err != nil {
		return "", nil, err
	}
	user, err := p.userID()
	if err != nil {
		return "", nil, err
	}
	if p.peek().Kind != LeftParen {
		return "", nil, p.failExpected("( and a statement")
	}
	inner := toks[p.i+1:]
	closing := matching(toks, p.i) - p.i - 1
	if closing != len(inner)-1 {
		p.i += closing + 2
		return "", nil, p.failExpected("the end of the statement behind )")
	}
	inner = inner[:closing]
	for len(inner) > 0 && inner[len(inner)-1].Kind == Semicolon {
		inner = inner[:len(inner)-1]
	}
	p = &parser{src: src, toks: inner}
	if len(inner) == 0 {
		return "", nil, fault.New(fault.InvalidSQL, "EXECUTE AS needs a statement in its parentheses").
			At(0, int(toks[len(toks)-1].End))
	}
	if p.is("EXECUTE") {
		return "", nil, p.fail(fault.InvalidSQL, "EXECUTE AS can't stand inside EXECUTE AS")
	}
	for p.i = range inner {
		if inner[p.i].Kind == Semicolon {
			return "", nil, p.fail(fault.InvalidSQL,
				"EXECUTE AS takes one statement; write EXECUTE AS for each")
		}
	}
	return user, inner, nil
}

// matching returns the position of the parenthesis that closes the one at
// open. REQUIRES: bound has found toks balanced.
func matching(toks []Token, open int) int {
	depth := 0
	for i := open; i < len(toks); i++ {
		switch toks[i].Kind {
		case LeftParen:
			depth++
		case RightParen:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(toks) - 1
}
