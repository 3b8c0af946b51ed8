package flush

import (
	"context"
	"errors"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
)

// choice says which segments of a user are to be rewritten.
type choice struct {
	policy  Policy
	expired clock.Seq // rows that died before are to be gone; 0 for none
	merge   bool      // small and worn ones are chosen
	asked   bool      // somebody asked for it
}

func (m *Mover) choice(t *ddl.Table, kind string, asked bool) choice {
	c := choice{policy: m.Policy.of(t), merge: kind == job.Compact, asked: asked}
	if kind == job.Retain {
		c.expired = clock.SeqAt(m.Now().Add(-c.policy.DeletedRetention))
	}
	return c
}

// of returns those of a user's segments that are to be rewritten.
func (c *choice) of(all []manifest.Entry) (list []ident.SegmentID) {
	small := 0
	for i := range all {
		if int(all[i].Rows) < c.policy.SmallRows {
			small++
		}
	}
	merge := c.merge && (small >= c.policy.CompactSegments || c.asked && small > 1)
	for i := range all {
		e := &all[i]
		dead := int64(e.Rows) - int64(e.Live)
		worn := dead > 0 && (c.asked || dead*100 >= int64(e.Rows)*int64(c.policy.DeadPercent))
		switch {
		case merge && int(e.Rows) < c.policy.SmallRows, c.merge && worn,
			e.DeadSince != 0 && e.DeadSince < c.expired:
			list = append(list, e.ID)
		}
	}
	return list
}

// worn is a user whose segments are to be rewritten.
type worn struct {
	id       ident.UserID
	segments []ident.SegmentID
}

var errEnough = errors.New("enough")

// find returns the next users whose segments are to be rewritten, most of them at
// most, and the user to go on from when there may be more.
func (c *choice) find(ctx context.Context, v *store.View, part store.Partition,
	from ident.UserID, most int,
) (users []worn, next ident.UserID, more bool, err error) {
	var id ident.UserID
	var of []manifest.Entry
	end := func() {
		if list := c.of(of); len(list) > 0 {
			users = append(users, worn{id, list})
		}
		of = of[:0]
	}
	err = manifest.All(v, part, from, func(u ident.UserID, e *manifest.Entry) error {
		if u != id && len(of) > 0 {
			end()
			if len(users) >= most {
				next, more = u, true
				return errEnough
			}
		}
		id = u
		if e.State == manifest.There && e.Live > 0 {
			kept := *e
			kept.MinKey, kept.MaxKey, kept.Path = nil, nil, ""
			of = append(of, kept)
		}
		return ctx.Err()
	})
	if more {
		return users, next, true, nil
	}
	end()
	return users, "", false, err
}

// Due returns the kinds of jobs that a table's segments ask for by its policy:
// Compact, Retain and Sweep. It walks its manifest.
func (m *Mover) Due(ctx context.Context, t *ddl.Table) (kinds []string, err error) {
	v := m.DB.View()
	defer v.Release()
	due := map[string]bool{}
	for _, s := range t.Shards(m.DB.Shards()) {
		part, ok := m.DB.Partition(t.Partition(s))
		if !ok {
			continue // it was dropped
		}
		for _, kind := range []string{job.Compact, job.Retain} {
			if due[kind] {
				continue
			}
			c := m.choice(t, kind, false)
			users, _, _, err := c.find(ctx, v, part, "", 1)
			if err != nil {
				return nil, err
			}
			due[kind] = len(users) > 0
		}
		err := manifest.Unsettled(v, part, func(ident.UserID, *manifest.Entry) error {
			due[job.Sweep] = true
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	for _, kind := range []string{job.Compact, job.Retain, job.Sweep} {
		if due[kind] {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}
