package storage

import (
	"context"
	"encoding/json"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// claimFile says whose a storage is. Without it two databases that were given the
// same bucket would take each other's files for orphans and sweep them.
const claimFile = "kalamdb-storage.json"

// claimFormat is the version of the file's format.
const claimFormat = 1

// claim is the content of claimFile.
type claim struct {
	Format   int             `json:"format"`
	Database string          `json:"database"` // id of the data directory or the cluster
	Storage  ident.StorageID `json:"storage"`
}

// maxClaim bounds the file in bytes.
const maxClaim = 4096

// own returns what claimFile of a storage of ours says.
func (r *Registry) own(id ident.StorageID) claim {
	database := r.Cluster
	if database == "" {
		database = r.DB.ID()
	}
	if database == "" {
		database = memoryType // which lasts no longer than the process
	}
	return claim{claimFormat, database, id}
}

// read returns what claimFile says; ok is false when there is none.
func readClaim(ctx context.Context, b object.Bucket) (c claim, ok bool, err error) {
	text, err := object.ReadAll(ctx, b, claimFile, maxClaim)
	switch {
	case fault.Is(err, fault.NotFound):
		return claim{}, false, nil
	case err != nil:
		return claim{}, false, err
	}
	if err := json.Unmarshal(text, &c); err != nil || c.Database == "" {
		return claim{}, false, fault.New(fault.InUse, "the file %s in the storage does not read; "+
			"delete it if no database uses the storage", claimFile)
	}
	return c, true, nil
}

// claim makes sure that a storage is that of a row of ours, and says so in it.
func (r *Registry) claim(ctx context.Context, b object.Bucket, id ident.StorageID) error {
	found, ok, err := readClaim(ctx, b)
	if err != nil {
		return err
	}
	own := r.own(id)
	switch {
	case ok && found.Database == own.Database && found.Storage == own.Storage:
		return nil
	case ok && found.Database != own.Database:
		return fault.New(fault.InUse, "the place belongs to storage %s of another database, %s; "+
			"use another prefix, or delete %s in it if that database is gone",
			found.Storage, found.Database, claimFile)
	case ok && r.exists(found.Storage):
		return fault.New(fault.InUse, "the place belongs to storage %s; use another prefix",
			found.Storage)
	}
	text, err := json.Marshal(own)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode %s", claimFile)
	}
	return object.WriteAll(ctx, b, claimFile, text)
}

// holds checks that a place is still that of a storage of ours: a disk that is not
// mounted, or a bucket that was made anew, is not.
func (r *Registry) holds(ctx context.Context, b object.Bucket, id ident.StorageID) error {
	found, ok, err := readClaim(ctx, b)
	switch {
	case err != nil:
		return err
	case !ok:
		return fault.New(fault.NotFound, "the place of storage %s has no file %s", id, claimFile)
	case found != r.own(id):
		return fault.New(fault.InUse, "the place of storage %s belongs to storage %s of database %s; "+
			"see its uri", id, found.Storage, found.Database)
	}
	return nil
}

func (r *Registry) exists(id ident.StorageID) bool {
	_, _, err := r.get(id)
	return !fault.Is(err, fault.NotFound)
}

// disclaim removes the file by which a storage is ours.
func (r *Registry) disclaim(ctx context.Context, b object.Bucket, id ident.StorageID) error {
	found, ok, err := readClaim(ctx, b)
	if err != nil || !ok || found != r.own(id) {
		return err
	}
	return b.Delete(ctx, claimFile)
}
