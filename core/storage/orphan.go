package storage

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// Bounds of a search for orphans: files that are looked up at once, and those that
// one search deletes. What is more comes with the next one.
const (
	lookedUp    = 50_000
	mostOrphans = 10_000
)

// Orphans are what was taken away of files that nothing knows.
type Orphans struct {
	Files int
	First string // path of one of them
}

// SweepOrphans deletes the segments in a storage, older than before, whose numbers
// strike leaves in the set that it is given: it takes out those that a manifest
// names. An entry of a manifest is older than its file, so what is listed first
// and looked up then is known if it is anybody's.
//
// Only files are looked at that are named as ours, in a place that is ours as its
// file says now, and in no place below that is another's.
func (r *Registry) SweepOrphans(ctx context.Context, id ident.StorageID, before time.Time,
	strike func(map[ident.SegmentID][]string) error,
) (found Orphans, err error) {
	o, err := r.find(ctx, id)
	if err != nil {
		return found, err
	}
	if o != r.local {
		if !o.def.Claimed {
			return found, nil // nothing was written there
		}
		if err := r.holds(ctx, o.bucket, id); err != nil {
			return found, err
		}
	}
	s := &orphanSearch{bucket: o.bucket, before: before, strike: strike,
		batch: make(map[ident.SegmentID][]string)}
	if err := s.list(ctx); err != nil {
		return found, err
	}
	return s.delete(ctx)
}

// orphanSearch is one search.
type orphanSearch struct {
	bucket object.Bucket
	before time.Time
	strike func(map[ident.SegmentID][]string) error

	batch   map[ident.SegmentID][]string // that are to be looked up: their paths
	waiting int                          // paths in batch
	orphans []string
	others  []string // folders that belong to others, ending with a slash
}

// list goes through all files of the storage.
func (s *orphanSearch) list(ctx context.Context) error {
	for info, err := range s.bucket.List(ctx, "") {
		if err != nil {
			return err
		}
		folder, name := path.Split(info.Path)
		if name == claimFile && folder != "" {
			s.others = append(s.others, folder)
			continue
		}
		id, ok := keyspace.ParseSegmentFile(name)
		if !ok || folder == "" || !info.Modified.Before(s.before) || len(s.orphans) >= mostOrphans {
			continue
		}
		s.batch[id] = append(s.batch[id], info.Path)
		if s.waiting++; s.waiting == lookedUp {
			if err := s.lookUp(); err != nil {
				return err
			}
		}
	}
	return s.lookUp()
}

func (s *orphanSearch) lookUp() error {
	if s.waiting == 0 {
		return nil
	}
	if err := s.strike(s.batch); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(s.batch)) {
		s.orphans = append(s.orphans, s.batch[id]...)
	}
	clear(s.batch)
	s.waiting = 0
	return nil
}

func (s *orphanSearch) delete(ctx context.Context) (found Orphans, err error) {
	folders := make(map[string]bool)
	for _, file := range s.orphans {
		if found.Files == mostOrphans || slices.ContainsFunc(s.others, func(folder string) bool {
			return strings.HasPrefix(file, folder)
		}) {
			continue
		}
		if err := s.bucket.Delete(ctx, file); err != nil {
			return found, err
		}
		if found.Files++; found.Files == 1 {
			found.First = file
		}
		folders[path.Dir(file)] = true
	}
	for folder := range folders {
		if err := s.listing(ctx, folder); err != nil {
			return found, err
		}
	}
	return found, nil
}

// listing deletes what is left of a folder's segments: the listing of them, if it
// is one and nothing else is there.
func (s *orphanSearch) listing(ctx context.Context, folder string) error {
	at := path.Join(folder, segment.ListingName)
	for info, err := range s.bucket.List(ctx, folder+"/") {
		if err != nil {
			return err
		}
		if info.Path != at || !info.Modified.Before(s.before) {
			return nil
		}
	}
	text, err := object.ReadAll(ctx, s.bucket, at, segment.MaxListing)
	switch {
	case fault.Is(err, fault.NotFound) || fault.Is(err, fault.PayloadTooLarge):
		return nil
	case err != nil:
		return err
	}
	if _, err := segment.ReadListing(strings.NewReader(string(text))); err != nil {
		return nil // it is somebody else's
	}
	return s.bucket.Delete(ctx, at)
}

// IDs returns the storages that there are, local first.
func (r *Registry) IDs() ([]ident.StorageID, error) {
	rows, err := r.rows()
	if err != nil {
		return nil, err
	}
	ids := []ident.StorageID{ident.LocalStorage}
	for _, def := range rows {
		ids = append(ids, def.ID)
	}
	return ids, nil
}
