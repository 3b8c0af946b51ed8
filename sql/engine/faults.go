package engine

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sort"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	gmserrors "gopkg.in/src-d/go-errors.v1"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// kinds maps the library's errors to codes. What is not listed and is no
// error of ours is a statement that means nothing: INVALID_SQL with the
// library's words.
var kinds = []struct {
	kind *gmserrors.Kind
	code fault.Code
}{
	{gms.ErrDatabaseNotFound, fault.NamespaceNotFound},
	{gms.ErrColumnNotFound, fault.ColumnNotFound},
	{gms.ErrTableColumnNotFound, fault.ColumnNotFound},
	{gms.ErrUnknownColumn, fault.ColumnNotFound},
	{gms.ErrAmbiguousColumnName, fault.InvalidSQL},
	{gms.ErrValueOutOfRange, fault.ValueOutOfRange},
	{gms.ErrInvalidValue, fault.TypeMismatch},
	{gms.ErrInvalidType, fault.TypeMismatch},
	{gms.ErrInvalidValueType, fault.TypeMismatch},
	{gms.ErrTruncatedIncorrect, fault.TypeMismatch},
	{gms.ErrUnsupportedFeature, fault.Unsupported},
	{gms.ErrUnsupportedSyntax, fault.Unsupported},
	{types.ErrConvertingToTime, fault.TypeMismatch},
	{types.ErrConvertingToTimeType, fault.TypeMismatch},
	{types.ErrConvertingToTimeOutOfRange, fault.ValueOutOfRange},
	{types.ErrConvertingToDecimal, fault.TypeMismatch},
	{types.ErrConvertToDecimalLimit, fault.ValueOutOfRange},
	{types.ErrLengthBeyondLimit, fault.ValueOutOfRange},
	{types.ErrBadCharsetString, fault.TypeMismatch},
}

// fault returns err as the one type that leaves this package, with the place
// in the statement where that is known.
func (run *execution) fault(err error) error {
	if err == nil {
		return nil
	}
	return run.located(run.classify(err))
}

func (run *execution) classify(err error) *fault.Error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.From(err)
	}
	if gms.ErrTableNotFound.Is(err) { // all tables were found before it planned
		return &fault.Error{Code: fault.Unsupported, Err: err, Message: "the query engine can't run " +
			"this query; if HAVING has an aggregate that is not selected, select it under a name and " +
			"test the name"}
	}
	for _, k := range kinds {
		if !k.kind.Is(err) {
			continue
		}
		if k.code == fault.ColumnNotFound {
			return fault.From(run.noColumn(quoted(err.Error())))
		}
		if k.kind == gms.ErrAmbiguousColumnName {
			run.blame(quoted(err.Error()))
		}
		return &fault.Error{Code: k.code, Message: clean(err.Error()), Err: err}
	}
	for _, m := range unplanned {
		if strings.Contains(err.Error(), m) {
			return &fault.Error{Code: fault.Unsupported, Message: "the query engine can't run this " +
				"query, though it may be right; write it in another way", Err: err}
		}
	}
	return &fault.Error{Code: fault.InvalidSQL, Message: clean(err.Error()), Err: err}
}

// unplanned are parts of the messages by which the library says that it made a
// plan that it can't run.
var unplanned = []string{
	"This is a bug", "failed to replan join", "must be a range heap",
}

var quotedName = regexp.MustCompile("[\"'`]([^\"'`]+)[\"'`]")

// quoted returns the last quoted name of a message of the library.
func quoted(msg string) string {
	all := quotedName.FindAllStringSubmatch(msg, -1)
	if len(all) == 0 {
		return msg
	}
	return all[len(all)-1][1]
}

// ownedMark finds the database names that we gave to the library.
var ownedMark = regexp.MustCompile(`@[0-9a-f]*[!+]?[~^]?`)

// clean takes our names of databases out of a message.
func clean(msg string) string { return ownedMark.ReplaceAllString(msg, "") }

// noColumn is the error for a column that no table of the statement has, with
// the nearest name that one has.
func (run *execution) noColumn(name string, in ...*target) error {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	run.blame(name)
	if len(in) == 0 {
		for _, t := range run.tables {
			in = append(in, t)
		}
	}
	hint := ""
	if near := nearest(name, in); near != "" {
		hint = "; did you mean " + near + "?"
	}
	where := ""
	others := func(t *target) bool { return t.def != in[0].def }
	if len(in) > 0 && !slices.ContainsFunc(in, others) { // one table, maybe told twice
		where = " in " + in[0].def.FullName()
	}
	return fault.New(fault.ColumnNotFound, "column %s does not exist%s%s", clip(name), where, hint)
}

func nearest(name string, in []*target) string {
	var known []string
	for _, t := range in {
		for i := range t.def.Columns {
			known = append(known, t.def.Columns[i].Name)
		}
	}
	sort.Strings(known)
	return fault.Nearest(name, known)
}
