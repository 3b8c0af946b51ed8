package engine

import (
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// What package plan shares with this one, so that a statement means the same
// on both paths.

// Assign returns v as column c stores it, as INSERT and UPDATE do. A key
// column must be checked for NULL before.
func Assign(c *ddl.Column, v value.Value) (value.Value, error) { return assign(c, v) }

// Number returns the value of a literal number; a minus sign is part of it.
func Number(text string) (value.Value, bool) { return number(text) }

// ActingUser returns whom `.user.` means in a name, or USER_REQUIRED.
func (env *Env) ActingUser() (ident.UserID, error) { return env.actingUser() }

// Owner returns whose rows a USER table without a user in its name shows.
func (env *Env) Owner() (ident.UserID, error) { return env.owner() }

// Generate returns the value of a function that may stand in DEFAULT.
func (env *Env) Generate(f ddl.Func) (value.Value, error) { return env.generate(f) }
