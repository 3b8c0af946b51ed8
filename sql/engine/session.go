package engine

import (
	"context"
	"sync"
	"sync/atomic"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/variables"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// session is what the library keeps per connection. Ours is used for one
// statement at a time and pooled, since making one copies all of the library's
// system variables.
type session struct {
	*gms.BaseSession
	run *execution // of the present statement
}

// setup fills the library's registries of variables and of aggregates, which
// are its globals and must be there before the first session.
var setup = sync.OnceFunc(func() {
	variables.InitSystemVariables()
	variables.InitStatusVariables()
	nameAggregates()
})

// sessionSettings are the system variables that differ from the defaults of
// the library. Nothing a client sends can change them.
var sessionSettings = map[string]any{
	"sql_mode":                 "NO_ENGINE_SUBSTITUTION,STRICT_TRANS_TABLES",
	"collation_connection":     collation.Name(),
	"cte_max_recursion_depth":  int64(1000),
	"group_concat_max_len":     uint64(1 << 20),
	"time_zone":                "SYSTEM", // times given to the library are UTC already
	"character_set_client":     "utf8mb4",
	"character_set_connection": "utf8mb4",
	"character_set_results":    "utf8mb4",
}

func newSession() (*session, error) {
	setup()
	s := &session{BaseSession: gms.NewBaseSessionWithClientServer("", gms.Client{}, 1)}
	ctx := gms.NewContext(context.Background(), gms.WithSession(s))
	for name, v := range sessionSettings {
		if err := s.SetSessionVariable(ctx, name, v); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "set the session variable %s", name)
		}
	}
	return s, nil
}

// execution is one run of a statement: its environment, the tables it may
// see, and what it has used up.
type execution struct {
	ctx      context.Context // of the statement; it ends the reading of cold rows
	engine   *Engine
	env      *Env
	tables   map[tableKey]*target
	rowsRead atomic.Int64
	used     atomic.Int64 // bytes, see meter.go
	meters   meters
	cursors  cursors
	locking  bool // a SELECT ... FOR UPDATE
	text     string
	liveText liveText // of a live query
	culprit  string   // the name that an error is about, see blame
	badRow   int      // the row of VALUES that an error is about, from 1
	suspects []string // names one of which an error is about, where nothing says more
}

// lock tells the transaction of a row that a SELECT ... FOR UPDATE reads.
func (run *execution) lock(t *target, pk []byte, seq clock.Seq) {
	if run.locking && t.def.Kind != ddl.SystemTable {
		run.env.Lock(t.def, t.owner, pk, seq)
	}
}

// of returns the execution that a library callback belongs to.
func of(ctx *gms.Context) *execution {
	if s, ok := ctx.Session.(*session); ok {
		return s.run
	}
	return nil
}

// acquire returns a context of the library for one statement. release gives
// the session back; nothing may use the context afterwards.
func (e *Engine) acquire(ctx context.Context, run *execution) (*gms.Context, func(), error) {
	s, ok := e.sessions.Get().(*session)
	if !ok {
		var err error
		if s, err = newSession(); err != nil {
			return nil, nil, err
		}
	}
	s.run = run
	c := gms.NewContext(ctx, gms.WithSession(s), gms.WithMemoryManager(e.memory))
	c.SetQueryTime(run.env.Now.UTC())
	release := func() {
		s.run = nil
		s.ClearWarnings()
		s.SetCurrentDatabase("")
		e.sessions.Put(s)
	}
	return c, release, nil
}
