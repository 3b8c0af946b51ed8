// Package plan is the direct path of SQL: it runs the statements that
// applications send all day (rows inserted, read and written by primary key,
// ranges of a key, aggregates over them) over store/table without the query
// engine.
//
// It is not a query engine. The rule is "same question, same answer": what it
// does not know exactly, and whatever goes wrong on the way, it leaves to
// package engine, which then answers or tells the error. So it has no error
// messages of its own but those of storage.
//
// Invariants: a plan is immutable and holds nothing of any user, of any
// literal or parameter, or of any row; owner and rights are found out at each
// run; a plan is used only while the catalogue shows the very definition that
// it was made for. The package starts no goroutines.
package plan

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/engine"
)

// Options configure New. The zero value takes all defaults.
type Options struct {
	// MaxPlans bounds how many statements are remembered, those among them
	// that are left to the engine. Default 8192.
	MaxPlans int
	// Limits are those of Parse.
	Limits dialect.Limits
}

// Cache holds plans by the text of statements with their literals left out.
// It is safe for concurrent use.
type Cache struct {
	limits       dialect.Limits
	parsed       *generations[[]dialect.Statement]
	known        *generations[entry]
	hits, misses atomic.Int64
}

// New returns an empty Cache.
func New(opts Options) *Cache {
	if opts.MaxPlans <= 0 {
		opts.MaxPlans = 8192
	}
	return &Cache{
		limits: opts.Limits,
		parsed: newGenerations[[]dialect.Statement](opts.MaxPlans),
		known:  newGenerations[entry](opts.MaxPlans),
	}
}

// Parse is dialect.Parse, which it remembers for texts with parameters: they
// are sent again and again. The statements are shared and must not be changed.
func (c *Cache) Parse(text string) ([]dialect.Statement, error) {
	if len(text) > maxText || !strings.ContainsAny(text, "?$") {
		return dialect.Parse(text, c.limits)
	}
	if known := c.parsed.byText("", text); known != nil {
		return *known, nil
	}
	text = strings.Clone(text)
	list, err := dialect.Parse(text, c.limits)
	if err == nil {
		c.parsed.put("", text, &list)
	}
	return list, err
}

// Figures are what a Cache has done since it was made.
type Figures struct {
	Hits    int64 // statements run by a plan that was there
	Misses  int64 // statements planned anew, or left to the engine
	Entries int64 // statements remembered now
}

// Figures returns the present figures.
func (c *Cache) Figures() Figures {
	return Figures{Hits: c.hits.Load(), Misses: c.misses.Load(), Entries: int64(c.known.len())}
}

// Clear forgets all plans, and returns how many statements were remembered.
// Those that are running go on.
func (c *Cache) Clear() int {
	c.parsed.clear()
	return c.known.clear()
}

// Run executes a statement like engine.Engine.Run when it is one of those that
// have a plan. handled is false when the engine has to run it; nothing was
// done then. The result's rows are read from env.View while the caller takes
// them, and must be closed. Errors are *fault.Error.
func (c *Cache) Run(ctx context.Context, st *dialect.Statement, env *engine.Env) (
	res *engine.Result, handled bool, err error,
) {
	if env.Pending != nil {
		return nil, false, nil // plans know nothing of what a transaction has written
	}
	p, text, kept := c.find(st.Text, env)
	if p == nil {
		c.misses.Add(1)
		return nil, false, nil
	}
	res, handled, err = p.run(ctx, text, env)
	if handled && kept {
		c.hits.Add(1)
	} else {
		c.misses.Add(1)
	}
	return res, handled, err
}

// source is the text of a statement and, once it was read, its tokens.
type source struct {
	src  string
	toks []dialect.Token
}

// maxText bounds the texts that are remembered, in bytes. Longer ones, which
// are INSERTs of many rows, are planned each time.
const maxText = 4 << 10

// find returns the plan for a text, nil when the engine has to run it. kept
// says that the plan was there. A text without literals is its own key; others
// are found by their shape.
func (c *Cache) find(src string, env *engine.Env) (p *plan, t source, kept bool) {
	if len(src) <= maxText {
		e := c.known.byText(env.Namespace, src)
		if e != nil && !(e.plan != nil && e.plan.literals) && e.valid(env) {
			return e.plan, source{src: src}, true
		}
	}
	t, ok := read(src)
	if !ok {
		return nil, t, false
	}
	var room [512]byte
	shape, literals := appendShape(room[:0], t)
	if literals && len(shape) <= maxText {
		if e := c.known.byShape(env.Namespace, shape); e != nil && e.valid(env) {
			return e.plan, t, true
		}
	}
	p = compile(t, literals, env)
	e := &entry{plan: p, version: env.Catalog.Version()}
	switch {
	case literals && len(shape) <= maxText:
		c.known.put(env.Namespace, string(shape), e)
	case !literals && len(src) <= maxText:
		c.known.put(env.Namespace, strings.Clone(src), e)
	}
	return p, t, false
}

// read finds the tokens of a text. ok reports whether it may have a plan.
func read(src string) (t source, ok bool) {
	toks, err := dialect.Lex(src, dialect.Limits{})
	if err != nil || len(toks) == 0 || verbOf(src, toks[0]) == 0 {
		return t, false
	}
	for _, k := range toks {
		if k.Kind == dialect.BitString || k.Kind == dialect.Variable {
			return t, false
		}
	}
	return source{src, toks}, true
}

// entry is what is known of a statement: its plan, or that it has none. The
// latter is judged again when the catalogue has changed.
type entry struct {
	plan    *plan
	version uint64
}

func (e *entry) valid(env *engine.Env) bool {
	if e.plan == nil {
		return e.version == env.Catalog.Version()
	}
	def, err := env.Catalog.Table(e.plan.def.Namespace, string(e.plan.def.Name))
	return err == nil && def == e.plan.def && env.DB == e.plan.shards.db
}
