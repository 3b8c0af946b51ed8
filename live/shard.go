package live

import (
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// shard indexes the subscriptions to rows of one shard by table and user, and
// guards all of their state that committers touch. Work under mu is a few
// pointers per subscription: no decoding, I/O or callbacks.
type shard struct {
	id ident.ShardID

	mu     sync.Mutex
	feeds  map[feedKey]*feed
	groups map[groupKey]*group // of all feeds: most have one
	// watched are the kept results by the feeds that they follow.
	watched map[feedKey][]*result
	// expiring are those of them that rows can expire from.
	expiring map[*result]struct{}
	// published is the newest applied seq that Publish was told of: whoever
	// reads a view at or above it has missed nothing so far.
	published clock.Seq
	// told is the seq up to which events are in the queues of subscriptions
	// that are live.
	told clock.Seq
}

type feedKey struct {
	table ident.TableID
	user  ident.UserID
}

// feed is what happens to one user's rows of one table.
type feed struct {
	groups  int                      // how many there are
	scanned []*group                 // those that look at every change
	byValue map[indexKey]*valueIndex // the others
	job     *job                     // of the Publish that is collecting changes
}

type groupKey struct {
	feed    feedKey
	text    string
	version ident.SchemaVersion
}

// group is the subscriptions of one distinct query: they share its events.
type group struct {
	key     groupKey
	at      int // in feed.scanned, of one that is there
	query   *predicate.Query
	subs    []*Subscription // those in state live first
	live    int             // of subs in state live
	backlog backlog
	kept    *result // nil for a query of rows
}

// enter makes s one that Publish tells.
func (g *group) enter(s *Subscription) {
	s.state, s.at = live, g.backlog.enter()
	g.swap(s.slot, g.live)
	g.live++
}

// leave lets go what waits for s, which is live and gets another state.
func (g *group) leave(s *Subscription) {
	s.budget.Add(int(s.at.bytes - g.backlog.tail.bytes))
	g.backlog.move(s.at, nil)
	s.at = nil
	g.live--
	g.swap(s.slot, g.live)
}

func (g *group) swap(i, j int) {
	g.subs[i], g.subs[j] = g.subs[j], g.subs[i]
	g.subs[i].slot, g.subs[j].slot = i, j
}

func newShard(id ident.ShardID) *shard {
	return &shard{
		id: id, feeds: make(map[feedKey]*feed), groups: make(map[groupKey]*group),
		watched: make(map[feedKey][]*result), expiring: make(map[*result]struct{}),
	}
}

// add puts s into the group of its query, unless s has ended meanwhile.
func (sh *shard) add(s *Subscription, q *predicate.Query, u ident.UserID) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s.state == ended {
		return
	}
	fk := feedKey{q.Table.ID, u}
	f := sh.feeds[fk]
	if f == nil {
		f = &feed{}
		sh.feeds[fk] = f
	}
	gk := groupKey{fk, q.Text, q.Table.Version}
	g := sh.groups[gk]
	if g == nil {
		g = &group{key: gk, query: q, backlog: newBacklog(s.hub.total)}
		sh.groups[gk] = g
		f.add(g)
		sh.watch(s.hub, g)
	}
	if s.kept != nil {
		s.kept.result, s.kept.size = g.kept, g.kept.size
	}
	s.group, s.slot = g, len(g.subs)
	g.subs = append(g.subs, s)
}

// removeLocked takes s, which has ended, out of its group, and the group away
// with its last one.
func (sh *shard) removeLocked(s *Subscription) {
	g := s.group
	if g == nil || s.slot < 0 {
		return
	}
	last := len(g.subs) - 1
	g.swap(s.slot, last)
	g.subs[last] = nil
	g.subs = g.subs[:last]
	s.slot = -1
	if last > 0 {
		return
	}
	f := sh.feeds[g.key.feed]
	f.remove(g)
	delete(sh.groups, g.key)
	sh.unwatch(g)
	if f.groups == 0 {
		delete(sh.feeds, g.key.feed)
	}
}

// liveGroups returns the groups that look at every change and have somebody to
// tell.
func (f *feed) liveGroups() []*group {
	var out []*group
	for _, g := range f.scanned {
		if g.live > 0 {
			out = append(out, g)
		}
	}
	return out
}
