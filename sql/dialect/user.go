package dialect

import (
	"strings"
	"unicode"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// Limits of an account's fields, in bytes.
const (
	maxPassword = 1024
	maxEmail    = 254
)

// account collects the clauses of CREATE USER and ALTER USER.
type account struct {
	password *string
	role     *ident.Role
	email    *string
	storage  *ident.StorageID
}

func (p *parser) createUser() (Kind, Node, error) {
	n := &ast.CreateUser{IfNotExists: p.ifNotExists(), Role: ident.RoleUser}
	var err error
	if n.ID, err = p.userID(); err != nil {
		return 0, nil, err
	}
	p.accept(wordWith)
	var a account
	for p.i < len(p.toks) {
		if err := p.accountClause(&a); err != nil {
			return 0, nil, err
		}
	}
	n.Password = a.password
	if a.role != nil {
		n.Role = *a.role
	}
	if a.email != nil {
		n.Email = *a.email
	}
	if a.storage != nil {
		n.Storage = *a.storage
	}
	return CreateUser, n, nil
}

func (p *parser) alterUser() (Kind, Node, error) {
	n := &ast.AlterUser{}
	var err error
	if n.ID, err = p.userID(); err != nil {
		return 0, nil, err
	}
	if err := p.expect("SET"); err != nil {
		return 0, nil, err
	}
	var a account
	for {
		if err := p.accountClause(&a); err != nil {
			return 0, nil, err
		}
		p.acceptKind(Comma)
		if p.i >= len(p.toks) {
			break
		}
	}
	n.Password, n.Role, n.Email, n.Storage = a.password, a.role, a.email, a.storage
	return AlterUser, n, nil
}

// accountClause consumes PASSWORD 'p', ROLE r, EMAIL 'e' or STORAGE 'id'.
func (p *parser) accountClause(a *account) error {
	at := p.i
	clause, given := p.word(), false
	var err error
	switch {
	case p.accept("PASSWORD"), p.accept("IDENTIFIED", "BY"):
		given = a.password != nil
		a.password, err = p.password()
	case p.accept("ROLE"):
		given = a.role != nil
		a.role, err = p.role()
	case p.accept("EMAIL"):
		given = a.email != nil
		a.email, err = p.email()
	case p.accept(wordStorage):
		given = a.storage != nil
		a.storage, err = p.userStorage()
	case p.is("OAUTH"), p.is("API", "KEY"):
		return p.unsupported("%s of a user is not supported; use PASSWORD", clause)
	default:
		return p.failExpected("PASSWORD 'p', ROLE r, EMAIL 'e' or STORAGE 'id'")
	}
	if given && err == nil {
		return p.at(at, fault.New(fault.InvalidSQL, "%s is given twice; keep one", clause))
	}
	return err
}

func (p *parser) password() (*string, error) {
	p.acceptOperator("=")
	at := p.i
	s, err := p.text("a password")
	if err != nil {
		return nil, err
	}
	if s == "" || len(s) > maxPassword {
		return nil, p.at(at, fault.New(fault.InvalidParameter,
			"a password must have 1 to %d bytes", maxPassword))
	}
	return &s, nil
}

func (p *parser) role() (*ident.Role, error) {
	p.acceptOperator("=")
	at := p.i
	var s string
	var err error
	if p.peek().Kind == String {
		s, err = p.text("a role")
	} else {
		s, err = p.name("a role: user, service or dba")
	}
	if err != nil {
		return nil, err
	}
	r, err := ident.ParseRole(s)
	return &r, p.at(at, err)
}

// email consumes an address, or ” for none.
func (p *parser) email() (*string, error) {
	p.acceptOperator("=")
	at := p.i
	s, err := p.text("an email address")
	if err != nil {
		return nil, err
	}
	odd := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	name, domain, found := strings.Cut(s, "@")
	ok := found && name != "" && domain != "" && len(s) <= maxEmail && !strings.ContainsFunc(s, odd)
	if s != "" && !ok {
		return nil, p.at(at, fault.New(fault.InvalidParameter,
			"%q is no email address; write it as name@domain", clip(s)))
	}
	return &s, nil
}

// userStorage consumes the id of a storage, or NULL or ” for none.
func (p *parser) userStorage() (*ident.StorageID, error) {
	p.acceptOperator("=")
	none := ident.StorageID("")
	if p.accept("NULL") {
		return &none, nil
	}
	if t := p.peek(); t.Kind == String && UnquoteString(t.Text(p.src)) == "" {
		p.i++
		return &none, nil
	}
	id, err := p.storageID()
	return &id, err
}

func (p *parser) dropUser() (Kind, Node, error) {
	n := &ast.DropUser{IfExists: p.ifExists()}
	var err error
	if n.ID, err = p.userID(); err != nil {
		return 0, nil, err
	}
	return p.complete(DropUser, n)
}

// restoreUser reads RESTORE USER 'id'.
func (p *parser) restoreUser() (Kind, Node, error) {
	p.next()
	if p.is("DATABASE") || p.is("NAMESPACE") {
		return 0, nil, p.unsupported("RESTORE %s is not supported", p.word())
	}
	if err := p.expect("USER"); err != nil {
		return 0, nil, err
	}
	id, err := p.userID()
	if err != nil {
		return 0, nil, err
	}
	return p.complete(RestoreUser, &ast.RestoreUser{ID: id})
}
