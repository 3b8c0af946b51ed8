package apply

import (
	"fmt"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// appended is what an Append makes of its row.
type appended struct {
	payload []byte
	piece   row.Piece
}

// extend does what the write i says, an Append, on the record that it meets.
func (a *admission) extend(i int, w *command.Write) (Outcome, error) {
	done, out, err := extend(w, a.present[i])
	if err != nil || out.Err != nil {
		return out, err
	}
	if a.appended == nil {
		a.appended = make(map[int]appended)
	}
	a.appended[i] = done
	return Outcome{}, nil
}

// extend puts an Append's text behind that of rec, which is live. Only a record
// that does not read is an error; all else is an outcome.
func extend(w *command.Write, rec *row.Record) (a appended, out Outcome, err error) {
	to := w.Append
	if to == nil {
		return a, Outcome{Err: fault.New(fault.Internal, "an append does not say where")}, nil
	}
	at := slices.IndexFunc(to.Layouts, func(l command.Layout) bool { return l.Schema == rec.Schema })
	if at < 0 {
		return a, reread, nil
	}
	layout := &to.Layouts[at]
	codec, err := serde.ByID(rec.Codec)
	if err != nil {
		return a, out, err
	}
	vals := make([]value.Value, len(layout.Kinds))
	if err := codec.DecodeRow(rec.Payload, layout.Kinds, vals); err != nil {
		return a, out, fmt.Errorf("append to a row of schema version %d: %w", rec.Schema, err)
	}
	text := &vals[layout.At]
	if text.Kind() != value.Text { // NULL stays NULL
		return a, reread, nil
	}
	a.piece = row.Piece{Column: to.Column, Offset: len(text.Str()), Length: len(w.Payload)}
	if size := a.piece.Offset + a.piece.Length; size > to.Most {
		return a, Outcome{Err: fault.New(fault.ValueOutOfRange,
			"the text would have %d bytes, of %d allowed; begin another row", size, to.Most)}, nil
	}
	*text = value.NewText(text.Str() + string(w.Payload))
	a.payload, err = codec.AppendRow(
		make([]byte, 0, len(rec.Payload)+len(w.Payload)+8), layout.Kinds, vals)
	if err != nil {
		return a, out, fmt.Errorf("append to a row of schema version %d: %w", rec.Schema, err)
	}
	return a, out, nil
}

// reread is the outcome of an append that takes more than its row: there is
// none, its text is NULL, or it is of a version in which it was no text.
var reread = Outcome{Reread: true, Err: fault.New(fault.TransactionConflict,
	"the row can't be appended to without reading it; run the statement again")}
