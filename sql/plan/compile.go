package plan

import (
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// plan is how to run all statements of one text or shape. It is immutable.
type plan struct {
	verb       verb
	def        *ddl.Table
	schema     *row.Schema // that rows are written with, and most are read with
	shards     *partitions
	owner      ownerForm
	ownerToken int
	params     int
	literals   bool // some operands, or the owner, are tokens of the text

	// The rows: those whose key in path begins with the values of prefix, and whose
	// next key column lies between the bounds.
	path     path
	prefix   []keyPart
	low      *bound
	high     *bound
	reverse  bool
	limit    *operand
	count    bool
	grouped  *grouping
	columns  []predicate.Column
	position []int            // of the result's columns among the table's
	wanted   []int            // the table's columns that are needed, ascending
	needed   []ident.ColumnID // their ids, nil for all

	// The values: of rows to insert, or of a row to change.
	sets    []assignment
	cells   []operand
	fillers []filler  // for each column, what it gets without a value
	tail    *row.Tail // where text is appended, by an UPDATE that does no more
	pieces  []operand // the text
}

// keyPart is a key column that equals an operand.
type keyPart struct {
	column *ddl.Column
	value  operand
}

// bound is an end of a range of a key column.
type bound struct {
	keyPart
	inclusive bool
}

// assignment gives a column an operand.
type assignment struct {
	column int
	value  operand
}

// compile returns the plan of a statement, nil when it has none.
func compile(t source, literals bool, env *engine.Env) *plan {
	st, ok := parse(t)
	if !ok {
		return nil
	}
	p := &plan{verb: st.verb, owner: st.owner, ownerToken: st.ownerToken, params: st.params,
		literals: literals}
	if !p.resolve(st, env) {
		return nil
	}
	switch st.verb {
	case selectRows:
		ok = p.compileSelect(st)
	case insertRows:
		ok = p.compileInsert(st)
	case updateRow:
		ok = p.compileKeys(st) && p.single() && p.compileUpdate(st)
	case deleteRow:
		ok = p.compileKeys(st) && p.single()
	}
	if !ok {
		return nil
	}
	if len(p.wanted) < len(p.def.Columns) {
		p.needed = make([]ident.ColumnID, len(p.wanted))
		for i, c := range p.wanted {
			p.needed[i] = p.def.Columns[c].ID
		}
	}
	return p
}

func (p *plan) resolve(st *statement, env *engine.Env) bool {
	ns := ident.NamespaceID(st.namespace)
	if ns == "" {
		ns = env.Namespace
	}
	def, err := env.Catalog.Table(ns, st.table)
	if err != nil || len(def.PrimaryKey) == 0 {
		return false
	}
	switch {
	case def.Kind == ddl.StreamTable && len(st.pieces) == 0:
		return false // the engine knows what has expired
	case !def.PerUser() && p.owner != ownerImplied, def.Kind == ddl.SystemTable:
		return false
	}
	if len(def.Checks) > 0 && (st.verb == insertRows || st.verb == updateRow) {
		return false // the engine evaluates CHECK
	}
	p.def, p.path, p.shards = def, keyPath(def), newPartitions(env.DB, def)
	p.schema, err = env.Catalog.Schema(def.ID, def.Version)
	return err == nil && len(p.schema.Kinds) == len(def.Columns)
}

func (p *plan) compileSelect(st *statement) bool {
	p.limit, p.count = st.limit, st.counts()
	if !p.compileKeys(st) && !p.compileIndex(st) {
		return false
	}
	switch {
	case p.count:
		name := strings.Clone(st.items[0].shown)
		p.columns = []predicate.Column{{Name: name, Kind: value.Int64, NotNull: true}}
		p.position = []int{0}
		return p.limit == nil && len(st.order) == 0
	case st.groups():
		return p.compileGroups(st)
	case !p.compileOrder(st):
		return false
	case st.star:
		for i := range p.def.Columns {
			p.addColumn(i, p.def.Columns[i].Name)
		}
		return true
	}
	for _, it := range st.items {
		i := p.readable(it.column)
		if i < 0 {
			return false
		}
		p.addColumn(i, strings.Clone(it.shown)) // and nothing else of the text
	}
	return true
}

// readable returns the position of a column in a row as it is read: the system
// columns stand behind the others.
func (p *plan) readable(name string) int {
	for i, c := range system.Columns {
		if c == name {
			return len(p.def.Columns) + i
		}
	}
	return p.def.Column(name)
}

func (p *plan) addColumn(i int, name string) {
	c := predicate.Column{Name: name, NotNull: true}
	switch n := len(p.def.Columns); {
	case i < n:
		col := &p.def.Columns[i]
		c.Declare(col.Type)
		c.Key = p.def.IsKey(i)
		c.NotNull = col.NotNull || c.Key
	case system.Columns[i-n] == system.ColSeq:
		c.Kind = value.Int64
	case system.Columns[i-n] == system.ColUpdated:
		c.Kind = value.Timestamp
	default:
		c.Kind = value.Bool
	}
	p.columns = append(p.columns, c)
	p.position = append(p.position, i)
	p.want(i)
}

// want notes that a column of the table is needed.
func (p *plan) want(i int) {
	at, found := slices.BinarySearch(p.wanted, i)
	if !found && i < len(p.def.Columns) {
		p.wanted = slices.Insert(p.wanted, at, i)
	}
}

// compileKeys turns conditions into a prefix of the path's columns and a range
// behind it.
func (p *plan) compileKeys(st *statement) bool {
	taken := 0
	for _, c := range p.path.columns {
		col := &p.def.Columns[c]
		eq := -1
		for i := range st.where {
			if st.where[i].column == col.Name && st.where[i].op == equal {
				if eq >= 0 {
					return false
				}
				eq = i
			}
		}
		if eq < 0 {
			taken += p.compileRange(st, col)
			break
		}
		p.prefix = append(p.prefix, keyPart{col, st.where[eq].value})
		taken++
	}
	return taken == len(st.where) // every condition has become a part of the key
}

func (p *plan) compileRange(st *statement, col *ddl.Column) (taken int) {
	if col.Type.Kind == value.Enum {
		return 0 // compared as text, kept in the order of its labels
	}
	for _, c := range st.where {
		if c.column != col.Name {
			continue
		}
		b := &bound{keyPart{col, c.value}, c.op == lessEqual || c.op == greaterEqual}
		switch c.op {
		case less, lessEqual:
			if p.high == nil {
				p.high = b
				taken++
			}
		case greater, greaterEqual:
			if p.low == nil {
				p.low = b
				taken++
			}
		}
	}
	return taken
}

// compileOrder checks that the ORDER BY is that of the path behind the prefix.
func (p *plan) compileOrder(st *statement) bool {
	next := len(p.prefix)
	for i, name := range st.order {
		if p.inPrefix(name) {
			continue
		}
		if next == len(p.path.columns) || p.def.Columns[p.path.columns[next]].Name != name {
			return false
		}
		if next > len(p.prefix) && st.desc[i] != p.reverse {
			return false
		}
		p.reverse = st.desc[i]
		next++
	}
	return true
}

func (p *plan) inPrefix(name string) bool {
	for _, k := range p.prefix {
		if k.column.Name == name {
			return true
		}
	}
	return false
}

func (p *plan) compileInsert(st *statement) bool {
	n := len(p.def.Columns)
	p.cells = st.cells
	named := make([]bool, n)
	if st.columns == nil {
		for i := range p.def.Columns {
			named[i] = true
			p.position = append(p.position, i)
		}
	}
	for _, name := range st.columns {
		i := p.def.Column(name)
		if i < 0 || named[i] {
			return false
		}
		named[i] = true
		p.position = append(p.position, i)
	}
	if len(p.position) != st.width {
		return false
	}
	return p.compileFillers()
}

func (p *plan) compileUpdate(st *statement) bool {
	if len(st.pieces) > 0 {
		return p.compileAppend(st)
	}
	for i, s := range st.sets {
		c := p.def.Column(s.column)
		if c < 0 || p.def.IsKey(c) {
			return false
		}
		for _, earlier := range st.sets[:i] {
			if earlier.column == s.column {
				return false
			}
		}
		p.sets = append(p.sets, assignment{c, s.value})
	}
	return p.compileFillers()
}

// filler is what a column gets that a statement gives no value: what a function
// makes, or a constant.
type filler struct {
	constant value.Value
	call     ddl.Func
}

func (p *plan) compileFillers() bool {
	p.fillers = make([]filler, len(p.def.Columns))
	for i := range p.def.Columns {
		c, f := &p.def.Columns[i], &p.fillers[i]
		switch d := c.Default; {
		case d == nil || d.Null: // NULL, which set refuses where it has to
		case d.Func != "":
			f.call = d.Func
		default:
			v, err := c.Type.Parse(d.Text)
			if err == nil {
				v, err = engine.Assign(c, v)
			}
			if err != nil {
				return false
			}
			f.constant = v
		}
	}
	return true
}
