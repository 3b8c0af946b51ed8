package replica

import (
	"bytes"
	"io"
	"sync/atomic"

	"github.com/lni/dragonboat/v4/statemachine"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
)

// machineState is what the state machine of a group keeps.
type machineState struct {
	applied atomic.Uint64 // index of the Raft log that is applied and visible
	size    atomic.Int64  // bytes applied since the log was cut
	cutting atomic.Bool   // the log is being cut
	count   atomic.Uint64 // entries likewise
}

func (g *group) grew(bytes int) {
	g.size.Add(int64(bytes))
	g.count.Add(1)
}

// stateMachine is a group as the library drives it. An error from one of its methods
// ends the process there, so that only what can't be gone on with is one.
type stateMachine struct{ g *group }

var _ statemachine.IOnDiskStateMachine = stateMachine{}

// Open returns the index up to which the log is applied in the store. It is 0 where a
// snapshot was being installed, which is done again then.
func (m stateMachine) Open(<-chan struct{}) (uint64, error) {
	g := m.g
	v := g.r.db.View()
	defer v.Release()
	if installing, err := g.isInstalling(v); installing || err != nil {
		return 0, err
	}
	index, _, err := appliedIndex(v, g.part)
	if err != nil {
		return 0, err
	}
	g.applied.Store(index)
	return index, nil
}

// Update applies entries and returns when readers see them and who proposed them here
// is answered.
func (m stateMachine) Update(list []statemachine.Entry) ([]statemachine.Entry, error) {
	p := &portion{g: m.g, entries: make([]indexed, len(list))}
	for i := range list {
		// What is parsed is kept by the batch and by live queries, and aliases the bytes,
		// which are the library's.
		e, err := parseEntry(bytes.Clone(list[i].Cmd))
		if err != nil {
			m.g.r.fail(err)
			return m.stall(list)
		}
		p.entries[i] = indexed{entry: e, index: list[i].Index, bytes: len(list[i].Cmd)}
	}
	if err := m.g.r.hand(p); err != nil {
		return m.stall(list)
	}
	m.g.cutLog()
	return list, nil
}

// stall keeps entries that can't be applied from being taken for applied until the log
// is closed. Then nothing is made of it any more: no snapshot is taken.
func (m stateMachine) stall(list []statemachine.Entry) ([]statemachine.Entry, error) {
	<-m.g.r.closing
	return list, nil
}

// Lookup is not used: readers have the store.
func (stateMachine) Lookup(any) (any, error) {
	return nil, fault.New(fault.Unsupported, "the state of a group is read in the store")
}

// Sync makes durable what was applied.
func (m stateMachine) Sync() error {
	r := m.g.r
	if r.failed.Load() == nil {
		err := r.db.Sync()
		if err == nil {
			return nil
		}
		r.fail(err)
	}
	<-r.closing
	return statemachine.ErrSnapshotAborted
}

// PrepareSnapshot takes a view. Nothing is applied to the group meanwhile, so it has
// just what the index says.
func (m stateMachine) PrepareSnapshot() (any, error) {
	if m.g.r.failed.Load() != nil {
		return nil, statemachine.ErrSnapshotAborted
	}
	return m.g.r.db.View(), nil
}

// SaveSnapshot writes what the view has of the shard, for a replica on another node.
func (m stateMachine) SaveSnapshot(ctx any, w io.Writer, stop <-chan struct{}) error {
	v := ctx.(*store.View)
	defer v.Release()
	return m.g.writeSnapshot(v, w, stop)
}

// RecoverFromSnapshot replaces what the store has of the shard.
func (m stateMachine) RecoverFromSnapshot(r io.Reader, stop <-chan struct{}) error {
	return m.g.install(r, stop)
}

// Close does nothing: the store belongs to another.
func (stateMachine) Close() error { return nil }
