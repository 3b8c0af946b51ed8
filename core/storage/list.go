package storage

import (
	"errors"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
)

// Use counts what has a storage.
type Use struct{ Tables, Users int }

// Status is what may be told of a storage.
type Status struct {
	ID                           ident.StorageID
	Type, URI                    string
	SharedTemplate, UserTemplate string // in force
	HasCredentials               bool
	Use                          Use
	Used                         bool   // since the start
	Alarm                        *Alarm // nil when nothing fails
	Created                      time.Time
	CreatedBy                    ident.UserID
}

// rows returns the storages that have a row, by name.
func (r *Registry) rows() (all []*ddl.Storage, err error) {
	v := r.DB.View()
	defer v.Release()
	return r.rowsOf(v)
}

func (r *Registry) rowsOf(v *store.View) (all []*ddl.Storage, err error) {
	err = catalog.KeptStorages.Each(r.DB, v, func(decode func(any) error) error {
		def := new(ddl.Storage)
		all = append(all, def)
		return decode(def)
	})
	return all, err
}

// List returns all storages, local first, then by name.
func (r *Registry) List() ([]Status, error) {
	v := r.DB.View()
	defer v.Release()
	rows, err := r.rowsOf(v)
	if err != nil {
		return nil, err
	}
	uses, err := r.uses(v)
	if err != nil {
		return nil, err
	}
	all := make([]Status, 0, 1+len(rows))
	for _, def := range append([]*ddl.Storage{r.local.def}, rows...) {
		s := Status{
			ID: def.ID, Type: def.Type, URI: def.URI, HasCredentials: len(def.Sealed) > 0,
			Use: uses[def.ID], Created: def.Created, CreatedBy: def.CreatedBy,
		}
		shared, own := templates(def)
		s.SharedTemplate, s.UserTemplate = string(shared), string(own)
		s.Alarm, s.Used = r.meter(def.ID).alarm()
		all = append(all, s)
	}
	return all, nil
}

// Exists checks that a storage is there: NOT_FOUND when it is not.
func (r *Registry) Exists(id ident.StorageID) error {
	if id == "" || id == ident.LocalStorage {
		return nil
	}
	_, _, err := r.get(id)
	return err
}

// use counts what uses a storage: tables and users that name it, and tables that
// have files in it from when they did.
func (r *Registry) use(id ident.StorageID) (Use, error) {
	v := r.DB.View()
	defer v.Release()
	uses, err := r.uses(v)
	use := uses[id]
	for _, t := range r.Catalog.Snapshot().All() {
		if err != nil {
			return Use{}, err
		}
		if t.Storage == id || !t.HasColdTier() {
			continue
		}
		var found bool
		if found, err = r.hasFiles(v, t, id); found {
			use.Tables++
		}
	}
	return use, err
}

// errFound ends a walk that has what it looks for.
var errFound = errors.New("found")

// hasFiles reports whether a table has segments in a storage. It reads the names of
// the table's segments until it knows.
func (r *Registry) hasFiles(v *store.View, t *ddl.Table, id ident.StorageID) (bool, error) {
	for _, s := range t.Shards(r.DB.Shards()) {
		part, ok := r.DB.Partition(t.Partition(s))
		if !ok {
			continue // the table is being made or dropped
		}
		err := manifest.All(v, part, "", func(_ ident.UserID, e *manifest.Entry) error {
			if e.Storage == id {
				return errFound
			}
			return nil
		})
		if err != nil {
			found := errors.Is(err, errFound)
			if found {
				err = nil
			}
			return found, err
		}
	}
	return false, nil
}

// uses counts tables and users by their storage, tables that are being dropped
// among them: their files are still there.
func (r *Registry) uses(v *store.View) (map[ident.StorageID]Use, error) {
	uses := make(map[ident.StorageID]Use)
	add := func(id ident.StorageID, tables, users int) {
		if id == "" {
			id = ident.LocalStorage
		}
		u := uses[id]
		uses[id] = Use{u.Tables + tables, u.Users + users}
	}
	for _, t := range r.Catalog.Snapshot().All() {
		if t.HasColdTier() {
			add(t.Storage, 1, 0)
		}
	}
	err := catalog.KeptUsers.Each(r.DB, v, func(decode func(any) error) error {
		var u ddl.User
		if err := decode(&u); err != nil {
			return err
		}
		if u.Storage != "" && u.Deleted == nil {
			add(u.Storage, 0, 1)
		}
		return nil
	})
	if err != nil {
		return nil, fault.From(err)
	}
	return uses, nil
}
