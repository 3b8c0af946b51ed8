package exec

import (
	"context"
	"fmt"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// maxTrace bounds the changes that TRACE DELIVERY tells of.
const maxTrace = 100

// ownLiveQuery finds a live query that the caller may end and look into. One
// of somebody else is as one that does not exist.
func (r *run) ownLiveQuery(id ident.LiveID) (live.Info, error) {
	s, ok := r.x.Hub.Get(id)
	if ok {
		if info := s.Info(); info.Owner == r.id.Caller || mayManage(r.id.Role) {
			return info, nil
		}
	}
	return live.Info{}, fault.New(fault.NotFound,
		"live query %q does not exist; SHOW LIVE QUERIES lists those that do", id)
}

func (r *run) killLiveQuery(ctx context.Context, n *ast.KillLiveQuery, emit Sink) error {
	info, err := r.ownLiveQuery(n.ID)
	if err == nil {
		err = r.x.Hub.Kill(n.ID)
	}
	if err != nil {
		return err
	}
	if info.Owner != r.id.Caller {
		e := r.entry(nil)
		e.ActingFor = info.Owner
		r.x.Audit.Act(ctx, e)
	}
	return emit(&Result{Message: fmt.Sprintf("live query %s ended", n.ID)})
}

var traceColumns = []predicate.Column{
	{Name: "seq", Kind: value.Int64, NotNull: true},
	{Name: "committed_at", Kind: value.Timestamp, NotNull: true},
	{Name: "operation", Kind: value.Text}, // NULL where the row stands
	{Name: "outcome", Kind: value.Text, NotNull: true},
	{Name: "change_type", Kind: value.Text},
	{Name: "reason", Kind: value.Text},
	{Name: "delivered_at", Kind: value.Timestamp},
	{Name: "evaluated_at", Kind: value.Timestamp}, // of windows and others that are kept
	{Name: "position", Kind: value.Int64},
}

func (r *run) traceDelivery(ctx context.Context, n *ast.TraceDelivery, emit Sink) error {
	info, err := r.ownLiveQuery(n.ID)
	if err != nil {
		return err
	}
	t, ok := r.x.Catalog.Snapshot().TableByID(info.Table)
	if !ok {
		return fault.New(fault.NotFound, "the table of live query %q is gone", n.ID)
	}
	pk, err := parseKey(t, n.Key)
	if err != nil {
		return err
	}
	steps, err := r.x.Hub.Trace(ctx, n.ID, pk, maxTrace)
	if err != nil {
		return err
	}
	rows := make([][]value.Value, len(steps))
	for i, s := range steps {
		rows[i] = []value.Value{
			value.NewBigInt(int64(s.Seq)), value.NewTimestamp(s.Seq.Time()), textOrNull(s.Op),
			text(s.Outcome), textOrNull(s.Type), textOrNull(s.Reason), timeOf(s.At),
			timeOf(s.Evaluated), value.NullValue,
		}
		if s.Position != nil {
			rows[i][8] = value.NewBigInt(int64(*s.Position))
		}
	}
	return emit(&Result{Columns: traceColumns, Rows: newFixed(rows)})
}

// parseKey reads the literals of a primary key.
func parseKey(t *ddl.Table, literals []string) ([]byte, error) {
	if len(literals) != len(t.PrimaryKey) {
		names := make([]string, len(t.PrimaryKey))
		for i, k := range t.PrimaryKey {
			names[i] = t.Columns[k].Name
		}
		return nil, fault.New(fault.InvalidParameter, "the primary key of %s is (%s); give %d values",
			t.FullName(), strings.Join(names, ", "), len(names))
	}
	var pk []byte
	for i, k := range t.PrimaryKey {
		v, err := value.Parse(t.Columns[k].Type.Kind, literals[i])
		if err != nil {
			return nil, err
		}
		pk = value.AppendKey(pk, v)
	}
	return pk, nil
}
