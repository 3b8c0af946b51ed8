package apply

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// A view of several shards is no moment of the database: each shard is as far as its
// log has come here. A transaction may be applied on one and not yet on the other. So
// each shard keeps beside its rows the highest seq that a part of a transaction
// which is committed on it was prepared at on each other shard, and a Look
// compares that with how far the others are.
//
// Why a reader sees both parts of a transaction or neither: say that a view shows it
// on P, and that Q is another of its shards that is read. P has applied the commit,
// so it knows the seq s of the prepare on Q. The view of Q has applied s, or the
// reader would wait for it; so it has the intent, or what became of it. An intent
// prepared at or below s would make the reader wait too. So it is resolved on Q in
// this view, and since a transaction is decided once, it is applied.
//
// Why a reader sees what was committed before it began: a commit is answered after the
// decision, at which all parts were prepared. Barriers taken since then show each
// part or its intent, and a Look waits for the intents that stand when it first
// looks. It does not wait for those that come later, so it ends.

// Look is one read of some shards. It is used by one goroutine.
type Look struct {
	m      *Machine
	shards []ident.ShardID
	upTo   map[ident.ShardID]clock.Seq // intents up to these are waited for; nil before the first look
}

// Wait tells what a view lacks: it is to be looked again once readers see the shard
// at the seq.
type Wait struct {
	Shard ident.ShardID
	Seq   clock.Seq
}

// Look begins a read of shards. After barriers on them it sees all that was committed
// before. It is safe for concurrent use.
func (m *Machine) Look(shards ...ident.ShardID) *Look { return &Look{m: m, shards: shards} }

// LookStale is Look for who does not mind to miss what was committed, as long as
// each transaction is seen whole or not at all.
func (m *Machine) LookStale(shards ...ident.ShardID) *Look {
	l := m.Look(shards...)
	l.upTo = make(map[ident.ShardID]clock.Seq)
	return l
}

// Settled tells what has to come before the shards may be read: nothing when v can be
// read as it is. The read calls it again with a newer view once it has waited.
func (l *Look) Settled(v *store.View) ([]Wait, error) {
	applied := make(map[ident.ShardID]clock.Seq, len(l.shards))
	books := make(map[ident.ShardID]books, len(l.shards))
	for _, id := range l.shards {
		s, err := l.m.shard(id)
		if err != nil {
			return nil, err
		}
		if applied[id], err = AppliedSeq(v, s.part); err != nil {
			return nil, err
		}
		if books[id], err = readBooks(v, s.part); err != nil {
			return nil, err
		}
	}
	if l.upTo == nil {
		l.upTo = applied
	}
	var waits []Wait
	for _, id := range l.shards {
		needed := clock.Seq(0) // of this shard, by the others
		for _, other := range l.shards {
			needed = max(needed, books[other].deps[id])
		}
		if applied[id] < needed {
			waits = append(waits, Wait{id, needed})
			continue
		}
		stands, err := l.stands(v, id, books[id], max(needed, l.upTo[id]))
		if err != nil {
			return nil, err
		}
		if stands {
			waits = append(waits, Wait{id, applied[id] + 1}) // its end takes a seq
		}
	}
	return waits, nil
}

// stands reports whether an intent that was prepared up to a seq stands on a shard.
func (l *Look) stands(v *store.View, id ident.ShardID, b books, upTo clock.Seq) (bool, error) {
	if b.standing == 0 {
		return false, nil
	}
	list, err := l.m.Intents(v, id)
	return slices.ContainsFunc(list, func(i Intent) bool { return i.Seq <= upTo }), err
}

// books is what a shard says of transactions: the number of intents that stand, and
// what its rows depend on.
type books struct {
	standing int
	deps     map[ident.ShardID]clock.Seq // other shard -> highest seq of a prepare
}

// depend notes what a commit of parts depends on.
func (s *shard) depend(parts []command.Part) {
	for _, p := range parts {
		if p.Shard != s.id {
			s.deps[p.Shard] = max(s.deps[p.Shard], p.Seq)
		}
	}
}

const booksFormat = 1

// sealBooks adds the books to b, if they have changed.
func (s *shard) sealBooks(b *store.Batch) {
	if s.bookkept {
		return
	}
	s.bookkept = true
	val := binary.AppendUvarint([]byte{booksFormat}, uint64(len(s.intents)))
	parts := make([]command.Part, 0, len(s.deps))
	for _, id := range slices.Sorted(maps.Keys(s.deps)) {
		parts = append(parts, command.Part{Shard: id, Seq: s.deps[id]})
	}
	b.Put(s.part, []byte(keyBooks), command.AppendParts(val, parts))
}

func (s *shard) loadBooks(v *store.View) error {
	b, err := readBooks(v, s.part)
	if err != nil {
		return err
	}
	s.deps, s.bookkept = b.deps, b.standing == len(s.intents)
	if s.deps == nil {
		s.deps = make(map[ident.ShardID]clock.Seq)
	}
	return nil
}

func readBooks(v *store.View, p store.Partition) (books, error) {
	val, found, err := v.Get(p, []byte(keyBooks))
	if err != nil || !found {
		return books{}, err
	}
	if len(val) == 0 || val[0] != booksFormat {
		return books{}, errBooks
	}
	standing, n := binary.Uvarint(val[1:])
	if n <= 0 || standing > maxIntents {
		return books{}, errBooks
	}
	parts, ok := command.ParseParts(val[1+n:])
	if !ok {
		return books{}, errBooks
	}
	b := books{standing: int(standing)}
	if len(parts) > 0 {
		b.deps = make(map[ident.ShardID]clock.Seq, len(parts))
	}
	for _, p := range parts {
		b.deps[p.Shard] = p.Seq
	}
	return b, nil
}

var errBooks = fault.New(fault.Corruption,
	"what a shard knows of transactions is damaged or of a newer format")
