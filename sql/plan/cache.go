// Package plan is the direct path of SQL: it runs the statements that
// applications send all day (rows inserted, read and written by primary key,
// ranges of a key, counts) over store/table without the query engine.
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
}

// Cache holds plans by the text of statements with their literals left out.
// It is safe for concurrent use.
type Cache struct {
	known        *generations
	hits, misses atomic.Int64
}

// New returns an empty Cache.
func New(opts Options) *Cache {
	if opts.MaxPlans <= 0 {
		opts.MaxPlans = 8192
	}
	return &Cache{known: newGenerations(opts.MaxPlans)}
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

// Run executes a statement like engine.Engine.Run when it is one of those that
// have a plan. handled is false when the engine has to run it; nothing was
// done then. The result's rows are read from env.View while the caller takes
// them, and must be closed. Errors are *fault.Error.
func (c *Cache) Run(ctx context.Context, st *dialect.Statement, env *engine.Env) (
	res *engine.Result, handled bool, err error,
) {
	text := source{src: st.Text}
	p, kept := c.find(&text, env)
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
func (c *Cache) find(text *source, env *engine.Env) (p *plan, kept bool) {
	if len(text.src) <= maxText {
		e := c.known.byText(env.Namespace, text.src)
		if e != nil && !(e.plan != nil && e.plan.literals) && e.valid(env) {
			return e.plan, true
		}
	}
	if !text.read() {
		return nil, false
	}
	var room [512]byte
	shape, literals := appendShape(room[:0], text)
	if literals && len(shape) <= maxText {
		if e := c.known.byShape(env.Namespace, shape); e != nil && e.valid(env) {
			return e.plan, true
		}
	}
	p = compile(text, env)
	if p != nil {
		p.literals = literals
	}
	e := &entry{plan: p, version: env.Catalog.Version()}
	switch {
	case literals && len(shape) <= maxText:
		c.known.put(env.Namespace, string(shape), e)
	case !literals && len(text.src) <= maxText:
		c.known.put(env.Namespace, strings.Clone(text.src), e)
	}
	return p, false
}

// read finds the tokens of a text. It reports whether the text may have a plan.
func (t *source) read() bool {
	toks, err := dialect.Lex(t.src, dialect.Limits{})
	if err != nil || len(toks) == 0 || verbOf(t.src, toks[0]) == 0 {
		return false
	}
	for _, k := range toks {
		if k.Kind == dialect.BitString || k.Kind == dialect.Variable {
			return false
		}
	}
	t.toks = toks
	return true
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
	return err == nil && def == e.plan.def
}
