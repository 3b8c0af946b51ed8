// Package session says who is asking: the caller, their role and the user they
// act for.
package session

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Identity is an authenticated caller. It is a value and never changes.
type Identity struct {
	Caller ident.UserID
	Role   ident.Role
	// As is the acting user when the caller named one (X-USER-ID), "" otherwise.
	As ident.UserID
	// ExpiresAt is when the credentials end; zero when they don't.
	ExpiresAt time.Time
	// Epoch is the account's when the identity was checked; an account whose
	// epoch is higher has revoked it.
	Epoch int64
}

// Acting returns the user whose rows `.user.` means: a caller of role user is
// their own, any other has one only by naming it. "" is nobody.
func (id Identity) Acting() ident.UserID {
	if id.As != "" || id.Role != ident.RoleUser {
		return id.As
	}
	return id.Caller
}

// Owner returns the user whose rows a plain table name means: the acting user,
// else the caller.
func (id Identity) Owner() ident.UserID {
	if id.As != "" {
		return id.As
	}
	return id.Caller
}
