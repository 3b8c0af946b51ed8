package engine

import (
	"container/list"
	"sync"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// liveKey names a compiled query.
type liveKey struct {
	text    string
	table   ident.TableID
	version ident.SchemaVersion
}

// liveText is a live query as it was written, without parameters.
type liveText struct {
	text      string
	namespace ident.NamespaceID // of table names without one
}

// liveMeaning is what a text means as long as the table's schema is the same.
// It is the same for all users: rights and whose rows are found out each time.
type liveMeaning struct {
	name ast.TableName
	key  liveKey
}

// maxKnownText bounds the texts whose meaning is kept, in bytes.
const maxKnownText = 4 << 10

// followed returns the name of the table that a SELECT follows.
//
// REQUIRES: liveTable(s) has not failed.
func followed(s *ast.Select) (name ast.TableName) {
	if t, ok := s.From[0].(*ast.AliasedTableExpr); ok {
		name, _ = t.Expr.(ast.TableName)
	}
	return name
}

// remember keeps what the text of the query means that is being compiled. One
// that names a user may mean the one who asks.
func (run *execution) remember(name ast.TableName, key liveKey) {
	t := run.liveText
	_, _, named, err := splitOwned(name.DbQualifier.String())
	if named || err != nil || len(run.env.Params) > 0 || len(t.text) > maxKnownText {
		return
	}
	run.engine.texts.put(t, liveMeaning{name, key}, run.engine.opts.MaxLiveQueries)
}

// knownLive returns the compiled query of a text that was met before, so that
// it is not parsed again: an application opens few texts very often. ok is false
// when anything is not as it was then, or an error is to be told.
func (e *Engine) knownLive(text string, env *Env) (
	q *predicate.Query, owner ident.UserID, ok bool,
) {
	if len(env.Params) > 0 {
		return nil, "", false
	}
	known, ok := e.texts.get(liveText{text, env.Namespace})
	if !ok {
		return nil, "", false
	}
	run := &execution{engine: e, env: env}
	src, err := run.resolve(known.name, false)
	if err != nil {
		return nil, "", false
	}
	def := src.target.def
	if def.ID != known.key.table || def.Version != known.key.version {
		return nil, "", false
	}
	q, ok = e.live.get(known.key)
	return q, src.target.owner, ok
}

// recent keeps the values that were used last. The zero recent is empty. It is
// safe for concurrent use.
type recent[K comparable, V any] struct {
	mu    sync.Mutex
	order list.List // of *recentEntry[K, V], the latest used first
	byKey map[K]*list.Element
}

type recentEntry[K comparable, V any] struct {
	key   K
	value V
}

func (c *recent[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[k]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(el)
	entry, ok := el.Value.(*recentEntry[K, V])
	return entry.value, ok
}

// put keeps v, and the most that were used last.
func (c *recent[K, V]) put(k K, v V, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byKey[k]; ok {
		el.Value = &recentEntry[K, V]{k, v}
		return
	}
	if c.byKey == nil {
		c.byKey = make(map[K]*list.Element)
	}
	c.byKey[k] = c.order.PushFront(&recentEntry[K, V]{k, v})
	for c.order.Len() > most {
		last := c.order.Back()
		if entry, ok := last.Value.(*recentEntry[K, V]); ok {
			delete(c.byKey, entry.key)
		}
		c.order.Remove(last)
	}
}

// clear forgets all and returns how many there were.
func (c *recent[K, V]) clear() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.order.Len()
	c.order.Init()
	c.byKey = nil
	return n
}

// ClearPredicates forgets the compiled queries of live queries and of CHECK
// constraints, and returns how many there were. Those in use stay.
func (e *Engine) ClearPredicates() int {
	e.texts.clear()
	return e.live.clear() + e.checks.clear()
}
