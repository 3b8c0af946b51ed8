package engine

import (
	"strings"
	"unicode/utf8"

	gms "github.com/dolthub/go-mysql-server/sql"
)

// pattern is a pattern of LIKE. It does not change, and matches in a time that
// grows with the length of the text times that of the pattern.
type pattern struct {
	coll  gms.CollationID
	nodes []patternNode
	// pieces are the texts between the %s of a pattern without _, in a collation
	// of bytes; nil for others.
	pieces []string
}

// patternNode is one piece of a pattern: a character, _ or %.
type patternNode struct {
	sign   rune
	weight int32 // of sign
	wild   byte  // '_' or '%', 0 for the character
}

// newPattern reads a pattern whose escape is a character, or negative for none.
// An escape that ends the pattern stands for itself, as in MySQL. ok is false
// when the text is not one of the collation's characters.
func newPattern(coll gms.CollationID, text string, escape rune) (p *pattern, ok bool) {
	encoder, weight := coll.CharacterSet().Encoder(), coll.Sorter()
	p = &pattern{coll: coll}
	escaped := false
	for i := 0; i < len(text); {
		r, n := encoder.NextRune(text[i:])
		if r == utf8.RuneError && n <= 1 {
			return nil, false
		}
		i += n
		node := patternNode{sign: r, weight: weight(r)}
		if !escaped {
			if r == escape && i < len(text) {
				escaped = true
				continue
			}
			if r != escape && (r == '_' || r == '%') {
				node.wild = byte(r)
			}
		}
		escaped = false
		if last := len(p.nodes) - 1; node.wild != '%' || last < 0 || p.nodes[last].wild != '%' {
			p.nodes = append(p.nodes, node)
		}
	}
	if coll == collation {
		p.pieces = p.split()
	}
	return p, true
}

// split returns the texts between the wildcards, nil where one is _.
func (p *pattern) split() []string {
	pieces := []string{""}
	for _, n := range p.nodes {
		switch n.wild {
		case '_':
			return nil
		case '%':
			pieces = append(pieces, "")
		default:
			pieces[len(pieces)-1] += string(n.sign)
		}
	}
	return pieces
}

// fits is match of pieces.
func (p *pattern) fits(text string) bool {
	first, last := p.pieces[0], p.pieces[len(p.pieces)-1]
	if len(p.pieces) == 1 {
		return text == first
	}
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) ||
		!strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, piece := range p.pieces[1 : len(p.pieces)-1] {
		at := strings.Index(text, piece)
		if at < 0 {
			return false
		}
		text = text[at+len(piece):]
	}
	return true
}

// match reports whether the whole text fits the pattern. After a mismatch only
// the last % takes more of the text: an earlier one has no need to.
func (p *pattern) match(text string) bool {
	if p.pieces != nil { // a text that is no text matches nothing, here as below
		return p.fits(text) && utf8.ValidString(text)
	}
	encoder, weight := p.coll.CharacterSet().Encoder(), p.coll.Sorter()
	next, retry, from := 0, -1, 0
	for i := 0; i < len(text); {
		if next < len(p.nodes) && p.nodes[next].wild == '%' {
			next++
			retry, from = next, i
			continue
		}
		r, n := encoder.NextRune(text[i:])
		if r == utf8.RuneError && n <= 1 {
			return false
		}
		if next < len(p.nodes) && (p.nodes[next].wild == '_' || p.nodes[next].weight == weight(r)) {
			next++
			i += n
			continue
		}
		if retry < 0 {
			return false
		}
		_, n = encoder.NextRune(text[from:])
		from += n
		next, i = retry, from
	}
	for next < len(p.nodes) && p.nodes[next].wild == '%' {
		next++
	}
	return next == len(p.nodes)
}

// prefix returns the characters before the first wildcard. whole says that
// there is none, open that it is a % with nothing behind.
func (p *pattern) prefix() (text string, whole, open bool) {
	var b strings.Builder
	for i, n := range p.nodes {
		if n.wild != 0 {
			return b.String(), false, n.wild == '%' && i == len(p.nodes)-1
		}
		b.WriteRune(n.sign)
	}
	return b.String(), true, false
}

// after returns the first text behind all that begin with prefix, in the order
// of code points; ok is false when there is none.
func after(prefix string) (text string, ok bool) {
	const beforeSurrogates, behindSurrogates = 0xD7FF, 0xE000
	for len(prefix) > 0 {
		r, n := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-n]
		switch r {
		case utf8.MaxRune:
			continue
		case beforeSurrogates:
			return prefix + string(rune(behindSurrogates)), true
		}
		return prefix + string(r+1), true
	}
	return "", false
}
