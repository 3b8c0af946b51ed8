package engine

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// target is one reference to a table in a statement, after the caller's
// rights to it were checked: whose rows, and whether deleted ones are seen.
type target struct {
	run     *execution
	def     *ddl.Table
	owner   ident.UserID // "" unless the table is per user
	deleted bool
	store   table.Table
	expired clock.Seq       // rows with a lower seq have expired
	given   [][]value.Value // the rows, when the statement holds them in memory
	known   []*path         // made by paths
	order   rowOrder
	sieve   *sieve // of this reference, nil for none
}

// rowOrder says in which order rows come that are found by a secondary index.
type rowOrder uint8

const (
	anyOrder   rowOrder = iota
	keyOrder            // of the primary key: in a SELECT of one table without ORDER BY
	indexOrder          // of the index, which may be the one that is asked for
)

// decoder reads the records of a target. It is used by one goroutine.
type decoder struct {
	t      *target
	reader *row.Reader // of the last record read; most have the same version

	// schema and want are the present version and the positions that are needed of
	// it; nil for all.
	schema *row.Schema
	want   []int
}

// only has the decoder read no more than some columns where it can.
func (d *decoder) only(columns []ident.ColumnID) {
	def := d.t.def
	s, err := d.t.run.env.Catalog.Schema(def.ID, def.Version)
	if columns == nil || err != nil || len(s.IDs) != len(def.Columns) {
		return // whoever reads a record hears of it
	}
	d.schema, d.want = s, make([]int, 0, len(columns))
	for i := range def.Columns {
		if slices.Contains(columns, def.Columns[i].ID) {
			d.want = append(d.want, i)
		}
	}
}

func (t *target) open() error {
	if t.def.Kind == ddl.SystemTable {
		return nil
	}
	db := t.run.env.DB
	name := t.def.Partition(t.def.Shard(t.owner, db.Shards()))
	p, ok := db.Partition(name)
	if !ok { // dropped or truncated since the catalogue was read
		return fault.New(fault.TransactionConflict,
			"table %s was dropped or truncated while the statement ran; run it again", t.def.FullName())
	}
	t.store = table.Table{Part: p, Cold: t.run.env.Cold}
	now := t.run.env.ReadAt
	if now.IsZero() {
		now = t.run.env.Now
	}
	t.expired = clock.ExpiredBelow(now, t.def.TTL)
	return nil
}

// decode reads a record's values into dst, which has room for the table's
// columns and the system columns behind them.
func (d *decoder) decode(rec row.Record, dst []value.Value) error {
	t, n := d.t, len(d.t.def.Columns)
	if d.schema != nil && rec.Schema == d.schema.Version {
		setSystem(dst[n:], rec.Seq, rec.Deleted)
		return d.schema.DecodeColumns(&rec, d.want, dst[:n])
	}
	if d.reader == nil || !d.reader.Reads(rec) {
		r, err := t.run.env.Catalog.Reader(t.def, rec.Schema)
		if err != nil {
			return err
		}
		d.reader = r
	}
	if err := d.reader.Read(rec, dst[:n]); err != nil {
		return err
	}
	setSystem(dst[n:], rec.Seq, rec.Deleted)
	return nil
}

// setSystem writes the system columns in the order of system.Columns.
func setSystem(dst []value.Value, seq clock.Seq, deleted bool) {
	dst[0] = value.NewBigInt(int64(seq))
	dst[1] = value.NewTimestamp(seq.Time())
	dst[2] = value.NewBool(deleted)
}

// width is the number of columns of a row, the system columns included.
func (t *target) width() int { return len(t.def.Columns) + len(system.Columns) }

// get reads the record of one key. ok is false when there is none to be seen.
func (t *target) get(pk []byte) (rec row.Record, ok bool, err error) {
	rec, ok, err = t.recordAt(pk)
	if err != nil || !ok {
		return rec, false, err
	}
	t.run.rowsRead.Add(1)
	if rec.Deleted {
		return rec, t.deleted, nil
	}
	t.run.lock(t, pk, rec.Seq)
	return rec, true, nil
}

// has reports whether get finds a row, without its values.
func (t *target) has(pk []byte) (bool, error) {
	env := t.run.env
	if env.Pending != nil {
		if w := env.Pending.Lookup(t.def.ID, t.owner, pk); w != nil {
			return present(w), nil
		}
	}
	rec, found, err := t.store.Peek(env.View, t.owner, pk)
	if err != nil || !found || rec.Seq < t.expired {
		return false, err
	}
	t.run.rowsRead.Add(1)
	return !rec.Deleted || t.deleted, nil
}

// span is a part [lo, hi) of the encoded keys of a path; a nil hi is the end.
type span struct{ lo, hi []byte }

// route is what to read of a table: some spans of a path.
type route struct {
	path    *path
	spans   []span
	reverse bool
	byKey   bool // rows come in the order of the primary key
	point   bool // each span is one row at most
}

// cursor walks the rows of some spans, which are in order and do not overlap.
// It is used by one goroutine.
type cursor struct {
	t *target
	route
	need    table.Need
	judged  bool // who reads judges rows itself, by all of the WHERE
	rows    records
	steps   int
	decoder decoder
	system  [][]value.Value // the rows of a system table
	given   int             // how many rows of target.given were read
	loaded  bool
}

func (t *target) scan(r route) *cursor {
	c := &cursor{t: t, route: r, decoder: decoder{t: t}}
	t.run.cursors.add(c)
	return c
}

// needs notes which positions of a row are needed of the cursor.
func (c *cursor) needs(positions []int) {
	c.need.Columns = []ident.ColumnID{}
	for i := range c.t.def.Columns {
		if slices.Contains(positions, i) {
			c.need.Columns = append(c.need.Columns, c.t.def.Columns[i].ID)
		}
	}
	if len(c.need.Columns) == len(c.t.def.Columns) {
		c.need.Columns = nil
	}
}

// cursors are the open cursors of an execution. The library does not close
// all of its iterators after an error or a panic, so the execution does.
type cursors struct {
	mu   sync.Mutex
	open map[*cursor]struct{}
}

func (cs *cursors) add(c *cursor) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = make(map[*cursor]struct{})
	}
	cs.open[c] = struct{}{}
}

func (cs *cursors) remove(c *cursor) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
}

// closeAll closes what is still open. Nothing may read any more.
func (cs *cursors) closeAll() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.open {
		c.stop()
	}
	cs.open = nil
}

// checkEvery is how many rows are walked between two looks at the context.
const checkEvery = 64

// next reads the next visible row into dst; ok is false behind the last one.
func (c *cursor) next(ctx context.Context, dst []value.Value) (ok bool, err error) {
	if c.t.given != nil {
		return c.nextGiven(ctx, dst)
	}
	if c.t.def.Kind == ddl.SystemTable {
		return c.nextSystem(ctx, dst)
	}
	for {
		if c.steps%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return false, err
			}
		}
		if c.rows == nil && !c.advance() {
			return false, nil
		}
		c.steps++
		if !c.rows.Next() {
			err := c.rows.Err()
			c.rows.Close()
			if c.rows = nil; err != nil {
				return false, err
			}
			continue
		}
		c.t.run.rowsRead.Add(1)
		rec := c.rows.Record()
		if rec.Deleted && !c.t.deleted {
			continue
		}
		if !rec.Deleted {
			c.t.run.lock(c.t, c.rows.PK(), rec.Seq)
		}
		if err := c.decoder.decode(rec, dst); err != nil {
			return false, err
		}
		if c.judged || c.need.Filter == nil || !c.t.sieve.excludes(dst) {
			return true, nil
		}
	}
}

// advance opens the next span.
func (c *cursor) advance() bool {
	if len(c.spans) == 0 {
		return false
	}
	c.begin()
	if c.byKey {
		c.rows, c.spans = c.t.byKey(c.path.index, c.spans, c.need), nil
		return true
	}
	var s span
	if last := len(c.spans) - 1; c.reverse {
		s, c.spans = c.spans[last], c.spans[:last]
	} else {
		s, c.spans = c.spans[0], c.spans[1:]
	}
	if c.path.index != nil {
		c.rows = c.t.indexed(c.path.index, s, c.reverse, c.need)
	} else {
		c.rows = c.t.records(s, c.reverse, c.need)
	}
	return true
}

// begin makes up what is needed of the rows, before the first of them.
func (c *cursor) begin() {
	if c.need.Values {
		return
	}
	c.need.Values = true
	if s := c.t.sieve; s != nil && !c.point {
		s.build()
		c.need.Filter = s.filter(c.t)
		for _, i := range s.columns() {
			c.wants(i)
		}
	}
	c.decoder.only(c.need.Columns)
}

// wants adds a column to those that are needed.
func (c *cursor) wants(i int) {
	if c.need.Columns == nil || i >= len(c.t.def.Columns) {
		return
	}
	if id := c.t.def.Columns[i].ID; !slices.Contains(c.need.Columns, id) {
		c.need.Columns = append(c.need.Columns, id)
	}
}

func (c *cursor) nextGiven(ctx context.Context, dst []value.Value) (bool, error) {
	if c.given == len(c.t.given) {
		return false, ctx.Err()
	}
	copy(dst, c.t.given[c.given])
	c.given++
	return true, nil
}

func (c *cursor) nextSystem(ctx context.Context, dst []value.Value) (bool, error) {
	if !c.loaded {
		rows, err := c.t.run.env.System.SystemRows(ctx, system.Table(c.t.def.Name))
		if err != nil {
			return false, err
		}
		c.system, c.loaded = rows, true
	}
	if len(c.system) == 0 {
		return false, ctx.Err()
	}
	var r []value.Value
	r, c.system = c.system[0], c.system[1:]
	n := len(c.t.def.Columns)
	if len(r) != n {
		return false, fault.New(fault.Internal,
			"system table %s gave %d values, not %d", c.t.def.Name, len(r), n)
	}
	c.t.run.rowsRead.Add(1)
	copy(dst, r)
	dst[n], dst[n+1], dst[n+2] = value.NullValue, value.NullValue, value.NewBool(false)
	return true, nil
}

func (c *cursor) close() {
	c.stop()
	c.t.run.cursors.remove(c)
}

func (c *cursor) stop() {
	if c.rows != nil {
		c.rows.Close()
		c.rows = nil
	}
	c.spans = nil
}

// merge sorts spans and joins those that touch, in place.
func merge(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	sortSpans(spans)
	out := spans[:1]
	for _, s := range spans[1:] {
		last := &out[len(out)-1]
		if last.hi != nil && bytes.Compare(s.lo, last.hi) > 0 {
			out = append(out, s)
			continue
		}
		if last.hi != nil && (s.hi == nil || bytes.Compare(s.hi, last.hi) > 0) {
			last.hi = s.hi
		}
	}
	return out
}
