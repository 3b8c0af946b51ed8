// Package catalog keeps the definitions of namespaces, tables and users in
// system partitions, and a cache of the first two that every statement reads.
//
// It never writes: a change of a definition is a writeset.Write for the commit
// path, and Refresh reads the outcome back. Package store is all it knows of
// storage.
package catalog

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// FirstTableID is the id of the first table that is not a system table.
const FirstTableID ident.TableID = 100

// Kept is a system table whose rows are stored: a key and a JSON document.
// Its definition is fixed; what SELECT shows is made from it.
type Kept struct {
	def    *ddl.Table
	schema *row.Schema
}

// The stored system tables.
var (
	KeptNamespaces = newKept(1, system.Namespaces)
	KeptTables     = newKept(2, system.Tables)
	KeptUsers      = newKept(3, system.Users)
	keptCounters   = newKept(4, "counters")
	KeptAudit      = newKept(5, system.AuditLog)
	// KeptBound has the rows that vanish with a connection.
	KeptBound    = newKept(6, "bound_rows")
	KeptStorages = newKept(7, system.Storages)
	KeptJobs     = newKept(8, system.Jobs)
	// KeptSecrets has what the nodes of a cluster share, encrypted.
	KeptSecrets = newKept(9, "secrets")
	KeptNodes   = newKept(10, system.Nodes)
	KeptShards  = newKept(11, system.Shards)
	// KeptOrders has commands for shards on other nodes than the leader's.
	KeptOrders = newKept(12, "orders")
)

func newKept(id ident.TableID, name system.Table) *Kept {
	def := &ddl.Table{
		ID: id, Namespace: system.Namespace, Name: ident.TableName(name), Kind: ddl.SystemTable,
		State: ddl.Ready, Version: 1, Codec: serde.Row, PrimaryKey: []int{0},
		Columns: []ddl.Column{
			{ID: 1, Name: "key", Type: ddl.Type{Kind: value.Text}, NotNull: true},
			{ID: 2, Name: "doc", Type: ddl.Type{Kind: value.JSON}, NotNull: true},
		},
	}
	return &Kept{def: def, schema: def.Schema()}
}

// AllKept returns the stored system tables, whose partitions must exist before
// a catalogue is opened.
func AllKept() []*Kept {
	return []*Kept{KeptNamespaces, KeptTables, KeptUsers, keptCounters, KeptAudit, KeptBound,
		KeptStorages, KeptJobs, KeptSecrets, KeptNodes, KeptShards, KeptOrders}
}

// Table returns the definition under which k's rows are written.
func (k *Kept) Table() *ddl.Table { return k.def }

func (k *Kept) key(name string) []byte { return value.AppendKey(nil, value.NewText(name)) }

func (k *Kept) part(db *store.DB) (table.Table, error) {
	name := k.def.Partition(ident.SystemShard)
	p, ok := db.Partition(name)
	if !ok {
		return table.Table{}, fault.New(fault.Corruption,
			"system partition %s is missing; restore the data directory from a backup", name)
	}
	return table.Table{Part: p}, nil
}

// Get reads the document called name into doc. seq is that of the stored row,
// 0 when there is none.
func (k *Kept) Get(db *store.DB, v *store.View, name string, doc any) (seq clock.Seq, err error) {
	t, err := k.part(db)
	if err != nil {
		return 0, err
	}
	rec, found, err := t.Peek(v, "", k.key(name))
	if err != nil || !found || rec.Deleted {
		return 0, err
	}
	return rec.Seq, k.decode(rec, doc)
}

// Seq returns the seq of the document called name, 0 when there is none. It
// costs less than Get, for those who keep what they have read.
func (k *Kept) Seq(db *store.DB, v *store.View, name string) (clock.Seq, error) {
	t, err := k.part(db)
	if err != nil {
		return 0, err
	}
	rec, found, err := t.Peek(v, "", k.key(name))
	if err != nil || !found || rec.Deleted {
		return 0, err
	}
	return rec.Seq, nil
}

// Decode reads the document of a stored row.
func (k *Kept) Decode(rec row.Record, doc any) error { return k.decode(rec, doc) }

func (k *Kept) decode(rec row.Record, doc any) error {
	var vals [2]value.Value
	if err := k.schema.Decode(rec, vals[:]); err != nil {
		return fault.Wrap(fault.Corruption, err, "read system table %s", k.def.Name)
	}
	if err := json.Unmarshal([]byte(vals[1].Str()), doc); err != nil {
		return fault.Wrap(fault.Corruption, err, "read %s in system table %s", vals[0].Str(), k.def.Name)
	}
	return nil
}

// Each calls f with every stored document in the order of keys, until f
// returns an error.
func (k *Kept) Each(db *store.DB, v *store.View, f func(decode func(doc any) error) error) error {
	t, err := k.part(db)
	if err != nil {
		return err
	}
	rows := t.Headers(v, "", table.Span{})
	defer rows.Close()
	for rows.Next() {
		rec := rows.Record()
		if rec.Deleted {
			continue
		}
		if err := f(func(doc any) error { return k.decode(rec, doc) }); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Newest calls f with the last limit documents, backward in the order of keys,
// until f returns an error.
func (k *Kept) Newest(
	db *store.DB, v *store.View, limit int, f func(decode func(doc any) error) error,
) error {
	t, err := k.part(db)
	if err != nil {
		return err
	}
	rows := t.Headers(v, "", table.Span{Reverse: true})
	defer rows.Close()
	for n := 0; n < limit && rows.Next(); {
		rec := rows.Record()
		if rec.Deleted {
			continue
		}
		n++
		if err := f(func(doc any) error { return k.decode(rec, doc) }); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Names returns the names of all documents, in order.
func (k *Kept) Names(db *store.DB, v *store.View) (names []string, err error) {
	t, err := k.part(db)
	if err != nil {
		return nil, err
	}
	rows := t.Headers(v, "", table.Span{})
	defer rows.Close()
	for rows.Next() {
		rec := rows.Record()
		if rec.Deleted {
			continue
		}
		var vals [2]value.Value
		if err := k.schema.Decode(rec, vals[:]); err != nil {
			return nil, fault.Wrap(fault.Corruption, err, "read system table %s", k.def.Name)
		}
		names = append(names, vals[0].Str())
	}
	return names, rows.Err()
}

// Below returns the writes that remove the first limit documents whose names
// are less than name.
func (k *Kept) Below(db *store.DB, v *store.View, name string, limit int) (
	writes []writeset.Write, err error,
) {
	t, err := k.part(db)
	if err != nil {
		return nil, err
	}
	rows := t.Headers(v, "", table.Span{Hi: k.key(name)})
	defer rows.Close()
	for len(writes) < limit && rows.Next() {
		rec := rows.Record()
		if rec.Deleted {
			continue
		}
		var vals [2]value.Value
		if err := k.schema.Decode(rec, vals[:]); err != nil {
			return nil, fault.Wrap(fault.Corruption, err, "read system table %s", k.def.Name)
		}
		writes = append(writes, k.Delete(vals[0].Str(), rec.Seq))
	}
	return writes, rows.Err()
}

// Put returns the write that stores doc under name, on the condition that the
// stored row still has the seq that Get returned (0: is still missing).
func (k *Kept) Put(name string, doc any, seq clock.Seq) (writeset.Write, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return writeset.Write{}, fmt.Errorf("encode %s for system table %s: %w", name, k.def.Name, err)
	}
	vals := []value.Value{value.NewText(name), value.NewString(value.JSON, string(text))}
	payload, err := k.schema.Encode(vals)
	if err != nil {
		return writeset.Write{}, err
	}
	op := row.Update
	if seq == 0 {
		op = row.Insert
	}
	return writeset.Write{Table: k.def, Op: op, PK: k.key(name), Payload: payload, Expect: seq}, nil
}

// Delete returns the write that removes the document called name.
func (k *Kept) Delete(name string, seq clock.Seq) writeset.Write {
	return writeset.Write{Table: k.def, Op: row.Delete, PK: k.key(name), Expect: seq}
}

// TableKey returns the key of a table's document.
func TableKey(ns ident.NamespaceID, t ident.TableName) string {
	return string(ns) + "." + string(t)
}

const nextTable = "next_table_id"

// NextTableID returns a table id that was never used, and the write that takes
// it.
func NextTableID(db *store.DB, v *store.View) (ident.TableID, writeset.Write, error) {
	next := FirstTableID
	seq, err := keptCounters.Get(db, v, nextTable, &next)
	if err != nil {
		return 0, writeset.Write{}, err
	}
	w, err := keptCounters.Put(nextTable, next+1, seq)
	return next, w, err
}

// Catalog is the cache of definitions. It is safe for concurrent use.
type Catalog struct {
	db      *store.DB
	current atomic.Pointer[Snapshot]
	mu      sync.Mutex // one Refresh at a time
}

// Open reads the definitions from db, whose system partitions exist.
func Open(db *store.DB) (*Catalog, error) {
	c := &Catalog{db: db}
	return c, c.Refresh()
}

// Snapshot returns the present definitions.
func (c *Catalog) Snapshot() *Snapshot { return c.current.Load() }

// Refresh reads the definitions again and publishes them.
func (c *Catalog) Refresh() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.db.View()
	defer v.Release()
	next := newSnapshot()
	if old := c.current.Load(); old != nil {
		next.version = old.version + 1
	}
	err := KeptNamespaces.Each(c.db, v, func(decode func(any) error) error {
		n := new(ddl.Namespace)
		if err := decode(n); err != nil {
			return err
		}
		next.addNamespace(n)
		return nil
	})
	if err != nil {
		return err
	}
	err = KeptTables.Each(c.db, v, func(decode func(any) error) error {
		t := new(ddl.Table)
		if err := decode(t); err != nil {
			return err
		}
		next.addTable(t)
		return nil
	})
	if err != nil {
		return err
	}
	c.current.Store(next)
	return nil
}
