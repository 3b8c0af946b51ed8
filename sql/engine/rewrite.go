package engine

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// rewriter turns the tokens of a statement into what the parser reads. Each
// token keeps its place: out[i] replaces tokens[i], so that what stands
// between them (and gives result columns their names) is kept.
type rewriter struct {
	src    string
	env    *Env
	tokens []dialect.Token
	out    []string
	after  map[int]string // what follows a token that is still to be handled
	frames []frame
	dollar int // highest $n
	marks  int // number of ?
	// cut says that the statement is parsed in pieces, each of which has to
	// name its parameters.
	cut       bool
	duplicate bool // behind ON DUPLICATE KEY UPDATE
}

// frame is what is known inside one pair of parentheses.
type frame struct {
	query  bool // a SELECT or another statement, in which FROM begins a list
	from   bool // in a list of tables: a comma expects another one
	expect bool // a table's name comes next
}

// rewrite returns text with parameters, quoted names, casts and names of
// tables in three parts in the parser's own form, and without the clauses that
// it does not know. The number of parameters is checked against env.
func rewrite(text string, env *Env) (r *rewriter, p pieces, err error) {
	tokens, err := dialect.Lex(text, dialect.Limits{})
	if err != nil {
		return nil, p, err
	}
	r = &rewriter{src: text, env: env, tokens: tokens, out: make([]string, len(tokens)),
		frames: []frame{{query: true}}}
	for i, t := range tokens {
		r.out[i] = t.Text(text)
	}
	conflict, returning := r.clauses()
	r.cut = conflict < len(tokens) || returning < len(tokens)
	for i := 0; i < len(tokens); {
		n, err := r.token(i)
		if err != nil {
			return nil, p, err
		}
		i += n
	}
	if err := r.checkParams(); err != nil {
		return nil, p, err
	}
	p, err = r.split(min(conflict, returning), returning)
	return r, p, err
}

func (r *rewriter) checkParams() error {
	want := max(r.dollar, r.marks)
	switch {
	case r.dollar > 0 && r.marks > 0:
		return fault.New(fault.InvalidParameter, "use either $1 or ? for parameters, not both")
	case want != len(r.env.Params):
		return fault.New(fault.InvalidParameter, "the statement has %d parameters, %d were given",
			want, len(r.env.Params))
	}
	return nil
}

// join puts the tokens from first up to last together. Comments between them
// become spaces.
func (r *rewriter) join(first, last int) string {
	return r.joined(first, last, func(i int) string { return r.out[i] + r.after[i] })
}

func (r *rewriter) joined(first, last int, text func(i int) string) string {
	var b strings.Builder
	b.Grow(len(r.src) + 16)
	end := 0
	if first > 0 {
		end = int(r.tokens[first-1].End)
	}
	for i := first; i < last; i++ {
		t := r.tokens[i]
		b.WriteString(r.gap(end, int(t.Start)))
		b.WriteString(text(i))
		end = int(t.End)
	}
	return b.String()
}

// gap returns what stands between two tokens, comments as a space.
func (r *rewriter) gap(start, end int) string {
	gap := r.src[start:end]
	if strings.TrimSpace(gap) != "" {
		return " "
	}
	return gap
}

func (r *rewriter) top() *frame { return &r.frames[len(r.frames)-1] }

// token handles the token at i and returns how many it took.
func (r *rewriter) token(i int) (int, error) {
	t := r.tokens[i]
	switch t.Kind {
	case dialect.Parameter:
		return 1, r.parameter(i)
	case dialect.Variable:
		return 0, r.unsupported(i, "variables (%s) are not offered", t.Text(r.src))
	case dialect.QuotedIdentifier:
		r.out[i] = dialect.QuoteIdent(t.Name(r.src))
		return r.name(i)
	case dialect.Identifier:
		return r.word(i)
	case dialect.LeftParen:
		r.open(i)
	case dialect.RightParen:
		if len(r.frames) > 1 {
			r.frames = r.frames[:len(r.frames)-1]
		}
	case dialect.String:
		if r.out[i] == "''" && i > 0 &&
			(r.tokens[i-1].Kind == dialect.Comma || r.wordAt(i-1, "SELECT", "DISTINCT", "ALL")) {
			r.out[i] = "('')" // the parser panics when it names a result column after ''
		}
		r.out[i] = keepEscapes(r.out[i])
	case dialect.Comma:
		r.top().expect = r.top().from
	case dialect.Operator:
		return r.operator(i)
	}
	return 1, nil
}

func (r *rewriter) unsupported(i int, format string, args ...any) error {
	return fault.New(fault.Unsupported, format, args...).At(0, int(r.tokens[i].Start)+1)
}

func (r *rewriter) parameter(i int) error {
	text := r.out[i]
	if text == "?" {
		r.marks++
		if r.cut {
			r.out[i] = paramPrefix + strconv.Itoa(r.marks)
		}
		return nil
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil || n < 1 || n > maxParams {
		return fault.New(fault.InvalidParameter, "parameter %s is not $1 to $%d", text, maxParams).
			At(0, int(r.tokens[i].Start)+1)
	}
	r.dollar = max(r.dollar, n)
	r.out[i] = paramPrefix + strconv.Itoa(n)
	return nil
}

const maxParams = 65535

func (r *rewriter) open(i int) {
	inside := frame{}
	switch {
	case r.wordAt(i+1, "SELECT", "WITH", "VALUES", "TABLE"):
		inside.query = true
	case r.top().expect:
		inside = frame{from: true, expect: true}
	}
	r.top().expect = false
	r.frames = append(r.frames, inside)
}

func (r *rewriter) wordAt(i int, words ...string) bool {
	if i < 0 || i >= len(r.tokens) {
		return false
	}
	for _, w := range words {
		if r.tokens[i].Is(r.src, w) {
			return true
		}
	}
	return false
}

// word handles an unquoted name or keyword.
func (r *rewriter) word(i int) (int, error) {
	f := r.top()
	switch {
	case r.wordAt(i, "CURSOR"), r.wordAt(i, "ROWS") && !r.windowFrame(i):
		r.quote(i)
		return 1, nil
	case i > 0 && r.tokens[i-1].Kind == dialect.Dot:
		return 1, nil
	case r.wordAt(i, "ILIKE"):
		return 1, r.ilike(i)
	case r.wordAt(i, "DUPLICATE") && r.wordAt(i-1, "ON") && r.wordAt(i+1, "KEY"):
		r.duplicate = true
		return 1, nil
	case r.wordAt(i, "VALUES") && r.newValue(i) > 0:
		return 4, nil
	case !f.query && !f.from:
		return 1, nil
	case r.wordAt(i, "FROM") && f.query, r.wordAt(i, "JOIN", "STRAIGHT_JOIN") && f.from:
		f.from, f.expect = true, true
	case i == 0 && r.wordAt(i, "INSERT", "UPDATE", "REPLACE"), f.query && r.wordAt(i, "INTO"),
		f.query && r.wordAt(i, "UPDATE") && !r.wordAt(i-1, "FOR", "KEY", "DO"):
		f.from, f.expect = r.wordAt(i, "UPDATE"), true
	case r.wordAt(i, "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "INTERSECT", "EXCEPT",
		"SET", "WINDOW", "FOR", "SELECT", "VALUES", "RETURNING"):
		f.from, f.expect = false, false
	case r.wordAt(i, "LATERAL"):
	default:
		return r.name(i)
	}
	return 1, nil
}

// windowFrame reports whether the word ROWS at i begins the frame of a window,
// as in OVER (ORDER BY a ROWS BETWEEN ...), rather than being a column.
func (r *rewriter) windowFrame(i int) bool {
	if i == 0 || i+1 == len(r.tokens) {
		return false
	}
	switch next := r.tokens[i+1].Kind; {
	case next == dialect.Number, next == dialect.Parameter:
	case !r.wordAt(i+1, "BETWEEN", "UNBOUNDED", "CURRENT", "INTERVAL"):
		return false
	}
	switch r.tokens[i-1].Kind {
	case dialect.Comma, dialect.Dot, dialect.Operator:
		return false
	case dialect.LeftParen:
		return r.wordAt(i-2, "OVER", "AS")
	}
	return !r.wordAt(i-1, "WHERE", "AND", "OR", "XOR", "NOT", "ON", "HAVING", "WHEN", "THEN", "ELSE",
		"CASE")
}

// name handles a name that may be the first part of a table's.
func (r *rewriter) name(i int) (int, error) {
	if !r.top().expect {
		return 1, nil
	}
	r.top().expect = false
	switch {
	case !r.dotted(i):
		return 1, nil
	case !r.dotted(i + 2):
		r.quote(i) // system and others are words of the parser's own
		r.quote(i + 2)
		return 3, nil
	}
	owner, err := r.owner(i + 2)
	if err != nil {
		return 0, err
	}
	ns := strings.ToLower(r.tokens[i].Name(r.src))
	r.out[i] = dialect.QuoteIdent(ownedName(ns, owner))
	r.out[i+1], r.out[i+2] = "", ""
	r.quote(i + 4)
	return 5, nil
}

func (r *rewriter) quote(i int) { r.out[i] = dialect.QuoteIdent(r.tokens[i].Name(r.src)) }

// dotted reports whether the token at i is followed by a dot and a name.
func (r *rewriter) dotted(i int) bool {
	return i+2 < len(r.tokens) && r.tokens[i+1].Kind == dialect.Dot &&
		(r.tokens[i+2].Kind == dialect.Identifier || r.tokens[i+2].Kind == dialect.QuotedIdentifier)
}

// owner returns the user that the middle part of ns.x.t names: the acting one
// for an unquoted USER.
func (r *rewriter) owner(i int) (ident.UserID, error) {
	if r.wordAt(i, "USER") {
		return r.env.actingUser()
	}
	id, err := ident.ParseUserID(r.tokens[i].Name(r.src))
	if err != nil {
		return "", fault.From(err).At(0, int(r.tokens[i].Start)+1)
	}
	return id, nil
}

// ownedName returns the database name that stands for a user's tables in a
// namespace. The id is in hex, so that no character or case of it is lost.
func ownedName(ns string, owner ident.UserID) string {
	return ns + ownerMark + hex.EncodeToString([]byte(owner))
}

const ownerMark = "@"

// splitOwned takes a database name apart; named is false when it has no owner.
func splitOwned(db string) (ns string, owner ident.UserID, named bool, err error) {
	ns, code, named := strings.Cut(db, ownerMark)
	if !named {
		return db, "", false, nil
	}
	raw, err := hex.DecodeString(code)
	if err != nil {
		return "", "", false, fault.New(fault.NamespaceNotFound, "namespace %q does not exist", db)
	}
	owner, err = ident.ParseUserID(string(raw))
	return ns, owner, true, err
}

// actingUser returns whom `.user.` means.
func (env *Env) actingUser() (ident.UserID, error) {
	switch {
	case env.User != "":
		return env.User, nil
	case env.Role == ident.RoleUser && env.Caller != "":
		return env.Caller, nil
	}
	return "", fault.New(fault.UserRequired,
		"say whose rows are meant: send X-USER-ID, or use EXECUTE AS USER 'id' (...)")
}

// owner returns whose rows a USER table without a user in its name shows.
func (env *Env) owner() (ident.UserID, error) {
	if env.User == "" && env.Caller != "" {
		return env.Caller, nil
	}
	return env.actingUser()
}
