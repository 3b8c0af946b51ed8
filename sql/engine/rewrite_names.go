package engine

import (
	"sort"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// keepEscapes doubles the backslash before _ and % in a string: in MySQL the
// two signs stay what they are, for LIKE to read, and the parser drops it.
func keepEscapes(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteByte(s[i])
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if s[i] == '_' || s[i] == '%' {
				b.WriteByte('\\')
			}
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// writtenNames gives result columns that are named after their expressions the
// names that these have in the statement, which was rewritten before it was
// parsed. list is what the parser made of before and the tokens from first on.
// Where a space stands before a comma, the parser takes it into the name.
func (r *rewriter) writtenNames(list ast.SQLNode, before string, first int) {
	changed := r.changed()
	var starts []int
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) { // no visit fails
		a, ok := n.(*ast.AliasedExpr)
		if !ok || !a.As.IsEmpty() || a.InputExpression == "" ||
			!changed && a.InputExpression[0] != ',' {
			return true, nil
		}
		if starts == nil {
			starts = r.starts(len(before), first)
		}
		begin := sort.SearchInts(starts, a.StartParsePos)
		end := max(sort.SearchInts(starts, a.EndParsePos), begin)
		for end < len(starts) && starts[end] == a.EndParsePos && r.out[first+end] == "" {
			end++
		}
		if name := r.written(first+begin, first+end); name != "" {
			a.InputExpression = name
		}
		return true, nil
	}, list)
}

// changed reports whether any token became another.
func (r *rewriter) changed() bool {
	for i, t := range r.tokens {
		if r.out[i] != t.Text(r.src) {
			return true
		}
	}
	return false
}

// starts returns where the tokens from first on are in what they are joined to,
// from an offset on.
func (r *rewriter) starts(offset, first int) []int {
	out := make([]int, 0, len(r.tokens)-first)
	last := 0
	if first > 0 {
		last = int(r.tokens[first-1].End)
	}
	for i := first; i < len(r.tokens); i++ {
		t := r.tokens[i]
		offset += len(r.gap(last, int(t.Start)))
		out = append(out, offset)
		offset, last = offset+len(r.out[i])+len(r.after[i]), int(t.End)
	}
	return out
}

// written returns the tokens from first up to last as they stand in the
// statement, without commas around them.
func (r *rewriter) written(first, last int) string {
	comma := func(i int) bool { return r.tokens[i].Kind == dialect.Comma }
	for first < last && comma(first) {
		first++
	}
	for first < last && comma(last-1) {
		last--
	}
	if last == first+1 && r.tokens[first].Kind == dialect.String {
		return r.src[r.tokens[first].Start+1 : r.tokens[first].End-1]
	}
	return strings.TrimSpace(r.joined(first, last, func(i int) string {
		return r.tokens[i].Text(r.src)
	}))
}
