package audit

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
)

// share is what one user has of an entry that stands for the acts for many. The
// same user may have another one, and a row too: whoever reads adds them up.
type share struct {
	User      ident.UserID `json:"u"`
	Time      int64        `json:"t"` // of the first act, in microseconds since 1970
	Count     int64        `json:"n"`
	RequestID string       `json:"r,omitempty"` // of the only one
}

// Bounds of what is packed.
const (
	packLeast = 16      // users, for fewer a row each costs as little
	mostSeen  = 1 << 18 // acts of a minute that are remembered
)

// seen are acts of the present minute that were written. When too many were it
// knows some of them only.
type seen struct {
	seed   maphash.Seed
	minute int64
	acts   map[uint64]struct{}
}

func newSeen() seen { return seen{seed: maphash.MakeSeed()} }

func (s *seen) add(a act) {
	if a.minute > s.minute {
		s.minute, s.acts = a.minute, make(map[uint64]struct{})
	}
	if a.minute == s.minute && len(s.acts) < mostSeen {
		s.acts[maphash.Comparable(s.seed, a)] = struct{}{}
	}
}

func (s *seen) has(a act) bool {
	_, ok := s.acts[maphash.Comparable(s.seed, a)]
	return ok && a.minute == s.minute
}

// pack writes the acts that their minute has for the first time, those for many
// users by one entry, and takes them out of waiting.
func (l *Log) pack(ctx context.Context, waiting map[act]*count) error {
	groups := make(map[act][]act)
	for a := range waiting {
		if !l.seen.has(a) {
			g := a
			g.actingFor = ""
			groups[g] = append(groups[g], a)
		}
	}
	for g, acts := range groups {
		for len(acts) >= packLeast {
			n := min(len(acts), flushChunk)
			if err := l.writePacked(ctx, g, acts[:n], waiting); err != nil {
				return err
			}
			for _, a := range acts[:n] {
				l.seen.add(a)
				delete(waiting, a)
			}
			acts = acts[n:]
		}
	}
	return nil
}

func (l *Log) writePacked(ctx context.Context, g act, acts []act, counts map[act]*count) error {
	e := Entry{ID: timeKey(time.Unix(g.minute*60, 0)) + l.Gen.ULID(), Actor: g.actor, Kind: g.kind,
		Object: g.object, Outcome: g.outcome, Remote: g.remote, Minute: g.minute}
	for _, a := range acts {
		c := counts[a]
		s := share{User: a.actingFor, Time: c.first.UnixMicro(), Count: c.n}
		if c.n == 1 {
			s.RequestID = c.requestID
		}
		e.Users = append(e.Users, s)
	}
	w, err := catalog.KeptAudit.Put(e.ID, e, 0)
	if err != nil {
		return err
	}
	return l.Propose(ctx, w)
}

// unpack calls f with the entries that e stands for, each with the id that the row
// of its act has.
func (e *Entry) unpack(f func(Entry)) {
	if len(e.Users) == 0 {
		f(*e)
		return
	}
	for _, s := range e.Users {
		a := act{e.Minute, e.Actor, s.User, e.Kind, e.Object, e.Outcome, e.Remote}
		f(Entry{ID: a.key(), Time: time.UnixMicro(s.Time).UTC(), Actor: e.Actor, ActingFor: s.User,
			Kind: e.Kind, Object: e.Object, Outcome: e.Outcome, Remote: e.Remote,
			RequestID: s.RequestID, Count: s.Count})
	}
}

// merge adds what another entry of the same act has.
func (e *Entry) merge(o Entry) {
	if o.Time.Before(e.Time) {
		e.Time = o.Time
	}
	e.Count += o.Count
	e.RequestID = ""
}
