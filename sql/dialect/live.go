package dialect

import (
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// maxLiveID bounds the id of a live query, and maxKeyColumns a traced key.
const (
	maxLiveID     = 256
	maxKeyColumns = 64
)

// kill reads KILL LIVE QUERY 'id' and KILL JOB 'id'.
func (p *parser) kill() (Kind, Node, error) {
	if p.is(wordKill, "JOB") {
		return p.killJob()
	}
	if !p.accept(wordKill, "LIVE", "QUERY") {
		p2 := *p
		p2.i++
		statement := wordKill
		if word := p2.secondWord(wordKill); word != "" {
			statement += " " + word
		}
		return 0, nil, p.refuse(statement, "use KILL LIVE QUERY 'id' or KILL JOB 'id'")
	}
	id, err := p.liveID()
	if err != nil {
		return 0, nil, err
	}
	return p.complete(KillLiveQuery, &ast.KillLiveQuery{ID: id})
}

// traceDelivery reads TRACE DELIVERY 'id' FOR key | (key, ...).
func (p *parser) traceDelivery() (Kind, Node, error) {
	p.next()
	if err := p.expect("DELIVERY"); err != nil {
		return 0, nil, err
	}
	n := &ast.TraceDelivery{}
	var err error
	if n.ID, err = p.liveID(); err != nil {
		return 0, nil, err
	}
	if err := p.expect("FOR"); err != nil {
		return 0, nil, err
	}
	if !p.acceptKind(LeftParen) {
		n.Key, err = p.keyLiterals(1)
	} else if n.Key, err = p.keyLiterals(maxKeyColumns); err == nil {
		err = p.expectKind(RightParen)
	}
	if err != nil {
		return 0, nil, err
	}
	return p.complete(TraceDelivery, n)
}

func (p *parser) liveID() (ident.LiveID, error) {
	at := p.i
	id, err := p.text("the id of a live query")
	if err == nil && (id == "" || len(id) > maxLiveID) {
		p.i = at
		err = p.failExpected("the id of a live query")
	}
	return ident.LiveID(id), err
}

// keyLiterals consumes up to most numbers and strings with commas between.
func (p *parser) keyLiterals(most int) (key []string, err error) {
	for {
		sign := ""
		if p.acceptOperator("-") {
			sign = "-"
		}
		switch t := p.peek(); {
		case t.Kind == Number:
			key = append(key, sign+p.next().Text(p.src))
		case t.Kind == String && sign == "":
			key = append(key, UnquoteString(p.next().Text(p.src)))
		default:
			return nil, p.failExpected("a value of the primary key")
		}
		if len(key) == most || !p.acceptKind(Comma) {
			return key, nil
		}
	}
}
