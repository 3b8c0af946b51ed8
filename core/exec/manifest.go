package exec

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/store/manifest"
)

// maxManifest bounds the segments that system.manifest and SHOW MANIFEST show.
const maxManifest = 100_000

var errEnough = errors.New("enough")

// showManifest answers the segments of one table.
func (r *run) showManifest(ctx context.Context, n *ast.ShowManifest, emit Sink) error {
	t, err := r.tieredTable(&n.TableRef)
	if err != nil {
		return err
	}
	cat := r.x.Catalog.Snapshot()
	shown, err := cat.Table(system.Namespace, string(system.Manifest))
	if err != nil {
		return err
	}
	v := r.x.DB.View()
	defer v.Release()
	rows, err := (&systemRows{r: r, cat: cat, view: v}).segments(ctx, t, nil)
	if err != nil {
		return err
	}
	return emit(&Result{Columns: columnsOf(shown), Rows: newFixed(rows)})
}

func (s *systemRows) manifest(ctx context.Context) (rows [][]value.Value, err error) {
	for _, t := range s.cat.All() {
		if !t.HasColdTier() {
			continue
		}
		if rows, err = s.segments(ctx, t, rows); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// segments appends the rows about the segments of a table.
func (s *systemRows) segments(ctx context.Context, t *ddl.Table, rows [][]value.Value) (
	[][]value.Value, error,
) {
	db := s.r.x.DB
	for _, shard := range t.Shards(db.Shards()) {
		p, ok := db.Partition(t.Partition(shard))
		if !ok {
			continue // of a table that is being made or dropped
		}
		err := manifest.All(s.view, p, "", func(u ident.UserID, e *manifest.Entry) error {
			if len(rows) == maxManifest {
				return errEnough
			}
			rows = append(rows, segmentRow(t, shard, u, e))
			return ctx.Err()
		})
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func segmentRow(t *ddl.Table, s ident.ShardID, u ident.UserID, e *manifest.Entry) []value.Value {
	number := func(n uint32) value.Value { return value.NewBigInt(int64(n)) }
	seq := func(q clock.Seq) value.Value {
		if q == 0 {
			return value.NullValue
		}
		return value.NewBigInt(int64(q))
	}
	dead, sum := value.NullValue, value.NullValue
	if e.DeadSince != 0 {
		dead = value.NewTimestamp(e.DeadSince.Time())
	}
	if e.State != manifest.Pending {
		sum = value.NewText(hex.EncodeToString(e.Checksum[:]))
	}
	return []value.Value{
		text(t.Namespace), text(t.Name), value.NewText(e.ID.String()), textOrNull(u),
		value.NewInt(value.Int32, int64(s)), value.NewText(e.State.String()),
		text(e.Storage), text(e.Path),
		value.NewBigInt(int64(e.Schema)), number(e.Rows), number(e.Live), value.NewBigInt(e.Bytes),
		seq(e.MinSeq), seq(e.MaxSeq), sum, value.NewTimestamp(e.Created.Time()), dead,
	}
}
