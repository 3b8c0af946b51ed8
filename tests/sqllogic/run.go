package sqllogic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Database is what a script is run on.
type Database interface {
	// As returns a connection of a user, who acts for acting when it is not "".
	// Table names without a namespace are in namespace.
	As(user, acting, namespace string) Conn
}

// Conn runs SQL as one user.
type Conn interface {
	// Run runs one or more statements and returns the last one's answer. An
	// error of the database is a *Failure.
	Run(ctx context.Context, sql string) (*Answer, error)
}

// Answer is the result of a statement.
type Answer struct {
	Types    []string   // data types of the columns, as in system.data_types
	Rows     [][]string // NULL as "NULL", all else as JSON without quotes
	Affected int64      // rows that a write changed
}

// Failure is an error that the database answered with.
type Failure struct {
	Code    string
	Message string
	At      Place
}

// Error returns code, place and message in one line.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s at %+v: %s", f.Code, f.At, f.Message)
}

// Runner runs scripts.
type Runner struct {
	DB Database
	// Namespace is in use when a script begins, and root its user.
	Namespace string
	// Names are what ${name} stands for in SQL, besides those that the script
	// gives by let.
	Names map[string]string
	// Rewrite puts what the database answers into the script in place of what
	// was expected.
	Rewrite bool
}

// Root is the user at the beginning of a script.
const Root = "root"

// Run runs a script to its end and reports each record that is not answered as
// expected.
func (r *Runner) Run(ctx context.Context, s *Script, report func(line int, text string)) {
	user, acting, space := Root, "", r.Namespace
	names := newNames(r.Names)
	for _, rec := range s.Records {
		switch rec.Form {
		case User:
			user, acting = rec.Name, rec.As
			continue
		case Space:
			space = rec.Name
			continue
		}
		got, err := r.DB.As(user, acting, space).Run(ctx, names.fill(rec.SQL))
		names.clear(got, err)
		if r.Rewrite {
			rec.take(got, err)
		}
		if rec.Form == Let {
			err = names.let(rec.Name, got, err)
		}
		if text := rec.check(got, err); text != "" {
			report(rec.Line, fmt.Sprintf("%s\n%s", rec.SQL, text))
		}
	}
}

// check returns what is not as expected, "" for nothing.
func (r *Record) check(got *Answer, err error) string {
	var f *Failure
	switch {
	case r.Form == Error && err == nil:
		return "succeeded, want " + r.Code
	case r.Form == Error && errors.As(err, &f):
		return r.checkFailure(f)
	case err != nil:
		return err.Error()
	case r.Form == OK && r.Affected >= 0 && got.Affected != r.Affected:
		return fmt.Sprintf("affected %d rows, want %d", got.Affected, r.Affected)
	case r.Form == OK, r.Form == Let:
		return ""
	}
	if types := letters(got.Types); types != r.Types {
		return fmt.Sprintf("columns %v are %s, want %s", got.Types, types, r.Types)
	}
	lines, want := r.format(got.Rows), r.Want
	if !slices.Equal(lines, want) {
		return fmt.Sprintf("got\n\t%s\nwant\n\t%s",
			strings.Join(lines, "\n\t"), strings.Join(want, "\n\t"))
	}
	return ""
}

func (r *Record) checkFailure(f *Failure) string {
	want := r.At
	if want.Statement == 0 {
		want.Statement = 1
	}
	part := strings.Join(r.Want, "\n")
	switch {
	case f.Code != r.Code:
		return f.Error() + "\nwant " + r.Code
	case f.At.Statement != want.Statement:
		return fmt.Sprintf("%v\nwant it in statement %d", f, want.Statement)
	case want.Position != 0 && f.At.Position != want.Position:
		return fmt.Sprintf("%v\nwant it at position %d", f, want.Position)
	case !strings.Contains(f.Message, part):
		return fmt.Sprintf("%v\nwant in its message: %s", f, part)
	}
	return ""
}

// take makes what the database answered the expectation.
func (r *Record) take(got *Answer, err error) {
	var f *Failure
	switch {
	case r.Form == Error && errors.As(err, &f):
		r.Code, r.At, r.Want = f.Code, f.At, strings.Split(f.Message, "\n")
	case r.Form == Query && err == nil:
		r.Types, r.Want = letters(got.Types), r.format(got.Rows)
	}
}

func (r *Record) format(rows [][]string) []string {
	var lines []string
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = cell(c)
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	if r.RowSort {
		slices.Sort(lines)
	}
	return lines
}

// cell writes a value so that its borders can be seen and it stays on a line.
func cell(s string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case s == "":
		return "(empty)"
	case strings.TrimSpace(s) != s, strings.Contains(s, "|"), strings.ContainsFunc(s, odd):
		return strconv.Quote(s)
	}
	return s
}

// letters returns a letter for each data type: I integers, R other numbers, B
// booleans, T all else.
func letters(types []string) string {
	var b strings.Builder
	for _, t := range types {
		switch {
		case strings.HasSuffix(t, "Int"):
			b.WriteByte('I')
		case t == "Float", t == "Double", t == "Decimal":
			b.WriteByte('R')
		case t == "Boolean":
			b.WriteByte('B')
		default:
			b.WriteByte('T')
		}
	}
	return b.String()
}
