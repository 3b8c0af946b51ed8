package badgerkv

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/kalamdb/kalamdb-go/store"
)

// Badger has no range delete. A range that fits is deleted key by key in the
// batch's own transaction. For a larger one the transaction holds a note of
// it instead, and the keys are deleted in chunks once that is committed; Open
// repeats it for notes that a crash left. So the batch stays atomic: before
// the note is durable nothing has happened, after it everything will.

// noteKey begins the keys of the notes; see store.Engine on keys from 0xFF.
const noteKey = 0xFF

var errDamagedNote = errors.New("badgerkv: the note of a range delete is damaged")

// Apply writes b atomically and synced.
func (e *Engine) Apply(b *store.Batch, _ bool) error {
	err := e.applyWhole(b)
	if errors.Is(err, badger.ErrTxnTooBig) && hasRange(b) {
		err = e.applyNoted(b)
	}
	return mapError(err, "write a batch")
}

func hasRange(b *store.Batch) bool {
	for _, op := range b.Ops() {
		if op.Kind == store.OpDeleteRange {
			return true
		}
	}
	return false
}

func (e *Engine) applyWhole(b *store.Batch) error {
	txn := e.db.NewTransaction(true)
	defer txn.Discard()
	for _, op := range b.Ops() {
		var err error
		if op.Kind == store.OpDeleteRange {
			err = deleteKeys(txn, op.Key, op.Value)
		} else {
			err = applyOne(txn, op)
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}

func applyOne(txn *badger.Txn, op store.Op) error {
	switch {
	case len(op.Key) > maxKey || len(op.Value) > maxValue:
		return badger.ErrTxnTooBig
	case op.Kind == store.OpPut:
		return txn.Set(op.Key, op.Value)
	}
	return txn.Delete(op.Key)
}

func deleteKeys(txn *badger.Txn, lo, hi []byte) error {
	it := newIterator(txn, lo, hi, false)
	for it.Next() {
		if err := txn.Delete(bytes.Clone(it.Key())); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

// applyNoted writes b with a note in the place of each range. What b puts into
// a range after deleting it would be lost with it, so that is refused.
func (e *Engine) applyNoted(b *store.Batch) error {
	txn := e.db.NewTransaction(true)
	defer txn.Discard()
	var ranges []store.Op
	for _, op := range b.Ops() {
		if op.Kind == store.OpDeleteRange {
			ranges = append(ranges, op)
			continue
		}
		if op.Kind == store.OpPut && inside(ranges, op.Key) {
			return badger.ErrTxnTooBig
		}
		if err := applyOne(txn, op); err != nil {
			return err
		}
	}
	for i, r := range ranges {
		key := binary.BigEndian.AppendUint32([]byte{noteKey}, uint32(i))
		note := binary.AppendUvarint(nil, uint64(len(r.Key)))
		note = append(append(note, r.Key...), r.Value...)
		if err := txn.Set(key, note); err != nil {
			return err
		}
	}
	if err := txn.Commit(); err != nil {
		return err
	}
	return e.finishRanges()
}

func inside(ranges []store.Op, key []byte) bool {
	for _, r := range ranges {
		if bytes.Compare(r.Key, key) <= 0 && bytes.Compare(key, r.Value) < 0 {
			return true
		}
	}
	return false
}

// finishRanges does what the notes say and removes them.
func (e *Engine) finishRanges() error {
	txn := e.db.NewTransaction(false)
	defer txn.Discard()
	o := badger.DefaultIteratorOptions
	o.Prefix = []byte{noteKey}
	notes := txn.NewIterator(o)
	defer notes.Close()
	for notes.Rewind(); notes.Valid(); notes.Next() {
		note, err := notes.Item().ValueCopy(nil)
		if err != nil {
			return err
		}
		n, used := binary.Uvarint(note)
		if used <= 0 || n > uint64(len(note)-used) {
			return errDamagedNote
		}
		lo, hi := note[used:used+int(n)], note[used+int(n):]
		if err := e.deleteChunks(txn, lo, hi, notes.Item().KeyCopy(nil)); err != nil {
			return err
		}
	}
	return nil
}

// deleteChunks deletes [lo, hi) in transactions of badger's choice, and then
// the note.
func (e *Engine) deleteChunks(txn *badger.Txn, lo, hi, note []byte) error {
	w := e.db.NewWriteBatch()
	defer w.Cancel()
	it := newIterator(txn, lo, hi, false)
	for it.Next() {
		if err := w.Delete(bytes.Clone(it.Key())); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := errors.Join(it.Close(), w.Flush()); err != nil {
		return err
	}
	return e.db.Update(func(txn *badger.Txn) error { return txn.Delete(note) })
}
