package apply

import (
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// appended is what an Append makes of its row.
type appended struct {
	payload []byte
	piece   row.Piece
}

// extend does what the write i says, an Append, on the live record that it
// meets. Only a record that can't be read is an error.
func (a *admission) extend(i int, w *command.Write) (Outcome, error) {
	if w.Tail == nil {
		return Outcome{Err: fault.New(fault.Internal, "an append does not say where")}, nil
	}
	var done appended
	var ok bool
	var err error
	done.payload, done.piece, ok, err = w.Tail.Append(*a.present[i], w.Payload)
	switch {
	case fault.Is(err, fault.ValueOutOfRange):
		return Outcome{Err: err}, nil
	case err != nil:
		return Outcome{}, fmt.Errorf("append to a row of table %d: %w", w.Table, err)
	case !ok:
		return reread, nil
	}
	if a.appended == nil {
		a.appended = make(map[int]appended)
	}
	a.appended[i] = done
	return Outcome{}, nil
}

// reread is the outcome of an append that takes more than its row: there is
// none, its text is NULL, or it is of a version in which it was no text.
var reread = Outcome{Reread: true, Err: fault.New(fault.TransactionConflict,
	"the row can't be appended to without reading it; run the statement again")}
