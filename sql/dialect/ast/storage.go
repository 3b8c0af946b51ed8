package ast

import "github.com/kalamdb/kalamdb-go/commons/ident"

// StorageSettings are what CREATE and ALTER STORAGE give; nil is not given.
// Credentials are not to be shown to anybody.
type StorageSettings struct {
	URI            *string
	SharedTemplate *string
	UserTemplate   *string
	Credentials    *string
}

// CreateStorage is CREATE STORAGE [IF NOT EXISTS] id TYPE t WITH (...).
type CreateStorage struct {
	ID          ident.StorageID
	IfNotExists bool
	Type        string // in lower case, not checked
	StorageSettings
}

// AlterStorage is ALTER STORAGE id SET (...). Something is set.
type AlterStorage struct {
	ID ident.StorageID
	StorageSettings
}

// DropStorage is DROP STORAGE [IF EXISTS] id.
type DropStorage struct {
	ID       ident.StorageID
	IfExists bool
}

// ShowStorages is SHOW STORAGES.
type ShowStorages struct{}

// CheckStorage is CHECK STORAGE id.
type CheckStorage struct{ ID ident.StorageID }

func (*CreateStorage) node() {}
func (*AlterStorage) node()  {}
func (*DropStorage) node()   {}
func (*ShowStorages) node()  {}
func (*CheckStorage) node()  {}
