package cold

import (
	"context"
	"errors"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
)

// sweepAtOnce bounds the segments of a shard that one Sweep looks at.
const sweepAtOnce = 1000

// Sweep takes away the segments of a table's shard that nothing points to: those
// that are dying, and those whose writing was cut off. A file goes when nobody
// reads a state of the store any more in which a row was in it; Sweep waits for
// that as long as ctx lasts. Files that the manifest does not name it does not
// touch. It returns how many files it has deleted; more is true when it has
// looked at some only.
func (t *Tier) Sweep(ctx context.Context, def *ddl.Table, s ident.ShardID) (
	deleted int, more bool, err error,
) {
	part, ok := t.DB.Partition(def.Partition(s))
	if !ok {
		return 0, false, nil
	}
	list, err := t.unsettled(part)
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	for _, g := range list {
		if g.entry.State == manifest.Dying {
			continue
		}
		if err := t.settle(ctx, def, s, g, manifest.Dying); err != nil {
			return 0, false, err
		}
	}
	v := t.DB.View() // in which nothing points to them
	defer v.Release()
	if err := t.DB.WaitOlder(ctx, v); err != nil {
		return 0, false, err
	}
	listed := make(map[folder]bool)
	for _, g := range list {
		e, found, err := manifest.Get(v, nil, part, g.user, g.entry.ID)
		if err != nil {
			return deleted, false, err
		}
		if !found || e.State != manifest.Dying {
			continue
		}
		if in := folderOf(&e); !listed[in] {
			if err := t.list(ctx, def, part, g.user, in); err != nil {
				return deleted, false, err
			}
			listed[in] = true
		}
		if err := t.bury(ctx, def, s, part, dead{g.user, e}); err != nil {
			return deleted, false, err
		}
		deleted++
	}
	return deleted, len(list) == sweepAtOnce, nil
}

// dead is a segment that nothing points to.
type dead struct {
	user  ident.UserID
	entry manifest.Entry
}

// unsettled returns segments that nothing points to and nobody writes here.
func (t *Tier) unsettled(part store.Partition) (list []dead, err error) {
	v := t.DB.View()
	defer v.Release()
	err = manifest.Unsettled(v, part, func(u ident.UserID, e *manifest.Entry) error {
		if !t.isBusy(e.ID) {
			list = append(list, dead{u, *e})
		}
		if len(list) == sweepAtOnce {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return list, err
}

var errEnough = errors.New("enough")

// settle takes the next step in the life of a segment, if it still is one.
func (t *Tier) settle(
	ctx context.Context, def *ddl.Table, s ident.ShardID, g dead, next manifest.State,
) error {
	g.entry.State = next
	_, _, err := t.propose(ctx, &command.Command{Shard: s,
		Segments: []command.Segment{{Table: def.ID, User: g.user, Entry: g.entry}}})
	return err
}

// bury deletes the file of a dying segment, and its entry.
func (t *Tier) bury(
	ctx context.Context, def *ddl.Table, s ident.ShardID, part store.Partition, g dead,
) error {
	bucket, err := t.Storages.Bucket(ctx, g.entry.Storage)
	if err != nil {
		return err
	}
	failpoint.Here(failpoint.SweepDying)
	if err := bucket.Delete(ctx, g.entry.Path); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	t.files.remove(fileKey{part.ID, g.entry.ID})
	t.meter.deleted.Add(1)
	failpoint.Here(failpoint.SweepDeleted)
	return t.settle(ctx, def, s, g, 0)
}
