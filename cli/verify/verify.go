// Package verify proves the promises of live queries against a running server:
// it writes with known effects, follows the writes over sockets that it breaks
// and stalls, and compares every event with what had to come.
//
// Each user has one writer, so the order of that user's commits is known; each
// answer brings the seq of its commit. A subscriber follows several queries
// over one raw WebSocket, resumes from the cursor that the contract says, and
// hands messages on as they come: nothing is left out or put in order before
// it is checked. Beside them each user has a client.View, whose rows are
// compared at the end, as are the tables.
//
// It makes a namespace of its own and drops it. Run owns all goroutines and
// waits for them.
package verify

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Options say how much is done, and what is done to it. Client is required.
type Options struct {
	// Client is logged in with a role that may make namespaces and act for
	// users: dba.
	Client *client.Client

	// Duration bounds the writing; default 1 minute. Changes ends it earlier
	// when that many rows were changed; 0 never does.
	Duration time.Duration
	Changes  int64

	Users       int     // with rows of their own; default 16, a View of each kind for two
	Subscribers int     // sockets, each following four queries of one user; default 16
	Writers     int     // statements at once; default 4, at most Users
	Rate        float64 // statements a second of all writers; 0 for as many as go

	// KillSockets is how often a random connection is broken, of subscribers,
	// views and writers, half of them in the middle of a message; 0 never.
	KillSockets time.Duration
	// Stall is how many sockets of subscribers do not read, in turns of 1 to 4
	// seconds.
	Stall int
	// Restart restarts the server, each RestartEvery (default 20 seconds); nil
	// does not.
	Restart      func(ctx context.Context) error
	RestartEvery time.Duration

	// CatchUp bounds the wait for the last events; default 1 minute.
	CatchUp time.Duration
	Seed    uint64 // of all that is random; 0 takes one from the clock
	Logger  *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Duration = cmp.Or(o.Duration, time.Minute)
	o.Users = cmp.Or(o.Users, 16)
	o.Subscribers = cmp.Or(o.Subscribers, 16)
	o.Writers = min(cmp.Or(o.Writers, 4), o.Users)
	o.RestartEvery = cmp.Or(o.RestartEvery, 20*time.Second)
	o.CatchUp = cmp.Or(o.CatchUp, time.Minute)
	o.Seed = cmp.Or(o.Seed, uint64(time.Now().UnixNano()))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Client == nil:
		return fault.New(fault.InvalidParameter, "verify needs a client")
	case o.Duration <= 0 || o.Users < 1 || o.Subscribers < 1 || o.Writers < 1 || o.Rate < 0 ||
		o.KillSockets < 0 || o.Stall < 0 || o.RestartEvery <= 0 || o.Changes < 0:
		return fault.New(fault.InvalidParameter,
			"durations and numbers of verify must be positive")
	case o.Stall >= o.Subscribers:
		return fault.New(fault.InvalidParameter,
			"%d of %d subscribers can't be stalled; leave some", o.Stall, o.Subscribers)
	}
	return nil
}
