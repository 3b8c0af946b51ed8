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

	mu    sync.Mutex
	feeds map[feedKey]*feed
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
	groups map[groupKey]*group
	job    *job // of the Publish that is collecting changes
}

type groupKey struct {
	text    string
	version ident.SchemaVersion
}

// group is the subscriptions of one distinct query: they share its events.
type group struct {
	feed  feedKey
	key   groupKey
	query *predicate.Query
	subs  []*Subscription
	live  int // of subs in state live
}

func newShard(id ident.ShardID) *shard {
	return &shard{id: id, feeds: make(map[feedKey]*feed)}
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
		f = &feed{groups: make(map[groupKey]*group, 1)}
		sh.feeds[fk] = f
	}
	gk := groupKey{q.Text, q.Table.Version}
	g := f.groups[gk]
	if g == nil {
		g = &group{feed: fk, key: gk, query: q}
		f.groups[gk] = g
	}
	s.group, s.slot = g, len(g.subs)
	g.subs = append(g.subs, s)
}

// removeLocked takes s out of its group, and the group away with its last one.
func (sh *shard) removeLocked(s *Subscription) {
	g := s.group
	if g == nil || s.slot < 0 {
		return
	}
	last := len(g.subs) - 1
	g.subs[s.slot] = g.subs[last]
	g.subs[s.slot].slot = s.slot
	g.subs[last] = nil
	g.subs = g.subs[:last]
	s.slot = -1
	if last > 0 {
		return
	}
	f := sh.feeds[g.feed]
	delete(f.groups, g.key)
	if len(f.groups) == 0 {
		delete(sh.feeds, g.feed)
	}
}

// liveGroups returns the groups that have somebody to tell.
func (f *feed) liveGroups() []*group {
	var out []*group
	for _, g := range f.groups {
		if g.live > 0 {
			out = append(out, g)
		}
	}
	return out
}
