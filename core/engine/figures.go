package engine

import (
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/replica"
)

// Figure is a number about the running engine: a row of system.stats, and a
// metric.
type Figure struct {
	Name  string // lower case, with underscores
	Value int64
	Unit  string
	// Counter says that the number only grows, from the start on.
	Counter bool
	// Storage is the storage that the figure is about, "" when it is about none.
	Storage string
}

// row returns the figure as a row of system.stats.
func (f Figure) row() []value.Value {
	name := f.Name
	if f.Storage != "" {
		name += "." + f.Storage
	}
	return []value.Value{value.NewText(name), value.NewBigInt(f.Value), value.NewText(f.Unit)}
}

// Figures returns what is told of the engine, by name.
func (e *Engine) Figures() []Figure {
	var all []Figure
	now := func(name string, n int64, unit string) {
		all = append(all, Figure{Name: name, Value: n, Unit: unit})
	}
	count := func(name string, n int64, unit string) {
		all = append(all, Figure{Name: name, Value: n, Unit: unit, Counter: true})
	}
	plans := e.exec.Plans()
	statements, failures, conflicts := e.exec.Counts()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	if counts, ok := e.log.(interface{ Figures() replica.Figures }); ok {
		log := counts.Figures()
		count("commit_batches", log.Batches, "batches")
		count("commit_commands", log.Commands, "commands")
		count("commit_syncs", log.Syncs, "syncs")
	}
	count("plan_cache_hits", plans.Hits, "statements")
	count("plan_cache_misses", plans.Misses, "statements")
	count("statements", statements, "statements")
	count("statements_failed", failures, "statements")
	count("statements_planned_again", conflicts, "statements")
	now("goroutines", int64(runtime.NumGoroutine()), "goroutines")
	now("heap_bytes", int64(mem.HeapAlloc), "bytes")
	now("live_queries", int64(e.hub.Len()), "subscriptions")
	now("open_views", int64(e.db.OpenViews()), "views")
	now("partitions", int64(len(e.db.Partitions())), "partitions")
	now("plan_cache_entries", plans.Entries, "statements")
	if size, err := e.db.Size(); err == nil {
		now("size_bytes", size, "bytes")
	}
	now("uptime_seconds", int64(e.opts.Now().Sub(e.started)/time.Second), "seconds")
	now("cold_files_missing", e.missing.Load(), "files")
	all = append(all, coldFigures(e.cold.Figures())...)
	all = append(all, jobFigures(e.jobs.Figures())...)
	all = append(all, storageFigures(e.storages.Figures())...)
	slices.SortStableFunc(all, func(a, b Figure) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// figures are the rows of system.stats.
func (e *Engine) figures() (rows [][]value.Value) {
	for _, f := range e.Figures() {
		rows = append(rows, f.row())
	}
	return rows
}
