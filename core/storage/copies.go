package storage

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// Own reports whether each node of a cluster has a storage for itself: a folder.
func (r *Registry) Own(id ident.StorageID) (bool, error) {
	if id == "" || id == ident.LocalStorage {
		return true, nil
	}
	def, _, err := r.get(id)
	if err != nil {
		return false, err
	}
	return r.isOwn(def), nil
}

func (r *Registry) isOwn(def *ddl.Storage) bool {
	return r.Cluster != "" && def.Type == string(object.Filesystem)
}

// settle claims the folder of a node for a storage that the cluster has claimed
// already: one that is there for this node, or an empty one of a node that has come
// later or was given a new disk. Another that has lost its file is refused, as holds
// does.
func (r *Registry) settle(ctx context.Context, b object.Bucket, def *ddl.Storage) error {
	location, err := object.ParseLocation(object.Kind(def.Type), def.URI)
	if err != nil {
		return err
	}
	if err := object.Make(location); err != nil {
		return err
	}
	err = r.holds(ctx, b, def.ID)
	switch {
	case fault.Is(err, fault.InUse): // but not by a storage that was dropped
		return r.claim(ctx, b, def.ID)
	case !fault.Is(err, fault.NotFound):
		return err
	}
	for _, failed := range b.List(ctx, "") {
		if failed != nil {
			return failed
		}
		return err // there is something, and not of ours
	}
	return r.claim(ctx, b, def.ID)
}
