package sqljson_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/server/sqljson"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// list gives rows, then err or the end.
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
	row := l.rows[0]
	l.rows = l.rows[1:]
	return row, nil
}

func (l *list) Close() error { return nil }

var columns = []predicate.Column{
	{Name: "id", Kind: value.Int64, Key: true, NotNull: true},
	{Name: `q"uote`, Kind: value.Text},
}

func result(l *list) *engine.Result { return &engine.Result{Columns: columns, Rows: l} }

func row(id int64, text string) []value.Value {
	return []value.Value{value.NewBigInt(id), value.NewText(text)}
}

func decode(t *testing.T, b []byte) wire.QueryResult {
	t.Helper()
	var m wire.QueryResult
	if err := wire.DecodeStrict(b, &m); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return m
}

func TestEncoder_IsWhatTheClientReads(t *testing.T) {
	for _, prefix := range []string{"", `"type":"result","id":"q",`} {
		enc := sqljson.NewEncoder(prefix, 1<<20)
		ctx := context.Background()
		if err := enc.Add(ctx, result(&list{rows: [][]value.Value{row(1, "a\n"), row(2, "ß")}})); err != nil {
			t.Fatal(err)
		}
		if err := enc.Add(ctx, &engine.Result{Affected: 7, Message: "ok", AsUser: "al", Seq: "1:2"}); err != nil {
			t.Fatal(err)
		}
		got := decode(t, enc.Finish(sqljson.Outcome{
			Err:  fault.New(fault.TableNotFound, "no %q", "x").At(3, 9),
			Took: 1234567 * time.Nanosecond, RequestID: "r",
		}))
		enc.Release()
		if got.Status != wire.Failure || len(got.Results) != 2 || got.RequestID != "r" ||
			time.Duration(*got.Took) != 1235*time.Microsecond {
			t.Errorf("answer = %+v", got)
		}
		if e := got.Error; e.Code != fault.TableNotFound || e.Statement != 3 || e.Position != 9 {
			t.Errorf("error = %+v", e)
		}
		rows, write := got.Results[0], got.Results[1]
		if rows.RowCount != 2 || rows.Rows[1][1] != "ß" || rows.Schema[1].Name != `q"uote` ||
			len(rows.Schema[0].Flags) != 2 {
			t.Errorf("rows = %+v", rows)
		}
		if write.RowCount != 7 || write.Message != "ok" || write.AsUser != "al" || write.Seq != "1:2" ||
			write.Rows == nil || write.Schema == nil {
			t.Errorf("write = %+v", write)
		}
		if prefix != "" && (got.Type != wire.TypeResult || got.ID != "q") {
			t.Errorf("prefix is lost: %+v", got)
		}
	}
}

func TestEncoder_FailedResultLeavesNothing(t *testing.T) {
	big := &list{rows: [][]value.Value{row(1, strings.Repeat("x", 2000))}}
	nan := result(&list{rows: [][]value.Value{{value.NewFloat(value.Float64, math.NaN())}}})
	for name, tt := range map[string]struct {
		res  *engine.Result
		want fault.Code
	}{
		"over the limit":       {result(big), fault.ResultTooLarge},
		"rows that fail":       {result(&list{err: fault.New(fault.Cancelled, "gone")}), fault.Cancelled},
		"a value without JSON": {nan, fault.ValueOutOfRange},
	} {
		t.Run(name, func(t *testing.T) {
			enc := sqljson.NewEncoder("", 1000)
			defer enc.Release()
			ctx := context.Background()
			if err := enc.Add(ctx, result(&list{rows: [][]value.Value{row(1, "a")}})); err != nil {
				t.Fatal(err)
			}
			err := enc.Add(ctx, tt.res)
			if !fault.Is(err, tt.want) {
				t.Fatalf("err = %v, want %s", err, tt.want)
			}
			b := enc.Finish(sqljson.Outcome{Err: err, Took: sqljson.NoTook})
			if got := decode(t, b); len(got.Results) != 1 || got.Took != nil {
				t.Errorf("answer = %s", b)
			}
		})
	}
}

func TestEncoder_AllocatesLittle(t *testing.T) {
	rows := [][]value.Value{row(1, "some text"), row(2, "some more text")}
	l := &list{}
	res, ctx := result(l), context.Background()
	n := testing.AllocsPerRun(100, func() {
		l.rows = rows
		enc := sqljson.NewEncoder("", 1<<20)
		if err := enc.Add(ctx, res); err != nil {
			t.Fatal(err)
		}
		enc.Finish(sqljson.Outcome{Took: time.Millisecond})
		enc.Release()
	})
	if n > 1 {
		t.Errorf("%v allocations an answer", n)
	}
}

func TestParams(t *testing.T) {
	var body wire.SQLRequest
	text := `{"sql":"x","params":[1,-9223372036854775808,18446744073709551615,1.5,"a",true,null,` +
		`{"k":[1]},[2]]}`
	if err := wire.DecodeStrict([]byte(text), &body); err != nil {
		t.Fatal(err)
	}
	got, err := sqljson.Params(body.Params)
	if err != nil {
		t.Fatal(err)
	}
	want := []value.Kind{value.Int64, value.Int64, value.Uint64, value.Float64, value.Text,
		value.Bool, value.Null, value.JSON, value.JSON}
	for i, v := range got {
		if v.Kind() != want[i] {
			t.Errorf("parameter %d is %s, want %s", i+1, v.Kind(), want[i])
		}
	}
	if got[1].Int() != math.MinInt64 || got[2].Uint() != math.MaxUint64 {
		t.Errorf("integers lost bits: %v", got)
	}
	if _, err := sqljson.Params([]any{1, struct{}{}}); !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("err = %v", err)
	}
	if b, err := json.Marshal(got[7].Str()); err != nil || string(b) != `"{\"k\":[1]}"` {
		t.Errorf("json = %s", b)
	}
}
