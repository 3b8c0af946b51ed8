package rowform_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/server/rowform"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// list gives rows, then err, or io.EOF when it is nil.
type list struct {
	rows [][]value.Value
	err  error
}

func (l *list) Next(context.Context) ([]value.Value, error) {
	if len(l.rows) == 0 {
		if l.err != nil {
			return nil, l.err
		}
		return nil, io.EOF
	}
	r := l.rows[0]
	l.rows = l.rows[1:]
	return r, nil
}

func (l *list) Close() error { return nil }

func columns(names ...string) []predicate.Column {
	out := make([]predicate.Column, len(names))
	for i, n := range names {
		out[i] = predicate.Column{Name: n, Kind: value.Text}
	}
	return out
}

// chunks keeps each write for itself.
type chunks struct {
	bytes.Buffer
	sizes []int
}

func (c *chunks) Write(p []byte) (int, error) {
	c.sizes = append(c.sizes, len(p))
	return c.Buffer.Write(p)
}

func TestChoose(t *testing.T) {
	for accept, want := range map[string]*rowform.Form{
		"":                                      nil,
		"*/*":                                   nil,
		"application/json":                      nil,
		"image/png":                             nil,
		"text/csv":                              rowform.CSV,
		"Text/CSV; header=present":              rowform.CSV,
		"application/x-ndjson":                  rowform.NDJSON,
		"application/json, text/csv":            nil,
		"application/json;q=0.5, text/csv":      rowform.CSV,
		"text/csv;q=0.5, application/x-ndjson":  rowform.NDJSON,
		"text/csv;q=0":                          nil,
		"text/csv;q=nan, application/x-ndjson;": rowform.NDJSON,
		"text/csv, */*":                         rowform.CSV,
		"application/vnd.apache.arrow.stream":   rowform.Arrow,
		";;;, ,":                                nil,
	} {
		if got := rowform.Choose([]string{accept}); got != want {
			t.Errorf("Choose(%q) = %+v, want %+v", accept, got, want)
		}
	}
	got := rowform.Choose([]string{"image/png", "text/csv"})
	if got != rowform.CSV {
		t.Errorf("two headers choose %+v", got)
	}
}

var everyKind = []value.Value{
	value.NewBigInt(math.MinInt64), value.NewText("a,\"b\"\r\nc \xff"), value.NullValue,
	value.NewText(""), value.NewBool(true), value.NewString(value.JSON, "{\n\"a\": [1]}"),
	value.NewString(value.Bytes, "\x00\xff"), value.NewFloat(value.Float64, 1.5),
	value.NewTimestamp(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)),
}

func write(t *testing.T, f *rowform.Form, res *engine.Result) string {
	t.Helper()
	var out bytes.Buffer
	if err := rowform.NewWriter(f, &out).Write(context.Background(), res); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWriter_Write_NDJSON(t *testing.T) {
	names := columns("i", "say \"hi\"", "n", "e", "b", "j", "y", "f", "t")
	got := write(t, rowform.NDJSON, &engine.Result{
		Columns: names, Rows: &list{rows: [][]value.Value{everyKind, everyKind}},
	})
	want := `{"i":"-9223372036854775808","say \"hi\"":"a,\"b\"\r\nc ` + "\uFFFD" +
		`","n":null,"e":"","b":true,"j":{ "a": [1]},"y":"AP8=","f":1.5,` +
		`"t":"2026-01-02T03:04:05.000006Z"}` + "\n"
	if got != want+want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for line := range strings.Lines(got) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

func TestWriter_Write_CSV(t *testing.T) {
	names := columns("i", "say \"hi\"", "n", "e", "b", "j", "y", "f", "t")
	got := write(t, rowform.CSV, &engine.Result{
		Columns: names, Rows: &list{rows: [][]value.Value{everyKind}},
	})
	want := `i,"say ""hi""",n,e,b,j,y,f,t` + "\r\n" +
		`-9223372036854775808,"a,""b""` + "\r\nc \uFFFD\"" + `,,"",true,"{` + "\n" +
		`""a"": [1]}",AP8=,1.5,2026-01-02T03:04:05.000006Z` + "\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[1]) != len(names) || rows[1][6] != "AP8=" {
		t.Errorf("a reader sees %q, %v", rows, err)
	}
	if got := write(t, rowform.CSV, &engine.Result{
		Columns: columns("a"), Rows: &list{},
	}); got != "a\r\n" {
		t.Errorf("no rows are %q", got)
	}
}

func TestWriter_Write_InChunks(t *testing.T) {
	big := []value.Value{value.NewText(strings.Repeat("x", 1000))}
	rows := make([][]value.Value, 200)
	for i := range rows {
		rows[i] = big
	}
	var out chunks
	err := rowform.NewWriter(rowform.NDJSON, &out).Write(context.Background(),
		&engine.Result{Columns: columns("a"), Rows: &list{rows: rows}})
	if err != nil || len(out.sizes) < 6 || bytes.Count(out.Bytes(), []byte("\n")) != 200 {
		t.Fatalf("%d writes, %v", len(out.sizes), err)
	}
	for _, n := range out.sizes {
		if n > 40<<10 {
			t.Errorf("a chunk of %d bytes", n)
		}
	}
}

func TestWriter_Write_Errors(t *testing.T) {
	gone := fault.New(fault.Cancelled, "gone")
	nan := value.NewFloat(value.Float64, math.NaN())
	for name, tt := range map[string]struct {
		form *rowform.Form
		res  *engine.Result
		want fault.Code
	}{
		"rows that fail": {rowform.CSV, &engine.Result{Columns: columns("a"),
			Rows: &list{rows: [][]value.Value{{value.NullValue}}, err: gone}}, fault.Cancelled},
		"a value without JSON": {rowform.NDJSON, &engine.Result{Columns: columns("a"),
			Rows: &list{rows: [][]value.Value{{nan}}}}, fault.ValueOutOfRange},
		"a value without text": {rowform.CSV, &engine.Result{Columns: columns("a"),
			Rows: &list{rows: [][]value.Value{{nan}}}}, fault.ValueOutOfRange},
		"two columns of one name": {rowform.NDJSON, &engine.Result{Columns: columns("a", "b", "a"),
			Rows: &list{}}, fault.InvalidParameter},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := rowform.NewWriter(tt.form, &out).Write(context.Background(), tt.res)
			if !fault.Is(err, tt.want) || out.Len() > 0 {
				t.Errorf("err = %v, written %q", err, out.String())
			}
		})
	}
}

func TestWriter_Fail(t *testing.T) {
	var out bytes.Buffer
	w := rowform.NewWriter(rowform.NDJSON, &out)
	err := w.Write(context.Background(), &engine.Result{Columns: columns("a"), Rows: &list{
		rows: [][]value.Value{{value.NewText("x")}}, err: fault.New(fault.Cancelled, "gone"),
	}})
	if err == nil || !w.Fail(err) {
		t.Fatalf("err = %v", err)
	}
	want := `{"a":"x"}` + "\n" + `{"error":{"code":"CANCELLED","message":"gone",` +
		`"retryable":true}}` + "\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	w = rowform.NewWriter(rowform.CSV, &out)
	if w.Fail(err) {
		t.Error("a form that was not begun tells a failure")
	}
	if err := w.Write(context.Background(), &engine.Result{Rows: &list{}}); err != nil {
		t.Fatal(err)
	}
	if w.Fail(errors.New("x")) {
		t.Error("CSV tells a failure")
	}
}

func FuzzChoose(f *testing.F) {
	f.Add("text/csv;q=0.5, application/x-ndjson", "*/*;q=0")
	f.Add("application/vnd.apache.arrow.stream;q=1e400", ",;=\"")
	f.Fuzz(func(t *testing.T, one, two string) {
		got := rowform.Choose([]string{one, two})
		if joined := rowform.Choose([]string{one + "," + two}); got != joined {
			t.Fatalf("%q and %q: %v, in one header %v", one, two, got, joined)
		}
	})
}
