package row_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

func TestReader_Read(t *testing.T) {
	stored := &row.Schema{Version: 1, Codec: serde.Row, IDs: []ident.ColumnID{1, 2, 3},
		Kinds: []value.Kind{value.Int32, value.Text, value.Float32}}
	vals := []value.Value{value.NewInt(value.Int32, 7), value.NullValue, value.NewFloat(value.Float32, 0.5)}
	payload, err := stored.Encode(vals)
	if err != nil {
		t.Fatal(err)
	}
	rec := row.Record{Schema: 1, Codec: serde.Row, Payload: payload}
	seven, half, fill := value.NewInt(value.Int32, 7), vals[2], value.NewText("fill")
	for what, c := range map[string]struct {
		ids   []ident.ColumnID
		kinds []value.Kind
		want  []value.Value
	}{
		"the same": {stored.IDs, stored.Kinds, vals},
		"one more": {[]ident.ColumnID{1, 2, 3, 4}, append(stored.Kinds[:3:3], value.Text),
			append(vals[:3:3], fill)},
		"one less": {[]ident.ColumnID{1, 3}, []value.Kind{value.Int32, value.Float32},
			[]value.Value{seven, half}},
		"the last one less": {[]ident.ColumnID{1, 2}, stored.Kinds[:2], vals[:2]},
		"one after another": {[]ident.ColumnID{1, 4, 3}, stored.Kinds,
			[]value.Value{seven, fill, half}},
		"in another order": {[]ident.ColumnID{3, 1, 2}, []value.Kind{value.Float32, value.Int32, value.Text},
			[]value.Value{half, seven, value.NullValue}},
		"widened in place": {stored.IDs, []value.Kind{value.Int64, value.Text, value.Float64},
			[]value.Value{value.NewBigInt(7), value.NullValue, value.NewFloat(value.Float64, 0.5)}},
		"widened and moved": {[]ident.ColumnID{3, 1}, []value.Kind{value.Float64, value.Int64},
			[]value.Value{value.NewFloat(value.Float64, 0.5), value.NewBigInt(7)}},
		"none of the stored": {[]ident.ColumnID{9}, []value.Kind{value.Text}, []value.Value{fill}},
	} {
		wanted := &row.Schema{Version: 2, IDs: c.ids, Kinds: c.kinds}
		fills := make([]value.Value, len(c.ids))
		for i := range fills {
			fills[i] = fill
		}
		r := row.NewReader(stored, wanted, fills)
		got := make([]value.Value, len(c.ids))
		for i := range got {
			got[i] = value.NewText("left over")
		}
		if err := r.Read(rec, got); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: column %d is %v, want %v", what, i, got[i], c.want[i])
			}
		}
		other := rec
		if other.Schema = 2; r.Reads(other) || !r.Reads(rec) {
			t.Errorf("%s: reads another version", what)
		}
		if err := r.Read(other, got); !fault.Is(err, fault.Internal) {
			t.Errorf("%s: a row of another version: %v", what, err)
		}
		if err := r.Read(rec, got[:0]); !fault.Is(err, fault.Internal) {
			t.Errorf("%s: a row into nothing: %v", what, err)
		}
		other = rec
		other.Payload = payload[:1]
		if err := r.Read(other, got); !fault.Is(err, fault.Corruption) {
			t.Errorf("%s: a damaged row: %v", what, err)
		}
	}
	narrowed := &row.Schema{Version: 2, IDs: []ident.ColumnID{3}, Kinds: []value.Kind{value.Date}}
	r := row.NewReader(stored, narrowed, make([]value.Value, 1))
	if err := r.Read(rec, make([]value.Value, 1)); !fault.Is(err, fault.Corruption) {
		t.Errorf("a kind that does not convert: %v", err)
	}
}
