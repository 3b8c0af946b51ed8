package row_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

var records = []row.Record{
	{Seq: 1, Schema: 1, Codec: serde.Row, Payload: []byte("x")},
	{Seq: clock.MaxSeq, Schema: 1<<32 - 1, Codec: serde.CBOR, Deleted: true, Payload: []byte{}},
	{Seq: 1 << 50, Schema: 300, Codec: serde.JSON, Payload: bytes.Repeat([]byte{0}, 1000)},
	{Seq: 7, Schema: 2, Codec: serde.Row, Run: 300, Payload: []byte("x")},
	row.Record{Seq: 7, Schema: 2, Codec: serde.Row}.At(row.Place{Segment: 1, Ordinal: 1<<32 - 1}),
	row.Record{Seq: 8, Schema: 1, Codec: serde.JSON, Run: 3}.At(row.Place{Segment: 1 << 63}),
}

var changes = []row.Change{
	{Op: row.Insert, PK: []byte{}},
	{Op: row.Update, Last: true, Prev: 5, PK: []byte("pk")},
	{Op: row.Delete, Prev: clock.MaxSeq, PK: []byte{0, 0xFF}},
	{Op: row.Append, Prev: 7, Piece: row.Piece{Column: 300, Offset: 1 << 20, Length: 5}, PK: []byte("k")},
	{Op: row.Append, Last: true, Prev: 7, Piece: row.Piece{Column: 1}, PK: []byte{}},
	{Op: row.Insert, Last: true, PK: []byte("k"), Entries: []row.Entry{
		{Index: 1, Columns: []byte("ab")}, {Index: 300, Unique: true, Columns: []byte{}},
	}},
	{Op: row.Append, Prev: 7, Piece: row.Piece{Column: 1, Offset: 2, Length: 3}, PK: []byte("k"),
		Entries: []row.Entry{{Index: 1 << 31, Columns: []byte("a")}}},
}

func TestRecord_RoundTrip(t *testing.T) {
	for _, r := range records {
		got, err := row.ParseRecord(row.AppendRecord(nil, r))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("got %+v %v, want %+v", got, err, r)
		}
	}
	for _, c := range changes {
		got, err := row.ParseChange(row.AppendChange(nil, c))
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("got %+v %v, want %+v", got, err, c)
		}
	}
}

// TestRecord_Layout keeps the bytes as docs/format/record.md has them.
func TestRecord_Layout(t *testing.T) {
	r := row.Record{
		Seq: 0x0102, Schema: 300, Codec: serde.Row, Deleted: true, Payload: []byte("p"),
	}
	if got := hex.EncodeToString(row.AppendRecord(nil, r)); got != "010101ac02000000000000010270" {
		t.Errorf("record: %s", got)
	}
	c := row.Change{Op: row.Update, Last: true, Prev: 0x0304, PK: []byte("k")}
	if got := hex.EncodeToString(row.AppendChange(nil, c)); got != "018200000000000003046b" {
		t.Errorf("change: %s", got)
	}
	r.Deleted, r.Run = false, 2
	cold := r.At(row.Place{Segment: 0x0506, Ordinal: 7})
	if got := hex.EncodeToString(row.AppendRecord(nil, cold)); got !=
		"030100ac02000000000000010202000000000000050600000007" {
		t.Errorf("cold record: %s", got)
	}
	if got := hex.EncodeToString(row.AppendRecord(nil, r)); got != "020100ac0200000000000001020270" {
		t.Errorf("record of a run: %s", got)
	}
	c.Op, c.Piece = row.Append, row.Piece{Column: 2, Offset: 300, Length: 5}
	if got := hex.EncodeToString(row.AppendChange(nil, c)); got != "0285000000000000030402ac02056b" {
		t.Errorf("append: %s", got)
	}
	c.Entries = []row.Entry{{Index: 1, Columns: []byte("x")}, {Index: 2, Unique: true, Columns: []byte("y")}}
	if got := hex.EncodeToString(row.AppendChange(nil, c)); got !=
		"0385000000000000030402ac020502"+"010278"+"020379"+"6b" {
		t.Errorf("append with entries: %s", got)
	}
	if got := hex.EncodeToString(row.Key("a\x00b", []byte("k"))); got != "726100ff6200016b" {
		t.Errorf("row key: %s", got)
	}
	got := hex.EncodeToString(row.VersionKey("a", []byte("k"), 2))
	if got != "766100016b0000000000000002" {
		t.Errorf("version key: %s", got)
	}
}

func TestParseRecord_Damaged(t *testing.T) {
	good := row.AppendRecord(nil, records[0])
	edit := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		c[at] = b
		return c
	}
	for name, b := range map[string][]byte{
		"nothing":             {},
		"a newer format":      edit(0, 4),
		"no format":           edit(0, 0),
		"a cut place":         {3, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0},
		"no segment":          {3, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
		"a cold tombstone":    {3, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1},
		"a run of no column":  {2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0},
		"a run without end":   {2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x80},
		"an unknown flag":     edit(2, 2),
		"an endless version":  append([]byte{1, 1, 0}, bytes.Repeat([]byte{0xFF}, 20)...),
		"a negative sequence": edit(4, 0x80),
		"a cut header":        good[:11],
	} {
		if _, err := row.ParseRecord(b); !fault.Is(err, fault.Corruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing":              {},
		"a newer format":       {4, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"an update's piece":    {2, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1},
		"an append of nothing": {1, 5, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1},
		"a cut piece":          {2, 5, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1},
		"a padded number":      {2, 5, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0x81, 0, 1},
		"no entries":           {3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1},
		"a cut entry":          {3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 9, 1},
		"too many entries":     {3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9, 2, 0, 1},
		"no operation":         {1, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"an unknown operation": {1, 4, 0, 0, 0, 0, 0, 0, 0, 0},
		"a negative sequence":  {1, 1, 0x80, 0, 0, 0, 0, 0, 0, 0},
	} {
		if _, err := row.ParseChange(b); !fault.Is(err, fault.Corruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecord_Place(t *testing.T) {
	at := row.Place{Segment: 12, Ordinal: 34}
	r := row.Record{Seq: 7, Schema: 2, Codec: serde.JSON, Run: 5, Payload: []byte("x")}
	if r.Place() != (row.Place{}) {
		t.Errorf("a row that is not cold has the place %+v", r.Place())
	}
	cold := r.At(at)
	if !cold.Cold || cold.Place() != at || cold.Seq != 7 || cold.Schema != 2 || cold.Run != 5 {
		t.Errorf("got %+v", cold)
	}
	thawed := cold.Thaw(3, serde.Row, []byte("y"))
	want := row.Record{Seq: 7, Schema: 3, Codec: serde.Row, Run: 5, Thawed: true, Payload: []byte("y")}
	if !reflect.DeepEqual(thawed, want) {
		t.Errorf("got %+v, want %+v", thawed, want)
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, r := range records {
		f.Add(row.AppendRecord(nil, r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := row.ParseRecord(b)
		if err != nil {
			return
		}
		again, err := row.ParseRecord(row.AppendRecord(nil, r))
		if err != nil || again.Seq != r.Seq || again.Schema != r.Schema ||
			again.Codec != r.Codec || again.Deleted != r.Deleted ||
			again.Run != r.Run || !bytes.Equal(again.Payload, r.Payload) {
			t.Fatalf("%x reads as %+v, then as %+v %v", b, r, again, err)
		}
	})
}

func FuzzParseChange(f *testing.F) {
	for _, c := range changes {
		f.Add(row.AppendChange(nil, c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := row.ParseChange(b)
		if err == nil && !bytes.Equal(row.AppendChange(nil, c), b) {
			t.Fatalf("%x reads as %+v, which is written otherwise", b, c)
		}
	})
}

func TestSchema_RoundTrip(t *testing.T) {
	kinds := []value.Kind{value.Int64, value.Text}
	vals := []value.Value{value.NewBigInt(-7), value.NewText("hello")}
	for _, codec := range []serde.ID{serde.Row, serde.JSON, serde.MsgPack, serde.CBOR} {
		s := &row.Schema{Version: 3, Codec: codec, IDs: []ident.ColumnID{1, 2}, Kinds: kinds}
		payload, err := s.Encode(vals)
		if err != nil {
			t.Fatalf("codec %d: %v", codec, err)
		}
		rec := row.Record{Schema: 3, Codec: codec, Payload: payload}
		got := make([]value.Value, 2)
		if err := s.Decode(rec, got); err != nil || got[0] != vals[0] || got[1] != vals[1] {
			t.Errorf("codec %d: got %v %v", codec, got, err)
		}
		got = make([]value.Value, 2)
		if err := s.DecodeColumns(&rec, []int{1}, got); err != nil || got[1] != vals[1] {
			t.Errorf("codec %d: the second column: got %v %v", codec, got, err)
		}
		part := rec.Before(1, 4)
		part.Run = 2
		if err := s.Decode(part, got); err != nil || got[0] != vals[0] || got[1].Str() != "hell" {
			t.Errorf("codec %d: a cut row: got %v %v", codec, got, err)
		}
		if err := s.DecodeColumns(&part, []int{1}, got); err != nil || got[1].Str() != "hell" {
			t.Errorf("codec %d: a cut column: got %v %v", codec, got, err)
		}
		for _, bad := range []row.Record{rec.Before(1, 4), part.Before(1, 6)} {
			if err := s.Decode(bad, got); !fault.Is(err, fault.Corruption) {
				t.Errorf("codec %d: a cut that does not fit: %v", codec, err)
			}
		}
		rec.Schema = 4
		if err := s.DecodeColumns(&rec, []int{1}, got); !fault.Is(err, fault.Internal) {
			t.Errorf("a column of another version: %v", err)
		}
		if err := s.Decode(rec, got); !fault.Is(err, fault.Internal) {
			t.Errorf("a row of another version: %v", err)
		}
		rec.Schema, rec.Payload = 3, []byte{0xFF, 0xFF}
		if err := s.Decode(rec, got); !fault.Is(err, fault.Corruption) {
			t.Errorf("codec %d, a damaged payload: %v", codec, err)
		}
		rec.Codec = 99
		if err := s.Decode(rec, got); !fault.Is(err, fault.Corruption) {
			t.Errorf("an unknown codec: %v", err)
		}
	}
}
