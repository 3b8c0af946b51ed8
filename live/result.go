package live

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// A change of a row is a change of a row query's result, and is told as it
// comes. In all other queries it may change what is shown of other rows, so
// what the subscriber has must be known: their results are kept.
//
// A result is shared by the subscriptions of one query and user. Its versions
// are immutable, and each subscription holds the one that it was told. When a
// change touches a table that the query follows, Publish only notes that and
// wakes the subscriptions. The first that is polled brings the result to the
// present view, the others find it there, and each is told the difference
// between the version it has and the present one. That difference is made and
// encoded once for all who had the version before. So a slow subscriber costs
// a version, never a queue, and what came and went in between is not told:
// results are conflating by nature, whatever the policy.

// version is a result at one moment. It is immutable.
type version struct {
	seq     clock.Seq
	entries []*entry
	more    bool      // rows stand behind the last entry of a window
	oldest  clock.Seq // the least of entries, of what expires
}

// entry is a row of a result. It is immutable, and shared by versions.
type entry struct {
	id   string        // tells it from the others of its version
	sort string        // of a window: what it is ordered by
	row  []value.Value // projected
	key  []value.Value // of differ.key
	seq  clock.Seq     // of the stored row; 0 when it is not one
	text value.Value   // that its last change appended to; NULL for none
}

func (e *entry) same(o *entry) bool { return e == o || e.id == o.id && equal(e.row, o.row) }

// all is a size without a bound.
const all = math.MaxInt

// shown returns the entries that a subscription of size rows is shown.
func (v *version) shown(skip, size int) []*entry {
	from := min(skip, len(v.entries))
	return v.entries[from : from+min(size, len(v.entries)-from)]
}

// keeper is how the result of one kind of query is kept up to date. It is used
// by one goroutine at a time.
type keeper interface {
	// keep returns the entries of the result in g's view, up to most of them,
	// and whether there are others behind. since is the seq of the view of the
	// call before; 0 for none, and after a call that failed. The slice is not
	// changed afterwards.
	keep(ctx context.Context, g *glance, since clock.Seq, most int) (
		entries []*entry, more bool, err error)
}

// result is the kept result of one query for one user.
type result struct {
	hub   *Hub
	shard *shard
	group *group
	query *predicate.Query
	user  ident.UserID
	diff  differ
	skip  int // entries before those that are shown
	size  int // entries that are shown to those who did not ask for more

	// turn is held by who brings the result up to date, and guards these.
	turn   chan struct{}
	keeper keeper
	since  clock.Seq // of the keeper
	most   int       // entries that were asked for
	prev   *version
	cur    *version
	made   time.Time // when cur was found to be the result at pos
	step   []*Event  // from prev to cur, nil until somebody asks

	// Guarded by shard.mu.
	pos     clock.Seq // cur is the result at it; 0 for no cur
	touched clock.Seq // of the last commit that changed a followed table
	aged    bool      // something may have expired
	looked  time.Time // before it was brought to pos
	oldest  clock.Seq // of cur
	resting bool      // it was run a moment ago
	rest    *time.Timer
}

func newResult(h *Hub, sh *shard, g *group) *result {
	r := &result{hub: h, shard: sh, group: g, query: g.query, user: g.key.feed.user, size: all,
		turn: make(chan struct{}, 1), diff: newDiffer(g.query)}
	if w := g.query.Window; w != nil {
		r.skip, r.size = w.Offset, w.Limit
	}
	r.most = r.bound(r.size)
	r.keeper = r.newKeeper()
	return r
}

func (r *result) newKeeper() keeper {
	switch r.query.Kind() {
	case predicate.WindowRows:
		return &window{}
	case predicate.Aggregates:
		return &groups{}
	}
	return &rerun{}
}

// bound returns the entries that are needed to show size of them.
func (r *result) bound(size int) int {
	if size == all {
		return all
	}
	return r.skip + size
}

// answer is what a subscription is given of a result.
type answer struct {
	version *version
	pos     clock.Seq // version is the result at it
	events  []*Event  // from what the subscription had to version
	made    time.Time // when the result was brought to pos
}

// next brings the result up to date and tells the difference to what a
// subscription of size rows has, nil for nothing. most is how many rows it
// wants to be kept from now on.
func (r *result) next(ctx context.Context, told *version, size, most int) (answer, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	defer func() { <-r.turn }()
	larger := r.bound(most) > r.most
	if larger {
		r.most = r.bound(most)
	}
	if larger || !r.rests() {
		if err := r.refresh(ctx); err != nil {
			return answer{}, err
		}
	}
	a := answer{version: r.cur, made: r.made}
	r.shard.mu.Lock()
	a.pos = r.pos
	r.shard.mu.Unlock()
	var err error
	a.events, err = r.changes(ctx, told, size)
	return a, err
}

// rests reports whether the present version is to be told as it is: nothing
// has happened since, or it is too early to look again.
func (r *result) rests() bool {
	r.shard.mu.Lock()
	defer r.shard.mu.Unlock()
	return r.cur != nil && (r.resting || !r.aged && r.touched <= r.pos)
}

// refresh makes the version of the present view.
func (r *result) refresh(ctx context.Context) error {
	select {
	case r.hub.computing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.hub.computing }()
	r.shard.mu.Lock()
	r.aged = false
	r.shard.mu.Unlock()
	looked := r.hub.opts.Now()
	g, err := r.open()
	if err != nil {
		return err
	}
	defer g.view.Release()
	entries, more, err := r.keeper.keep(ctx, g, r.since, r.most)
	if err != nil {
		r.keeper, r.since = r.newKeeper(), 0
		return err
	}
	r.since, r.made = g.applied, r.hub.opts.Now()
	r.become(g.applied, looked, entries, more)
	return nil
}

func (r *result) become(seq clock.Seq, looked time.Time, entries []*entry, more bool) {
	if r.cur == nil || r.cur.more != more || !slices.EqualFunc(r.cur.entries, entries, (*entry).same) {
		r.prev, r.step = r.cur, nil
		r.cur = &version{seq: seq, entries: entries, more: more, oldest: clock.MaxSeq}
		for _, e := range entries {
			r.cur.oldest = min(r.cur.oldest, e.seq)
		}
	}
	r.shard.mu.Lock()
	defer r.shard.mu.Unlock()
	r.pos, r.looked, r.oldest = seq, looked, r.cur.oldest
	if r.query.Rerun != nil && r.hub.opts.RerunInterval > 0 && len(r.group.subs) > 0 {
		r.resting = true
		r.rest = time.AfterFunc(r.hub.opts.RerunInterval, r.wakeUp)
	}
}

// wakeUp ends the rest after a run. What happened meanwhile is told now.
func (r *result) wakeUp() {
	if !r.hub.enter() {
		return
	}
	defer r.hub.reads.Done()
	r.shard.mu.Lock()
	r.resting = false
	var wake []*Subscription
	if r.touched > r.pos || r.aged {
		wake = r.stirLocked(nil)
	}
	r.shard.mu.Unlock()
	for _, s := range wake {
		s.notify()
	}
}

// stirLocked marks the subscriptions that follow as behind, and appends those
// that were not.
func (r *result) stirLocked(wake []*Subscription) []*Subscription {
	for _, s := range r.group.subs {
		if s.state == following && !s.kept.behind {
			s.kept.behind = true
			wake = append(wake, s)
		}
	}
	return wake
}

// changes returns the events from told to the present version.
func (r *result) changes(ctx context.Context, told *version, size int) ([]*Event, error) {
	switch {
	case told == nil || told == r.cur:
		return nil, nil
	case told == r.prev && size == r.size && r.step != nil:
		return r.step, nil
	}
	moves := r.diff.moves(told.shown(r.skip, size), r.cur.shown(r.skip, size))
	events := make([]*Event, 0, len(moves))
	if len(moves) == 0 {
		return events, nil
	}
	why := func(*move) (MatchReason, error) { return "", nil }
	if r.query.Window != nil {
		g, err := r.open()
		if err != nil {
			return nil, err
		}
		defer g.view.Release()
		why = func(m *move) (MatchReason, error) { return g.why(ctx, m, told.seq) }
	}
	for i := range moves {
		reason, err := why(&moves[i])
		if err != nil {
			return nil, err
		}
		events = append(events, r.diff.event(&moves[i], r.cur.seq, reason))
	}
	events[len(events)-1].Commit = true
	if told == r.prev && size == r.size {
		r.step = events
	}
	return events, nil
}

// glance is one look at the store on behalf of a result. It holds a view.
type glance struct {
	hub     *Hub
	query   *predicate.Query
	user    ident.UserID
	rows    table.Table // of query.Table
	view    *store.View
	applied clock.Seq // what the view holds of the shard
	expired clock.Seq // rows of query.Table with a lower seq have expired
}

func (r *result) open() (*glance, error) {
	source, t := r.hub.opts.Source, r.query.Table
	part, ok := source.Partition(t, r.shard.id)
	if !ok {
		return nil, errGone
	}
	g := &glance{hub: r.hub, query: r.query, user: r.user,
		rows: table.Table{Part: part, Cold: r.hub.opts.Cold}}
	g.view, g.applied = source.View(r.shard.id)
	g.expired = clock.ExpiredBelow(r.hub.opts.Now(), t.TTL)
	return g, nil
}

// why tells whether a row that came into a window was there before, and whether
// one that left it is there still. What history no longer tells counts as new.
func (g *glance) why(ctx context.Context, m *move, before clock.Seq) (MatchReason, error) {
	switch {
	case m.now == nil:
		rec, found, err := g.rows.Get(ctx, g.view, g.user, []byte(m.old.id))
		if err != nil || !found || rec.Deleted || rec.Seq < g.expired {
			return "", err
		}
		return Leave, nil
	case m.old != nil:
		return "", nil
	case m.now.seq <= before:
		return Enter, nil
	}
	floor, err := g.rows.Trimmed(g.view)
	if err != nil || before < floor {
		return "", err
	}
	pk := []byte(m.now.id)
	rec, found, err := g.rows.Get(ctx, g.view, g.user, pk)
	if err != nil || !found {
		return "", err
	}
	rec, found, err = g.rows.AsOf(g.view, g.user, pk, rec, before)
	if err != nil || !found || rec.Deleted {
		return "", err
	}
	return Enter, nil
}

// covers reports whether history has every change after seq.
func (g *glance) covers(seq clock.Seq) (bool, error) {
	floor, err := g.rows.Trimmed(g.view)
	return err == nil && seq >= floor, err
}
