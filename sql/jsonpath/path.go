// Package jsonpath finds the parts of JSON values that a path of MySQL names, as
// $.key, $[0], $[last-1], $[0 to 2], $.*, $[*] and $**.key. Values are what
// encoding/json makes of a text. A Path is not changed once it is parsed, and safe for
// concurrent use.
package jsonpath

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// maxLegs bounds the legs of a path, as MySQL does.
const maxLegs = 100

// ErrTooMany says that a path names more parts than can be given.
var ErrTooMany = errors.New("it names too many parts of the value")

// A Path names parts of a JSON value.
type Path struct{ legs []leg }

type legKind uint8

const (
	member     legKind = iota // .key
	anyMember                 // .*
	cell                      // [n]
	cells                     // [n to m]
	anyCell                   // [*]
	descendant                // **
)

type leg struct {
	kind     legKind
	key      string
	from, to index
}

// index is a place in an array, counted from its end when last is set.
type index struct {
	n    int
	last bool
}

func (i index) in(length int) int {
	if i.last {
		return length - 1 - i.n
	}
	return i.n
}

// Wild reports whether a path may name several parts of a value.
func (p Path) Wild() bool {
	return slices.ContainsFunc(p.legs, func(l leg) bool { return l.kind != member && l.kind != cell })
}

// Find returns the parts of doc that the path names, in the order of the document, at
// most as many as most. The parts belong to doc.
func (p Path) Find(doc any, most int) ([]any, error) {
	found := []any{doc}
	for _, l := range p.legs {
		var next []any
		for _, v := range found {
			next = l.step(next, v, most)
			if len(next) > most {
				return nil, fmt.Errorf("%w: above %d", ErrTooMany, most)
			}
		}
		found = next
	}
	return found, nil
}

// step appends what the leg names in v. It may stop above most.
func (l leg) step(dst []any, v any, most int) []any {
	switch l.kind {
	case member:
		if o, ok := v.(map[string]any); ok {
			if x, ok := o[l.key]; ok {
				dst = append(dst, x)
			}
		}
	case anyMember:
		if o, ok := v.(map[string]any); ok {
			for _, k := range keys(o) {
				dst = append(dst, o[k])
			}
		}
	case anyCell:
		if a, ok := v.([]any); ok {
			dst = append(dst, a...)
		}
	case cell, cells:
		return l.span(dst, v)
	case descendant:
		return within(dst, v, most)
	}
	return dst
}

// span appends the elements that the leg names. What is no array is as one of it alone.
func (l leg) span(dst []any, v any) []any {
	a, ok := v.([]any)
	if !ok {
		a = []any{v}
	}
	from, to := l.from.in(len(a)), l.to.in(len(a))
	if l.kind == cells {
		from, to = max(from, 0), min(to, len(a)-1)
	}
	if from < 0 || to >= len(a) || from > to {
		return dst
	}
	return append(dst, a[from:to+1]...)
}

// within appends v and all that is in it.
func within(dst []any, v any, most int) []any {
	dst = append(dst, v)
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keys(v) {
			if len(dst) > most {
				break
			}
			dst = within(dst, v[k], most)
		}
	case []any:
		for _, x := range v {
			if len(dst) > most {
				break
			}
			dst = within(dst, x, most)
		}
	}
	return dst
}

// keys returns the keys of an object in MySQL's order: short ones first.
func keys(o map[string]any) []string {
	return slices.SortedFunc(maps.Keys(o), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		if a < b {
			return -1
		}
		return 1
	})
}
