package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/server/config"
	"github.com/kalamdb/kalamdb-go/server/front"
	"github.com/kalamdb/kalamdb-go/server/httpapi"
	"github.com/kalamdb/kalamdb-go/server/ws"
)

// server is a running server.
type server struct {
	log      *slog.Logger
	config   *config.Config
	build    Build
	listener net.Listener
	front    *front.Server
	api      *httpapi.API
	node     *node          // nil for a server alone
	watchers sync.WaitGroup // logSize and releaseWhenIdle

	requests    context.Context // of all requests and sockets
	cutRequests context.CancelFunc

	db      *engine.Engine // nil until open
	sockets *ws.Server     // nil until open
}

// stop stops accepting and waits for requests and sockets until the shutdown
// timeout or force. It returns an error that says what it cut off.
func (s *server) stop(life context.Context, force <-chan struct{}) error {
	s.log.Info("stopping", "requests", s.api.InFlight(), "websockets", s.connections(),
		"jobs", s.runningJobs())
	s.api.Stopping()
	ctx, cancel := context.WithTimeout(life, s.config.Server.ShutdownTimeout)
	defer cancel()
	watched := make(chan struct{})
	go func() { // ends with ctx, which is ended below
		defer close(watched)
		select {
		case <-force:
			s.log.Warn("stopping at once")
			cancel()
		case <-ctx.Done():
		}
	}()
	cutSockets := 0
	var sockets sync.WaitGroup
	if s.sockets != nil {
		sockets.Go(func() { cutSockets = s.sockets.Close(ctx) })
	}
	var jobs sync.WaitGroup
	var cutJobs []string
	var stuck error
	if s.db != nil {
		jobs.Go(func() { cutJobs, stuck = s.db.StopJobs(ctx) })
	}
	cut := 0
	if err := s.front.Shutdown(ctx); err != nil {
		cut = s.api.InFlight()
		s.cutRequests()
		if err := s.front.Close(); err != nil {
			s.log.Warn("close connections", "error", err)
		}
	}
	sockets.Wait()
	nodeErr := s.node.stop(ctx)
	s.cutRequests()
	jobs.Wait()
	cancel()
	<-watched
	s.api.Drain() // the engine must not be closed under a handler
	if len(cutJobs) > 0 {
		s.log.Warn("cut off jobs", "jobs", cutJobs)
	}
	return errors.Join(cutError(cut, cutSockets, cutJobs), stuck, nodeErr)
}

func (s *server) runningJobs() int {
	if s.db == nil {
		return 0
	}
	return s.db.RunningJobs()
}

func (s *server) connections() int {
	if s.sockets == nil {
		return 0
	}
	return s.sockets.Connections()
}

// close closes the engine.
func (s *server) close() error {
	if s.db == nil {
		return nil
	}
	start := time.Now()
	err := s.db.Close()
	s.log.Info("stopped", "closed_in", time.Since(start).Round(time.Millisecond).String())
	return err
}

// logSize logs the size of the data until ctx ends.
func (s *server) logSize(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			size, err := s.db.Size()
			if err != nil {
				s.log.Warn("size of the data not known", "error", err)
				continue
			}
			s.log.Info("size on disk", "bytes", size, "size", readable(size),
				"websockets", s.connections())
		}
	}
}
