package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// The options of a storage.
var storageOptions = []string{
	"uri", "shared_tables_template", "user_tables_template", "credentials",
}

// secretly runs f, and takes what the caller wrote out of its error: it may be a
// part of their credentials.
func (p *parser) secretly(f func() error) error {
	err := f()
	if err == nil {
		return nil
	}
	e := *fault.From(err)
	if before, _, found := strings.Cut(e.Message, ", found "); found {
		e.Message = before + ", found something else"
	}
	return &e
}

// storageID consumes the id of a storage, as 'text' or an identifier.
func (p *parser) storageID() (ident.StorageID, error) {
	at := p.i
	var s string
	var err error
	if p.peek().Kind == String {
		s = UnquoteString(p.next().Text(p.src))
	} else if s, err = p.name("the id of a storage"); err != nil {
		return "", err
	}
	id, err := ident.ParseStorageID(s)
	return id, p.at(at, err)
}

// createStorage reads CREATE STORAGE [IF NOT EXISTS] id TYPE t WITH (...).
func (p *parser) createStorage() (Kind, Node, error) {
	n := &ast.CreateStorage{IfNotExists: p.ifNotExists()}
	var err error
	if n.ID, err = p.storageID(); err != nil {
		return 0, nil, err
	}
	if err := p.expect("TYPE"); err != nil {
		return 0, nil, err
	}
	if p.peek().Kind == String {
		n.Type, err = p.text("a type")
	} else {
		n.Type, err = p.name("a type: filesystem, s3, gcs or azure")
	}
	if err != nil {
		return 0, nil, err
	}
	n.Type = strings.ToLower(n.Type)
	err = p.secretly(func() error {
		if err := p.expect(wordWith); err != nil {
			return err
		}
		if err := p.storageSettings(&n.StorageSettings); err != nil {
			return err
		}
		return p.end()
	})
	return CreateStorage, n, err
}

// alterStorage reads ALTER STORAGE id SET (...).
func (p *parser) alterStorage() (Kind, Node, error) {
	n := &ast.AlterStorage{}
	var err error
	if n.ID, err = p.storageID(); err != nil {
		return 0, nil, err
	}
	err = p.secretly(func() error {
		if !p.accept(wordWith) {
			if err := p.expect("SET"); err != nil {
				return err
			}
		}
		at := p.i
		if err := p.storageSettings(&n.StorageSettings); err != nil {
			return err
		}
		if n.StorageSettings == (ast.StorageSettings{}) {
			return p.at(at, fault.New(fault.InvalidSQL, "ALTER STORAGE sets nothing; "+
				"write SET (uri = '...')"))
		}
		return p.end()
	})
	return AlterStorage, n, err
}

// storageSettings consumes (k = v, ...).
func (p *parser) storageSettings(to *ast.StorageSettings) error {
	opts, err := p.options()
	if err != nil {
		return err
	}
	for _, o := range opts {
		v := o.value
		switch o.name {
		case "uri":
			to.URI = &v
		case "shared_tables_template":
			to.SharedTemplate = &v
		case "user_tables_template":
			to.UserTemplate = &v
		case "credentials":
			to.Credentials = &v
		default:
			return p.at(o.at, fault.New(fault.InvalidParameter,
				"unknown option %s of a storage; known are %s", strings.ToUpper(clip(o.name)),
				strings.ToUpper(strings.Join(storageOptions, ", "))))
		}
	}
	return nil
}

// dropStorage reads DROP STORAGE [IF EXISTS] id.
func (p *parser) dropStorage() (Kind, Node, error) {
	n := &ast.DropStorage{IfExists: p.ifExists()}
	var err error
	if n.ID, err = p.storageID(); err != nil {
		return 0, nil, err
	}
	return p.complete(DropStorage, n)
}

// checkStorage reads CHECK STORAGE id.
func (p *parser) checkStorage() (Kind, Node, error) {
	id, err := p.storageID()
	if err != nil {
		return 0, nil, err
	}
	return p.complete(CheckStorage, &ast.CheckStorage{ID: id})
}
