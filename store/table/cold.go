package table

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Cold reads rows out of segments. It is safe for concurrent use.
type Cold interface {
	// Fetch makes records of a user's rows whole, which are cold as of v and have
	// their Seq. After an error some of them may be whole. columns are those that
	// are needed, nil for all: the others may be NULL, and the record is not Thawed
	// then.
	Fetch(ctx context.Context, v *store.View, p store.Partition, u ident.UserID,
		columns []ident.ColumnID, recs []*row.Record) error
	// Scan begins a long read of rows that are cold as of v, which the caller holds
	// until it is closed. It is nil where rows are better fetched, or can't be
	// scanned.
	Scan(ctx context.Context, v *store.View, w Wanted) (Scan, error)
	// Outlook tells what a read would meet; it reads no rows. Passed says how many
	// a read may go through.
	Outlook(ctx context.Context, v *store.View, w Wanted) (Outlook, error)
}

// thaw returns a cold record whole.
func (t Table) thaw(
	ctx context.Context, v *store.View, u ident.UserID, rec row.Record,
) (row.Record, error) {
	if t.Cold == nil {
		return rec, fault.New(fault.Internal,
			"a row of partition %s is cold, and is read where no cold rows are", t.Part.Name)
	}
	err := t.Cold.Fetch(ctx, v, t.Part, u, nil, []*row.Record{&rec})
	return rec, err
}

// The first row that is cold makes a walk look ahead: the next rows are read at
// once, and those among them that are cold fetched together. How many they are
// grows with the walk, so that who wants few rows has few fetched.
const (
	firstLook = 16
	mostLook  = 4096
	longLook  = 256     // from here on other columns than are needed are left out
	lookBytes = 4 << 20 // of rows; what is fetched may be twice that once
)

// ahead are rows that were read before they are asked for.
type ahead struct {
	items  []item
	at     int // of the next one
	window int // of the next look
	need   Need
	ended  bool
	err    error // what the walk met behind items

	// single says that some of items could not be fetched. Each is tried again
	// when it is asked for: perhaps the one that fails is not.
	single bool
}

// item is a row that was read ahead, in memory that stays.
type item struct {
	key, value []byte // where the walk was, and what it had there
	rec        row.Record
}

func newAhead(n Need) *ahead {
	window := n.Rows
	if window <= 0 || window > mostLook {
		window = firstLook
	}
	return &ahead{window: window, need: n}
}

// take returns the next row that was read ahead; ok is false when there is none.
func (a *ahead) take(
	ctx context.Context, t Table, v *store.View, u ident.UserID,
) (it *item, ok bool, err error) {
	if a.at == len(a.items) {
		return nil, false, a.err
	}
	it = &a.items[a.at]
	a.at++
	if a.single && it.rec.Cold {
		it.rec, err = t.thaw(ctx, v, u, it.rec)
	}
	return it, err == nil, err
}

// look reads ahead from first, a cold row, with next.
func (a *ahead) look(ctx context.Context, t Table, v *store.View, u ident.UserID,
	first item, next func() (it item, ok bool, err error),
) {
	a.items, a.at = append(a.items[:0], first), 0
	size := 0
	for len(a.items) < a.window && size < lookBytes {
		it, ok, err := next()
		if !ok {
			a.ended, a.err = true, err
			break
		}
		size += len(it.key) + len(it.value)
		a.items = append(a.items, it)
	}
	a.fetch(ctx, t, v, u)
}

// fetch makes the items whole that are cold.
func (a *ahead) fetch(ctx context.Context, t Table, v *store.View, u ident.UserID) {
	recs := make([]*row.Record, 0, len(a.items))
	for i := range a.items {
		if rec := &a.items[i].rec; rec.Cold {
			recs = append(recs, rec)
		}
	}
	columns := a.need.Columns
	if a.window < longLook { // whole rows are kept for who asks next
		columns = nil
	}
	a.single = t.Cold == nil || t.Cold.Fetch(ctx, v, t.Part, u, columns, recs) != nil
	size := 0
	for _, rec := range recs {
		size += len(rec.Payload)
	}
	switch {
	case size > lookBytes:
		a.window = max(a.window/2, 1)
	case size < lookBytes/2:
		a.window = min(a.window*2, mostLook)
	}
}

// Keyed walks the rows of some keys of a user, in the order in which they are
// given. It is used by one goroutine and must be closed.
type Keyed struct {
	ctx   context.Context
	table Table
	view  *store.View
	user  ident.UserID
	need  Need
	pks   [][]byte // to come
	pk    []byte
	rec   row.Record
	ahead *ahead
	err   error
}

// RowsByKey walks the rows that entries of an index name, as Indexed reads
// them. The caller holds v until Close.
func (t Table) RowsByKey(
	ctx context.Context, v *store.View, u ident.UserID, pks [][]byte, n Need,
) *Keyed {
	return &Keyed{ctx: ctx, table: t, view: v, user: u, pks: pks, need: n}
}

// Next moves to the next row, the first one on the first call.
func (k *Keyed) Next() bool {
	if k.err != nil {
		return false
	}
	if k.ahead != nil {
		if it, ok, err := k.ahead.take(k.ctx, k.table, k.view, k.user); ok || err != nil {
			return k.give(it, err)
		}
	}
	it, ok, err := k.step()
	if !ok || err != nil || !it.rec.Cold {
		return ok && k.give(&it, err) || k.fail(err)
	}
	if k.ahead == nil {
		k.ahead = newAhead(k.need)
	}
	k.ahead.look(k.ctx, k.table, k.view, k.user, it, k.step)
	first, _, err := k.ahead.take(k.ctx, k.table, k.view, k.user)
	return k.give(first, err)
}

func (k *Keyed) give(it *item, err error) bool {
	if err != nil {
		return k.fail(err)
	}
	k.pk, k.rec = it.key, it.rec
	return true
}

func (k *Keyed) fail(err error) bool {
	k.err = err
	return false
}

func (k *Keyed) step() (it item, ok bool, err error) {
	if len(k.pks) == 0 {
		return item{}, false, nil
	}
	it.key, k.pks = k.pks[0], k.pks[1:]
	it.rec, err = k.table.named(k.view, k.user, it.key)
	return it, err == nil, err
}

// Record returns the present row.
func (k *Keyed) Record() row.Record { return k.rec }

// PK returns the present row's primary key.
func (k *Keyed) PK() []byte { return k.pk }

// Err returns what ended the walk early, if anything did.
func (k *Keyed) Err() error { return k.err }

// Close ends the walk and returns Err's error. It may be called twice.
func (k *Keyed) Close() error {
	k.pks, k.ahead = nil, nil
	return k.err
}
