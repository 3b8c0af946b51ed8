package engine

import (
	"math/rand/v2"
	"testing"
)

// A pattern in pieces matches what it matches sign by sign.
func TestPattern_InPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	draw := func(signs ...string) (s string) {
		for range r.IntN(7) {
			s += signs[r.IntN(len(signs))]
		}
		return s
	}
	matched := 0
	for range 20_000 {
		text := draw("a", "b", "A", "ä", "\xff", "�")
		p, ok := newPattern(collation, draw("a", "b", "%", "%", "ä", `\%`), '\\')
		if !ok || p.pieces == nil {
			t.Fatalf("no pieces: %+v", p)
		}
		slow := *p
		slow.pieces = nil
		got := p.match(text)
		if got != slow.match(text) {
			t.Fatalf("%+v and %q: %v", p, text, got)
		}
		if got {
			matched++
		}
	}
	if p, _ := newPattern(collation, "a_b%", '\\'); p.pieces != nil || matched < 100 {
		t.Errorf("%d matched, and _ has pieces %q", matched, p.pieces)
	}
}
