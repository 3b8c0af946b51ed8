package dialect

import "github.com/kalamdb/kalamdb-go/commons/fault"

// bound refuses a statement whose syntax tree could be so high that recursive
// code runs out of stack, which would end the process: it is called before any
// parser. It works in one pass without recursion.
//
// The height of what stands between two parentheses is at most the number of
// operators in its longest stretch without a comma, plus the height of the
// highest thing inside it. Joins, set operations and the commas of FROM make
// a chain through the whole level, so those are never forgotten at a comma.
func bound(src string, toks []Token, lim Limits) error {
	if len(toks) > lim.MaxTokens {
		return fault.New(fault.PayloadTooLarge,
			"the statement has more than %d words and signs; split it", lim.MaxTokens)
	}
	b := bounder{src: src, lim: lim, levels: make([]level, 1, 8)}
	for i := range toks {
		if err := b.token(toks, i); err != nil {
			return err
		}
	}
	return b.finish(toks[len(toks)-1])
}

// level is what is known of one pair of parentheses, or one CASE ... END.
type level struct {
	open     Token // the parenthesis or CASE; zero for the whole statement
	ops      int   // operators since the last comma
	child    int   // height of the highest thing inside since the last comma
	chain    int   // operators that commas do not end
	tallest  int   // highest stretch so far
	fromList bool  // commas here are joins
	isCase   bool
}

func (l *level) height() int { return max(l.tallest, l.ops+l.child) + l.chain }

// cutStretch is what a comma does.
func (l *level) cutStretch() {
	l.tallest = max(l.tallest, l.ops+l.child)
	l.ops, l.child = 0, 0
}

type bounder struct {
	src    string
	lim    Limits
	levels []level
}

func (b *bounder) top() *level { return &b.levels[len(b.levels)-1] }

func (b *bounder) token(toks []Token, i int) error {
	t, l := toks[i], b.top()
	switch t.Kind {
	case LeftParen:
		return b.push(t, false)
	case RightParen:
		for l.isCase {
			b.pop()
			l = b.top()
		}
		if len(b.levels) == 1 {
			return b.fail(t, "this ) closes nothing; remove it")
		}
		b.pop()
		l = b.top()
	case Comma:
		if l.fromList {
			l.chain++
		}
		l.cutStretch()
	case Operator:
		l.ops++
	case String:
		if i > 0 && toks[i-1].Kind == String {
			l.ops++
		}
	case Identifier:
		if i > 0 && toks[i-1].Kind == Dot {
			return nil
		}
		if err := b.word(t); err != nil {
			return err
		}
		l = b.top()
	}
	if l.height() > b.lim.MaxHeight {
		return b.fail(t, "more than %d operators stand above each other; use IN or split the statement",
			b.lim.MaxHeight)
	}
	return nil
}

func (b *bounder) word(t Token) error {
	l := b.top()
	switch wordRole(t.Text(b.src)) {
	case roleOperator:
		l.ops++
	case roleChain:
		l.chain++
	case roleFrom:
		l.fromList = true
	case roleEndFrom:
		l.fromList = false
	case roleBranch:
		if l.isCase {
			l.cutStretch()
		}
	case roleCase:
		return b.push(t, true)
	case roleEnd:
		if l.isCase {
			b.pop()
		}
	}
	return nil
}

func (b *bounder) push(t Token, isCase bool) error {
	if len(b.levels) > b.lim.MaxDepth {
		return b.fail(t, "parentheses and CASE are nested deeper than %d; simplify the statement",
			b.lim.MaxDepth)
	}
	b.levels = append(b.levels, level{open: t, isCase: isCase})
	return nil
}

func (b *bounder) pop() {
	h := b.top().height() + 1
	b.levels = b.levels[:len(b.levels)-1]
	l := b.top()
	l.child = max(l.child, h)
}

func (b *bounder) finish(last Token) error {
	for b.top().isCase {
		b.pop()
	}
	if len(b.levels) > 1 {
		return b.fail(b.top().open, "this ( is not closed; add )")
	}
	if b.top().height() > b.lim.MaxHeight {
		return b.fail(last, "more than %d operators stand above each other; split the statement",
			b.lim.MaxHeight)
	}
	return nil
}

func (b *bounder) fail(t Token, format string, args ...any) error {
	return fault.New(fault.InvalidSQL, format, args...).At(0, int(t.Start)+1)
}

// role is what a word does to the height of a syntax tree.
type role uint8

const (
	roleNone role = iota
	roleOperator
	roleChain
	roleFrom
	roleEndFrom
	roleBranch
	roleCase
	roleEnd
)

const longestRoleWord = len("STRAIGHT_JOIN")

var roles = map[string]role{
	"AND": roleOperator, "OR": roleOperator, "NOT": roleOperator, "XOR": roleOperator,
	"DIV": roleOperator, "MOD": roleOperator, "LIKE": roleOperator, "ILIKE": roleOperator,
	"IN": roleOperator, "IS": roleOperator, "BETWEEN": roleOperator, "REGEXP": roleOperator,
	"RLIKE": roleOperator, "COLLATE": roleOperator, "BINARY": roleOperator,
	"INTERVAL": roleOperator, "ESCAPE": roleOperator, "EXISTS": roleOperator,
	"FOR": roleOperator, "MEMBER": roleOperator, "SOUNDS": roleOperator,
	"UNION": roleChain, "INTERSECT": roleChain, "EXCEPT": roleChain, "JOIN": roleChain,
	"STRAIGHT_JOIN": roleChain,
	"FROM":          roleFrom, "UPDATE": roleFrom, "WITH": roleFrom,
	"SELECT": roleEndFrom, "WHERE": roleEndFrom, "GROUP": roleEndFrom, "HAVING": roleEndFrom,
	"ORDER": roleEndFrom, "LIMIT": roleEndFrom, "SET": roleEndFrom, "WINDOW": roleEndFrom,
	"WHEN": roleBranch, "THEN": roleBranch, "ELSE": roleBranch,
	"CASE": roleCase, "END": roleEnd,
}

// wordRole looks a word up without allocating.
func wordRole(word string) role {
	if len(word) > longestRoleWord {
		return roleNone
	}
	var upper [longestRoleWord]byte
	for i := 0; i < len(word); i++ {
		c := word[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	return roles[string(upper[:len(word)])]
}
