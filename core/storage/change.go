package storage

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// Settings are what a statement gives of a storage; nil is not given.
type Settings struct {
	URI, SharedTemplate, UserTemplate *string
	Credentials                       *string // JSON, "" for none
}

// tryTimeout bounds how long a statement waits for a storage that does not
// answer.
const tryTimeout = 10 * time.Second

// Create makes a storage, and claims its place. A service in the cloud that does
// not answer now is made all the same; notice tells so. A name that is taken is
// ALREADY_EXISTS.
func (r *Registry) Create(ctx context.Context, id ident.StorageID, kind string, s Settings,
	by ident.UserID,
) (notice string, err error) {
	if err := r.free(id); err != nil {
		return "", err
	}
	k, err := object.ParseKind(kind)
	if err != nil {
		return "", err
	}
	def := &ddl.Storage{ID: id, Type: string(k), Created: r.Now().UTC(), CreatedBy: by}
	if s.URI == nil {
		return "", fault.New(fault.InvalidParameter, "the uri is missing; write WITH (uri = '...')")
	}
	if err := r.set(def, s); err != nil {
		return "", err
	}
	if err := r.alone(def); err != nil {
		return "", err
	}
	if notice, err = r.try(ctx, def); err != nil {
		return "", err
	}
	return notice, r.put(ctx, def, 0)
}

func (r *Registry) free(id ident.StorageID) error {
	if id == ident.LocalStorage || r.exists(id) {
		return fault.New(fault.AlreadyExists, "storage %s exists already", id)
	}
	return nil
}

// Alter changes a storage. The place of one that is in use may only be changed to
// one where its files are already.
func (r *Registry) Alter(ctx context.Context, id ident.StorageID, s Settings, by ident.UserID) (
	notice string, err error,
) {
	if id == ident.LocalStorage {
		return "", fault.New(fault.Unsupported,
			"storage local is part of the data directory and can't be changed; create another one")
	}
	def, seq, err := r.get(id)
	if err != nil {
		return "", err
	}
	if err := r.set(def, s); err != nil {
		return "", err
	}
	def.Changed, def.ChangedBy = r.Now().UTC(), by
	if s.URI != nil || s.Credentials != nil {
		if err := r.alone(def); err != nil {
			return "", err
		}
		use, err := r.use(id)
		if err != nil {
			return "", err
		}
		if use != (Use{}) && (s.URI != nil || def.Claimed) {
			err = r.hold(ctx, def)
		} else {
			notice, err = r.try(ctx, def)
		}
		if err != nil {
			return "", err
		}
	}
	return notice, r.put(ctx, def, seq)
}

// set checks settings and puts them into def.
func (r *Registry) set(def *ddl.Storage, s Settings) error {
	kind := object.Kind(def.Type)
	if s.URI != nil {
		if _, err := object.ParseLocation(kind, *s.URI); err != nil {
			return err
		}
		def.URI = *s.URI
	}
	for _, t := range []struct {
		given   *string
		perUser bool
		to      *string
	}{{s.SharedTemplate, false, &def.SharedTemplate}, {s.UserTemplate, true, &def.UserTemplate}} {
		if t.given == nil {
			continue
		}
		template, err := keyspace.ParseTemplate(*t.given, t.perUser)
		if err != nil {
			return err
		}
		*t.to = string(template)
	}
	if s.Credentials != nil {
		c, err := object.ParseCredentials(kind, *s.Credentials)
		if err != nil {
			return err
		}
		text, err := c.JSON()
		if err != nil {
			return err
		}
		if def.Sealed, err = r.seal.close(text, def.ID); err != nil {
			return err
		}
	}
	return nil
}

// alone refuses a place that is inside of another storage's, or holds it, and
// the data directory: each would take the other's files for its own.
func (r *Registry) alone(def *ddl.Storage) error {
	location, err := object.ParseLocation(object.Kind(def.Type), def.URI)
	if err != nil {
		return err
	}
	if dir := r.DB.Dir(); location.Kind == object.Filesystem && dir != "" &&
		(within(location.Dir, dir) || within(dir, location.Dir)) {
		return fault.New(fault.InvalidParameter,
			"uri: the folder is inside of the data directory, or holds it; use another one")
	}
	others, err := r.rows()
	if err != nil {
		return err
	}
	for _, other := range others {
		at, err := object.ParseLocation(object.Kind(other.Type), other.URI)
		if err == nil && other.ID != def.ID && at.Overlaps(location) {
			return fault.New(fault.InUse,
				"the place is inside of that of storage %s, or holds it; use another one", other.ID)
		}
	}
	return nil
}

// within reports whether a path is a folder or below it, links resolved as far
// as they exist.
func within(path, folder string) bool {
	return strings.HasPrefix(resolve(path)+"/", resolve(folder)+"/")
}

func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolve(parent), filepath.Base(path))
	}
	return path
}

// try claims the place of a storage, which shows whether it can be written. One in
// the cloud that does not answer is let pass, with a notice.
func (r *Registry) try(ctx context.Context, def *ddl.Storage) (notice string, err error) {
	location, err := object.ParseLocation(object.Kind(def.Type), def.URI)
	if err != nil {
		return "", err
	}
	if err := object.Make(location); err != nil {
		return "", err
	}
	err = r.briefly(ctx, def, r.claim)
	def.Claimed = err == nil
	away := fault.Is(err, fault.StorageUnavailable) || fault.Is(err, fault.StatementTimeout)
	if away && location.Kind != object.Filesystem {
		return "; it does not answer now: " + fault.From(err).Message +
			"; run CHECK STORAGE " + string(def.ID) + " when it should", nil
	}
	return "", err
}

// hold checks that the place of a storage that is in use has its files: those were
// copied there with the file that says whose they are.
func (r *Registry) hold(ctx context.Context, def *ddl.Storage) error {
	err := r.briefly(ctx, def, r.holds)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.InUse, "storage %s is in use, and the new place does not hold its files; "+
			"copy them there, %s with them", def.ID, claimFile)
	}
	def.Claimed = err == nil
	return err
}

// briefly runs do with a bucket of a definition that is not stored yet.
func (r *Registry) briefly(ctx context.Context, def *ddl.Storage,
	do func(context.Context, object.Bucket, ident.StorageID) error,
) error {
	bucket, err := r.bucketOf(ctx, def)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	err = do(ctx, bucket, def.ID)
	if closing := bucket.Close(); err == nil {
		err = closing
	}
	return err
}

func (r *Registry) put(ctx context.Context, def *ddl.Storage, seq clock.Seq) error {
	w, err := catalog.KeptStorages.Put(string(def.ID), def, seq)
	if err != nil {
		return err
	}
	return r.Write(ctx, w)
}

// Drop removes a storage that nobody uses. Its files stay where they are. after
// gives up the place, which asks the storage; it is called once.
func (r *Registry) Drop(ctx context.Context, id ident.StorageID) (
	after func(context.Context), err error,
) {
	if id == ident.LocalStorage {
		return nil, fault.New(fault.Unsupported, "storage local can't be dropped")
	}
	_, seq, err := r.get(id)
	if err != nil {
		return nil, err
	}
	use, err := r.use(id)
	if err != nil {
		return nil, err
	}
	if use != (Use{}) {
		return nil, fault.New(fault.InUse, "storage %s is used by %d tables and %d users; "+
			"give them another one first", id, use.Tables, use.Users)
	}
	o, opening := r.find(ctx, id)
	if err := r.Write(ctx, catalog.KeptStorages.Delete(string(id), seq)); err != nil {
		return nil, err
	}
	r.forget(id)
	return func(ctx context.Context) {
		if opening == nil {
			ctx, cancel := context.WithTimeout(ctx, tryTimeout)
			defer cancel()
			opening = r.disclaim(ctx, o.bucket.Bucket, id)
		}
		if opening != nil { // the next storage at the place takes it over all the same
			r.Logger.Warn("a dropped storage could not be given up", "storage", id, "error", opening)
		}
	}, nil
}

func (r *Registry) forget(id ident.StorageID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.opened[id]; o != nil {
		r.retired = append(r.retired, o.bucket)
	}
	delete(r.opened, id)
	delete(r.meters, id)
}
