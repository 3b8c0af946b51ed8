package catalog

import (
	"maps"
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Snapshot is the set of definitions at one moment. It is immutable.
type Snapshot struct {
	version    uint64
	namespaces map[ident.NamespaceID]*ddl.Namespace
	tables     map[ident.NamespaceID]map[ident.TableName]*ddl.Table // ready ones
	byID       map[ident.TableID]*entry                             // all, also unfinished ones
}

type entry struct {
	def     *ddl.Table
	schemas map[ident.SchemaVersion]*row.Schema // of all versions
	readers sync.Map                            // of readerKey to *row.Reader
}

// readerKey names a reader of records of one version into rows of another.
type readerKey struct{ from, to ident.SchemaVersion }

func newSnapshot() *Snapshot {
	s := &Snapshot{
		version:    1,
		namespaces: make(map[ident.NamespaceID]*ddl.Namespace),
		tables:     make(map[ident.NamespaceID]map[ident.TableName]*ddl.Table),
		byID:       make(map[ident.TableID]*entry),
	}
	s.addNamespace(&ddl.Namespace{Name: system.Namespace})
	for _, t := range systemTables {
		s.tables[system.Namespace][t.Name] = t
	}
	return s
}

// NewSnapshot returns a Snapshot of the given definitions, for tests and for
// tools that have no store.
func NewSnapshot(namespaces []*ddl.Namespace, tables []*ddl.Table) *Snapshot {
	s := newSnapshot()
	for _, n := range namespaces {
		s.addNamespace(n)
	}
	for _, t := range tables {
		s.addTable(t)
	}
	return s
}

func (s *Snapshot) addNamespace(n *ddl.Namespace) {
	s.namespaces[n.Name] = n
	s.tables[n.Name] = make(map[ident.TableName]*ddl.Table)
}

func (s *Snapshot) addTable(t *ddl.Table) {
	e := &entry{def: t, schemas: make(map[ident.SchemaVersion]*row.Schema, len(t.Past)+1)}
	for _, v := range t.Versions() {
		e.schemas[v.Number], _ = t.SchemaOf(v.Number)
	}
	s.byID[t.ID] = e
	if in := s.tables[t.Namespace]; in != nil && t.State == ddl.Ready {
		in[t.Name] = t
	}
}

// Version counts the snapshots of a catalogue, from 1.
func (s *Snapshot) Version() uint64 { return s.version }

// Namespace returns a namespace.
func (s *Snapshot) Namespace(ns ident.NamespaceID) (*ddl.Namespace, bool) {
	n, ok := s.namespaces[ns]
	return n, ok
}

// Namespaces returns all namespaces by name, system included.
func (s *Snapshot) Namespaces() []*ddl.Namespace {
	out := make([]*ddl.Namespace, 0, len(s.namespaces))
	for _, ns := range slices.Sorted(maps.Keys(s.namespaces)) {
		out = append(out, s.namespaces[ns])
	}
	return out
}

// Table finds a ready table by its names, in lower case. A missing one is
// TABLE_NOT_FOUND or NAMESPACE_NOT_FOUND with the nearest name that exists.
func (s *Snapshot) Table(ns ident.NamespaceID, name string) (*ddl.Table, error) {
	in, ok := s.tables[ns]
	if !ok {
		known := slices.Sorted(maps.Keys(s.tables))
		return nil, fault.New(fault.NamespaceNotFound, "namespace %s does not exist%s", ns,
			suggest(string(ns), known, ""))
	}
	if t, ok := in[ident.TableName(name)]; ok {
		return t, nil
	}
	return nil, s.Missing(ns, name)
}

// Missing returns the error that Table gives for a table that does not exist.
// It is also what a caller hears of a table that they may not know of, so the
// table itself is never suggested.
func (s *Snapshot) Missing(ns ident.NamespaceID, name string) error {
	var known []ident.TableName
	for n, t := range s.tables[ns] {
		if string(n) != name && t.Kind != ddl.SharedTable {
			known = append(known, n)
		}
	}
	slices.Sort(known)
	return fault.New(fault.TableNotFound, "table %s.%s does not exist%s", ns, name,
		suggest(name, known, string(ns)+"."))
}

// Tables returns the ready tables of a namespace by name.
func (s *Snapshot) Tables(ns ident.NamespaceID) []*ddl.Table {
	in := s.tables[ns]
	out := make([]*ddl.Table, 0, len(in))
	for _, n := range slices.Sorted(maps.Keys(in)) {
		out = append(out, in[n])
	}
	return out
}

// All returns every table that has an id of its own, by id, also those that
// are being made or dropped. System tables are not among them.
func (s *Snapshot) All() []*ddl.Table {
	out := make([]*ddl.Table, 0, len(s.byID))
	for _, id := range slices.Sorted(maps.Keys(s.byID)) {
		out = append(out, s.byID[id].def)
	}
	return out
}

// TableByID returns a table whatever its state.
func (s *Snapshot) TableByID(id ident.TableID) (*ddl.Table, bool) {
	if e, ok := s.byID[id]; ok {
		return e.def, true
	}
	return nil, false
}

// Schema returns the physical schema that rows of a version of a table are
// written with.
func (s *Snapshot) Schema(id ident.TableID, v ident.SchemaVersion) (*row.Schema, error) {
	e, ok := s.byID[id]
	if !ok {
		return nil, fault.New(fault.TableNotFound, "table number %d is gone", id)
	}
	schema, ok := e.schemas[v]
	if !ok {
		return nil, fault.New(fault.Corruption, "table %s has no schema version %d", e.def.FullName(), v)
	}
	return schema, nil
}

// Reader returns what reads records that were written with version v of a
// table as rows of the definition t, which is of this snapshot or an earlier
// one. It is compiled once for each pair of versions. A version newer than t
// is a TRANSACTION_CONFLICT.
func (s *Snapshot) Reader(t *ddl.Table, v ident.SchemaVersion) (*row.Reader, error) {
	stored, err := s.Schema(t.ID, v)
	if err != nil {
		return nil, err
	}
	readers := &s.byID[t.ID].readers
	key := readerKey{v, t.Version}
	if r, ok := readers.Load(key); ok {
		return r.(*row.Reader), nil
	}
	r, err := t.Reader(stored)
	if err == nil {
		readers.Store(key, r)
	}
	return r, err
}

// suggest returns "; did you mean x?" for the known name nearest to name, or
// "" when none is near.
func suggest[T ~string](name string, known []T, prefix string) string {
	if best := fault.Nearest(name, known); best != "" {
		return "; did you mean " + prefix + string(best) + "?"
	}
	return ""
}
