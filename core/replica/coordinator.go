package replica

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// Coordinator commits commands of several shards together or not at all, on a log
// that can't do it by itself: it prepares each, has the system shard decide, and
// resolves each; see core/apply for the steps. It may die between any two of them:
// what it leaves is finished by Recover, here or on another node.
//
// Coordinator is safe for concurrent use. It keeps no goroutine beyond its calls.
type Coordinator struct {
	db      *store.DB
	machine *apply.Machine
	clock   *clock.Clock
	log     Log

	mu       sync.Mutex
	resolved []command.Tx // whose decisions may go; told with the next decision

	standing standing // used by Recover
}

// NewCoordinator returns a Coordinator that proposes to log, one command at a time,
// and recovers what stands in db, the store of m.
func NewCoordinator(
	db *store.DB, m *apply.Machine, ck *clock.Clock, log Log,
) *Coordinator {
	return &Coordinator{db: db, machine: m, clock: ck, log: log, standing: newStanding(time.Now)}
}

const (
	// finishWithin bounds how long a transaction is driven on that was begun,
	// whoever has gone away meanwhile.
	finishWithin = 5 * time.Second
	// keptResolved bounds the transactions that wait to be forgotten. Those above are
	// found by Recover.
	keptResolved = 1024
)

// Commit is Log.ProposeAll. When it fails with NO_QUORUM, SHUTTING_DOWN or the end of
// ctx, the transaction may happen still, whole or not at all. A request id makes it
// safe to send it again.
func (c *Coordinator) Commit(ctx context.Context, cs []*command.Command) (
	[]apply.Outcome, error,
) {
	tx, err := c.begin()
	if err != nil {
		return nil, err
	}
	prepared, errs := c.each(cs, func(_ int, part *command.Command) (apply.Outcome, error) {
		p := *part
		p.Prepare = &command.Prepare{Tx: tx}
		return c.log.Propose(ctx, &p)
	})
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	if outs, err := refused(prepared, errs); outs != nil || err != nil {
		c.abort(finish, tx, cs, prepared, errs)
		return outs, err
	}
	parts := make([]command.Part, len(cs))
	for i := range cs {
		parts[i] = command.Part{Shard: cs[i].Shard, Seq: prepared[i].Seq}
	}
	d, err := c.decide(finish, command.Decide{Tx: tx, Commit: true, Parts: parts})
	if err != nil {
		return nil, fault.Wrap(fault.NoQuorum, err, "it is not known whether the transaction was "+
			"committed; it will be, or be rolled back, as a whole")
	}
	outs, errs := c.resolve(finish, d, parts)
	if !d.Commit {
		outs = make([]apply.Outcome, len(cs))
		outs[0] = tooLate
		return outs, nil
	}
	for i, err := range errs {
		if err != nil { // it is committed all the same, and Recover finishes it
			outs[i] = apply.Outcome{Seq: parts[i].Seq}
		}
	}
	return outs, nil
}

// tooLate is the outcome of a transaction that somebody has given up before its
// coordinator came to decide.
var tooLate = apply.Outcome{Locked: true, Err: fault.New(fault.TransactionConflict,
	"the transaction took too long to commit and was rolled back; run it again")}

func (c *Coordinator) begin() (command.Tx, error) {
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return command.Tx{}, fault.Wrap(fault.Internal, err, "name a transaction")
	}
	return command.Tx{Began: c.clock.Now(), Salt: binary.BigEndian.Uint64(salt[:])}, nil
}

// each calls propose for all commands at once, and learns how far the shards are.
func (c *Coordinator) each(cs []*command.Command,
	propose func(i int, part *command.Command) (apply.Outcome, error),
) ([]apply.Outcome, []error) {
	outs, errs := make([]apply.Outcome, len(cs)), make([]error, len(cs))
	var wg sync.WaitGroup
	for i, part := range cs {
		wg.Go(func() { outs[i], errs[i] = propose(i, part) })
	}
	wg.Wait()
	for _, out := range outs {
		c.clock.Observe(out.Seq)
	}
	return outs, errs
}

// refused returns what a transaction is answered with that could not be prepared
// everywhere, nothing when it was. A repeated request comes first.
func refused(prepared []apply.Outcome, errs []error) (outs []apply.Outcome, err error) {
	at := slices.IndexFunc(prepared, func(o apply.Outcome) bool { return o.Repeat })
	if at < 0 {
		at = slices.IndexFunc(prepared, func(o apply.Outcome) bool { return o.Err != nil })
	}
	if at >= 0 {
		outs = make([]apply.Outcome, len(prepared))
		outs[at] = prepared[at]
		return outs, nil
	}
	for _, err := range errs {
		if err != nil {
			return nil, fault.Wrap(fault.NoQuorum, err, "prepare a transaction, which was not committed")
		}
	}
	return nil, nil
}

// abort forgets what was prepared. It needs no decision: nobody else could decide to
// commit. What it does not reach Recover finds, or refuses to be prepared later.
func (c *Coordinator) abort(ctx context.Context, tx command.Tx, cs []*command.Command,
	prepared []apply.Outcome, errs []error,
) {
	var parts []command.Part
	for i := range cs {
		if errs[i] != nil || prepared[i].Err == nil && !prepared[i].Repeat {
			parts = append(parts, command.Part{Shard: cs[i].Shard})
		}
	}
	c.resolveParts(ctx, &apply.Decision{Tx: tx}, parts, false)
}

// retryDecide is how long after a failure a decision is asked for again.
const retryDecide = 20 * time.Millisecond

// decide proposes a decision until it knows what was decided.
func (c *Coordinator) decide(ctx context.Context, d command.Decide) (*apply.Decision, error) {
	d.Resolved = c.takeResolved()
	for again := false; ; again = true {
		out, err := c.log.Propose(ctx, &command.Command{
			Shard: ident.SystemShard, Clock: c.clock.Now(), Decide: &d,
		})
		if err == nil && out.Err == nil {
			c.clock.Observe(out.Seq)
			if again && d.Commit && out.Decision.Forgotten {
				return nil, fault.New(fault.NoQuorum, "what was decided is forgotten")
			}
			return out.Decision, nil
		}
		if err == nil || fault.Is(err, fault.ShuttingDown) || !pause(ctx, retryDecide) {
			if err == nil {
				err = out.Err
			}
			return nil, err
		}
	}
}

// resolve ends all parts of a transaction, and has its decision forgotten once that is
// done.
func (c *Coordinator) resolve(ctx context.Context, d *apply.Decision, parts []command.Part) (
	[]apply.Outcome, []error,
) {
	outs, errs := c.resolveParts(ctx, d, parts, true)
	for _, err := range errs {
		if err != nil {
			return outs, errs
		}
	}
	if d.Commit {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.resolved) < keptResolved {
			c.resolved = append(c.resolved, d.Tx)
		}
	}
	return outs, errs
}

// resolveParts ends parts of a transaction, each again and again when it is to persist.
func (c *Coordinator) resolveParts(
	ctx context.Context, d *apply.Decision, parts []command.Part, persist bool,
) ([]apply.Outcome, []error) {
	cs := make([]*command.Command, len(parts))
	for i, p := range parts {
		cs[i] = &command.Command{Shard: p.Shard, Clock: c.clock.Now(),
			Resolve: &command.Resolve{Tx: d.Tx, Commit: d.Commit, Parts: d.Parts}}
	}
	return c.each(cs, func(_ int, part *command.Command) (out apply.Outcome, err error) {
		for {
			if out, err = c.log.Propose(ctx, part); err == nil {
				return out, out.Err
			}
			if !persist || fault.Is(err, fault.ShuttingDown) || !pause(ctx, retryDecide) {
				return out, err
			}
		}
	})
}

func (c *Coordinator) takeResolved() []command.Tx {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.resolved
	c.resolved = nil
	return list
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
