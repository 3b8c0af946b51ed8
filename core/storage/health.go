package storage

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// probeEvery is how often a storage that fails is looked at, until it works.
const probeEvery = 30 * time.Second

// Run looks after storages that fail until ctx ends, so that an alarm ends
// although nobody uses the storage meanwhile, and takes away what uploads left
// that were cut off.
func (r *Registry) Run(ctx context.Context) {
	r.sweepUploads(ctx)
	tick, sweep := time.NewTicker(probeEvery), time.NewTicker(abandonedEvery)
	defer tick.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-tick.C:
			r.Probe(ctx)
		case <-sweep.C:
			r.sweepUploads(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Probe checks every storage that fails. What it finds is told by Alarms.
func (r *Registry) Probe(ctx context.Context) {
	for _, a := range r.Alarms() {
		if ctx.Err() != nil {
			return
		}
		if _, err := r.Check(ctx, a.Storage); err != nil {
			r.Logger.Debug("a storage still fails", "storage", a.Storage, "error", err)
		}
	}
}

// Check writes, reads, lists and deletes an object in a storage, and returns what
// it did and the first error.
func (r *Registry) Check(ctx context.Context, id ident.StorageID) ([]object.Step, error) {
	o, err := r.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return object.Check(ctx, o.bucket, rand.Text())
}

// Alarms returns the storages that fail now, by name.
func (r *Registry) Alarms() (alarms []Alarm) {
	for _, m := range r.allMeters() {
		if a, _ := m.alarm(); a != nil {
			alarms = append(alarms, *a)
		}
	}
	return alarms
}

// Figures returns what was done with each storage that was used, by name.
func (r *Registry) Figures() (all []Figures) {
	for _, m := range r.allMeters() {
		all = append(all, m.figures())
	}
	return all
}

func (r *Registry) allMeters() []*meter {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*meter, 0, len(r.meters))
	for _, m := range r.meters {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *meter) int { return cmp.Compare(a.id, b.id) })
	return all
}
