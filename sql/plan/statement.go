package plan

import (
	"slices"

	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// verb is what a statement does.
type verb uint8

const (
	selectRows verb = iota + 1
	insertRows
	updateRow
	deleteRow
)

// verbOf returns what a statement with this first token does, 0 for all else.
func verbOf(src string, t dialect.Token) verb {
	switch {
	case t.Is(src, "SELECT"):
		return selectRows
	case t.Is(src, "INSERT"):
		return insertRows
	case t.Is(src, "UPDATE"):
		return updateRow
	case t.Is(src, "DELETE"):
		return deleteRow
	}
	return 0
}

// ownerForm is how a table's name says whose rows are meant.
type ownerForm uint8

const (
	ownerImplied ownerForm = iota // t or ns.t
	ownerActing                   // ns.user.t
	ownerNamed                    // ns.x.t
)

// form is the form of an operand.
type form uint8

const (
	formLiteral form = iota
	formParam
	formConstant // NULL, TRUE, FALSE
	formDefault
	formCall
)

// operand is where a value comes from at each run.
type operand struct {
	form     form
	at       int  // of the token of a literal, or the number of a parameter from 0
	negative bool // a minus sign stands before a literal
	constant constant
	call     ddl.Func
}

// constant is a word that is a value.
type constant uint8

const (
	constNull constant = iota
	constTrue
	constFalse
)

// comparison is an operator of a condition.
type comparison uint8

const (
	equal comparison = iota
	less
	lessEqual
	greater
	greaterEqual
)

var comparisons = map[string]comparison{
	"=": equal, "<": less, "<=": lessEqual, ">": greater, ">=": greaterEqual,
}

// term is `column operator operand`, or an assignment.
type term struct {
	column string
	op     comparison
	value  operand
}

// aggregate is a function over the rows of a group.
type aggregate uint8

const (
	noAggregate aggregate = iota // a plain column
	count
	sum
	least
	greatest
	average
)

var aggregates = map[string]aggregate{
	"COUNT": count, "SUM": sum, "MIN": least, "MAX": greatest, "AVG": average,
}

// item is a column of a SELECT list, or a function of one; the name of its
// column, "" for COUNT(*); and as it was written.
type item struct {
	call          aggregate
	column, shown string
}

// counts reports whether a SELECT asks for COUNT(*) of its rows and no more.
func (st *statement) counts() bool {
	return len(st.items) == 1 && st.items[0].call == count && st.items[0].column == "" &&
		len(st.group) == 0
}

// groups reports whether a SELECT asks for anything of groups of its rows.
func (st *statement) groups() bool {
	return len(st.group) > 0 || slices.ContainsFunc(st.items, func(it item) bool {
		return it.call != noAggregate
	})
}

// statement is a parsed statement whose names were not looked up yet.
type statement struct {
	verb       verb
	namespace  string // "" when the name has none
	table      string
	owner      ownerForm
	ownerToken int

	star    bool
	items   []item
	columns []string // of an INSERT; nil for all
	cells   []operand
	width   int // cells of a row
	sets    []term
	pieces  []operand // of an UPDATE of one column: what is put behind its text
	where   []term
	group   []string
	order   []string
	desc    []bool
	limit   *operand
	params  int
}
