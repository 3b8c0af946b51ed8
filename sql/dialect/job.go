package dialect

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// maxJobID bounds the id of a job in bytes.
const maxJobID = 64

// killJob reads KILL JOB 'id'.
func (p *parser) killJob() (Kind, Node, error) {
	p.next()
	p.next()
	id, err := p.jobID()
	if err != nil {
		return 0, nil, err
	}
	return p.complete(KillJob, &ast.KillJob{ID: id})
}

// waitForJob reads WAIT FOR JOB 'id' [TIMEOUT 's'].
func (p *parser) waitForJob() (Kind, Node, error) {
	p.next()
	if err := p.expect("FOR", "JOB"); err != nil {
		return 0, nil, err
	}
	n := &ast.WaitForJob{}
	var err error
	if n.ID, err = p.jobID(); err != nil {
		return 0, nil, err
	}
	if p.accept("TIMEOUT") {
		at := p.i
		o, err := p.optionValue()
		if err != nil {
			return 0, nil, err
		}
		if n.Timeout, err = ddl.ParseSpan("TIMEOUT", o); err != nil {
			return 0, nil, p.at(at, err)
		}
		if n.Timeout > ast.MaxWait {
			return 0, nil, p.at(at, fault.New(fault.InvalidParameter,
				"TIMEOUT is at most 1 hour; wait again"))
		}
	}
	return p.complete(WaitForJob, n)
}

func (p *parser) jobID() (ident.JobID, error) {
	const what = "the id of a job"
	at := p.i
	id, err := p.text(what)
	if err == nil && (id == "" || len(id) > maxJobID) {
		p.i = at
		err = p.failExpected(what)
	}
	return ident.JobID(id), err
}
