package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// run is one verification.
type run struct {
	o         Options
	namespace string
	table     string
	tally     tally

	users       []*user
	subscribers []*subscriber
	viewers     []*viewer
	clients     []*client.Client // of all of them, with
	networks    []*network       // their connections

	statements, changes, kills, restarts atomic.Int64
	took                                 time.Duration // of the writing
}

// Run verifies, and reports. An error means that it could not be done; faults
// are in the Report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	r := &run{o: opts, namespace: fmt.Sprintf("verify_%x", rand.Uint32())}
	r.table = r.namespace + ".rows"
	if _, err := opts.Client.Exec(ctx, "CREATE NAMESPACE "+r.namespace); err != nil {
		return nil, err
	}
	err := r.prepare(ctx)
	if err == nil {
		err = r.work(ctx)
	}
	if err == nil {
		err = r.compare(ctx)
	}
	return r.report(), errors.Join(err, r.release(ctx))
}

// prepare makes the table, the users and who follows them.
func (r *run) prepare(ctx context.Context) error {
	if _, err := r.o.Client.Exec(ctx, "CREATE USER TABLE "+r.table+createTable); err != nil {
		return err
	}
	for i := range r.o.Users {
		u := &user{name: fmt.Sprintf("verify-%d", i), ledger: newLedger(), network: newNetwork()}
		u.script = &script{table: r.table, owner: u.name, rows: map[int64]*record{},
			rnd: rand.New(rand.NewPCG(r.o.Seed, uint64(i)))}
		var err error
		if u.client, err = r.client(u.name, u.network); err != nil {
			return err
		}
		r.users = append(r.users, u)
	}
	for i := range r.o.Subscribers {
		u := r.users[i%len(r.users)]
		s := &subscriber{name: fmt.Sprintf("socket %d of %s", i, u.name), table: r.table,
			network: newNetwork(), log: r.o.Logger,
			rnd: rand.New(rand.NewPCG(r.o.Seed, uint64(1e6+i)))}
		var err error
		if s.client, err = r.client(u.name, s.network); err != nil {
			return err
		}
		for q := range queries {
			s.checkers = append(s.checkers, newChecker(s.name+", "+queries[q].name, u.name,
				&queries[q], u.ledger, &r.tally))
		}
		r.subscribers = append(r.subscribers, s)
	}
	return r.openViews(ctx)
}

// client returns a client that acts for a user over connections of its own.
func (r *run) client(name string, n *network) (*client.Client, error) {
	c, err := r.o.Client.Acting(name, func(o *client.Options) {
		o.HTTPClient = n.client
		o.MaxAttempts = 1 << 20 // the context is the limit
		o.MinBackoff, o.MaxBackoff = time.Millisecond, 200*time.Millisecond
	})
	if err == nil {
		r.clients, r.networks = append(r.clients, c), append(r.networks, n)
	}
	return c, err
}

// viewQuery returns the query of user i's View: two users after one another
// have the same.
func viewQuery(i int) *query { return &viewQueries[i/2%len(viewQueries)] }

// openViews opens a View for each user, with policy replay and conflate in
// turns.
func (r *run) openViews(ctx context.Context) error {
	for i, u := range r.users {
		c, err := r.client(u.name, newNetwork())
		if err != nil {
			return err
		}
		o := client.LiveOptions{}
		o.Policy = []wire.Policy{wire.Replay, wire.Conflate}[i%2]
		q := viewQuery(i)
		v, err := c.Live(ctx, q.sql(r.table), o)
		if err != nil {
			return err
		}
		r.viewers = append(r.viewers, newViewer(u, q, v, &r.tally))
	}
	return nil
}

// release ends what prepare began, and drops the namespace.
func (r *run) release(ctx context.Context) error {
	for _, w := range r.viewers {
		_ = w.view.Close() // never fails
	}
	for _, c := range r.clients {
		_ = c.Close() // never fails
	}
	for _, n := range r.networks {
		n.close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_, err := r.o.Client.Exec(ctx, "DROP NAMESPACE "+r.namespace+" CASCADE")
	return err
}

// work writes, follows and does harm, until all that was written was told.
func (r *run) work(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var followers, harm, writers sync.WaitGroup
	defer followers.Wait()
	defer cancel(nil)
	for _, s := range r.subscribers {
		followers.Go(func() {
			if err := s.run(ctx); err != nil {
				cancel(fmt.Errorf("%s: %w", s.name, err))
			}
		})
	}
	for _, w := range r.viewers {
		followers.Go(func() {
			if err := w.run(ctx); err != nil {
				cancel(fmt.Errorf("a View of %s: %w", w.user.name, err))
			}
		})
	}
	writing, stop := context.WithTimeout(ctx, r.o.Duration)
	defer stop()
	r.startHarm(writing, ctx, &harm, cancel)
	start := time.Now()
	for w := range r.o.Writers {
		writers.Go(func() {
			if err := r.write(writing, ctx, w); err != nil {
				cancel(err)
			}
		})
	}
	writers.Wait()
	r.took = time.Since(start)
	stop()
	harm.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for _, u := range r.users {
		if err := u.write(ctx, u.script.last(), &r.tally); err != nil {
			return err
		}
		u.ledger.finish()
	}
	return r.catchUp(ctx)
}

// write writes as writer w for its users, until the writing ends. A statement
// that was begun is finished.
func (r *run) write(writing, ctx context.Context, w int) error {
	rnd := rand.New(rand.NewPCG(r.o.Seed, uint64(2e6+w)))
	var mine []*user
	for i := w; i < len(r.users); i += r.o.Writers {
		mine = append(mine, r.users[i])
	}
	next := time.Now()
	for writing.Err() == nil && (r.o.Changes == 0 || r.changes.Load() < r.o.Changes) {
		if r.o.Rate > 0 {
			next = next.Add(time.Duration(float64(r.o.Writers) / r.o.Rate * float64(time.Second)))
			if !pause(writing, time.Until(next)) {
				return nil
			}
		}
		u := mine[rnd.IntN(len(mine))]
		st := u.script.next()
		if err := u.write(ctx, st, &r.tally); err != nil {
			return err
		}
		r.statements.Add(1)
		r.changes.Add(int64(len(st.changes)))
	}
	return nil
}

// pause is false when ctx ended first.
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

// startHarm breaks and stalls connections and restarts the server while the
// writing goes on.
func (r *run) startHarm(
	writing, ctx context.Context, wg *sync.WaitGroup, fail context.CancelCauseFunc,
) {
	if every := r.o.KillSockets; every > 0 {
		rnd := rand.New(rand.NewPCG(r.o.Seed, 3e6))
		nets := r.networks
		wg.Go(func() {
			for pause(writing, every) {
				for tries := 0; tries < len(nets); tries++ { // one that has connections
					if n := nets[rnd.IntN(len(nets))].cut(rnd); n > 0 {
						r.kills.Add(int64(n))
						break
					}
				}
			}
		})
	}
	for i := range r.o.Stall {
		rnd := rand.New(rand.NewPCG(r.o.Seed, uint64(4e6+i)))
		wg.Go(func() {
			for writing.Err() == nil {
				d := time.Second + time.Duration(rnd.Int64N(int64(3*time.Second)))
				r.subscribers[rnd.IntN(len(r.subscribers))].network.stall(d)
				pause(writing, d)
			}
		})
	}
	if r.o.Restart != nil {
		wg.Go(func() {
			for pause(writing, r.o.RestartEvery) {
				if err := r.o.Restart(ctx); err != nil {
					fail(fmt.Errorf("restart the server: %w", err))
					return
				}
				r.restarts.Add(1)
			}
		})
	}
}

// catchUp waits until every checker has judged the last commit, and judges
// what is missing then.
func (r *run) catchUp(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, r.o.CatchUp)
	defer cancel()
	for !r.caughtUp() && pause(limit, 5*time.Millisecond) {
	}
	return context.Cause(ctx)
}

func (r *run) caughtUp() bool {
	for _, s := range r.subscribers {
		for _, c := range s.checkers {
			if c.reached() < c.ledger.length() {
				return false
			}
		}
	}
	for _, w := range r.viewers {
		if w.view.State().Cursor < w.user.ledger.last() {
			return false
		}
	}
	return true
}

// compare judges what is left, and compares the tables with what was written.
func (r *run) compare(ctx context.Context) error {
	for _, s := range r.subscribers {
		for _, c := range s.checkers {
			c.finish()
		}
	}
	t := &r.tally
	for _, w := range r.viewers {
		w.judge()
		w.advance(clock.MaxSeq)
		last := w.view.State()
		w.compare(last)
	}
	for _, u := range r.users {
		for q := range queries {
			res, err := u.client.Query(ctx, queries[q].sql(r.table))
			if err != nil {
				return err
			}
			got := texts(res.Rows, queries[q].columns)
			want := queries[q].result(u.name, u.script.rows)
			if !slices.EqualFunc(got, want, slices.Equal) {
				n, first := difference(got, want)
				t.fault(&t.faults.WrongRows, int64(n), "the table of %s, query %s, differs in %d rows, as %s",
					u.name, queries[q].name, n, first)
			}
		}
	}
	return context.Cause(ctx)
}
