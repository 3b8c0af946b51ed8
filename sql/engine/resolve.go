package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// resolve finds the table that n names and checks the caller's rights to it.
func (run *execution) resolve(n ast.TableName, write bool) (_ *source, err error) {
	defer func() {
		if err != nil {
			run.blame(n.Name.String())
		}
	}()
	env := run.env
	ns, owner, named, err := splitOwned(strings.ToLower(n.DbQualifier.String()))
	if err != nil {
		return nil, err
	}
	if ns == "" {
		ns = string(env.Namespace)
	}
	if ns == "" {
		return nil, fault.New(fault.NamespaceNotFound,
			"table %s has no namespace; write namespace.%[1]s or use USE", n.Name.String())
	}
	def, err := env.Catalog.Table(ident.NamespaceID(ns), strings.ToLower(n.Name.String()))
	if err != nil {
		return nil, elsewhere(ns, err)
	}
	t := &target{run: run, def: def}
	switch {
	case !def.PerUser() && named:
		return nil, run.notPerUser(def, write)
	case !def.PerUser():
	case named:
		t.owner = owner
	default:
		if t.owner, err = env.owner(); err != nil {
			return nil, err
		}
	}
	if err := env.Rights.CheckTable(def, t.owner, write); err != nil {
		return nil, err
	}
	if write && def.Kind == ddl.SystemTable {
		return nil, fault.New(fault.PermissionDenied, "system tables are read-only")
	}
	if env.Reads != nil {
		if err := env.Reads(def, def.Shard(t.owner, env.DB.Shards()), write); err != nil {
			return nil, err
		}
	}
	if err := t.open(); err != nil {
		return nil, err
	}
	return &source{ns: def.Namespace, target: t, db: ownedName(ns, t.owner)}, nil
}

// notPerUser returns the error of a name with a user for a table without them.
// A caller who may not know of the table hears that it is missing.
func (run *execution) notPerUser(def *ddl.Table, write bool) error {
	if err := run.env.Rights.CheckTable(def, "", write); err != nil {
		return err
	}
	return fault.New(fault.InvalidSQL, "table %s is not per user; write %[1]s", def.FullName())
}

// deletedMark ends the database name of targets that show deleted rows.
const deletedMark = "!"

// showDeleted makes deleted rows visible in the tables of sc whose _deleted
// the WHERE names.
func showDeleted(sc *scope, w *ast.Where) {
	if w == nil {
		return
	}
	named := map[string]bool{}
	depth := func(n ast.SQLNode) (bool, error) {
		if c, ok := n.(*ast.ColName); ok && c.Name.EqualString(system.ColDeleted) {
			named[strings.ToLower(c.Qualifier.Name.String())] = true
		}
		_, sub := n.(*ast.Subquery)
		return !sub, nil
	}
	_ = ast.Walk(depth, w.Expr) // depth returns no error
	for _, s := range sc.sources {
		if s.target != nil && (named[""] || named[s.name]) {
			s.reveal()
		}
	}
}

// publish gives the target to the library under a name of its own, and writes
// that name into the library's tree.
func (s *source) publish() {
	name := string(s.target.def.Name)
	s.target.run.tables[tableKey{s.db, name}] = s.target
	if s.place != nil {
		s.place.Expr = ast.TableName{Name: ast.NewTableIdent(name), DbQualifier: ast.NewTableIdent(s.db)}
	}
}

// reveal makes deleted rows visible, but those of streams: they are kept for
// no time that is told.
func (s *source) reveal() {
	if s.target.def.Kind == ddl.StreamTable {
		return
	}
	t := *s.target
	t.deleted, t.known = true, nil
	s.target, s.db = &t, s.db+deletedMark
	s.publish()
}

// What ends the database name of targets with an order.
var orderMarks = map[rowOrder]string{keyOrder: "~", indexOrder: "^"}

// setOrder says in which order a SELECT of one table wants its rows. In a join
// the order of a secondary index serves nothing: to merge two of them the
// library would walk both from end to end.
func setOrder(s *ast.Select, sc *scope) {
	if len(sc.sources) != 1 || sc.sources[0].target == nil {
		return
	}
	src := sc.sources[0]
	if len(src.target.def.Indexes) == 0 || src.target.store.Part.Name == "" {
		return
	}
	t := *src.target
	t.order = keyOrder
	if len(s.OrderBy) > 0 {
		t.order = indexOrder
	}
	src.target, src.db = &t, src.db+orderMarks[t.order]
	src.publish()
}
