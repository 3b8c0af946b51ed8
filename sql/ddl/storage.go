package ddl

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Storage is where files of the cold tier may lie, as the catalogue keeps it.
// Type, URI and templates are texts that package core/storage has checked; "" of
// a template is the default.
type Storage struct {
	ID             ident.StorageID `json:"id"`
	Type           string          `json:"type"`
	URI            string          `json:"uri"`
	SharedTemplate string          `json:"shared_tables_template,omitempty"`
	UserTemplate   string          `json:"user_tables_template,omitempty"`
	// Sealed are the credentials, encrypted; see docs/format/storage.md.
	Sealed []byte `json:"sealed,omitempty"`
	// Claimed says that the place holds the file by which it belongs to the storage.
	Claimed   bool         `json:"claimed,omitempty"`
	Created   time.Time    `json:"created"`
	CreatedBy ident.UserID `json:"created_by,omitempty"`
	Changed   time.Time    `json:"changed,omitzero"`
	ChangedBy ident.UserID `json:"changed_by,omitempty"`
}
