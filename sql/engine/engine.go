package engine

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/rowexec"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// Options configure New. The zero value takes all defaults.
type Options struct {
	// MaxMemoryBytes bounds what one statement may hold at a time: rows that
	// are sorted, grouped or joined, large texts, and its write set. Default
	// 256 MiB.
	MaxMemoryBytes int64
	// MaxStringBytes bounds what one function call may return. Default 16 MiB.
	MaxStringBytes int
	// MaxLiveQueries bounds the cache of compiled live queries. Default 1024.
	MaxLiveQueries int
	// PlanAll has the library plan every SELECT, also those that this package
	// can run by itself; for comparing the two.
	PlanAll bool
	// Logger hears of panics that were turned into errors; nil discards.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxMemoryBytes <= 0 {
		o.MaxMemoryBytes = 256 << 20
	}
	if o.MaxStringBytes <= 0 {
		o.MaxStringBytes = 16 << 20
	}
	if o.MaxLiveQueries <= 0 {
		o.MaxLiveQueries = 1024
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Engine plans and runs statements. It is safe for concurrent use and holds
// nothing of the data it reads.
type Engine struct {
	opts     Options
	analyzer *analyzer.Analyzer
	memory   *gms.MemoryManager
	sessions sync.Pool // of *session
	live     recent[liveKey, *predicate.Query]
	texts    recent[liveText, liveMeaning]     // of the queries in live
	checks   recent[liveKey, *predicate.Query] // of CHECK constraints: the rows that break them
}

// New returns an Engine.
func New(opts Options) *Engine {
	setup()
	e := &Engine{opts: opts.withDefaults(), memory: gms.NewMemoryManager(unlimited{})}
	e.analyzer = newAnalyzer(provider{functions: e.functions()})
	m := &meter{}
	m.base = rowexec.NewBuilder(m, gms.EngineOverrides{})
	e.analyzer.ExecBuilder = m.base
	return e
}

// unlimited keeps the library from reading memory statistics, which stops the
// world; our own meter bounds a statement's memory.
type unlimited struct{}

// MaxMemory implements gms.Reporter.
func (unlimited) MaxMemory() uint64 { return 0 }

// UsedMemory implements gms.Reporter.
func (unlimited) UsedMemory() uint64 { return 0 }

// brokenRules are rules of the library that give wrong answers: replaceAgg
// turns MAX(key) into ORDER BY key LIMIT 1, which has no row for an empty
// table where MAX is NULL; replaceCrossJoins moves conditions into the part of
// an outer join that may be missing.
var brokenRules = map[string]bool{"replaceAgg": true, "replaceCrossJoins": true}

// orderJoins is the library's rule that orders joins.
const orderJoins = "optimizeJoins"

func newAnalyzer(p gms.DatabaseProvider) *analyzer.Analyzer {
	b := analyzer.NewBuilder(p)
	for _, r := range analyzer.OnceAfterDefault {
		if brokenRules[r.Id.String()] {
			b.RemoveOnceAfterRule(r.Id)
		}
	}
	for _, r := range analyzer.DefaultRules {
		if brokenRules[r.Id.String()] {
			b.RemoveDefaultRule(r.Id)
		}
	}
	b.RemoveAfterAllRule(analyzer.TrackProcessId) // there is no list of processes
	a := b.Build()
	for _, batch := range a.Batches {
		batch.Rules = slices.Clone(batch.Rules) // they are the library's own
		for i, r := range batch.Rules {
			switch name := r.Id.String(); {
			case name == orderJoins:
				batch.Rules[i].Apply = settleJoins(r.Apply)
			case filterRules[name]:
				batch.Rules[i].Apply = pushConstants(r.Apply)
			}
		}
	}
	return a
}

// Run executes one SELECT, INSERT, UPDATE or DELETE. Rows of a result are read
// while the caller takes them, from env.View, and must be closed. A statement
// that writes has done all its reading when Run returns; nothing is changed
// until the caller commits Result.Writes. Errors are *fault.Error.
func (e *Engine) Run(
	ctx context.Context, st *dialect.Statement, env *Env,
) (res *Result, err error) {
	run := &execution{
		ctx: ctx, engine: e, env: env, text: st.Text, tables: make(map[tableKey]*target),
	}
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, e.panicked(p)
		}
		if err = run.fault(err); err != nil {
			run.cursors.closeAll()
		}
	}()
	stmt, err := e.parse(st.Text, env)
	if err != nil {
		return nil, err
	}
	return run.statement(ctx, stmt)
}

// panicked logs a panic of the library and returns what the caller hears.
func (e *Engine) panicked(p any) error {
	if err, ok := p.(*fault.Error); ok {
		return err
	}
	e.opts.Logger.Error("a statement panicked", "panic", p, "stack", string(debug.Stack()))
	return fault.New(fault.Internal, "internal error; the server's log has the details")
}
