package storetest

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/store"
)

// Seed returns a random source for a test and logs what reproduces it.
func Seed(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// model is the simplest thing that could be an engine.
type model map[string]string

func (m model) scan(lo, hi string, reverse bool) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k >= lo && (hi == "" || k < hi) {
			pairs = append(pairs, k+"="+m[k])
		}
	}
	if reverse {
		slices.Reverse(pairs)
	}
	return strings.Join(pairs, " ")
}

// randomKey is short and of few letters, so that keys meet.
func randomKey(r *rand.Rand) string {
	key := make([]byte, 1+r.IntN(4))
	for i := range key {
		key[i] = "\x00ab\xff"[r.IntN(4)]
	}
	return string(key)
}

func randomBatch(r *rand.Rand, m model, step int) *store.Batch {
	b := &store.Batch{}
	for i := range 1 + r.IntN(8) {
		key := randomKey(r)
		switch n := r.IntN(20); {
		case n < 13:
			v := fmt.Sprintf("%d.%d", step, i)
			b.Put(part, []byte(key), []byte(v))
			m[key] = v
		case n < 19:
			b.Delete(part, []byte(key))
			delete(m, key)
		default:
			hi := randomKey(r)
			if hi < key {
				key, hi = hi, key
			}
			b.DeleteRange(part, []byte(key), []byte(hi))
			maps.DeleteFunc(m, func(k, _ string) bool { return k >= key && k < hi })
		}
	}
	return b
}

func testModel(t *testing.T, o Opener) {
	r := Seed(t)
	e := opened(t, o)
	m := model{}
	var old store.Snapshot
	var oldModel model
	for step := range 400 {
		check(t, e.Apply(randomBatch(r, m, step), r.IntN(10) == 0))
		compare(t, r, e, m)
		if old != nil {
			compare(t, r, old, oldModel)
		}
		if r.IntN(20) == 0 {
			if old != nil {
				check(t, old.Close())
			}
			var err error
			old, err = e.Snapshot()
			check(t, err)
			oldModel = maps.Clone(m)
		}
	}
	if old != nil {
		check(t, old.Close())
	}
}

func compare(t *testing.T, r *rand.Rand, got store.Reader, m model) {
	t.Helper()
	lo, hi := randomKey(r), randomKey(r)
	if r.IntN(3) == 0 {
		lo, hi = "", ""
	}
	reverse := r.IntN(2) == 0
	what := fmt.Sprintf("[%q, %q) reverse %v", lo, hi, reverse)
	want(t, what, scan(t, got, lo, hi, reverse), m.scan(lo, hi, reverse))
	value, found, err := got.Get(physical(lo))
	check(t, err)
	if expect, ok := m[lo]; ok != found || !bytes.Equal(value, []byte(expect)) {
		t.Fatalf("key %q: %q %v, want %q %v", lo, value, found, expect, ok)
	}
}
