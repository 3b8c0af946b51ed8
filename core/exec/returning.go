package exec

import (
	"encoding/json"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/command"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// outcome is what a repeated request is answered with.
type outcome struct {
	Affected int64         `json:"affected"`
	Shard    ident.ShardID `json:"shard"`
	Empty    bool          `json:"empty,omitempty"` // nothing was written
	Returned *returned     `json:"returned,omitempty"`
}

// returned is the result of a RETURNING clause as it is recorded: before the
// commit, so without what the commit gives.
type returned struct {
	Columns []predicate.Column `json:"columns"`
	Rows    [][]cell           `json:"rows,omitempty"`
	Dropped bool               `json:"dropped,omitempty"` // the rows were too large
	Writes  int                `json:"writes,omitempty"`  // of the command
	Written []int              `json:"written,omitempty"`
	Seq     []int              `json:"seq,omitempty"`
	Updated []int              `json:"updated,omitempty"`
}

// cell is a value with its kind, which may differ from its column's.
type cell struct {
	Kind  value.Kind      `json:"k"`
	Value json.RawMessage `json:"v"`
}

// recordRows returns what is recorded of a RETURNING clause, nil without one.
// Rows that take more than room bytes are left out, all of them. writes is the
// number of writes in the command, 0 when the rows have nothing to be filled.
func recordRows(planned *sqlengine.Result, writes, room int) (*returned, error) {
	from := planned.Returned
	if from == nil {
		return nil, nil
	}
	r := &returned{Columns: planned.Columns}
	size := 0
	for _, vals := range from.Rows {
		row := make([]cell, len(vals))
		for i, v := range vals {
			text, err := value.AppendJSON(nil, v)
			if err != nil {
				return nil, err
			}
			row[i] = cell{v.Kind(), text}
			if v.Kind() == value.Enum {
				row[i].Kind = value.Text // a label is read without its type
			}
			size += len(text) + len(`{"k":12,"v":},`)
		}
		if size > room {
			return &returned{Columns: planned.Columns, Dropped: true}, nil
		}
		r.Rows = append(r.Rows, row)
	}
	if writes > 0 {
		r.Writes, r.Written, r.Seq, r.Updated = writes, from.Written, from.Seq, from.Updated
	}
	return r, nil
}

// record returns the outcome of one statement in at most command.MaxResult
// bytes.
func record(planned *sqlengine.Result, shard ident.ShardID, writes int) (b []byte, err error) {
	o := outcome{Affected: planned.Affected, Shard: shard, Empty: writes == 0}
	if o.Returned, err = recordRows(planned, writes, command.MaxResult); err != nil {
		return nil, err
	}
	if b, err = json.Marshal(o); err == nil && len(b) > command.MaxResult && o.Returned != nil {
		o.Returned = &returned{Columns: planned.Columns, Dropped: true}
		b, err = json.Marshal(o)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "record the result of a request")
	}
	return b, nil
}

// open returns the recorded rows. last is the seq of the command's last write.
func (r *returned) open(last clock.Seq) (sqlengine.Rows, error) {
	out := &sqlengine.Returned{Written: r.Written, Seq: r.Seq, Updated: r.Updated}
	for _, row := range r.Rows {
		vals := make([]value.Value, len(row))
		for i, c := range row {
			if c.Kind == value.Null {
				continue
			}
			var err error
			if vals[i], err = value.FromJSON(c.Kind, c.Value); err != nil {
				return nil, fault.Wrap(fault.Corruption, err, "read the recorded rows of a request")
			}
		}
		out.Rows = append(out.Rows, vals)
	}
	if r.Writes > 0 {
		out.Fill(last - clock.Seq(r.Writes-1))
	}
	return out.Open(), nil
}

// reply returns the answer of a write: what it changed, and the rows of its
// RETURNING clause.
func (r *run) reply(planned *sqlengine.Result, shard ident.ShardID, seq clock.Seq) *Result {
	res := r.written(planned.Affected, shard, seq)
	if planned.Returned != nil {
		res.Columns, res.Rows = planned.Columns, planned.Returned.Open()
	}
	return res
}

// replyAgain returns the answer of a repeated write, as it was recorded.
func (r *run) replyAgain(first outcome, seq clock.Seq) (*Result, error) {
	if first.Empty {
		seq = 0
	}
	res := r.written(first.Affected, first.Shard, seq)
	if first.Returned == nil {
		return res, nil
	}
	rows, err := first.Returned.open(seq)
	if err != nil {
		return nil, err
	}
	if first.Returned.Dropped {
		res.Message += "; the rows of RETURNING were too large to be kept for a repeated request"
	}
	res.Columns, res.Rows = first.Returned.Columns, rows
	return res, nil
}
