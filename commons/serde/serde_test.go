package serde_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/serde/serdetest"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func codec(t testing.TB, id serde.ID) serde.Codec {
	t.Helper()
	c, err := serde.ByID(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var ids = []serde.ID{serde.Row, serde.JSON, serde.MsgPack, serde.CBOR}

func TestCodec(t *testing.T) {
	for _, id := range ids {
		c := codec(t, id)
		t.Run(c.Name(), func(t *testing.T) { serdetest.Run(t, c) })
	}
}

func TestByID_refuses_unknown_codecs(t *testing.T) {
	for _, id := range []serde.ID{0, 5, 255} {
		if _, err := serde.ByID(id); !fault.Is(err, fault.Corruption) {
			t.Errorf("codec %d: %v", id, err)
		}
	}
	for _, name := range []string{"", "Row", "xml"} {
		if _, err := serde.ByName(name); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("codec %q: %v", name, err)
		}
	}
}

// The bytes are part of the data format: a change makes stored rows
// unreadable.
func TestCodec_keeps_its_bytes(t *testing.T) {
	kinds := []value.Kind{
		value.Int64, value.Text, value.Bool, value.Uint16, value.Text,
		value.Float32, value.Date, value.Bytes, value.JSON,
	}
	row := []value.Value{
		value.NewBigInt(-2), value.NewText("hi"), value.NewBool(true),
		value.NewUint(value.Uint16, 300), value.NullValue, value.NewFloat(value.Float32, 1),
		value.NewInt(value.Date, 1), value.NewString(value.Bytes, "\xff"),
		value.NewString(value.JSON, "null"),
	}
	for id, want := range map[serde.ID]string{
		serde.Row:  "\x10\x00\x03\x02hi\x01\xac\x02\x00\x00\x80\x3f\x02\x01\xff\x04null",
		serde.JSON: `["-2","hi",true,300,null,1,"1970-01-02","/w==",[null]]`,
		serde.MsgPack: "\x99\xfe\xa2hi\xc3\xcd\x01\x2c\xc0\xca\x3f\x80\x00\x00\x01\xc4\x01\xff" +
			"\xa4null",
		serde.CBOR: "\x89\x21\x62hi\xf5\x19\x01\x2c\xf6\xfa\x3f\x80\x00\x00\x01\x41\xff\x64null",
	} {
		got, err := codec(t, id).AppendRow(nil, kinds, row)
		if err != nil || string(got) != want {
			t.Errorf("codec %d writes %q, not %q: %v", id, got, want, err)
		}
	}
}

func TestRow_decodes_with_one_allocation(t *testing.T) {
	kinds, row := message()
	c := codec(t, serde.Row)
	b, err := c.AppendRow(nil, kinds, row)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]value.Value, len(kinds))
	if n := testing.AllocsPerRun(100, func() {
		if err := c.DecodeRow(b, kinds, dst); err != nil {
			t.Fatal(err)
		}
	}); n != 1 {
		t.Errorf("%v allocations a row", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.AppendRow(b[:0], kinds, row); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations to encode", n)
	}
}

// message returns a row like those of a chat.
func message() ([]value.Kind, []value.Value) {
	row := []value.Value{
		value.NewBigInt(1 << 60), value.NewText("conversation-42"), value.NewText("assistant"),
		value.NewText("A reply of a sentence or two, as they stand in a conversation."),
		value.NewInt(value.Timestamp, 1_767_323_045_000_000), value.NewBool(false),
		value.NewString(value.JSON, `{"model":"m","tokens":17}`),
	}
	kinds := make([]value.Kind, len(row))
	for i, v := range row {
		kinds[i] = v.Kind()
	}
	return kinds, row
}

func fuzz(f *testing.F, id serde.ID) {
	c := codec(f, id)
	kinds, row := message()
	good, err := c.AppendRow(nil, kinds, row)
	if err != nil {
		f.Fatal(err)
	}
	kindBytes := make([]byte, len(kinds))
	for i, k := range kinds {
		kindBytes[i] = byte(k)
	}
	f.Add(kindBytes, good)
	f.Add(kindBytes[:1], good[:3])
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, kindBytes, row []byte) {
		kinds := make([]value.Kind, min(len(kindBytes), 64))
		for i := range kinds {
			kinds[i] = value.Kind(1 + kindBytes[i]%23)
		}
		_ = serdetest.Decode(t, c, kinds, row)
	})
}

func FuzzRow(f *testing.F)     { fuzz(f, serde.Row) }
func FuzzJSON(f *testing.F)    { fuzz(f, serde.JSON) }
func FuzzMsgPack(f *testing.F) { fuzz(f, serde.MsgPack) }
func FuzzCBOR(f *testing.F)    { fuzz(f, serde.CBOR) }

func BenchmarkCodec(b *testing.B) {
	kinds, row := message()
	for _, id := range ids {
		c := codec(b, id)
		stored, err := c.AppendRow(nil, kinds, row)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode/"+c.Name(), func(b *testing.B) {
			buf := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.AppendRow(buf, kinds, row); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(stored)), "bytes/row")
		})
		b.Run("decode/"+c.Name(), func(b *testing.B) {
			dst := make([]value.Value, len(kinds))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.DecodeRow(stored, kinds, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
