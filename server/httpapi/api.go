// Package httpapi is the HTTP interface: SQL, logins and health, as JSON. It
// reads requests strictly and writes answers; what they mean is the engine's
// business.
//
// An API keeps no state but the number of requests in flight, and starts no
// goroutines. Until Ready is called it answers 503, so that the port can be
// taken before the engine is open.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/core/storage"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/peer"
	"github.com/kalamdb/kalamdb-go/server/reply"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Engine runs statements. core/engine.Engine is one.
type Engine interface {
	// Execute runs the statements of req and gives each result to sink.
	Execute(ctx context.Context, id session.Identity, req engine.Request, sink engine.Sink) error
}

// Accounts gives out tokens. core/auth.Service is one.
type Accounts interface {
	Login(ctx context.Context, user, password string) (auth.Tokens, error)
	Refresh(ctx context.Context, refreshToken string) (auth.Tokens, error)
	Logout(ctx context.Context, id session.Identity) error
	User(ctx context.Context, id ident.UserID) (*ddl.User, error)
	NeedsSetup() (bool, error)
	Setup(ctx context.Context, password string) error
	RootPasswordFile() string
}

// Options configure an API. 0 means the default.
type Options struct {
	Logger           *slog.Logger // nil discards
	IncludeTook      bool
	MaxBodyBytes     int64 // of a request; 16 MiB
	MaxResultBytes   int   // of an answer's results; 64 MiB
	RequestsInFlight int   // at once; 512
	// StreamWriteTimeout is how long a client may take none of the rows that
	// are streamed to it; 30 seconds.
	StreamWriteTimeout time.Duration
	PublicMetrics      bool // metrics are told to everybody
	Version            string
	Revision           string
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBodyBytes <= 0 {
		o.MaxBodyBytes = 16 << 20
	}
	if o.MaxResultBytes <= 0 {
		o.MaxResultBytes = 64 << 20
	}
	if o.RequestsInFlight <= 0 {
		o.RequestsInFlight = 512
	}
	if o.StreamWriteTimeout <= 0 {
		o.StreamWriteTimeout = 30 * time.Second
	}
	return o
}

// Parts are what an API serves, known once the engine is open.
type Parts struct {
	Engine   Engine
	Accounts Accounts
	Callers  *caller.Resolver
	Socket   http.Handler // GET wire.PathWS
	Metrics  http.Handler // GET wire.PathMetrics; nil for none
	// Forward sends requests to other nodes; nil for a server alone.
	Forward *peer.Forwarder
	// Cluster tells of the cluster; nil for a server alone.
	Cluster func() wire.ClusterHealth
	// CaughtUp reports whether the node knows what the cluster does; nil for always.
	CaughtUp func() bool
	// Alarms tells what an operator should look at; nil for nothing ever.
	Alarms func() []storage.Alarm
}

// API is an http.Handler. It is safe for concurrent use.
type API struct {
	opts   Options
	mux    *http.ServeMux
	parts  atomic.Pointer[Parts] // nil until Ready
	health atomic.Pointer[wire.Health]
	flight chan struct{} // a token for each request in flight
}

// New returns an API that answers that the server is starting.
func New(opts Options) *API {
	a := &API{opts: opts.withDefaults(), mux: http.NewServeMux()}
	a.flight = make(chan struct{}, a.opts.RequestsInFlight)
	a.setHealth(wire.Starting)
	a.routes()
	return a
}

func (a *API) setHealth(h wire.Health) { a.health.Store(&h) }

// Ready has the API serve.
func (a *API) Ready(p Parts) {
	a.parts.Store(&p)
	a.setHealth(wire.Healthy)
}

// Stopping has the API answer further requests with SHUTTING_DOWN. Those in
// flight go on.
func (a *API) Stopping() { a.setHealth(wire.Stopping) }

// Drain waits for the requests in flight and lets no further one begin. It is
// called once, as the last use of the API.
func (a *API) Drain() {
	for range cap(a.flight) {
		a.flight <- struct{}{}
	}
}

// InFlight returns the number of requests that are being served.
func (a *API) InFlight() int { return len(a.flight) }

// exchange is a request and its answer.
type exchange struct {
	*Parts
	w     http.ResponseWriter
	r     *http.Request
	start time.Time
	raw   []byte // the body, kept for another node
}

// endpoint serves one method of a path. An error that it returns is answered.
type endpoint func(*exchange) error

func (a *API) routes() {
	a.route(wire.PathSQL, map[string]endpoint{http.MethodPost: a.sql})
	a.route(wire.PathLogin, map[string]endpoint{http.MethodPost: a.login})
	a.route(wire.PathRefresh, map[string]endpoint{http.MethodPost: a.refresh})
	a.route(wire.PathLogout, map[string]endpoint{http.MethodPost: a.logout})
	a.route(wire.PathSetup, map[string]endpoint{http.MethodPost: a.setup})
	a.route(wire.PathMe, map[string]endpoint{http.MethodGet: a.me})
	a.route(wire.PathStatus, map[string]endpoint{http.MethodGet: a.status})
	a.route(wire.PathWS, map[string]endpoint{http.MethodGet: func(x *exchange) error {
		x.Socket.ServeHTTP(x.w, x.r)
		return nil
	}})
	a.route(wire.PathCluster, map[string]endpoint{http.MethodGet: a.cluster})
	a.route(wire.PathMetrics, map[string]endpoint{http.MethodGet: a.metrics})
	for _, path := range []string{wire.PathHealth, wire.PathLive, wire.PathReady} {
		a.mux.HandleFunc(path, a.healthcheck)
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, http.StatusNotFound,
			fault.New(fault.NotFound, "nothing is served at %.64q", r.URL.Path), reply.NoTook)
	})
}

func (a *API) route(path string, methods map[string]endpoint) {
	allowed := []string{http.MethodOptions}
	for m := range methods {
		allowed = append(allowed, m)
	}
	allow := strings.Join(allowed, ", ")
	a.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		a.serve(w, r, methods[r.Method], allow, start)
	})
}

// ServeHTTP implements http.Handler. A panic is answered with INTERNAL.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p)
		}
		a.opts.Logger.Error("panic in a request", "path", r.URL.Path,
			"panic", p, "stack", string(debug.Stack()))
		a.fail(w, r, http.StatusInternalServerError,
			fault.New(fault.Internal, "internal error; the server's log has the details"),
			reply.NoTook)
	}()
	a.mux.ServeHTTP(w, r)
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, f endpoint, allow string,
	start time.Time,
) {
	status, err := a.admit(w, r, f, allow)
	if err == nil && f == nil { // a preflight
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err != nil {
		peer.Unrun(w, r)
		a.fail(w, r, status, err, a.took(start))
		return
	}
	select {
	case a.flight <- struct{}{}:
		defer func() { <-a.flight }()
	default:
		w.Header().Set("Retry-After", "1")
		peer.Unrun(w, r)
		a.fail(w, r, http.StatusServiceUnavailable, fault.New(fault.RateLimitExceeded,
			"the server has too many requests in flight; try again"), a.took(start))
		return
	}
	x := &exchange{Parts: a.parts.Load(), w: w, r: r, start: start}
	if err := f(x); err != nil {
		a.fail(w, r, 0, err, a.took(start))
	}
}

// admit checks what does not need the body: state, origin and method. status is
// 0 for that of the error's code.
func (a *API) admit(w http.ResponseWriter, r *http.Request, f endpoint, allow string) (
	status int, err error,
) {
	if err := a.serving(); err != nil {
		return 0, err
	}
	callers := a.parts.Load().Callers
	if err := callers.CheckOrigin(r); err != nil {
		return 0, err
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		allowOrigin(w.Header(), origin, allow)
	}
	if f == nil && r.Method != http.MethodOptions {
		w.Header().Set("Allow", allow)
		return http.StatusMethodNotAllowed, fault.New(fault.Unsupported,
			"%s does not take %.16q; use %s", r.URL.Path, r.Method, allow)
	}
	return 0, nil
}

func (a *API) serving() error {
	switch *a.health.Load() {
	case wire.Starting:
		return fault.New(fault.StorageUnavailable, "the server is starting; try again")
	case wire.Stopping:
		return fault.New(fault.ShuttingDown, "the server is stopping; connect again")
	}
	return nil
}

// allowOrigin tells a browser what pages of an allowed origin may send.
func allowOrigin(h http.Header, origin, methods string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Vary", "Origin")
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", strings.Join([]string{
		"Authorization", "Content-Type", wire.HeaderUserID, wire.HeaderMinSeq,
		wire.HeaderIdempotencyKey,
	}, ", "))
	h.Set("Access-Control-Max-Age", "600")
}

// took returns what an answer says of its time.
func (a *API) took(start time.Time) time.Duration {
	if !a.opts.IncludeTook {
		return reply.NoTook
	}
	return time.Since(start)
}

// fail answers err; status 0 means that of its code.
func (a *API) fail(w http.ResponseWriter, r *http.Request, status int, err error,
	took time.Duration,
) {
	a.logFailure(r, err)
	if own := statusOf(w, err); status == 0 {
		status = own
	}
	a.sent(r, reply.ErrorStatus(w, status, err, took))
}

// statusOf sets the headers that go with err and returns its status, which is
// that of its code but for a body of a wrong type.
func statusOf(w http.ResponseWriter, err error) int {
	status := reply.Headers(w, err)
	if err == errType {
		return http.StatusUnsupportedMediaType
	}
	return status
}

func (a *API) logFailure(r *http.Request, err error) {
	if fault.Is(err, fault.Internal) || fault.Is(err, fault.Corruption) {
		a.opts.Logger.Error("request failed", "path", r.URL.Path, "error", err)
		return
	}
	a.opts.Logger.Debug("request refused", "path", r.URL.Path, "code", fault.CodeOf(err))
}

// sent notes an answer that did not arrive: the client went away.
func (a *API) sent(r *http.Request, err error) {
	if err != nil {
		a.opts.Logger.Debug("answer not sent", "path", r.URL.Path, "error", err)
	}
}
