package cold

import (
	"context"
	"errors"
	"io"
	"path"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// folder is where segments of one user of a table lie, with their listing.
type folder struct {
	storage ident.StorageID
	path    string
}

func folderOf(e *manifest.Entry) folder { return folder{e.Storage, path.Dir(e.Path)} }

// ListingPath returns where the listing of a segment's folder lies in its storage.
func ListingPath(e *manifest.Entry) string {
	return path.Join(path.Dir(e.Path), segment.ListingName)
}

// Listed returns what is listed of a segment.
func Listed(e *manifest.Entry) segment.Listed {
	return segment.Listed{File: path.Base(e.Path), Schema: e.Schema, Info: InfoOf(e)}
}

// InfoOf returns what was in the file of a segment when it was written.
func InfoOf(e *manifest.Entry) segment.Info {
	return segment.Info{Rows: int64(e.Rows), Bytes: e.Bytes, MinKey: e.MinKey, MaxKey: e.MaxKey,
		MinSeq: e.MinSeq, MaxSeq: e.MaxSeq, Checksum: e.Checksum}
}

// list writes the listing of a user's folder as the manifest is now, or deletes
// that of one without segments.
//
// A segment is listed before a row points to it, and no more before its file is
// deleted. So a listing names no file that is gone and lacks none that is in use,
// whenever the process ends; that holds because each is written of a later state
// than the one before it.
func (t *Tier) list(ctx context.Context, def *ddl.Table, part store.Partition, u ident.UserID,
	in folder,
) error {
	bucket, err := t.Storages.Bucket(ctx, in.storage)
	if err != nil {
		return err
	}
	done, err := t.turn(ctx, in)
	if err != nil {
		return err
	}
	defer done()
	v := t.DB.View()
	defer v.Release()
	each := func(visit func(*manifest.Entry) error) error {
		return manifest.Of(v, part, u, func(e *manifest.Entry) error {
			if e.State != manifest.There || folderOf(e) != in {
				return ctx.Err()
			}
			return visit(e)
		})
	}
	name := path.Join(in.path, segment.ListingName)
	switch err := each(func(*manifest.Entry) error { return errEnough }); {
	case err == nil:
		return bucket.Delete(ctx, name)
	case !errors.Is(err, errEnough):
		return err
	}
	return bucket.Put(ctx, name, func(to io.Writer) error {
		w, err := segment.NewListing(to, &segment.Listing{Table: def.ID, Name: def.FullName(), User: u})
		if err != nil {
			return err
		}
		err = each(func(e *manifest.Entry) error {
			f := Listed(e)
			return w.Append(&f)
		})
		if err != nil {
			return err
		}
		return w.Close()
	})
}

// list writes the listing of a folder, and tells the other nodes of it as far as that
// works.
func (r *rewrite) list(ctx context.Context, in folder) error {
	if err := r.tier.list(ctx, r.def, r.table.Part, r.user, in); err != nil {
		return err
	}
	err := r.tier.spreadListing(ctx, r.shard, in)
	if err != nil && !fault.Is(err, fault.NotFound) && ctx.Err() == nil {
		r.tier.Logger.Debug("send a listing to other nodes", "folder", in.path, "error", err)
	}
	return nil
}

// Relist writes the listing of a segment's folder as the manifest is now.
func (t *Tier) Relist(ctx context.Context, def *ddl.Table, part store.Partition, u ident.UserID,
	e *manifest.Entry,
) error {
	return t.list(ctx, def, part, u, folderOf(e))
}

// relist writes the listings again that name segments which are of no use now.
// That needs not work, because all rows are moved: Sweep does it before it
// deletes these.
func (r *rewrite) relist(ctx context.Context) {
	stale := make(map[folder]bool)
	v := r.tier.DB.View()
	err := manifest.Of(v, r.table.Part, r.user, func(e *manifest.Entry) error {
		if e.State == manifest.Dying {
			stale[folderOf(e)] = true
		}
		return nil
	})
	v.Release()
	for in := range stale {
		if err == nil {
			err = r.list(ctx, in)
		}
	}
	if err != nil && r.tier.Logger != nil {
		r.tier.Logger.Warn("list the segments that are left; the next sweep does it",
			"table", r.def.FullName(), "error", err)
	}
}

// turn waits until nobody else writes the listing of a folder, and returns what
// ends the caller's turn.
func (t *Tier) turn(ctx context.Context, in folder) (done func(), err error) {
	for {
		t.mu.Lock()
		other := t.listing[in]
		if other == nil {
			own := make(chan struct{})
			t.listing[in] = own
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.listing, in)
				close(own)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
