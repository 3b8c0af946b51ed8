package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/jsonpath"
)

// maxParts bounds the parts of one document that a path gives.
const maxParts = 100_000

// document is a JSON value in which the library looks up paths by our rules.
type document struct{ types.JSONDocument }

var _ types.SearchableJSON = document{}

// Lookup implements types.SearchableJSON: the first part that a path names, nil for
// none.
func (d document) Lookup(_ context.Context, path string) (gms.JSONWrapper, error) {
	found, _, err := find(d.Val, path)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return document{types.JSONDocument{Val: found[0]}}, nil
}

// find returns the parts of a value that a path names, and whether the path may name
// several.
func find(doc any, path string) (found []any, wild bool, err error) {
	p, err := jsonpath.Parse(path)
	if err == nil {
		found, err = p.Find(doc, maxParts)
	}
	switch {
	case errors.Is(err, jsonpath.ErrTooMany):
		return nil, false, fault.New(fault.ResultTooLarge, "the path %q: %v", clip(path), err)
	case err != nil:
		return nil, false, fault.New(fault.InvalidSQL, "the path %q: %v", clip(path), err)
	}
	return found, p.Wild(), nil
}

// documentOf reads a value as JSON, ok is false for NULL. Unlike the library it keeps
// whole numbers that a DOUBLE does not hold.
func documentOf(ctx *gms.Context, v any, function string) (doc any, ok bool, err error) {
	if v, err = gms.UnwrapAny(ctx, v); err != nil || v == nil {
		return nil, false, err
	}
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	case types.JSONBytes:
		raw, err := v.GetBytes(ctx)
		if err != nil {
			return nil, false, err
		}
		text = string(raw)
	case gms.JSONWrapper:
		doc, err = v.ToInterface(ctx)
		return doc, err == nil, err
	default:
		return nil, false, fault.New(fault.TypeMismatch, "%s takes JSON, not a %T",
			strings.ToUpper(function), v)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&doc); err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		return nil, false, fault.New(fault.InvalidSQL, "%s takes JSON, not %q: %v",
			strings.ToUpper(function), clip(text), err)
	}
	exact := function != "json_contains" // in which the library knows no other numbers
	doc, err = plainNumbers(doc, exact)
	return doc, err == nil, err
}

// plainNumbers puts numbers in the place of their texts: of type float64 as the library
// wants them, and, if exact, of a whole one's where a float64 would round it.
func plainNumbers(v any, exact bool) (any, error) {
	switch x := v.(type) {
	case json.Number:
		return plainNumber(string(x), exact)
	case map[string]any:
		for k, e := range x {
			n, err := plainNumbers(e, exact)
			if err != nil {
				return nil, err
			}
			x[k] = n
		}
	case []any:
		for i, e := range x {
			n, err := plainNumbers(e, exact)
			if err != nil {
				return nil, err
			}
			x[i] = n
		}
	}
	return v, nil
}

func plainNumber(s string, exact bool) (any, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fault.New(fault.ValueOutOfRange,
			"the number %s of JSON is out of range for DOUBLE", clip(s))
	}
	const rounds = 1 << 53
	if !exact || math.Abs(f) < rounds {
		return f, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n, nil
	}
	return f, nil
}
