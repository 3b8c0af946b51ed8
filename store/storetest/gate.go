package storetest

import (
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/store"
)

// Gate is an AsyncEngine around another engine whose syncs take as long as the
// test wants: each is offered on Syncs, and ends with the error that the test
// answers. It is open, and lets all syncs pass, until Shut.
type Gate struct {
	store.Engine
	// Syncs gives the syncs that were begun.
	Syncs chan Syncing
	shut  atomic.Bool
	gone  chan struct{}
}

// Syncing is a sync that waits; send it how it ends.
type Syncing chan<- error

var _ store.AsyncEngine = (*Gate)(nil)

// NewGate returns an open gate.
func NewGate(e store.Engine) *Gate {
	return &Gate{Engine: e, Syncs: make(chan Syncing), gone: make(chan struct{})}
}

// Remove lets all syncs pass for good, those that wait too, so that a test that
// failed ends. It is called once.
func (g *Gate) Remove() {
	g.shut.Store(false)
	close(g.gone)
}

// Shut tells whether later batches wait.
func (g *Gate) Shut(shut bool) { g.shut.Store(shut) }

// ApplyAsync applies b to the engine behind, which shows it at once.
func (g *Gate) ApplyAsync(b *store.Batch) (func() error, error) {
	if err := g.Apply(b, false); err != nil {
		return nil, err
	}
	if !g.shut.Load() {
		return g.Sync, nil
	}
	return func() error {
		end := make(chan error, 1)
		select {
		case g.Syncs <- end:
		case <-g.gone:
			return nil
		}
		select {
		case err := <-end:
			return err
		case <-g.gone:
			return nil
		}
	}, nil
}
