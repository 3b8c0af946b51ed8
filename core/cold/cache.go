package cold

import (
	"container/list"
	"sync"
)

// cache keeps the values that were used last, within a number of bytes, and has
// one that is missing read once at a time. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	most int64

	mu    sync.Mutex
	bytes int64
	order list.List // of *cached[K, V], the latest used first
	byKey map[K]*list.Element
	read  map[K]chan struct{} // what is being read; closed when it was
}

type cached[K comparable, V any] struct {
	key   K
	value V
	bytes int64
}

func newCache[K comparable, V any](most int64) *cache[K, V] {
	return &cache[K, V]{most: most, byKey: make(map[K]*list.Element),
		read: make(map[K]chan struct{})}
}

// claim is get for who would read what is missing. When ok is false, either wait
// is closed once another has tried to read it, or wait is nil and the caller is
// to read it, put it, and release k whatever came of it.
func (c *cache[K, V]) claim(k K) (v V, ok bool, wait <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok = c.getLocked(k); ok {
		return v, true, nil
	}
	if done := c.read[k]; done != nil {
		return v, false, done
	}
	c.read[k] = make(chan struct{})
	return v, false, nil
}

// release lets others have what was claimed.
func (c *cache[K, V]) release(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.read[k])
	delete(c.read, k)
}

func (c *cache[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.getLocked(k)
}

func (c *cache[K, V]) getLocked(k K) (v V, ok bool) {
	e := c.byKey[k]
	if e == nil {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[K, V]).value, true
}

// put keeps a value, unless it is larger than a part of what all may have.
func (c *cache[K, V]) put(k K, v V, bytes int64) {
	const parts = 4
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(k)
	if bytes > c.most/parts {
		return
	}
	c.byKey[k] = c.order.PushFront(&cached[K, V]{k, v, bytes})
	for c.bytes += bytes; c.bytes > c.most; {
		c.removeLocked(c.order.Back().Value.(*cached[K, V]).key)
	}
}

func (c *cache[K, V]) remove(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(k)
}

func (c *cache[K, V]) removeLocked(k K) {
	e := c.byKey[k]
	if e == nil {
		return
	}
	c.bytes -= e.Value.(*cached[K, V]).bytes
	c.order.Remove(e)
	delete(c.byKey, k)
}

// size returns the values that are kept, and their bytes.
func (c *cache[K, V]) size() (values int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byKey), c.bytes
}
