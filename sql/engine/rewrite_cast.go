package engine

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// castTypes are the types behind `::` as CAST takes them.
var castTypes = map[string]string{
	"int": "SIGNED", "integer": "SIGNED", "bigint": "SIGNED", "smallint": "SIGNED",
	"int2": "SIGNED", "int4": "SIGNED", "int8": "SIGNED", "unsigned": "UNSIGNED", "signed": "SIGNED",
	"text": "CHAR", "varchar": "CHAR", "char": "CHAR", "string": "CHAR", "uuid": "CHAR",
	"float": "DOUBLE", "float4": "FLOAT", "float8": "DOUBLE", "double": "DOUBLE", "real": "DOUBLE",
	"numeric": "DECIMAL(65, 10)", "decimal": "DECIMAL(65, 10)",
	"date": "DATE", "time": "TIME(6)", "timestamp": "DATETIME(6)", "datetime": "DATETIME(6)",
	"timestamptz": "DATETIME(6)", "json": "JSON", "jsonb": "JSON",
	"bytes": "BINARY", "bytea": "BINARY",
}

// operator handles `::`, which the parser does not know, and refuses names of
// parameters, which it does.
func (r *rewriter) operator(i int) (int, error) {
	switch r.out[i] {
	case ":":
		return 0, r.unsupported(i, "named parameters are not offered; use $1 or ?")
	case "::":
	default:
		return 1, nil
	}
	start, ok := r.primaryBefore(i)
	if !ok || i+1 >= len(r.tokens) {
		return 0, r.unsupported(i, ":: has no value before it; use CAST(value AS type)")
	}
	to, ok := castTypes[strings.ToLower(r.tokens[i+1].Name(r.src))]
	if !ok {
		return 0, r.unsupported(i+1, "a cast to %s is not offered", r.tokens[i+1].Text(r.src))
	}
	r.out[start] = "CAST(" + r.out[start]
	r.out[i], r.out[i+1] = "", " AS "+to+")"
	took := 2
	if i+2 < len(r.tokens) && r.tokens[i+2].Kind == dialect.LeftParen {
		if to != castTypes["numeric"] && to != castTypes["varchar"] {
			return 0, r.unsupported(i+2, "a cast to %s has no length", r.tokens[i+1].Text(r.src))
		}
		end := r.closing(i + 2)
		base, _, _ := strings.Cut(to, "(")
		r.out[i+1] = " AS " + base
		r.out[end] += ")"
		took = end - i + 1
	}
	return took, nil
}

// closing returns the token that closes the parenthesis at i, or the last one.
func (r *rewriter) closing(i int) int {
	depth := 0
	for j := i; j < len(r.tokens); j++ {
		switch r.tokens[j].Kind {
		case dialect.LeftParen:
			depth++
		case dialect.RightParen:
			if depth--; depth == 0 {
				return j
			}
		}
	}
	return len(r.tokens) - 1
}

// primaryBefore returns the first token of the value that ends before i: a
// literal, a parameter, a name, a call, or something in parentheses.
func (r *rewriter) primaryBefore(i int) (int, bool) {
	j := i - 1
	if j < 0 {
		return 0, false
	}
	switch r.tokens[j].Kind {
	case dialect.RightParen:
		for depth := 0; j >= 0; j-- {
			switch r.tokens[j].Kind {
			case dialect.RightParen:
				depth++
			case dialect.LeftParen:
				depth--
			}
			if depth == 0 {
				break
			}
		}
		if j < 0 {
			return 0, false
		}
		if j > 0 && r.tokens[j-1].Kind == dialect.Identifier && !r.wordAt(j-1, notCalls...) {
			return r.nameBefore(j - 1), true
		}
		return j, true
	case dialect.Identifier, dialect.QuotedIdentifier:
		if j >= 2 && r.out[j-1] == "" { // the type of an earlier ::
			return r.primaryBefore(j - 1)
		}
		return r.nameBefore(j), true
	case dialect.String, dialect.Number, dialect.Parameter, dialect.BitString:
		return j, true
	}
	return 0, false
}

// notCalls are words that may stand before a parenthesis without calling it.
var notCalls = []string{"AND", "OR", "NOT", "XOR", "IN", "WHERE", "SELECT", "ON", "WHEN", "THEN",
	"ELSE", "BY", "HAVING", "LIKE", "ILIKE", "BETWEEN", "SET", "LIMIT", "CASE", "DISTINCT", "VALUES"}

func (r *rewriter) nameBefore(j int) int {
	for j >= 2 && r.tokens[j-1].Kind == dialect.Dot {
		j -= 2
	}
	return j
}

// ilike rewrites `a ILIKE b` for simple a and b.
func (r *rewriter) ilike(i int) error {
	before := i
	if r.wordAt(i-1, "NOT") {
		before--
	}
	start, ok := r.primaryBefore(before)
	end := i + 1
	if !ok || end >= len(r.tokens) {
		return r.unsupported(i, "ILIKE is not offered here; use LOWER(a) LIKE LOWER(b)")
	}
	switch r.tokens[end].Kind {
	case dialect.String, dialect.Parameter:
	case dialect.LeftParen:
		end = r.closing(end)
	default:
		return r.unsupported(i, "ILIKE takes a string or a parameter; use LOWER(a) LIKE LOWER(b)")
	}
	if end+1 < len(r.tokens) && r.tokens[end+1].Kind == dialect.Operator {
		return r.unsupported(i, "ILIKE takes a string or a parameter; use LOWER(a) LIKE LOWER(b)")
	}
	r.out[start] = "LOWER(" + r.out[start]
	r.out[before-1] += ")"
	r.out[i] = "LIKE LOWER("
	if r.after == nil {
		r.after = make(map[int]string)
	}
	r.after[end] += ")"
	return nil
}
