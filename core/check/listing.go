package check

import (
	"bytes"
	"context"
	"maps"
	"path"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// listing is the check of the listing of one folder.
type listing struct {
	user    ident.UserID
	storage ident.StorageID
	path    string
}

// listings compares the listings of all folders with the manifest.
func (c *shard) listings(ctx context.Context) error {
	var user ident.UserID
	of := make(map[string]listing)
	end := func() error {
		for _, name := range slices.Sorted(maps.Keys(of)) {
			l := of[name]
			f := c.begin("listing", name)
			if err := c.listing(ctx, &l, &f); err != nil {
				f.failed(err)
			}
			c.add(f)
		}
		clear(of)
		return ctx.Err()
	}
	err := manifest.All(c.view, c.part, "", func(u ident.UserID, e *manifest.Entry) error {
		if u != user {
			if err := end(); err != nil {
				return err
			}
			user = u
		}
		if inUse(e) && !c.mayLackListing(e.Storage) {
			at := cold.ListingPath(e)
			of[string(e.Storage)+":"+at] = listing{u, e.Storage, at}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return end()
}

// mayLackListing reports whether the listings of a storage are not all as the manifest
// is: a node of a cluster that was away is not told again.
func (c *shard) mayLackListing(id ident.StorageID) bool {
	if c.env.Copies == nil {
		return false
	}
	own, err := c.env.Copies.Own(id)
	return err == nil && own
}

// inUse reports whether a segment has to be listed: rows point to it.
func inUse(e *manifest.Entry) bool { return e.State == manifest.There && e.Live > 0 }

// listing checks one. Rows are moved meanwhile: a segment has to be in it that was
// in use before it was read and still is, and none may be that had no entry any
// more before it was read.
func (c *shard) listing(ctx context.Context, l *listing, f *Finding) error {
	bucket, err := c.env.Files(ctx, l.storage)
	if err != nil {
		return err
	}
	before, err := c.folder(c.view, l)
	if err != nil {
		return err
	}
	is, err := readListing(ctx, bucket, l)
	if err != nil {
		return err
	}
	now := c.env.DB.View()
	defer now.Release()
	after, err := c.folder(now, l)
	if err != nil {
		return err
	}
	f.Rows = int64(len(is.Files))
	if is.Table != c.table.ID || is.User != l.user {
		f.wrong("the file %s is another: it is of table %d, user %q", l.path, is.Table, is.User)
		return nil
	}
	listed := make(map[string]*segment.Listed, len(is.Files))
	var gone []string
	for i := range is.Files {
		name := is.Files[i].File
		listed[name] = &is.Files[i]
		if _, ok := after[name]; !ok {
			gone = append(gone, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		b, a := before[name], after[name]
		if inUse(&b) && inUse(&a) {
			compare(l.path, cold.Listed(&a), listed[name], f)
		}
	}
	return c.gone(ctx, bucket, l, gone, f)
}

// compare compares what is listed of a segment, nil for nothing, with its entry.
func compare(at string, want segment.Listed, is *segment.Listed, f *Finding) {
	switch {
	case is == nil:
		f.wrong("the file %s lacks the segment %s", at, want.File)
	case is.Schema != want.Schema || is.Rows != want.Rows || is.Bytes != want.Bytes ||
		!bytes.Equal(is.MinKey, want.MinKey) || !bytes.Equal(is.MaxKey, want.MaxKey) ||
		is.MinSeq != want.MinSeq || is.MaxSeq != want.MaxSeq || is.Checksum != want.Checksum:
		f.wrong("the file %s tells of the segment %s what it is not", at, want.File)
	}
}

// gone looks whether segments without an entry are still listed.
func (c *shard) gone(
	ctx context.Context, bucket object.Bucket, l *listing, names []string, f *Finding,
) error {
	if len(names) == 0 {
		return nil
	}
	is, err := readListing(ctx, bucket, l)
	if err != nil {
		return err
	}
	for i := range is.Files {
		if slices.Contains(names, is.Files[i].File) {
			f.wrong("the file %s names the segment %s, which is no more", l.path, is.Files[i].File)
		}
	}
	return nil
}

// folder returns the segments of a folder, by the name of their files.
func (c *shard) folder(v *store.View, l *listing) (map[string]manifest.Entry, error) {
	all := make(map[string]manifest.Entry)
	err := manifest.Of(v, c.part, l.user, func(e *manifest.Entry) error {
		if e.Storage == l.storage && cold.ListingPath(e) == l.path {
			all[path.Base(e.Path)] = *e
		}
		return nil
	})
	return all, err
}

// readListing reads the listing of a folder.
func readListing(ctx context.Context, b object.Bucket, l *listing) (*segment.Listing, error) {
	text, err := object.ReadAll(ctx, b, l.path, segment.MaxListing)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.New(fault.Corruption,
			"the file %s is missing; it is written again with the next flush", l.path)
	case err != nil:
		return nil, err
	}
	is, err := segment.ReadListing(bytes.NewReader(text))
	if err != nil {
		return nil, fault.Wrap(fault.Corruption, err, "the file %s", l.path)
	}
	return is, nil
}
