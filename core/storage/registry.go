// Package storage knows the storages of the cold tier: where each is, what lets
// the server in, whose rows go where, and how they do.
//
// Storages are rows of system.storages, written through the log like any other.
// `local` is there from the start and has no row: a folder of the data directory,
// or memory where there is none. What a row says is read again as soon as it has
// changed, so buckets need not be closed by those who use them.
//
// A storage belongs to one database and one row: a file in it says so, which is
// written before the first object. Credentials are stored encrypted and shown to
// nobody.
//
// A Registry is safe for concurrent use. It starts no goroutine; Run is one of
// its owner's.
package storage

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// localFolder is the folder of the storage `local` in the data directory.
const localFolder = "cold"

// memoryType is what `local` is where there is no data directory.
const memoryType = "memory"

// Parts are what a Registry works with. All are required but Objects and Cluster.
type Parts struct {
	DB *store.DB
	// Write commits writes of one system table. A refusal is an error.
	Write func(ctx context.Context, writes ...writeset.Write) error
	// Account returns the account of a user, nil when there is none.
	Account func(ident.UserID) (*ddl.User, clock.Seq, error)
	Catalog *catalog.Catalog
	Key     string // encrypts credentials
	Cluster string // id of the cluster that has the storages, "" for a server alone
	Objects object.Options
	Logger  *slog.Logger
	Now     func() time.Time
}

// Registry is the set of storages.
type Registry struct {
	Parts
	seal  sealer
	local *opened
	began time.Time // when the Registry was opened, by the clock of the system

	mu     sync.Mutex
	opened map[ident.StorageID]*opened // those with rows, as they were last used
	meters map[ident.StorageID]*meter
	// retired are buckets of rows that have changed since. Somebody may still use
	// them, so they are closed at the end; there are as many as changes.
	retired []*tracked
}

// opened is a storage whose bucket is open, as its row was at seq.
type opened struct {
	def    *ddl.Storage
	seq    clock.Seq
	bucket *tracked
}

// Open returns the registry of a database.
func Open(parts Parts) (*Registry, error) {
	r := &Registry{
		Parts: parts, opened: make(map[ident.StorageID]*opened),
		meters: make(map[ident.StorageID]*meter), began: time.Now(),
	}
	var err error
	if r.seal, err = newSealer(parts.Key); err != nil {
		return nil, err
	}
	def := &ddl.Storage{ID: ident.LocalStorage, Type: memoryType, URI: "memory"}
	var bucket object.Bucket
	if dir := parts.DB.Dir(); dir == "" {
		bucket = object.OpenMemory()
	} else {
		def.Type, def.URI = string(object.Filesystem), filepath.Join(dir, localFolder)
		if bucket, err = object.OpenFolder(def.URI); err != nil {
			return nil, err
		}
	}
	r.local = &opened{def: def, bucket: r.track(def.ID, bucket, nil)}
	return r, nil
}

// Close gives back what the buckets hold. Nobody uses them any more.
func (r *Registry) Close() error {
	r.mu.Lock()
	all := append(r.retired, r.local.bucket)
	for _, o := range r.opened {
		all = append(all, o.bucket)
	}
	clear(r.opened)
	r.retired = nil
	r.mu.Unlock()
	var err error
	for _, b := range all {
		err = errors.Join(err, b.Close())
	}
	return err
}

func unknown(id ident.StorageID) error {
	return fault.New(fault.NotFound, "storage %s does not exist; see SHOW STORAGES", id)
}

// get reads the row of a storage that has one.
func (r *Registry) get(id ident.StorageID) (*ddl.Storage, clock.Seq, error) {
	v := r.DB.View()
	defer v.Release()
	def := new(ddl.Storage)
	seq, err := catalog.KeptStorages.Get(r.DB, v, string(id), def)
	switch {
	case err != nil:
		return nil, 0, err
	case seq == 0:
		return nil, 0, unknown(id)
	}
	return def, seq, nil
}

// find returns a storage with its bucket.
func (r *Registry) find(ctx context.Context, id ident.StorageID) (*opened, error) {
	if id == "" || id == ident.LocalStorage {
		return r.local, nil
	}
	v := r.DB.View()
	seq, err := catalog.KeptStorages.Seq(r.DB, v, string(id))
	v.Release()
	switch {
	case err != nil:
		return nil, err
	case seq == 0:
		return nil, unknown(id)
	}
	r.mu.Lock()
	o := r.opened[id]
	r.mu.Unlock()
	if o != nil && o.seq == seq {
		return o, nil
	}
	return r.open(ctx, id)
}

// open opens a storage as its row is now.
func (r *Registry) open(ctx context.Context, id ident.StorageID) (*opened, error) {
	def, seq, err := r.get(id)
	if err != nil {
		return nil, err
	}
	bucket, err := r.bucketOf(ctx, def)
	if err != nil {
		r.meter(id).done(writing, err)
		return nil, err
	}
	fresh := &opened{def: def, seq: seq}
	fresh.bucket = r.track(id, bucket, func(ctx context.Context) error {
		if !def.Claimed {
			return r.claim(ctx, bucket, id)
		}
		var err error
		if r.isOwn(def) {
			err = r.settle(ctx, bucket, def)
		} else {
			err = r.holds(ctx, bucket, id)
		}
		if fault.Is(err, fault.NotFound) {
			err = fault.New(fault.StorageUnavailable, "storage %s is not what it was: the file %s is "+
				"not there; see whether its disk is mounted, and its bucket the right one", id, claimFile)
		}
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.opened[id]
	if old != nil {
		r.retired = append(r.retired, old.bucket)
	}
	r.opened[id] = fresh
	return fresh, nil
}

// bucketOf opens the bucket of a definition. It asks no service.
func (r *Registry) bucketOf(ctx context.Context, def *ddl.Storage) (object.Bucket, error) {
	location, err := object.ParseLocation(object.Kind(def.Type), def.URI)
	if err != nil {
		return nil, err
	}
	credentials, err := r.credentials(def)
	if err != nil {
		return nil, err
	}
	options := r.Objects
	options.Retried = r.meter(def.ID).retried
	return object.Open(ctx, location, credentials, options)
}

func (r *Registry) credentials(def *ddl.Storage) (object.Credentials, error) {
	text, err := r.seal.open(def.Sealed, def.ID)
	if err != nil {
		return object.Credentials{}, err
	}
	return object.ParseCredentials(object.Kind(def.Type), text)
}

// For returns where new segments of a table's rows go: of one user, "" for a
// shared table.
func (r *Registry) For(t *ddl.Table, user ident.UserID) (ident.StorageID, error) {
	if t.UserStorage && user != "" {
		u, _, err := r.Account(user)
		if err != nil {
			return "", err
		}
		if u != nil && u.Storage != "" {
			return u.Storage, nil
		}
	}
	if t.Storage == "" {
		return ident.LocalStorage, nil
	}
	return t.Storage, nil
}

// Bucket returns the files of a storage, until the registry is closed. The caller
// does not close it.
func (r *Registry) Bucket(ctx context.Context, id ident.StorageID) (object.Bucket, error) {
	o, err := r.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return o.bucket, nil
}

// Path returns where a new segment lies in a storage.
func (r *Registry) Path(ctx context.Context, id ident.StorageID, t *ddl.Table,
	shard ident.ShardID, user ident.UserID, segment ident.SegmentID,
) (string, error) {
	template, place, err := r.place(ctx, id, t, shard, user)
	return template.SegmentFile(place, segment), err
}

// Folder returns the folder in which new segments lie in a storage.
func (r *Registry) Folder(ctx context.Context, id ident.StorageID, t *ddl.Table,
	shard ident.ShardID, user ident.UserID,
) (string, error) {
	template, place, err := r.place(ctx, id, t, shard, user)
	return template.Folder(place), err
}

func (r *Registry) place(ctx context.Context, id ident.StorageID, t *ddl.Table,
	shard ident.ShardID, user ident.UserID,
) (keyspace.Template, keyspace.Place, error) {
	o, err := r.find(ctx, id)
	if err != nil {
		return "", keyspace.Place{}, err
	}
	place := keyspace.Place{
		Namespace: t.Namespace, Table: t.Name, ID: t.ID, Shard: shard, User: user,
	}
	shared, own := templates(o.def)
	if t.PerUser() {
		return own, place, nil
	}
	return shared, place, nil
}

// templates returns the templates of a storage for shared and for user tables.
func templates(def *ddl.Storage) (shared, own keyspace.Template) {
	shared, own = keyspace.SharedTemplate, keyspace.UserTemplate
	if def.SharedTemplate != "" {
		shared = keyspace.Template(def.SharedTemplate)
	}
	if def.UserTemplate != "" {
		own = keyspace.Template(def.UserTemplate)
	}
	return shared, own
}
