package live

import (
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// job is what one Publish has to tell one feed.
type job struct {
	changes []*Change
	groups  []*groupJob // all that are told
	scans   int         // the first of groups, which look at every change
	indexes []*valueIndex
	looked  []lookup
	touched [][]*groupJob // the other groups that each change may concern
}

// groupJob is what one Publish has to tell the subscriptions of one query.
type groupJob struct {
	group    *group
	composer composer
	events   []*Event
	err      error
}

// Publish tells subscribers of whole commits that are durable and in the
// published view; applied is the seq up to which that view holds the shard. It
// does no I/O and never waits for a subscriber. Nothing of changes is kept.
//
// Events are composed with no lock held; what a subscription becomes live in
// the meantime has read a view that holds these changes already.
//
// REQUIRES: changes are of one shard, in seq order; one call at a time for a
// shard, after those for earlier commits.
func (h *Hub) Publish(shard ident.ShardID, applied clock.Seq, changes []Change) {
	sh := h.shard(shard)
	if sh == nil {
		return
	}
	jobs := sh.begin(applied, changes)
	im := images{source: h.opts.Source}
	for _, j := range jobs {
		j.lookups(&im)
	}
	sh.find(jobs)
	for _, j := range jobs {
		j.compose(&im)
	}
	wake, over := sh.deliver(applied, jobs)
	wake = sh.stir(applied, changes, wake)
	for _, s := range over {
		h.forget(s)
	}
	for _, s := range wake {
		s.notify()
	}
}

// begin notes that there is something newer to read, and collects who is to be
// told what.
func (sh *shard) begin(applied clock.Seq, changes []Change) []*job {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.published = max(sh.published, applied)
	if len(sh.feeds) == 0 {
		return nil
	}
	var feeds []*feed
	var f *feed
	for i := range changes {
		c := &changes[i]
		if i == 0 || c.Table != changes[i-1].Table || c.User != changes[i-1].User {
			f = sh.feeds[feedKey{c.Table, c.User}]
		}
		if f == nil {
			continue
		}
		if f.job == nil {
			f.job = &job{}
			feeds = append(feeds, f)
		}
		f.job.changes = append(f.job.changes, c)
	}
	var jobs []*job
	for _, f := range feeds {
		for _, g := range f.liveGroups() {
			f.job.groups = append(f.job.groups,
				&groupJob{group: g, composer: composer{query: g.query}})
		}
		f.job.scans = len(f.job.groups)
		for _, x := range f.byValue {
			f.job.indexes = append(f.job.indexes, x)
		}
		if len(f.job.groups)+len(f.job.indexes) > 0 {
			jobs = append(jobs, f.job)
		}
		f.job = nil
	}
	return jobs
}

// find looks up whom the changes concern. Who becomes live from here on has
// read a view that holds them.
func (sh *shard) find(jobs []*job) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, j := range jobs {
		j.findLocked()
	}
}

// compose builds each group's events. A change is decoded once for all groups
// of one schema version.
func (j *job) compose(im *images) {
	scans := j.groups[:j.scans]
	var open []*groupJob // of the present commit
	for i, c := range j.changes {
		im.set(c.Seq, c.Old, c.New)
		for _, g := range scans {
			g.add(im, c.Last)
		}
		if j.touched != nil {
			for _, g := range j.touched[i] {
				g.add(im, false)
			}
			open = append(open, j.touched[i]...)
		}
		if c.Last {
			for _, g := range open {
				g.flush()
			}
			open = open[:0]
		}
	}
	for _, g := range j.groups {
		g.flush()
	}
}

func (g *groupJob) add(im *images, last bool) {
	if g.err == nil {
		g.events, g.err = g.composer.add(g.events, im, last)
	}
}

func (g *groupJob) flush() {
	if g.err == nil {
		g.events = g.composer.flush(g.events)
	}
}

// deliver appends the events to the backlogs of their groups, and returns whom
// to wake and who ended.
func (sh *shard) deliver(applied clock.Seq, jobs []*job) (wake, over []*Subscription) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.told = max(sh.told, applied)
	for _, j := range jobs {
		for _, g := range j.groups {
			wake = g.deliverLocked(wake)
		}
	}
	for _, s := range wake {
		if s.state == ended {
			sh.removeLocked(s)
			over = append(over, s)
		}
	}
	return wake, over
}

// deliverLocked appends to wake those who had nothing to read before, and those
// who have ended or must read from history.
func (j *groupJob) deliverLocked(wake []*Subscription) []*Subscription {
	g := j.group
	if j.err != nil {
		for g.live > 0 {
			s := g.subs[0]
			s.failLocked(j.err)
			wake = append(wake, s)
		}
		return wake
	}
	if len(j.events) == 0 || g.live == 0 {
		return wake
	}
	before := g.backlog.tail
	g.backlog.push(j.events)
	added := int(g.backlog.tail.bytes - before.bytes)
	newest := j.events[len(j.events)-1].Seq
	for i := 0; i < g.live; {
		s := g.subs[i]
		idle := s.at == before
		if s.checkLocked(added, newest) {
			i++
		} else {
			idle = true
		}
		if idle {
			wake = append(wake, s)
		}
	}
	return wake
}
