package engine

import (
	"context"
	"errors"
	"io"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// Table is a result read whole.
type Table struct {
	Columns  []predicate.Column
	Rows     [][]value.Value
	Affected int64
	Message  string
	Seq      string
}

// Query runs one statement and reads its result whole. Parameters are nil,
// booleans, numbers, strings, []byte, time.Time or value.Value. It is meant
// for small results; Execute streams.
func (e *Engine) Query(ctx context.Context, id Identity, sql string, params ...any) (Table, error) {
	req := Request{SQL: sql}
	for i, p := range params {
		v, err := parameter(p)
		if err != nil {
			return Table{}, fault.Wrap(fault.InvalidParameter, err, "parameter %d", i+1)
		}
		req.Params = append(req.Params, v)
	}
	var t Table
	err := e.Execute(ctx, id, req, func(r *Result) error {
		t = Table{Columns: r.Columns, Affected: r.Affected, Message: r.Message, Seq: r.Seq}
		if r.Rows == nil {
			return nil
		}
		for {
			row, err := r.Rows.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			t.Rows = append(t.Rows, append([]value.Value(nil), row...))
		}
	})
	return t, err
}

func parameter(p any) (value.Value, error) {
	if v, ok := p.(value.Value); ok {
		return v, nil
	}
	return value.Infer(p)
}
