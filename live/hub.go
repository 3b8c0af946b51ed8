package live

import (
	"runtime"
	"sort"
	"strconv"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Hub fans committed changes out to subscriptions. It is safe for concurrent
// use and runs no goroutines: commits push, subscribers pull.
type Hub struct {
	opts  Options
	total *Budget        // of the events that wait for anybody
	reads sync.WaitGroup // Polls that hold a view

	// computing has room for those who may compute a result at a time.
	computing chan struct{}

	mu struct {
		sync.RWMutex
		closed bool
		lastID uint64
		subs   map[ident.LiveID]*Subscription
		owners map[ident.UserID]int // subscriptions of each
		shards map[ident.ShardID]*shard
	}
}

// New returns a Hub over opts.Source.
func New(opts Options) *Hub {
	h := &Hub{opts: opts.withDefaults()}
	h.total = h.opts.Total
	h.computing = make(chan struct{}, runtime.GOMAXPROCS(0))
	h.mu.subs = make(map[ident.LiveID]*Subscription)
	h.mu.owners = make(map[ident.UserID]int)
	h.mu.shards = make(map[ident.ShardID]*shard)
	return h
}

// Close ends all subscriptions with ShuttingDown and returns once no Poll
// reads the store any more. Later calls of Subscribe are refused.
func (h *Hub) Close() {
	h.mu.Lock()
	h.mu.closed = true
	h.mu.Unlock()
	h.end(func(*Subscription) bool { return true }, ShuttingDown)
	h.reads.Wait()
}

// Total is the budget of what waits for all subscribers.
func (h *Hub) Total() *Budget { return h.total }

// enter counts a reader that Close waits for, unless the hub is closed.
func (h *Hub) enter() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.mu.closed {
		return false
	}
	h.reads.Add(1)
	return true
}

// Subscribe registers a subscription. It does no I/O and delivers nothing: the
// caller Polls for the Ack, the snapshot and the changes. Every change that is
// committed after it returns is told, by the snapshot or as a change.
//
// It fails with SUBSCRIPTION_LIMIT, ALREADY_EXISTS for an id in use,
// INVALID_PARAMETER for options out of range, LIVE_SHARED_TABLE and
// SHUTTING_DOWN.
func (h *Hub) Subscribe(spec Spec) (*Subscription, error) {
	if err := h.checkSpec(&spec); err != nil {
		return nil, err
	}
	s := newSubscription(h, spec)
	sh := h.opts.Source.Shard(spec.Query.Table, spec.User)
	if err := h.register(s, sh); err != nil {
		return nil, err
	}
	s.shard.add(s, spec.Query, spec.User)
	return s, nil
}

func (h *Hub) register(s *Subscription, id ident.ShardID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.id == "" {
		h.mu.lastID++
		s.id = ident.LiveID("live-" + strconv.FormatUint(h.mu.lastID, 10))
	}
	switch {
	case h.mu.closed:
		return fault.New(fault.ShuttingDown, "the server is shutting down; connect again later")
	case h.mu.subs[s.id] != nil:
		return fault.New(fault.AlreadyExists, "live query %q exists; choose another id", s.id)
	case h.mu.owners[s.owner] >= h.opts.MaxPerUser:
		return fault.New(fault.SubscriptionLimit,
			"%d live queries are open, the most for one user; end some first", h.opts.MaxPerUser)
	case len(h.mu.subs) >= h.opts.MaxTotal:
		return fault.New(fault.SubscriptionLimit,
			"the server has %d live queries, the most it takes; try again later", h.opts.MaxTotal)
	}
	if h.mu.shards[id] == nil {
		h.mu.shards[id] = newShard(id)
	}
	s.shard = h.mu.shards[id]
	h.mu.subs[s.id] = s
	h.mu.owners[s.owner]++
	return nil
}

// forget takes an ended subscription out of listings and limits.
func (h *Hub) forget(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.subs[s.id] != s {
		return
	}
	delete(h.mu.subs, s.id)
	if h.mu.owners[s.owner]--; h.mu.owners[s.owner] == 0 {
		delete(h.mu.owners, s.owner)
	}
}

func (h *Hub) shard(id ident.ShardID) *shard {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.mu.shards[id]
}

// Len returns the number of subscriptions.
func (h *Hub) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.mu.subs)
}

// List returns all subscriptions, in the order of their ids.
func (h *Hub) List() []Info {
	subs := h.all()
	infos := make([]Info, len(subs))
	for i, s := range subs {
		infos[i] = s.Info()
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].ID < infos[j].ID })
	return infos
}

func (h *Hub) all() []*Subscription {
	h.mu.RLock()
	defer h.mu.RUnlock()
	subs := make([]*Subscription, 0, len(h.mu.subs))
	for _, s := range h.mu.subs {
		subs = append(subs, s)
	}
	return subs
}

// Get returns a subscription by its id.
func (h *Hub) Get(id ident.LiveID) (*Subscription, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	s, ok := h.mu.subs[id]
	return s, ok
}

// Kill ends a subscription, and fails with NOT_FOUND when there is none. The
// caller has checked that it may.
func (h *Hub) Kill(id ident.LiveID) error {
	s, ok := h.Get(id)
	if !ok {
		return fault.New(fault.NotFound, "live query %q does not exist", id)
	}
	s.Close(Killed)
	return nil
}

// EndTable ends all subscriptions to a table and returns their number. It is
// called once the table can no longer be found.
func (h *Hub) EndTable(t ident.TableID, why EndReason) int {
	return h.end(func(s *Subscription) bool { return s.follows(t) }, why)
}

// EndChanged ends the subscriptions that follow a table of which now returns a reason,
// and returns their number.
func (h *Hub) EndChanged(now func(*ddl.Table) EndReason) int {
	n := 0
	for _, s := range h.all() {
		for _, t := range s.tables() {
			if why := now(t); why != "" {
				s.Close(why)
				n++
				break
			}
		}
	}
	return n
}

// EndUser ends all subscriptions that a user asked for, and those to rows of
// the user that others asked for who may not, and returns their number.
func (h *Hub) EndUser(u ident.UserID, why EndReason, may func(other ident.UserID) bool) int {
	return h.end(func(s *Subscription) bool {
		return s.owner == u || s.user == u && !may(s.owner)
	}, why)
}

func (h *Hub) end(match func(*Subscription) bool, why EndReason) int {
	n := 0
	for _, s := range h.all() {
		if match(s) {
			s.Close(why)
			n++
		}
	}
	return n
}
