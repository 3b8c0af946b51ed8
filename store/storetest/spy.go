package storetest

import (
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/store"
)

// Event is something a Spy saw.
type Event string

// The events of a Spy, in the order in which calls returned.
const (
	AppliedSynced   Event = "applied and synced"
	AppliedUnsynced Event = "applied"
	Synced          Event = "synced"
	Snapped         Event = "snapshot taken"
)

// Spy is an Engine around another that records events and fails on demand. It
// is safe for concurrent use; set its functions before it is used.
type Spy struct {
	store.Engine
	// BeforeApply, if set, may refuse a batch in the engine's place.
	BeforeApply func(b *store.Batch) error
	// AfterApply, if set, is called once the engine has applied a batch; its
	// error is returned although the batch is in.
	AfterApply func(b *store.Batch, sync bool) error
	// FailSync and FailSnapshot, if set, are asked before each call.
	FailSync, FailSnapshot func() error

	mu     sync.Mutex
	events []Event
}

var _ store.Engine = (*Spy)(nil)

// Events returns what happened so far.
func (s *Spy) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

func (s *Spy) saw(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// Apply applies b to the engine behind.
func (s *Spy) Apply(b *store.Batch, sync bool) error {
	if s.BeforeApply != nil {
		if err := s.BeforeApply(b); err != nil {
			return err
		}
	}
	if err := s.Engine.Apply(b, sync); err != nil {
		return err
	}
	if sync {
		s.saw(AppliedSynced)
	} else {
		s.saw(AppliedUnsynced)
	}
	if s.AfterApply != nil {
		return s.AfterApply(b, sync)
	}
	return nil
}

// Sync syncs the engine behind.
func (s *Spy) Sync() error {
	if s.FailSync != nil {
		if err := s.FailSync(); err != nil {
			return err
		}
	}
	err := s.Engine.Sync()
	s.saw(Synced)
	return err
}

// Snapshot takes a snapshot of the engine behind.
func (s *Spy) Snapshot() (store.Snapshot, error) {
	if s.FailSnapshot != nil {
		if err := s.FailSnapshot(); err != nil {
			return nil, err
		}
	}
	snap, err := s.Engine.Snapshot()
	s.saw(Snapped)
	return snap, err
}
