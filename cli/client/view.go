package client

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// reasonInconsistent is the Reason of a Resync that a View asks for.
const reasonInconsistent = "inconsistent"

// maxRestarts is how often a View reads its result anew, with no commit in
// between, before it gives up.
const maxRestarts = 3

// LiveOptions choose what a View holds. The zero value holds the whole result.
// From of SubscribeOptions is refused: a View begins with a snapshot.
type LiveOptions struct {
	SubscribeOptions
	// Key names the columns that tell rows apart. The default is the primary
	// key, which the query must select, or the whole row where a query has
	// none, as with aggregates.
	Key []string
}

// State is a result as one commit left it. It is the caller's.
type State struct {
	Schema *Schema
	Rows   []Row
	// Version grows with each commit that changed the result, and each Resync.
	Version uint64
	Cursor  clock.Seq // of that commit
}

// View is the result of a live query, kept current: the rows of its snapshot
// with each commit applied once and whole. While a new snapshot is read after
// a Resync, the View stays as it was; then it changes at once.
//
// A stream's rows expire without being told; a View keeps them.
//
// One goroutine at a time may call Next or range over States; the other
// methods are safe for concurrent use. A View owns one goroutine, which Close
// ends and waits for.
type View struct {
	sub  *Subscription
	stop context.CancelFunc
	wg   sync.WaitGroup

	older chan Event // cap 1: the answer to LoadOlder, applied

	changed chan struct{} // cap 1: there is a newer state, or err
	ready   chan struct{} // closed by the first state, or err
	ended   chan struct{} // closed with err
	given   uint64        // Version that Next returned last

	mu      sync.Mutex
	result  *rowset // nil before the first snapshot
	schema  *Schema
	version uint64
	cursor  clock.Seq
	err     error
}

// Live starts a live query and returns when its first result is whole. ctx
// bounds that wait and has no effect afterwards.
func (c *Client) Live(ctx context.Context, sql string, opts LiveOptions) (*View, error) {
	if opts.From != 0 {
		return nil, fault.New(fault.InvalidParameter,
			"a View can't begin at a cursor; use Subscribe, or leave From out")
	}
	sub, err := c.Subscribe(ctx, sql, opts.SubscribeOptions)
	if err != nil {
		return nil, err
	}
	v := &View{sub: sub, changed: make(chan struct{}, 1), ready: make(chan struct{}),
		ended: make(chan struct{}), older: make(chan Event, 1)}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	v.stop = stop
	f := &follower{v: v, key: opts.Key, merged: opts.Policy == wire.Conflate}
	v.wg.Go(func() { v.fail(f.run(life)) })
	select {
	case <-v.ready:
		err = v.Err()
	case <-ctx.Done():
		err = fault.From(ctx.Err())
	}
	if err != nil {
		_ = v.Close() // never fails
		return nil, err
	}
	return v, nil
}

// Watch follows a query until ctx ends, and calls f with its first result and
// with each newer one. While f runs, further commits gather; the next call has
// them all. An error of f ends it and is returned.
func (c *Client) Watch(
	ctx context.Context, sql string, opts LiveOptions, f func(State) error,
) error {
	v, err := c.Live(ctx, sql, opts)
	if err != nil {
		return err
	}
	defer v.Close() // never fails
	for s, err := range v.States(ctx) {
		if err == nil {
			err = f(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Next returns the newest state, waiting until ctx ends for one that it has
// not returned before. After the query has ended it returns why, each time.
func (v *View) Next(ctx context.Context) (State, error) {
	for {
		s, err := v.newest()
		if s.Version > v.given {
			v.given = s.Version
			return s, nil
		}
		if err != nil {
			return State{}, err
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return State{}, fault.From(ctx.Err())
		}
	}
}

// States ranges over the states as Next returns them, until an error, which it
// gives last.
func (v *View) States(ctx context.Context) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		for {
			s, err := v.Next(ctx)
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// State returns the result as it is now.
func (v *View) State() State {
	s, _ := v.newest()
	return s
}

func (v *View) newest() (State, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := State{Schema: v.schema, Version: v.version, Cursor: v.cursor}
	if v.result != nil && v.version > 0 {
		s.Rows = make([]Row, len(v.result.rows))
		for i, r := range v.result.rows {
			s.Rows[i] = r.row
		}
	}
	return s, v.err
}

// LoadOlder has the View hold more rows of a query with ORDER BY and LIMIT: those
// that stand behind the ones it has, which are kept current like them. It waits
// for the answer until ctx ends, and reports whether there are others. One
// goroutine at a time may call it.
func (v *View) LoadOlder(ctx context.Context, rows int) (more bool, err error) {
	select {
	case <-v.older: // of a call that did not wait for it
	default:
	}
	if err := v.sub.LoadOlder(rows); err != nil {
		return false, err
	}
	for {
		select {
		case e := <-v.older:
			return e.More, e.Err
		case <-v.ended:
			return false, v.Err()
		case <-ctx.Done():
			return false, fault.From(ctx.Err())
		}
	}
}

// SQL returns the query.
func (v *View) SQL() string { return v.sub.SQL() }

// Err returns why the query ended, and nil while it goes on.
func (v *View) Err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}

// Close ends the query. The last state can still be read.
func (v *View) Close() error {
	err := v.sub.Close()
	v.stop()
	v.wg.Wait()
	return err
}

// fail is the end of the follower.
func (v *View) fail(err error) {
	v.mu.Lock()
	v.err = err
	first := v.version == 0
	v.mu.Unlock()
	if first {
		close(v.ready)
	}
	close(v.ended)
	v.tell()
}

func (v *View) tell() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// publish makes a change of the result the newest state.
func (v *View) publish(schema *Schema, change func() error) error {
	v.mu.Lock()
	err := change()
	if err == nil {
		v.schema, v.cursor = schema, v.sub.Cursor()
		v.version++
	}
	first := v.version == 1 && err == nil
	v.mu.Unlock()
	if err != nil {
		return err
	}
	if first {
		close(v.ready)
	}
	v.tell()
	return nil
}

// follower reads the events of a View's subscription.
type follower struct {
	v        *View
	key      []string
	merged   bool
	loading  *rowset // the snapshot that is arriving
	grows    bool    // it is whole but for the rows behind its window
	commit   []Event // the commit that is arriving
	skip     bool    // what comes before the next Resync is of no use
	restarts int
}

func (f *follower) run(ctx context.Context) error {
	for {
		e, err := f.v.sub.Next(ctx)
		if err != nil {
			return err
		}
		err = f.take(e)
		if errors.Is(err, errInconsistent) {
			err = f.restart()
		}
		if err != nil {
			_ = f.v.sub.Close() // never fails
			return err
		}
	}
}

// restart asks for a new snapshot.
func (f *follower) restart() error {
	if f.restarts++; f.restarts > maxRestarts {
		return fault.New(fault.Internal, "the changes of the query do not fit its result")
	}
	f.skip = true
	f.v.sub.restart(reasonInconsistent)
	return nil
}

func (f *follower) take(e Event) error {
	switch e.Kind {
	case Resync:
		f.loading, f.grows, f.commit, f.skip = nil, false, nil, false
		return nil
	case Altered:
		f.commit = nil
		return nil
	}
	switch {
	case f.skip:
		return nil
	case e.Kind == Snapshot:
		return f.snapshot(e)
	case e.Kind == Older:
		return f.older(e)
	case f.grows: // the change is one of the window as it is
		if err := f.show(e.Schema); err != nil {
			return err
		}
	}
	f.commit = append(f.commit, e)
	if !e.Commit {
		return nil
	}
	commit := f.commit
	f.commit = nil
	return f.apply(commit)
}

func (f *follower) snapshot(e Event) error {
	if f.loading == nil {
		f.loading = &rowset{key: f.key, merged: f.merged}
	}
	if err := f.loading.load(e); err != nil || !e.Ready {
		return err
	}
	if f.grows = e.grows; f.grows {
		return nil
	}
	return f.show(e.Schema)
}

// show makes the snapshot that has arrived the result.
func (f *follower) show(schema *Schema) error {
	whole := f.loading
	f.loading, f.grows = nil, false
	return f.v.publish(schema, func() error {
		f.v.result = whole
		return nil
	})
}

// older puts rows behind those that are there.
func (f *follower) older(e Event) (err error) {
	switch {
	case e.Err != nil && f.grows:
		err = f.show(e.Schema)
	case f.grows:
		if err = f.loading.extendBy(e); err == nil {
			err = f.show(e.Schema)
		}
	case e.Err == nil:
		err = f.v.publish(e.Schema, func() error {
			if f.v.result == nil {
				return errInconsistent
			}
			return f.v.result.extendBy(e)
		})
	}
	if err == nil {
		select {
		case f.v.older <- e:
		default: // nobody waits
		}
	}
	return err
}

// apply applies a commit, or none of it.
func (f *follower) apply(commit []Event) error {
	v := f.v
	err := v.publish(commit[0].Schema, func() error {
		if v.result == nil {
			return errInconsistent
		}
		next := *v.result
		if len(commit) > 1 || max(len(commit[0].Rows), len(commit[0].Old)) > 1 {
			next.rows = slices.Clone(next.rows) // a change that fails changes nothing, several may
		}
		for _, e := range commit {
			if err := next.apply(e); err != nil {
				return err
			}
		}
		*v.result = next
		return nil
	})
	if err == nil {
		f.restarts = 0
	}
	return err
}
