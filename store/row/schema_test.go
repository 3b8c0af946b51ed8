package row_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

func TestSchema_StoresPositionsOfLabels(t *testing.T) {
	old := []string{"open", "done"}
	for _, codec := range []serde.ID{serde.Row, serde.JSON, serde.MsgPack, serde.CBOR} {
		s := &row.Schema{Version: 1, Codec: codec, IDs: []ident.ColumnID{1, 2, 3},
			Kinds: []value.Kind{value.Int32, value.Enum, value.Enum}, Labels: [][]string{nil, old, old}}
		vals := []value.Value{value.NewInt(value.Int32, 7), value.NewEnum(2, "done"), value.NullValue}
		payload, err := s.Encode(vals)
		if err != nil {
			t.Fatal(err)
		}
		if most := 10; len(payload) > most {
			t.Errorf("codec %d takes %d bytes", codec, len(payload))
		}
		rec := row.Record{Schema: 1, Codec: codec, Payload: payload}
		got := make([]value.Value, 3)
		if err := s.Decode(rec, got); err != nil || got[1] != vals[1] || !got[2].IsNull() {
			t.Errorf("codec %d: %v, %v", codec, got, err)
		}
		got = make([]value.Value, 3)
		if err := s.DecodeColumns(&rec, []int{1}, got); err != nil || got[1] != vals[1] {
			t.Errorf("codec %d, one column: %v, %v", codec, got, err)
		}
		// A later version has more labels, and reads what is there alike.
		next := *s
		next.Version, next.Labels = 2, [][]string{nil, {"open", "done", "late"}, old}
		if err := row.NewReader(s, &next, make([]value.Value, 3)).Read(rec, got); err != nil ||
			got[1] != vals[1] {
			t.Errorf("codec %d, read by a later version: %v, %v", codec, got, err)
		}
		fewer := *s
		fewer.Labels = [][]string{nil, {"open"}, old}
		if err := fewer.Decode(rec, got); !fault.Is(err, fault.Corruption) {
			t.Errorf("codec %d: a label that is not there: %v", codec, err)
		}
		if err := fewer.DecodeColumns(&rec, []int{1}, got); !fault.Is(err, fault.Corruption) {
			t.Errorf("codec %d: a column's label that is not there: %v", codec, err)
		}
	}
}
