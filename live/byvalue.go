package live

import (
	"strconv"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// valueIndex finds the groups of a feed whose queries compare the same columns
// for equality, by the values they ask for: a change costs a look at those of
// its old and its new row, however many others are followed.
type valueIndex struct {
	table   *ddl.Table
	columns []predicate.Equal // the values are not looked at
	groups  map[string]map[*group]struct{}
}

// indexKey is which columns of which version of a table.
type indexKey struct {
	version ident.SchemaVersion
	columns string
}

func indexKeyOf(q *predicate.Query) indexKey {
	var columns []byte
	for _, e := range q.Equal {
		columns = append(strconv.AppendInt(columns, int64(e.Column), 10), ',')
	}
	return indexKey{q.Table.Version, string(columns)}
}

func valuesOf(q *predicate.Query) string {
	var key []byte
	for _, e := range q.Equal {
		key = value.AppendKey(key, e.Value)
	}
	return string(key)
}

// add makes a group found by the values of its query, or by every change when
// it asks for none.
func (f *feed) add(g *group) {
	f.groups++
	if len(g.query.Equal) == 0 {
		g.at = len(f.scanned)
		f.scanned = append(f.scanned, g)
		return
	}
	k := indexKeyOf(g.query)
	x := f.byValue[k]
	if x == nil {
		x = &valueIndex{
			table: g.query.Table, columns: g.query.Equal, groups: make(map[string]map[*group]struct{}),
		}
		if f.byValue == nil {
			f.byValue = make(map[indexKey]*valueIndex, 1)
		}
		f.byValue[k] = x
	}
	values := valuesOf(g.query)
	if x.groups[values] == nil {
		x.groups[values] = make(map[*group]struct{}, 1)
	}
	x.groups[values][g] = struct{}{}
}

// remove undoes add.
func (f *feed) remove(g *group) {
	f.groups--
	if len(g.query.Equal) == 0 {
		f.unscan(g)
		return
	}
	k := indexKeyOf(g.query)
	x := f.byValue[k]
	if x == nil {
		return
	}
	values := valuesOf(g.query)
	delete(x.groups[values], g)
	if len(x.groups[values]) == 0 {
		delete(x.groups, values)
	}
	if len(x.groups) == 0 {
		delete(f.byValue, k)
	}
}

func (f *feed) unscan(g *group) {
	last := len(f.scanned) - 1
	f.scanned[g.at] = f.scanned[last]
	f.scanned[g.at].at = g.at
	f.scanned[last] = nil
	f.scanned = f.scanned[:last]
}

// lookup is what one change may concern in one index: groups that ask for one
// of the values, or all of them when the rows could not be read.
type lookup struct {
	index  *valueIndex
	change int // of job.changes
	values [2]string
	all    bool
}

// lookups reads the values of each change, with no lock held.
func (j *job) lookups(im *images) {
	for i, c := range j.changes {
		im.set(c.Seq, c.Old, c.New)
		for _, x := range j.indexes {
			l := lookup{index: x, change: i}
			if err := im.load(x.table); err != nil {
				l.all = true
			} else {
				if im.old != nil {
					l.values[0] = x.values(im.before)
				}
				if im.new != nil {
					l.values[1] = x.values(im.after)
				}
			}
			j.looked = append(j.looked, l)
		}
	}
}

// values returns the key of a row in the index, "" for one that no equality
// holds for.
func (x *valueIndex) values(row []value.Value) string {
	var key []byte
	for _, e := range x.columns {
		if row[e.Column].IsNull() {
			return ""
		}
		key = value.AppendKey(key, row[e.Column])
	}
	return string(key)
}

// findLocked adds the groups that the changes concern and that have somebody
// to tell.
func (j *job) findLocked() {
	if len(j.looked) == 0 {
		return
	}
	found := make(map[*group]*groupJob)
	j.touched = make([][]*groupJob, len(j.changes))
	take := func(i int, groups map[*group]struct{}) {
		for g := range groups {
			if g.live == 0 {
				continue
			}
			gj := found[g]
			if gj == nil {
				gj = &groupJob{group: g, composer: composer{query: g.query}}
				found[g] = gj
				j.groups = append(j.groups, gj)
			}
			j.touched[i] = append(j.touched[i], gj)
		}
	}
	for _, l := range j.looked {
		if l.all {
			for _, groups := range l.index.groups {
				take(l.change, groups)
			}
			continue
		}
		take(l.change, l.index.groups[l.values[0]])
		if l.values[1] != l.values[0] {
			take(l.change, l.index.groups[l.values[1]])
		}
	}
	j.looked = nil
}
