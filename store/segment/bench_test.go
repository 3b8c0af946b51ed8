package segment_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
	"github.com/kalamdb/kalamdb-go/store/segment/segmenttest"
)

// Messages of a chat: what most rows are like.
var messages = segment.Layout{Table: 1, User: "u", Key: []ident.ColumnID{1},
	Schema: &row.Schema{Version: 1, Codec: 1, IDs: []ident.ColumnID{1, 2, 3, 4, 5, 6, 7},
		Kinds: []value.Kind{value.Int64, value.Text, value.Enum, value.Text, value.Timestamp,
			value.Int64, value.Bool},
		Labels: [][]string{2: {"user", "assistant", "tool"}, 6: nil}},
	Columns: []segment.Column{{Name: "id"}, {Name: "conversation"}, {Name: "role"},
		{Name: "content"}, {Name: "created"}, {Name: "tokens"}, {Name: "starred"}}}

// Columns of a scan with a filter.
var tokensAndContent = []ident.ColumnID{6, 4}

var words = strings.Fields(`the of and a to in is you that it he was for on are as with his they
	I at be this have from or one had by word but not what all were we when your can said there
	use an each which she do how their if will up other about out many then them these so some her
	would make like him into time has look two more write go see number no way could people`)

// bench has rows of messages, made once for the longest.
var bench struct {
	once sync.Once
	rows [][]value.Value
	keys [][]byte
}

func messageRows(n int) ([][]value.Value, [][]byte) {
	bench.once.Do(func() {
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 1_000_000 {
			var text strings.Builder
			for range 5 + r.IntN(30) {
				text.WriteString(words[r.IntN(len(words))])
				text.WriteByte(' ')
			}
			role := 1 + r.IntN(3)
			vals := []value.Value{
				value.NewBigInt(1e15 + int64(i)*1000 + r.Int64N(1000)),
				value.NewText(fmt.Sprintf("018f-%08x-%04d", uint32(i/200)*2654435761, i/200)),
				value.NewEnum(role, messages.Schema.Labels[2][role-1]),
				value.NewText(text.String()),
				value.NewInt(value.Timestamp, 1_790_000_000_000_000+int64(i)*1_000_123),
				value.NewBigInt(r.Int64N(2000)), value.NewBool(r.IntN(20) == 0),
			}
			bench.rows = append(bench.rows, vals)
			bench.keys = append(bench.keys, value.AppendKey(nil, vals[0]))
		}
	})
	return bench.rows[:n], bench.keys[:n]
}

func writeMessages(tb testing.TB, to io.Writer, n int) segment.Info {
	rows, keys := messageRows(n)
	w, err := segment.NewWriter(to, messages)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range rows {
		if err := w.Append(keys[i], clock.Seq(1<<60+i<<20), rows[i]); err != nil {
			tb.Fatal(err)
		}
	}
	info, err := w.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

// counter counts what is written to it.
type counter struct{ n int }

func (c *counter) Write(b []byte) (int, error) {
	c.n += len(b)
	return len(b), nil
}

func BenchmarkWriter(b *testing.B) {
	for _, n := range []int{10, 1000, 200_000} {
		rows, _ := messageRows(n)
		b.Run(fmt.Sprintf("rows=%d/of=segment", n), func(b *testing.B) {
			b.ReportAllocs()
			var size int64
			for b.Loop() {
				size = writeMessages(b, io.Discard, n).Bytes
			}
			report(b, n, int(size))
		})
		b.Run(fmt.Sprintf("rows=%d/of=library", n), func(b *testing.B) {
			b.ReportAllocs()
			var c counter
			for b.Loop() {
				c.n = 0
				if err := segmenttest.Write(&c, messages.Schema.Kinds, rows); err != nil {
					b.Fatal(err)
				}
			}
			report(b, n, c.n)
		})
	}
}

func report(b *testing.B, rows, size int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	if size > 0 {
		b.ReportMetric(float64(size)/float64(rows), "B/row")
	}
}

// messageFile writes a segment into a folder that goes away.
func messageFile(b *testing.B, n int) (*segment.File, *os.File) {
	name := filepath.Join(b.TempDir(), "a.parquet")
	out, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { out.Close() })
	info := writeMessages(b, out, n)
	f, err := segment.Open(b.Context(), out, info.Bytes, name)
	if err != nil {
		b.Fatal(err)
	}
	return f, out
}

const below = 200 // a tenth of the tokens

func BenchmarkScan(b *testing.B) {
	const n = 1_000_000
	f, out := messageFile(b, n)
	var bare bytes.Buffer
	rows, _ := messageRows(n)
	if err := segmenttest.Write(&bare, messages.Schema.Kinds, rows); err != nil {
		b.Fatal(err)
	}
	b.Run("of=segment", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rows, size := 0, 0
			s := f.Scan(tokensAndContent, segment.Prune{})
			for s.Next(b.Context()) {
				batch := s.Batch()
				for i, v := range batch.Columns[0] {
					if v.Int() < below {
						rows++
						size += len(batch.Columns[1][i].Str())
					}
				}
			}
			if s.Err() != nil || rows == 0 {
				b.Fatal(s.Err(), rows)
			}
		}
		report(b, n, 0)
	})
	b.Run("of=segment/all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := f.Scan(nil, segment.Prune{})
			for s.Next(b.Context()) {
			}
			if s.Err() != nil {
				b.Fatal(s.Err())
			}
		}
		report(b, n, 0)
	})
	b.Run("of=library/same-file", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n, _, err := segmenttest.Sum(b.Context(), out, 5, 3, below); err != nil || n == 0 {
				b.Fatal(n, err)
			}
		}
		report(b, n, 0)
	})
	b.Run("of=library/its-file", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n, _, err := segmenttest.Sum(b.Context(), bytes.NewReader(bare.Bytes()), 5, 3, below)
			if err != nil || n == 0 {
				b.Fatal(n, err)
			}
		}
		report(b, n, 0)
	})
}

func BenchmarkRows(b *testing.B) {
	f, _ := messageFile(b, 1_000_000)
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 50, 1000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			ordinals := make([]uint32, n)
			for b.Loop() {
				first := r.Uint32N(1_000_000 - uint32(n))
				for i := range ordinals {
					ordinals[i] = first + uint32(i)
				}
				if _, err := f.Rows(b.Context(), ordinals, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{10, 1_000_000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			f, from := messageFile(b, n)
			st, err := from.Stat()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := segment.Open(b.Context(), from, st.Size(), "a"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(f.Memory()), "B-held")
		})
	}
}
