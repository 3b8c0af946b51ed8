package plan

import (
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// key is a statement: the namespace it runs in, and its text or shape.
type key struct {
	namespace ident.NamespaceID
	text      string
}

// generations is a bounded map that forgets what was not used for long: when
// the young half is full it becomes the old one, and the old one is dropped. A
// find in the old half moves the entry to the young one.
type generations[V any] struct {
	half       int
	mu         sync.RWMutex
	young, old map[key]*V
}

func newGenerations[V any](most int) *generations[V] {
	return &generations[V]{half: max(most/2, 1), young: make(map[key]*V)}
}

func (g *generations[V]) len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n := len(g.young)
	for k := range g.old {
		if g.young[k] == nil {
			n++
		}
	}
	return n
}

func (g *generations[V]) byText(ns ident.NamespaceID, text string) *V {
	g.mu.RLock()
	e, old := g.young[key{ns, text}], (*V)(nil)
	if e == nil {
		old = g.old[key{ns, text}]
	}
	g.mu.RUnlock()
	if old != nil {
		g.put(ns, text, old)
		return old
	}
	return e
}

// byShape is byText that copies the shape only when it has to be kept.
func (g *generations[V]) byShape(ns ident.NamespaceID, shape []byte) *V {
	g.mu.RLock()
	e, old := g.young[key{ns, string(shape)}], (*V)(nil)
	if e == nil {
		old = g.old[key{ns, string(shape)}]
	}
	g.mu.RUnlock()
	if old != nil {
		g.put(ns, string(shape), old)
		return old
	}
	return e
}

func (g *generations[V]) put(ns ident.NamespaceID, text string, e *V) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.young) >= g.half {
		g.young, g.old = make(map[key]*V), g.young
	}
	g.young[key{ns, text}] = e
}

// clear forgets all entries and returns how many there were.
func (g *generations[V]) clear() int {
	n := g.len()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.young, g.old = make(map[key]*V), nil
	return n
}
