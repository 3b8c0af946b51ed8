package cold

import (
	"context"

	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Outlook implements table.Cold.
func (t *Tier) Outlook(ctx context.Context, v *store.View, w table.Wanted) (
	l table.Outlook, err error,
) {
	o, err := t.outline(v, w.Part, w.User, w.Lo, w.Hi)
	if err != nil || o.Segments == 0 {
		return l, err
	}
	w.Passed = int(min(int64(w.Passed), o.live))
	l.Segments, l.ByKey = o.Segments, o.Segments-len(o.within)
	l.Scans = t.opts.Reads == ReadsByScan ||
		t.opts.Reads == ReadsEither && w.Passed >= scanBehind && o.scans(w.Passed)
	var conditions []row.Condition
	if w.Filter != nil {
		conditions = w.Filter.Conditions
	}
	for i := range o.within {
		e := &o.within[i]
		left := true
		if l.Scans && !l.Unknown {
			f, err := t.open(ctx, v, w.Part, w.User, fileKey{w.Part.ID, e.ID})
			if err != nil {
				l.Unknown = true // whoever reads the rows hears why
			} else if pruned, of, err := f.Pruned(conditions); err != nil {
				return l, err
			} else if left = pruned < of; left {
				l.Groups, l.GroupsPruned = l.Groups+of, l.GroupsPruned+pruned
			}
		}
		if !left {
			l.ByStatistics++
			continue
		}
		l.Rows += int64(e.Live)
	}
	return l, nil
}
