package engine

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// pieces are a statement taken apart: the parser knows neither ON CONFLICT nor
// RETURNING, so each is cut out and parsed by itself.
type pieces struct {
	main      string
	conflict  *conflictText // nil without ON CONFLICT
	returning string        // the list behind RETURNING, "" for none
	listed    int           // the first token of that list
}

// conflictText is an ON CONFLICT clause.
type conflictText struct {
	columns []string // of the target, lower case; nil without a target
	index   string   // ON CONSTRAINT: the target's name, lower case
	nothing bool     // DO NOTHING
	sets    string   // what stands behind SET, with the WHERE, of DO UPDATE
}

// newRow qualifies the columns of the row that an INSERT brings. No table's
// name has a space.
const newRow = "new row"

// clauses finds ON CONFLICT and RETURNING of a statement that writes: the
// numbers of their first tokens, or of the end.
func (r *rewriter) clauses() (conflict, returning int) {
	end := len(r.tokens)
	conflict, returning = end, end
	verb := r.verb()
	if verb < 0 {
		return conflict, returning
	}
	depth := 0
	for i := verb + 1; i < end; i++ {
		switch t := r.tokens[i]; {
		case t.Kind == dialect.LeftParen:
			depth++
		case t.Kind == dialect.RightParen:
			depth--
		case depth > 0 || t.Kind != dialect.Identifier || r.tokens[i-1].Kind == dialect.Dot:
		case r.wordAt(i, "RETURNING"):
			return conflict, i
		case conflict == end && r.wordAt(i, "ON") && r.wordAt(i+1, "CONFLICT") &&
			r.wordAt(verb, "INSERT") && r.opensConflict(i+2):
			conflict = i
		}
	}
	return conflict, returning
}

// verb returns the token of INSERT, REPLACE, UPDATE or DELETE, -1 when the
// statement is another one.
func (r *rewriter) verb() int {
	at := 0
	if r.wordAt(0, "WITH") {
		depth := 0
		for at = 1; at < len(r.tokens); at++ {
			switch r.tokens[at].Kind {
			case dialect.LeftParen:
				depth++
			case dialect.RightParen:
				depth--
			}
			if depth == 0 && r.tokens[at-1].Kind == dialect.RightParen &&
				r.wordAt(at, "SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE") {
				break
			}
		}
	}
	if r.wordAt(at, "INSERT", "REPLACE", "UPDATE", "DELETE") {
		return at
	}
	return -1
}

// opensConflict tells the clause from a join on a column called conflict.
func (r *rewriter) opensConflict(i int) bool {
	return r.wordAt(i, "DO", "ON", "WHERE") ||
		i < len(r.tokens) && r.tokens[i].Kind == dialect.LeftParen
}

// split takes the rewritten statement apart at its clauses.
func (r *rewriter) split(conflict, returning int) (p pieces, err error) {
	p.main = r.join(0, conflict)
	if conflict < returning {
		if p.conflict, err = r.conflict(conflict+2, returning); err != nil {
			return p, err
		}
	}
	if returning < len(r.tokens) {
		p.listed = returning + 1
		p.returning = r.join(p.listed, len(r.tokens))
		if p.listed == len(r.tokens) {
			return p, fault.New(fault.InvalidSQL, "RETURNING names no column; write RETURNING *").
				At(0, int(r.tokens[returning].Start)+1)
		}
	}
	return p, nil
}

// conflict reads [(column, ...) | ON CONSTRAINT i] DO NOTHING | DO UPDATE SET ... of the tokens
// from i to end.
func (r *rewriter) conflict(i, end int) (*conflictText, error) {
	c := &conflictText{}
	if r.wordAt(i, "ON") && r.wordAt(i+1, "CONSTRAINT") && i+2 < end {
		c.index = strings.ToLower(r.tokens[i+2].Name(r.src))
		i += 3
	} else if i < end && r.tokens[i].Kind == dialect.LeftParen {
		close := r.closing(i)
		for i++; i < close; i += 2 {
			t := r.tokens[i]
			if t.Kind != dialect.Identifier && t.Kind != dialect.QuotedIdentifier ||
				i+1 < close && r.tokens[i+1].Kind != dialect.Comma {
				return nil, r.unsupported(i, "ON CONFLICT takes the columns of the primary key")
			}
			c.columns = append(c.columns, strings.ToLower(t.Name(r.src)))
		}
		i = close + 1
	}
	switch {
	case r.wordAt(i, "WHERE"):
		return nil, r.unsupported(i, "ON CONFLICT (...) WHERE is for partial indexes, "+
			"which are not offered")
	case r.wordAt(i, "DO") && r.wordAt(i+1, "NOTHING") && i+2 == end:
		c.nothing = true
		return c, nil
	case r.wordAt(i, "DO") && r.wordAt(i+1, "UPDATE") && r.wordAt(i+2, "SET") && i+3 < end:
		c.sets = r.join(i+3, end)
		return c, nil
	}
	return nil, fault.New(fault.InvalidSQL,
		"behind ON CONFLICT [(column, ...) | ON CONSTRAINT i] stands DO NOTHING or "+
			"DO UPDATE SET column = value, ...").
		At(0, int(r.tokens[min(i, len(r.tokens)-1)].Start)+1)
}

// newValue turns VALUES(column) behind ON DUPLICATE KEY UPDATE into a column of
// the new row, and returns how many tokens it took, 0 for something else.
func (r *rewriter) newValue(i int) int {
	if !r.duplicate || i+3 >= len(r.tokens) || r.tokens[i+1].Kind != dialect.LeftParen ||
		r.tokens[i+3].Kind != dialect.RightParen {
		return 0
	}
	switch r.tokens[i+2].Kind {
	case dialect.Identifier, dialect.QuotedIdentifier:
	default:
		return 0
	}
	r.out[i], r.out[i+1] = dialect.QuoteIdent(newRow), "."
	r.quote(i + 2)
	r.out[i+3] = ""
	return 4
}
