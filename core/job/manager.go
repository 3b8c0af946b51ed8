package job

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thejerf/suture/v4"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Options configure a Manager. Zero fields mean the defaults.
type Options struct {
	Running  int // jobs that run at once; 2
	Queue    int // jobs that wait, those that are tried again included; 1000
	Attempts int // how often one is tried; 10

	// Backoff is the wait behind the first attempt, which doubles up to
	// MaxBackoff; 1 second and 5 minutes.
	Backoff, MaxBackoff time.Duration
	// ProgressInterval is the least time between two rows about progress alone;
	// 2 seconds.
	ProgressInterval time.Duration
	// Retention is how long ended jobs are kept; 7 days. At most MaxKept of them
	// are; 10,000.
	Retention time.Duration
	MaxKept   int

	// Resting opens the Manager at rest, where the jobs are another node's until
	// TakeUp.
	Resting bool

	NewID  func() ident.JobID // ids sort by time; required
	Now    func() time.Time   // nil means time.Now
	Logger *slog.Logger       // nil discards
}

func (o Options) withDefaults() Options {
	number := func(n *int, def int) {
		if *n == 0 {
			*n = def
		}
	}
	span := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	number(&o.Running, 2)
	number(&o.Queue, 1000)
	number(&o.Attempts, 10)
	number(&o.MaxKept, 10_000)
	span(&o.Backoff, time.Second)
	span(&o.MaxBackoff, 5*time.Minute)
	span(&o.ProgressInterval, 2*time.Second)
	span(&o.Retention, 7*24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store keeps records. Writers of one id don't overlap.
type Store interface {
	// Put stores a record under its id, in place of what is there.
	Put(ctx context.Context, r Record) error
	// Get returns a record, and whether there is one.
	Get(id ident.JobID) (Record, bool, error)
	// Each calls f with the records in the order of their ids, until f returns
	// an error.
	Each(f func(Record) error) error
	// Delete removes records; those that are missing don't matter.
	Delete(ctx context.Context, ids []ident.JobID) error
}

// Manager owns the jobs of a process. It is safe for concurrent use.
//
// It owns the supervisor's goroutine, one for each job, and the one that forgets
// old jobs; Close waits for all of them.
type Manager struct {
	opts  Options
	store Store
	kinds map[string]Kind

	shift      // the present one; changed with mu held
	services   []*service
	closeOnce  sync.Once
	cut        []Record // what Close returned
	closeErr   error
	forgetting sync.WaitGroup // the loop that forgets old jobs

	retries atomic.Int64
	counts  sync.Map // of State to *atomic.Int64: jobs that ended so

	mu      sync.Mutex
	begun   bool // turns are given
	closing bool
	resting bool                   // another node has the jobs
	ended   bool                   // Close was called: there is no other shift
	actors  map[ident.JobID]*actor // jobs that have not ended
	queue   []*actor               // those that wait for their turn, in order
	owners  map[key]*actor
	running int
	idle    chan struct{}          // closed when running comes to 0; nil when nobody waits
	unsaved map[ident.JobID]Record // ends that could not be stored yet
}

// Open returns a Manager that takes up the jobs of store which had not ended.
// None runs before Begin.
func Open(ctx context.Context, store Store, kinds []Kind, opts Options) (*Manager, error) {
	m := &Manager{
		opts: opts.withDefaults(), store: store, kinds: make(map[string]Kind),
		actors: make(map[ident.JobID]*actor), owners: make(map[key]*actor),
		unsaved: make(map[ident.JobID]Record), closing: opts.Resting, resting: opts.Resting,
	}
	for _, k := range kinds {
		m.kinds[k.Name] = k
	}
	if opts.Resting {
		return m, nil
	}
	m.shift = m.newShift(ctx)
	if err := m.work(ctx); err != nil {
		_, closing := m.Close(m.life)
		return nil, errors.Join(err, closing)
	}
	return m, nil
}

// stopTimeout bounds the wait for jobs that were cut.
const stopTimeout = 10 * time.Second

// event logs what the supervisor tells: an actor that panicked, or does not end.
func (m *Manager) event(e suture.Event) {
	m.opts.Logger.Error("the supervisor of jobs", "event", e.String())
}

// Begin gives the first turns: until then jobs wait.
func (m *Manager) Begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun = true
	m.dispatchLocked()
}

// Offers reports whether jobs of a kind can be started.
func (m *Manager) Offers(kind string) bool {
	_, ok := m.kinds[kind]
	return ok
}

// Start makes a job and returns it once it is stored. A job that waits and does
// what is asked for is returned in its place.
func (m *Manager) Start(ctx context.Context, r Request) (Record, error) {
	kind, ok := m.kinds[r.Kind]
	if !ok {
		return Record{}, fault.New(fault.Unsupported, "there are no jobs of kind %s", r.Kind)
	}
	a := newActor(m, kind, Record{
		ID: m.opts.NewID(), Request: r, State: New, Created: m.opts.Now().UTC(),
	})
	if other, err := m.admit(a); err != nil || other != nil {
		if err != nil {
			return Record{}, err
		}
		return other.record(), nil
	}
	a.mu.Lock()
	a.rec.State = Queued
	rec := a.rec
	a.mu.Unlock()
	if err := m.store.Put(ctx, rec); err != nil {
		m.leave(a)
		m.forgetActor(a)
		return Record{}, err
	}
	m.mu.Lock()
	a.stored = true
	m.mu.Unlock()
	m.now().supervisor.Add(a)
	return rec, nil
}

func newActor(m *Manager, kind Kind, r Record) *actor {
	group := kind.Group
	if group == "" {
		group = kind.Name
	}
	return &actor{
		m: m, kind: kind, key: key{group, r.TableID}, rec: r,
		mail: make(chan kill, 1), granted: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// admit puts a new job into the queue, or returns one that does the same.
func (m *Manager) admit(a *actor) (*actor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.resting {
		return nil, fault.New(fault.NotLeader, "another node runs the jobs; start it there")
	}
	if m.closing {
		return nil, fault.New(fault.ShuttingDown, "the server is stopping; start the job later")
	}
	for _, other := range m.actors {
		if other.stored && !other.holding && other.rec.Request.does(&a.rec.Request) {
			return other, nil
		}
	}
	if waiting := len(m.actors) - m.running; waiting >= m.opts.Queue {
		return nil, fault.New(fault.RateLimitExceeded,
			"%d jobs are waiting, the most there may be; try again later", waiting)
	}
	m.actors[a.rec.ID] = a
	m.enqueueLocked(a)
	return nil, nil
}

// Active returns a job of a kind that works on a table or waits to, and whether
// there is one.
func (m *Manager) Active(kind string, table ident.TableID) (Record, bool) {
	m.mu.Lock()
	var found *actor
	for _, a := range m.actors {
		if a.rec.Kind == kind && a.rec.TableID == table {
			found = a
			break
		}
	}
	m.mu.Unlock()
	if found == nil {
		return Record{}, false
	}
	return found.record(), true
}

// Working reports whether a job of one of some kinds runs on a table.
func (m *Manager) Working(table ident.TableID, kinds ...string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.actors {
		if a.holding && a.rec.TableID == table && slices.Contains(kinds, a.rec.Kind) {
			return true
		}
	}
	return false
}

// KillOf asks the jobs of some kinds on a table to end, and says why.
func (m *Manager) KillOf(table ident.TableID, reason string, kinds ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.actors {
		if a.rec.TableID == table && slices.Contains(kinds, a.rec.Kind) {
			a.kill(reason) // does not block
		}
	}
}

// Supervise has the supervisor of jobs run serve until Close, and again after it
// failed or panicked.
func (m *Manager) Supervise(name string, serve func(context.Context) error) {
	s := &service{name, serve}
	m.mu.Lock()
	m.services = append(m.services, s)
	supervisor := m.supervisor
	m.mu.Unlock()
	if supervisor != nil {
		supervisor.Add(s)
	}
}

// service is an actor that is no job.
type service struct {
	name  string
	serve func(context.Context) error
}

// Serve implements suture.Service.
func (s *service) Serve(ctx context.Context) error { return s.serve(ctx) }

// String returns the name by which the supervisor calls it.
func (s *service) String() string { return s.name }

// Kill asks a job to end and returns it as it is then. by is who asks. It does
// not wait for the end.
func (m *Manager) Kill(id ident.JobID, by ident.UserID) (Record, error) {
	m.mu.Lock()
	a := m.actors[id]
	m.mu.Unlock()
	if a != nil {
		a.kill("killed by " + string(by))
		return a.record(), nil
	}
	r, err := m.Get(id)
	if err == nil {
		err = fault.New(fault.InvalidParameter, "job %s has ended: it is %s", id, r.State)
	}
	return r, err
}

// Get returns a job as it is now; NOT_FOUND when there is none.
func (m *Manager) Get(id ident.JobID) (Record, error) {
	m.mu.Lock()
	a := m.actors[id]
	r, ok := m.unsaved[id]
	m.mu.Unlock()
	switch {
	case a != nil:
		return a.record(), nil
	case ok:
		return r, nil
	}
	r, ok, err := m.store.Get(id)
	if err == nil && !ok {
		err = NotFound(id)
	}
	return r, err
}

// NotFound is the error about a job that is not there, or not for the caller.
func NotFound(id ident.JobID) error {
	return fault.New(fault.NotFound, "job %q does not exist; SHOW JOBS lists those that do", id)
}

// Wait returns a job when it has ended, or the error of ctx.
func (m *Manager) Wait(ctx context.Context, id ident.JobID) (Record, error) {
	m.mu.Lock()
	a, left := m.actors[id], m.left
	m.mu.Unlock()
	if a != nil {
		select {
		case <-a.ended:
		case <-left:
			return a.record(), fault.New(fault.ShuttingDown,
				"the server is stopping; wait for job %s when it is back", id)
		case <-ctx.Done():
			return a.record(), fault.From(ctx.Err())
		}
	}
	return m.Get(id)
}

// List returns all jobs that are kept, in the order of their ids.
func (m *Manager) List() ([]Record, error) {
	m.mu.Lock()
	now := make(map[ident.JobID]*actor, len(m.actors))
	for id, a := range m.actors {
		now[id] = a
	}
	unsaved := make(map[ident.JobID]Record, len(m.unsaved))
	for id, r := range m.unsaved {
		unsaved[id] = r
	}
	m.mu.Unlock()
	var all []Record
	err := m.store.Each(func(r Record) error {
		if a := now[r.ID]; a != nil {
			r = a.record()
		} else if end, ok := unsaved[r.ID]; ok {
			r = end
		}
		all = append(all, r)
		return nil
	})
	return all, err
}

// Figures are counts of jobs since the start.
type Figures struct {
	Queued, Running, Retries              int64
	Completed, Failed, Cancelled, Skipped int64
}

// Figures returns the present counts. Queued are those that wait for a turn or
// for another attempt.
func (m *Manager) Figures() Figures {
	m.mu.Lock()
	running, all := m.running, len(m.actors)
	m.mu.Unlock()
	return Figures{
		Queued: int64(all - running), Running: int64(running), Retries: m.retries.Load(),
		Completed: m.count(Completed).Load(), Failed: m.count(Failed).Load(),
		Cancelled: m.count(Cancelled).Load(), Skipped: m.count(Skipped).Load(),
	}
}

func (m *Manager) count(s State) *atomic.Int64 {
	n, _ := m.counts.LoadOrStore(s, new(atomic.Int64))
	return n.(*atomic.Int64)
}
