// Package app is the kalamdb-server process without its command line: it takes
// the port, opens the engine, serves HTTP and WebSocket, and stops in the
// reverse order.
//
// It reads no flags and no environment. Run owns every goroutine of the server
// and returns when all of them have ended.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/config"
	"github.com/kalamdb/kalamdb-go/server/front"
	"github.com/kalamdb/kalamdb-go/server/httpapi"
	"github.com/kalamdb/kalamdb-go/server/metrics"
	"github.com/kalamdb/kalamdb-go/server/peer"
	"github.com/kalamdb/kalamdb-go/server/ws"
)

// readHeaderTimeout is how long the head of a request may take to come.
const readHeaderTimeout = 10 * time.Second

// Options configure Run.
type Options struct {
	Config *config.Loaded
	Build  Build
	Dev    bool      // loopback callers need no credentials
	Stderr io.Writer // gets the log; nil discards

	// JobKinds are kinds of jobs beside, or in place of, those of the engine.
	JobKinds []job.Kind

	// Force stops a graceful stop from waiting any longer, once it is closed.
	// nil is never.
	Force <-chan struct{}
	// Serving is called once statements are served, with the address. It may
	// be nil and must not block.
	Serving func(addr net.Addr)
}

// Run serves until ctx ends, then stops gracefully: what is in flight may
// finish within the shutdown timeout. It returns nil after a complete stop,
// and an error when the start failed or something was cut off.
func Run(ctx context.Context, opts Options) (err error) {
	log, closeLog, err := newLogger(&opts.Config.Config, opts.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	listener, err := listen(ctx, &opts.Config.Config)
	if err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	s := newServer(life, opts, log, listener)
	if s.node, err = openNode(ctx, s.config, s.requests, s.api, log); err != nil {
		return errors.Join(err, listener.Close())
	}
	served := make(chan error, 1)
	go func() { served <- s.front.Serve(s.listener) }() // ended by s.stop
	if err := s.open(opts, ctx.Done()); err != nil {
		return errors.Join(err, s.stop(life, opts.Force), ignoreClosed(<-served))
	}
	if opts.Serving != nil {
		opts.Serving(listener.Addr())
	}
	debug.FreeOSMemory() // hashing root's password took 19 MiB that an idle server would keep
	s.watchers.Go(func() { s.logSize(life, opts.Config.Logging.SizeInterval) })
	s.watchers.Go(func() { releaseWhenIdle(life) })
	var failed error
	select {
	case <-ctx.Done():
	case err = <-served:
		served <- err
		log.Error("stopped serving", "error", err)
	case failed = <-s.node.failure():
		log.Error("the store failed; the other nodes go on", "error", failed)
	}
	err = s.stop(life, opts.Force)
	end()
	s.watchers.Wait()
	return errors.Join(failed, err, s.close(), ignoreClosed(<-served))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// listen takes the port.
func listen(ctx context.Context, c *config.Config) (net.Listener, error) {
	addr := net.JoinHostPort(c.Server.Host, strconv.Itoa(c.Server.Port))
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fault.Wrap(fault.InUse, err,
			"can't listen on %s; stop what uses the port or set server.port (%s): %v",
			addr, portTwin, err)
	}
	return l, nil
}

const portTwin = config.EnvPrefix + "SERVER_PORT"

// newServer puts together what serves before the engine is open.
func newServer(life context.Context, opts Options, log *slog.Logger, l net.Listener) *server {
	c := &opts.Config.Config
	s := &server{
		log: log, config: c, build: opts.Build,
		listener: newLimited(l, c.Limits.Connections),
		api: httpapi.New(httpapi.Options{
			Logger: log, IncludeTook: c.API.IncludeTook,
			MaxBodyBytes:     int64(c.Limits.BodySize),
			MaxResultBytes:   int(c.Limits.ResultSize),
			RequestsInFlight: c.Limits.RequestsInFlight, StreamWriteTimeout: c.API.StreamWriteTimeout,
			PublicMetrics: c.Metrics.Public,
			Version:       opts.Build.Version, Revision: opts.Build.Revision,
		}),
	}
	s.requests, s.cutRequests = context.WithCancel(life)
	other := &http.Server{
		Handler: s.api, ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout: c.Server.IdleTimeout,
		BaseContext: func(net.Listener) context.Context { return s.requests },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	s.front = front.New(s.requests, front.Options{
		Path: wire.PathSQL, HTTP: other, Logger: log, Foreign: httpapi.Streams,
	})
	return s
}

// open opens the engine and has the API serve it.
func (s *server) open(opts Options, stop <-chan struct{}) error {
	start := time.Now()
	engineOpts := engineOptions(opts.Config, s.log)
	engineOpts.JobKinds = opts.JobKinds
	engineOpts.Cluster = s.node.engine(&s.config.Cluster, s.build.Version, stop)
	db, err := engine.Open(dataDir(s.config), engineOpts)
	if err != nil {
		return err
	}
	s.db = db
	s.node.opened(db)
	callers := &caller.Resolver{
		Auth: db.Auth(), Dev: opts.Dev, TrustedUserHeader: s.config.Auth.TrustedUserHeader,
		AllowedOrigins: s.config.Auth.AllowedOrigins,
	}
	var forward *peer.Forwarder
	if s.node != nil {
		forward = peer.NewForwarder(db, s.node.clients, s.config.Cluster.ForwardTimeout)
	}
	s.sockets = ws.New(s.requests, ws.Options{
		Forward: forward,
		Engine:  db, Callers: callers, Logger: s.log, IncludeTook: s.config.API.IncludeTook,
		MaxMessageBytes:        int(s.config.Limits.FrameSize),
		MaxResultBytes:         int(s.config.Limits.ResultSize),
		MaxOutboxBytes:         int(s.config.Live.SocketSize),
		Total:                  db.Hub().Total(),
		SubscriptionsPerSocket: s.config.Live.SubscriptionsPerSocket,
		WriteTimeout:           s.config.Live.WriteTimeout,
		PingInterval:           s.config.Live.PingInterval,
		AuthTimeout:            s.config.Live.AuthTimeout,
	})
	db.OnRevoked(s.sockets.Revoke)
	parts := httpapi.Parts{
		Engine: db, Accounts: db.Auth(), Callers: callers, Socket: s.sockets, Alarms: db.Alarms,
	}
	if s.node != nil {
		parts.Forward = forward
		parts.Cluster = func() wire.ClusterHealth { return clusterHealth(db) }
		parts.CaughtUp = db.CaughtUp
	}
	if s.config.Metrics.Enabled {
		parts.Metrics = metrics.Handler(db, s.build.Version, s.build.Revision)
	}
	s.api.Ready(parts)
	s.banner(opts, time.Since(start))
	return nil
}

// dataDir returns the folder for the engine, "" for one that keeps nothing.
func dataDir(c *config.Config) string {
	if c.Storage.Engine == config.EngineMemory {
		return ""
	}
	return c.Storage.DataDir
}

// cutError says what a stop cut off.
func cutError(requests, sockets int, jobs []string) error {
	var parts []string
	if requests > 0 || sockets > 0 {
		parts = append(parts, fmt.Sprintf("%d requests and %d websockets", requests, sockets))
	}
	if len(jobs) > 0 {
		parts = append(parts, "jobs: "+strings.Join(jobs, ", "))
	}
	if len(parts) == 0 {
		return nil
	}
	return errors.New("the stop cut off " + strings.Join(parts, "; "))
}
