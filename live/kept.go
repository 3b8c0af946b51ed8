package live

import (
	"context"
	"errors"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// kept is what a subscription to a kept result has beside others. Such a one is
// resuming, loading, waiting or following, never live or lagging.
type kept struct {
	result *result // set before the subscription is seen by others

	// Of the goroutine that polls.
	told *version // what the subscriber has, or is being given
	at   int      // rows of told that it was given, while it is loading
	num  int      // of the next batch

	// Guarded by shard.mu.
	pos    clock.Seq // told is the result at it
	seen   *version  // told, for Trace
	made   time.Time // when the result was brought to seen
	log    evaluationLog
	behind bool // there is something newer
	size   int  // rows of a window that it is shown
	older  int  // rows that it asked for beyond
}

// step does one piece of work when there is nothing left to hand out.
func (k *kept) step(ctx context.Context, s *Subscription) error {
	s.shard.mu.Lock()
	now := s.state
	due := now == resuming || now == loading
	switch {
	case now == ended:
		k.told = nil
		s.tellEndLocked()
	case now == following && len(s.out) == 0:
		due = k.behind || k.older > 0
		k.behind = false // what comes from here on is in a later view
	}
	s.shard.mu.Unlock()
	if !due || len(s.out) > 0 || !s.hub.enter() {
		return nil
	}
	defer s.hub.reads.Done()
	err := k.work(ctx, s, now)
	if err != nil && ctx.Err() != nil {
		k.settle(s, now, 0, true)
	}
	return s.failed(ctx, err)
}

func (k *kept) work(ctx context.Context, s *Subscription, now state) error {
	switch now {
	case resuming:
		return k.resume(ctx, s)
	case loading:
		return k.load(ctx, s)
	}
	return k.follow(ctx, s)
}

// follow tells the difference to the present version, and the rows behind a
// window that were asked for.
func (k *kept) follow(ctx context.Context, s *Subscription) error {
	s.shard.mu.Lock()
	size, older := k.size, k.older
	s.shard.mu.Unlock()
	a, err := k.result.next(ctx, k.told, size, grown(size, older))
	if err != nil {
		return err
	}
	for _, e := range a.events {
		s.out = append(s.out, Changed{e})
	}
	k.told = a.version
	k.note(s, a)
	if older > 0 {
		k.hand(s, a, size, older)
	}
	k.settle(s, following, a.pos, false)
	return nil
}

func grown(size, by int) int {
	if size == all {
		return all
	}
	return size + by
}

// hand tells the rows that stand behind a window, which are followed from now
// on.
func (k *kept) hand(s *Subscription, a answer, size, older int) {
	rows := a.version.shown(k.result.skip, size+older)
	beyond := len(a.version.shown(k.result.skip, all)) > len(rows) || a.version.more
	b := Batch{Num: k.num, Status: Ready, HasMore: beyond, LastSeq: a.pos}
	for _, e := range rows[min(size, len(rows)):] {
		b.Rows = append(b.Rows, e.row)
	}
	k.num++
	s.out = append(s.out, b)
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	k.size, k.older = size+older, k.older-older
}

// load hands out a page of the version that was found first.
func (k *kept) load(ctx context.Context, s *Subscription) error {
	s.shard.mu.Lock()
	size, pos := k.size, k.pos
	s.shard.mu.Unlock()
	if k.told == nil {
		a, err := k.result.next(ctx, nil, size, size)
		if err != nil {
			return err
		}
		k.told, k.at, k.num, pos = a.version, 0, 0, a.pos
		k.note(s, a)
	}
	rest := k.told.shown(k.result.skip, size)[k.at:]
	b := Batch{Num: k.num, Status: LoadingBatch, Rows: make([][]value.Value, 0, len(rest))}
	for bytes := 0; len(b.Rows) < min(len(rest), s.opts.BatchSize) &&
		bytes < s.hub.opts.BatchBytes; {
		row := rest[len(b.Rows)].row
		b.Rows, bytes = append(b.Rows, row), bytes+rowSize(row)
	}
	next := waiting
	switch b.HasMore = len(b.Rows) < len(rest); {
	case !b.HasMore:
		b.Status, b.LastSeq, next = Ready, pos, following
	case b.Num == 0:
		b.Status = Loading
	}
	k.at, k.num = k.at+len(b.Rows), k.num+1
	s.out = append(s.out, b)
	k.settle(s, next, pos, false)
	return nil
}

// settle moves on to another state, unless the subscription has ended. again
// says that its work was not done.
func (k *kept) settle(s *Subscription, next state, pos clock.Seq, again bool) {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	if s.state == ended {
		return
	}
	k.pos = max(k.pos, pos)
	if next == following && s.state != following {
		s.base = k.pos
	}
	s.state = next
	r := k.result
	if next == following && (again || !r.resting && (r.aged || r.touched > k.pos)) {
		k.behind = true
	}
}

// resume goes on behind a cursor when nothing has changed since. Otherwise the
// subscriber begins again: what the result was at the cursor is not kept.
func (k *kept) resume(ctx context.Context, s *Subscription) error {
	a, err := k.result.next(ctx, nil, k.size, k.size)
	if err != nil {
		return err
	}
	from := *s.opts.From
	why, err := k.result.unchanged(ctx, from, a.pos)
	if err != nil {
		return err
	}
	if why != "" {
		s.out = append(s.out, Resync{Reason: why})
		k.told, s.opts.From = nil, nil
		k.settle(s, loading, 0, false)
		return nil
	}
	pos := max(from, a.pos)
	k.told, k.num = a.version, 1
	k.note(s, a)
	if !s.quiet {
		s.out = append(s.out, Batch{Status: Ready, LastSeq: pos})
	}
	k.settle(s, following, pos, false)
	return nil
}

// alterTime is how long a change of a schema may take, so that nobody follows
// the former one any more.
const alterTime = time.Minute

// unchanged returns why the result at a cursor may differ from that at pos, ""
// when it does not.
func (r *result) unchanged(ctx context.Context, cursor, pos clock.Seq) (ResyncReason, error) {
	g, err := r.open()
	if err != nil {
		return "", err
	}
	defer g.view.Release()
	for _, t := range r.query.Follows() {
		part, ok := r.hub.opts.Source.Partition(t, r.shard.id)
		if !ok {
			return "", errGone
		}
		err := r.hub.opts.Source.Covered(t, r.shard.id, g.user, cursor)
		if cursor > g.applied || fault.Is(err, fault.CursorTooOld) {
			return CursorUnknown, nil
		}
		if err != nil {
			return "", err
		}
		if cursor < clock.SeqAt(t.Changed.Add(alterTime)) {
			return RowsChanged, nil
		}
		rows := table.Table{Part: part, Cold: r.hub.opts.Cold}
		why, err := g.unchanged(ctx, t, rows, min(cursor, pos), max(cursor, pos))
		if why != "" || err != nil {
			return why, err
		}
	}
	return "", nil
}

// unchanged looks for a change of a table after lo, up to hi, that concerns the
// query.
func (g *glance) unchanged(
	ctx context.Context, t *ddl.Table, rows table.Table, lo, hi clock.Seq,
) (why ResyncReason, err error) {
	if floor, err := rows.Trimmed(g.view); err != nil || lo < floor {
		return HistoryTrimmed, err
	}
	if t.TTL > 0 { // what has expired since is not told by changes
		return StateNotKept, nil
	}
	changes := rows.Changes(ctx, g.view, g.user, lo)
	defer func() { err = errors.Join(err, changes.Close()) }()
	im := images{source: g.hub.opts.Source}
	for n := 1; changes.Next() && changes.Entry().Seq <= hi; n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return "", ctx.Err()
		}
		concerns, err := g.concerns(changes, &im)
		if err != nil || concerns || n >= g.hub.opts.ScanRows {
			return StateNotKept, err
		}
	}
	return "", changes.Err()
}

func (g *glance) concerns(changes *table.Changes, im *images) (bool, error) {
	if g.query.Match == nil {
		return true, nil
	}
	before, after, err := changes.Images()
	if err != nil {
		return false, err
	}
	im.set(changes.Entry().Seq, present(before), present(after))
	if err := im.load(g.query.Table); err != nil {
		return false, err
	}
	was, err := matches(g.query, im.old, im.before)
	if was || err != nil {
		return was, err
	}
	return matches(g.query, im.new, im.after)
}

// progress is Subscription.Progress.
func (k *kept) progress(s *Subscription) (Progress, bool) {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	idle := s.state == following && len(s.out) == 0 && !k.behind && k.older == 0 &&
		k.result.touched <= k.pos
	seq := max(k.pos, s.shard.told)
	if !idle || seq <= s.cursor {
		return Progress{Seq: seq}, false
	}
	s.cursor = seq
	return Progress{Seq: seq}, true
}

// LoadOlder asks for count rows that stand behind a window; they come as a
// Batch, and are followed from then on. It fails with LIVE_UNSUPPORTED_QUERY
// where there is no window, and with INVALID_PARAMETER for a window that would
// be too large. It calls Notify.
func (s *Subscription) LoadOlder(count int) error {
	k := s.kept
	if k == nil || k.result.query.Window == nil {
		return fault.New(fault.LiveUnsupportedQuery,
			"load_older goes on from the end of a window; follow a SELECT with ORDER BY and LIMIT")
	}
	s.shard.mu.Lock()
	most := s.hub.opts.WindowRows
	room := most - k.result.bound(k.size) - k.older
	ok := count >= 1 && count <= room
	if ok {
		k.older += count
	}
	s.shard.mu.Unlock()
	if !ok {
		return fault.New(fault.InvalidParameter, "count must be 1 to %d, what is left of the %d rows "+
			"that a window may have", max(room, 0), most)
	}
	s.notify()
	return nil
}
