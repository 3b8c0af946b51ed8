package table

import (
	"bytes"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// neighbours finds records by keys that mostly lie side by side, in the order of
// the keys: a walk over them costs a fraction of a search for each.
type neighbours struct {
	table Table
	view  *store.View
	batch *store.Batch
	user  ident.UserID
	it    store.Iterator // nil when none is open
	ended bool
	far   int // keys that were not close to the one before
}

// Where a walk gives up.
const (
	closeKeys = 8 // most steps to a key; a search costs about as many
	mostFar   = 4 // keys farther than that, behind which all are searched for
)

// present is Table.Present. The record is valid until the next call.
func (n *neighbours) present(pk []byte) (row.Record, bool, error) {
	key := row.Key(n.user, pk)
	raw, found, known := n.batch.Lookup(n.table.Part, key)
	if !known {
		var err error
		if raw, found, known, err = n.walk(key); err != nil {
			return row.Record{}, false, err
		}
	}
	if known {
		return parse(raw, found, nil)
	}
	return parse(n.view.Get(n.table.Part, key))
}

// walk moves to key if it is close; known is false when it is not. Keys that are
// not in order are never close.
func (n *neighbours) walk(key []byte) (raw []byte, found, known bool, err error) {
	if n.far >= mostFar {
		return nil, false, false, nil
	}
	if n.it == nil {
		n.it = n.view.Scan(n.table.Part, store.Range{Lo: key})
		n.ended = !n.it.Next()
	}
	for range closeKeys {
		if n.ended {
			break
		}
		switch bytes.Compare(n.it.Key(), key) {
		case 0:
			return n.it.Value(), true, true, n.it.Err()
		case 1:
			n.far++
			return nil, false, false, nil
		}
		n.ended = !n.it.Next()
	}
	n.far++
	err = n.close()
	return nil, false, false, err
}

func (n *neighbours) close() error {
	if n.it == nil {
		return nil
	}
	err := n.it.Close()
	n.it = nil
	return err
}
