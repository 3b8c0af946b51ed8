// Package exec runs statements: it finds out who acts, asks whether they may,
// has package sql plan, and sends what is to be changed through the log. It is
// the only caller of the log for statements; handlers never write to storage.
//
// It owns no goroutine. An Executor is safe for concurrent use.
package exec

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/access"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/audit"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/core/check"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/core/member"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/core/storage"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/plan"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Limits bound what one request may cost. Zero fields mean the defaults.
type Limits struct {
	SQL              dialect.Limits
	StatementTimeout time.Duration // 0 means 60 seconds

	// Of a transaction: how long it may be open, and what it may write. 0 means
	// 60 seconds, 100,000 rows and 16 MiB.
	TransactionTimeout time.Duration
	TransactionRows    int
	TransactionBytes   int

	BoundRows int // of one session; 0 means 1000
}

// Parts are what an Executor works with. All are required, but for Figures
// and Members.
type Parts struct {
	*Keeper
	Machine  *apply.Machine // for the shards' own partitions only
	Catalog  *catalog.Catalog
	SQL      *sqlengine.Engine
	Gen      *clock.Generator
	Auth     *auth.Service
	Hub      *live.Hub
	Audit    *audit.Log
	Jobs     *job.Manager
	Storages *storage.Registry
	Members  *member.Book // nil for a server alone
	Now      func() time.Time
	// Settings and Figures give the rows of system.settings and system.stats.
	Settings func() [][]value.Value
	Figures  func() [][]value.Value
	// Cold reads the cold rows of tables; nil where there are none.
	Cold table.Cold
	// Copies are the files of cold rows on other nodes; nil for a server alone.
	Copies check.Copies
	// PlanAll leaves every statement to the query engine; for comparing.
	PlanAll bool
}

// Executor runs statements.
type Executor struct {
	Parts
	limits Limits
	plans  *plan.Cache
	schema chan struct{} // holds a token: one change of the catalogue at a time

	transactions sync.Map // of *transaction, the open ones
	bound        bindings
	building     sync.Map // of ident.TableID: tables whose indexes are being built

	statements, failures, conflicts atomic.Int64

	single   bool          // no other node changes anything
	needs    *needs        // of texts; in a cluster
	followed atomic.Uint64 // applied seq of the system tables that the catalogue has
}

func (l Limits) withDefaults() Limits {
	if l.StatementTimeout == 0 {
		l.StatementTimeout = time.Minute
	}
	if l.TransactionTimeout == 0 {
		l.TransactionTimeout = time.Minute
	}
	if l.TransactionRows == 0 {
		l.TransactionRows = 100_000
	}
	if l.TransactionBytes == 0 {
		l.TransactionBytes = 16 << 20
	}
	if l.BoundRows == 0 {
		l.BoundRows = 1000
	}
	return l
}

// New returns an Executor.
func New(parts Parts, limits Limits) *Executor {
	limits = limits.withDefaults()
	x := &Executor{
		Parts: parts, limits: limits, plans: plan.New(plan.Options{Limits: limits.SQL}),
		schema: make(chan struct{}, 1),
	}
	x.schema <- struct{}{}
	if _, x.single = parts.Log.(*replica.Local); !x.single {
		x.needs = newNeeds()
	}
	return x
}

// Counts tells how many statements were run, how many of them failed, and how
// often one was planned again after a conflict.
func (x *Executor) Counts() (statements, failures, conflicts int64) {
	return x.statements.Load(), x.failures.Load(), x.conflicts.Load()
}

// Plans tells what the cache of plans has done.
func (x *Executor) Plans() plan.Figures { return x.plans.Figures() }

// Request is what a client sends: one or more statements.
type Request struct {
	SQL    string
	Params []value.Value // with one statement only
	// JSONParams says that Params came as JSON, where BYTES are base64.
	JSONParams bool
	Namespace  ident.NamespaceID
	// RequestID makes writes repeatable: the same id, user and statement
	// within 24 hours returns the first result. "" for none.
	RequestID string
	// MinSeq has the request wait until what it names is applied: the Result.Seq of
	// a write, or several with commas between. "" waits for nothing.
	MinSeq string
	// Session keeps a transaction open beyond the request; nil rolls one back
	// that the request leaves open.
	Session *Session

	// Bind ties the rows of streams that are inserted to the Session: they are
	// deleted by its Unbind, or when the database is opened again.
	Bind bool

	// OneRead refuses all but one statement that reads. Its rows may take as
	// long as the statement's time allows.
	OneRead bool
	// Remote is the client's address for the audit log, "" when not known.
	Remote string

	as ident.UserID // the identity's acting user
}

// Result is the outcome of one statement. Rows is open only while the sink
// that is given the Result runs.
type Result struct {
	Kind      dialect.Kind
	Columns   []predicate.Column
	Rows      sqlengine.Rows // nil when the statement returns none
	Affected  int64
	Message   string
	AsUser    ident.UserID      // the acting user
	Seq       string            // "shard:seq" of a write
	Namespace ident.NamespaceID // set by USE
}

// Sink takes the results of a request in order. An error of its own ends the
// request.
type Sink func(*Result) error

// Bounds in bytes. A seq that names every shard of the largest database fits.
const (
	maxRequestID = 256
	maxMinSeq    = 32 << 10
)

// Run runs the statements of a request one after another. When one fails, those
// before it stay done, and the *fault.Error names its number and, where known,
// the position in the text.
func (x *Executor) Run(ctx context.Context, id session.Identity, req Request, sink Sink) error {
	stmts, err := x.plans.Parse(req.SQL)
	if err != nil {
		x.failures.Add(1)
		return err
	}
	switch {
	case len(req.Params) > 0 && len(stmts) > 1:
		return fault.New(fault.InvalidParameter,
			"params go with one statement, the request has %d; send them one by one", len(stmts))
	case len(req.RequestID) > maxRequestID:
		return fault.New(fault.InvalidParameter, "request_id is over %d bytes", maxRequestID)
	case req.OneRead && (len(stmts) > 1 || !reads(stmts[0].Kind)):
		return fault.New(fault.InvalidParameter, "rows are streamed of one statement that reads; "+
			"send others with Accept: application/json")
	}
	if err := x.placed(id, stmts); err != nil {
		return err
	}
	if req.MinSeq != "" {
		if err := x.awaitSeqs(ctx, req.MinSeq); err != nil {
			return err
		}
	}
	req.as = id.As
	s := req.Session
	if s == nil {
		s = x.NewSession()
		defer s.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range stmts {
		one := &run{
			x: x, id: id, req: &req, session: s, st: &stmts[i], number: i + 1, rest: stmts[i+1:],
		}
		x.statements.Add(1)
		if err := one.do(ctx, sink); err != nil {
			if i == 0 && isElsewhere(err) {
				return err
			}
			x.failures.Add(1)
			return locate(apart(err), &stmts[i], i+1)
		}
	}
	if req.Session == nil && s.tx != nil {
		return fault.New(fault.InvalidSQL,
			"the request ended inside a transaction, which was rolled back; end it with COMMIT").
			At(len(stmts), 0)
	}
	return nil
}

func reads(k dialect.Kind) bool {
	c := k.Info().Class
	return c == dialect.Read || c == dialect.Session
}

// locate says in err which statement failed, and where in the whole text.
func locate(err error, st *dialect.Statement, number int) error {
	e := fault.From(err)
	pos := e.Position
	if pos > 0 {
		pos += st.Offset
	}
	return e.At(number, pos)
}

// run is one statement of a request being run.
type run struct {
	x      *Executor
	id     session.Identity
	req    *Request
	st     *dialect.Statement
	number int

	session *Session            // whose mu is held
	rest    []dialect.Statement // of the request, behind st

	assumed bool // a plan assumed what was not so: the engine plans it

	acted   []act    // for other users
	reading *reading // while it is planned, in a cluster
}

func (r *run) do(ctx context.Context, sink Sink) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout())
	defer cancel()
	asked, told := r.id, false
	emit := func(res *Result) error {
		res.Kind, res.AsUser = r.st.Kind, r.id.Acting()
		told = true
		return sink(res)
	}
	ran, err := r.once(ctx, emit)
	if !told && r.x.doubts(err) {
		if err = r.x.catchUp(ctx); err == nil {
			r.id = asked
			ran, err = r.once(ctx, emit)
		}
	}
	if !ran || isElsewhere(err) {
		return err
	}
	if kept := r.audit(ctx, r.st.Kind.Info().Class, err); err == nil {
		err = kept
	}
	return err
}

// once runs the statement. ran is false when it was refused before.
func (r *run) once(ctx context.Context, emit Sink) (ran bool, err error) {
	if r.st.As != "" {
		if r.id, err = r.x.Auth.ActAs(ctx, r.id, string(r.st.As)); err != nil {
			return false, err
		}
	}
	if err := r.session.checkLocked(r.id); err != nil {
		return false, err
	}
	class := r.st.Kind.Info().Class
	if r.session.tx != nil && (class == dialect.Schema || class == dialect.Account) {
		return false, fault.New(fault.Unsupported,
			"%s can't run in a transaction; COMMIT or ROLLBACK it first", r.st.Kind)
	}
	return true, r.dispatch(ctx, class, emit)
}

func (r *run) dispatch(ctx context.Context, class dialect.Class, emit Sink) error {
	if leads(r.st) {
		if err := r.lead(ctx); err != nil {
			return err
		}
	}
	switch class {
	case dialect.Transaction:
		return r.transact(ctx, emit)
	case dialect.Read:
		return r.read(ctx, emit)
	case dialect.Write:
		return r.write(ctx, emit)
	case dialect.Schema:
		return r.changeSchema(ctx, emit)
	case dialect.Account:
		return r.changeAccount(ctx, emit)
	case dialect.Work:
		return r.work(ctx, emit)
	}
	return r.show(ctx, emit)
}

// env is what package sql sees of the run. The caller keeps v.
func (r *run) env(v *store.View) *sqlengine.Env {
	cat := r.x.Catalog.Snapshot()
	if r.reading != nil {
		cat = r.reading.cat
	}
	env := &sqlengine.Env{
		Catalog: cat, DB: r.x.DB, View: v, Cold: r.x.Cold, Gen: r.x.Gen, Now: r.x.Now(),
		Rights: r.rights(cat), System: &systemRows{r: r, cat: cat, view: v},
		Caller: r.id.Caller, Role: r.id.Role, User: r.id.Acting(),
		Namespace: r.req.Namespace, Params: r.req.Params, JSONParams: r.req.JSONParams,
	}
	if tx := r.session.tx; tx != nil {
		env.Pending, env.Lock, env.ReadAt = &tx.set, tx.lock, tx.started
	}
	if r.reading != nil {
		env.Reads = r.reading.opened
	}
	return env
}

// view returns what the statement reads, which the caller releases: the
// transaction's view, else the present one.
func (r *run) view() *store.View {
	if tx := r.session.tx; tx != nil {
		return tx.view.Retain()
	}
	return r.x.DB.View()
}

func (r *run) rights(cat *catalog.Snapshot) *access.Rights {
	rights := &access.Rights{ID: r.id, Catalog: cat, Lookup: r.x.Auth.Target}
	if r.id.Role != ident.RoleUser { // who can act for nobody
		rights.Seen = r.seen
	}
	return rights
}

func (r *run) read(ctx context.Context, emit Sink) error {
	if n, ok := r.st.Node.(*ast.Explain); ok {
		return r.explain(ctx, n, emit)
	}
	var res *sqlengine.Result
	v, err := r.onView(ctx, func(v *store.View) (err error) {
		res, err = r.plan(ctx, v)
		return err
	})
	if err != nil {
		return err
	}
	defer v.Release()
	err = emit(&Result{Columns: res.Columns, Rows: &timed{res.Rows, ctx}})
	if closing := res.Rows.Close(); err == nil {
		err = closing
	}
	return err
}

// timed are rows that are read under the time of their statement, which ends
// no later than the request that the caller of Next has.
type timed struct {
	sqlengine.Rows
	ctx context.Context
}

// Next implements sqlengine.Rows.
func (t *timed) Next(context.Context) ([]value.Value, error) { return t.Rows.Next(t.ctx) }

// plan has package sql run the statement on v: by a plan that is kept where
// there is one, else by the query engine. The caller keeps v.
func (r *run) plan(ctx context.Context, v *store.View) (*sqlengine.Result, error) {
	env := r.env(v)
	if env.Pending == nil && !r.x.PlanAll && !r.assumed {
		if res, handled, err := r.x.plans.Run(ctx, r.st, env); handled {
			return res, err
		}
	}
	if g := r.reading; g != nil {
		if len(g.missing) > 0 || g.old {
			return nil, errAgain
		}
		g.parsed = true
	}
	res, err := r.x.SQL.Run(ctx, r.st, env)
	if r.reading == nil && fault.Is(err, fault.TransactionConflict) { // a table went meanwhile
		if err := r.x.Catalog.Refresh(); err != nil {
			return nil, err
		}
		return r.x.SQL.Run(ctx, r.st, r.env(v))
	}
	return res, err
}

// namespace returns the namespace that a statement names, or the session's.
func (r *run) namespace(named ident.NamespaceID) (ident.NamespaceID, error) {
	if named != "" {
		return named, nil
	}
	if r.req.Namespace == "" {
		return "", fault.New(fault.InvalidSQL,
			"no namespace is in use; write namespace.table, or run USE first")
	}
	return r.req.Namespace, nil
}

// Subscription is a live query that a client asked for.
type Subscription struct {
	SQL     string
	Options live.SubscribeOptions
	// Namespace is used for table names without one.
	Namespace ident.NamespaceID
	ID        ident.LiveID
	Remote    string // as of Request
	Notify    func()
	Budget    *live.Budget // of the socket; nil for none
	Peer      string       // of the socket, for listings
	// After is a subscription that this one goes on after; see live.Spec.
	After *live.Subscription
}

// Subscribe opens a live query. It blocks for compiling only; rows are read
// when the subscription is polled.
func (x *Executor) Subscribe(ctx context.Context, id session.Identity, sub Subscription) (
	*live.Subscription, error,
) {
	s, err := x.subscribe(ctx, id, sub)
	if x.doubts(err) {
		if err := x.catchUp(ctx); err != nil {
			return nil, err
		}
		return x.subscribe(ctx, id, sub)
	}
	return s, err
}

func (x *Executor) subscribe(ctx context.Context, id session.Identity, sub Subscription) (
	*live.Subscription, error,
) {
	stmts, err := dialect.Parse(sub.SQL, x.limits.SQL)
	if err != nil {
		return nil, err
	}
	if len(stmts) != 1 {
		return nil, fault.New(fault.LiveUnsupportedQuery, "a live query is one SELECT")
	}
	r := &run{
		x: x, id: id, st: &stmts[0], session: x.NewSession(),
		req: &Request{Namespace: sub.Namespace},
	}
	query, opts, err := liveText(r.st, sub.Options)
	if err != nil {
		return nil, err
	}
	if r.st.As != "" {
		if r.id, err = x.Auth.ActAs(ctx, id, string(r.st.As)); err != nil {
			return nil, err
		}
	}
	q, owner, err := r.compileLive(ctx, query)
	if isElsewhere(err) {
		return nil, err
	}
	if n, ok := r.st.Node.(*ast.Subscribe); ok {
		err = locateIn(err, n.Offset)
	}
	r.st, r.req.Remote = &dialect.Statement{Kind: dialect.Subscribe}, sub.Remote
	r.auditActs(ctx, err)
	if err != nil {
		return nil, locate(err, &stmts[0], 1)
	}
	s, err := x.Hub.Subscribe(live.Spec{
		ID: sub.ID, Owner: id.Caller, User: owner, Query: q, SQL: query, Options: opts,
		Notify: sub.Notify, After: sub.After, Budget: sub.Budget, Peer: sub.Peer,
	})
	if err != nil {
		return nil, err
	}
	x.settleLive(s, q)
	return s, nil
}
