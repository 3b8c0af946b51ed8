package rowform_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/server/rowform"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/arrowio"
	"github.com/kalamdb/kalamdb-go/store/arrowio/arrowiotest"
)

func TestArrow_WritesBatchesAsTheyFill(t *testing.T) {
	columns := []predicate.Column{{Name: "id", Kind: value.Int64},
		{Name: "price", Kind: value.Decimal, Precision: 10, Scale: 2},
		{Name: "near", Kind: value.Embedding, Length: 1}}
	rows := make([][]value.Value, arrowio.MaxBatchRows+2)
	for i := range rows {
		near, err := value.NewEmbedding([]float32{float32(i)})
		if err != nil {
			t.Fatal(err)
		}
		rows[i] = []value.Value{value.NewBigInt(int64(i)), value.NewString(value.Decimal, "1.50"), near}
	}
	var out chunks
	w := rowform.NewWriter(rowform.Arrow, &out)
	err := w.Write(t.Context(), &engine.Result{Columns: columns, Rows: &list{rows: rows}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.sizes) != 2 {
		t.Errorf("%d writes of %v bytes", len(out.sizes), out.sizes)
	}
	got, err := arrowiotest.Read(&out.Buffer)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{arrowio.MaxBatchRows, 2}; !slices.Equal(got.Batches, want) {
		t.Errorf("batches of %v rows", got.Batches)
	}
	if want := "[8193 1.5 [8193]]"; fmt.Sprint(got.Rows[len(rows)-1]) != want {
		t.Errorf("the last row is %v", got.Rows[len(rows)-1])
	}
}

func TestArrow_FailureLeavesNoWholeStream(t *testing.T) {
	failure := errors.New("the disk is gone")
	rows := make([][]value.Value, arrowio.MaxBatchRows+2)
	for i := range rows {
		rows[i] = []value.Value{value.NewText("x")}
	}
	for _, n := range []int{1, len(rows)} {
		var out bytes.Buffer
		w := rowform.NewWriter(rowform.Arrow, &out)
		err := w.Write(t.Context(), &engine.Result{Columns: columns("t"),
			Rows: &list{rows: slices.Clone(rows[:n]), err: failure}})
		if !errors.Is(err, failure) {
			t.Errorf("%v", err)
		}
		if written := out.Len() > 0; written != (n > arrowio.MaxBatchRows) {
			t.Errorf("%d bytes were written for %d rows", out.Len(), n)
		}
		if w.Fail(err) {
			t.Error("Arrow has a way to say that it failed")
		}
	}
}
