package ddl

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect/quote"
)

// Limits of the labels of an ENUM.
const (
	MaxLabels      = 4096 // of one type
	MaxLabelLength = 255  // characters
)

// Labelled returns the Enum of type t that has a label. Case counts. A text
// that is no label is a fault.ValueOutOfRange which names the nearest one, and
// the first ones.
func (t Type) Labelled(label string) (value.Value, error) {
	if i := slices.Index(t.Labels, label); i >= 0 {
		return value.NewEnum(i+1, t.Labels[i]), nil
	}
	shown := label
	if len(shown) > MaxLabelLength {
		shown = strings.ToValidUTF8(shown[:MaxLabelLength], "") + "..."
	}
	hint := "; "
	if near := fault.Nearest(label, t.Labels); near != "" {
		hint = "; did you mean " + quote.String(near) + "? "
	}
	return value.Value{}, fault.New(fault.ValueOutOfRange,
		"%s is no label of the ENUM%sits labels are %s",
		quote.String(shown), hint, t.labelList(shownLabels))
}

// Label returns an Enum of type t with the label of its position; one that t has
// not is returned as it is.
func (t Type) Label(v value.Value) value.Value {
	if n := v.Uint(); n > 0 && n <= uint64(len(t.Labels)) {
		return value.NewEnum(int(n), t.Labels[n-1])
	}
	return v
}

// shownLabels is how many labels stand in a message.
const shownLabels = 20

// labelList returns the first labels, most at most, in quotes.
func (t Type) labelList(most int) string {
	n := min(len(t.Labels), most)
	all := make([]string, n, n+1)
	for i := range all {
		all[i] = quote.String(t.Labels[i])
	}
	if n < len(t.Labels) {
		all = append(all, "...")
	}
	return strings.Join(all, ", ")
}

func (t Type) validateLabels() error {
	bad := func(format string, args ...any) error {
		return fault.New(fault.InvalidParameter, format, args...)
	}
	switch {
	case t.Length != 0 || t.Precision != 0 || t.Scale != 0:
		return bad("ENUM takes labels, not numbers: ENUM('open', 'done')")
	case len(t.Labels) == 0 || len(t.Labels) > MaxLabels:
		return bad("ENUM takes 1 to %d labels: ENUM('open', 'done')", MaxLabels)
	}
	seen := make(map[string]bool, len(t.Labels))
	for _, l := range t.Labels {
		n := utf8.RuneCountInString(l)
		switch {
		case !utf8.ValidString(l):
			return bad("a label of an ENUM is not valid UTF-8")
		case n == 0 || n > MaxLabelLength:
			return bad("a label of an ENUM has 1 to %d characters, not %d", MaxLabelLength, n)
		case seen[l]:
			return bad("label %s of an ENUM is given twice", quote.String(l))
		}
		seen[l] = true
	}
	return nil
}

// labels returns those of columns, as row.Schema has them: nil when there are
// none.
func labels(columns []Column) (all [][]string) {
	for i := range columns {
		if l := columns[i].Type.Labels; l != nil {
			if all == nil {
				all = make([][]string, len(columns))
			}
			all[i] = l
		}
	}
	return all
}
