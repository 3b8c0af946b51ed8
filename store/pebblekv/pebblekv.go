// Package pebblekv is the store engine on pebble, the default one. It is the
// only importer of pebble.
//
// A damaged log is reported where pebble can tell that the damaged part was
// synced once, which it does for the most part of small batches; elsewhere,
// above all near the end, it reads as an end of the log.
//
// Pebble makes a batch visible before its sync returns; store.DB hides that by
// what it publishes. Pebble's goroutines end in Close.
package pebblekv

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kalamdb/kalamdb-go/store"
)

// Name is the engine's name in the data directory and the configuration.
const Name = "pebble"

// Options configure Open. The zero value is good for a server with little
// memory.
type Options struct {
	// CacheBytes bounds the block cache; 0 means 32 MiB. It fills with reads.
	// The room of two memtables comes on top.
	CacheBytes int64
	// MemTableBytes is the size of one memtable; 0 means 16 MiB. Two to four
	// of them exist under load. A batch above half of it is still atomic.
	MemTableBytes uint64
	// Log receives pebble's warnings and errors; nil means none.
	Log *slog.Logger

	fs vfs.FS // tests replace the file system
}

const (
	defaultCache    = 32 << 20
	defaultMemTable = 16 << 20
	bloomBits       = 10
	blockBytes      = 8 << 10
)

// sizeMismatch is in the error of a table that was cut, which pebble does not
// mark as corruption.
const sizeMismatch = "object size mismatch"

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = defaultMemTable
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	return o
}

// Engine is a pebble database. Use Open. After a write has failed it writes no
// more, and Close leaves its files to the end of the process: pebble holds
// locks of its own then.
type Engine struct {
	db  *pebble.DB
	dir string
	reader

	mu     sync.Mutex
	broken error // of the first write that failed
}

var _ store.AsyncEngine = (*Engine)(nil)

// Opener returns the function that store.Options.OpenEngine wants.
func Opener(o Options) func(dir string) (store.Engine, error) {
	return func(dir string) (store.Engine, error) {
		e, err := Open(dir, o)
		if err != nil {
			return nil, err
		}
		return e, nil
	}
}

// Open opens the database in dir, and makes it when it is missing.
func Open(dir string, o Options) (*Engine, error) {
	o = o.withDefaults()
	// Pebble takes what its memtables hold out of the cache: without room for
	// them nothing is left for blocks while rows are written.
	cache := pebble.NewCache(o.CacheBytes + 2*int64(o.MemTableBytes))
	defer cache.Unref()
	po := &pebble.Options{
		FS:                          zeroFill{o.fs},
		Cache:                       cache,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                1000,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      logger{o.Log},
		EventListener: &pebble.EventListener{
			// The default ends the process; the read that met it reports it too.
			DataCorruption: func(i pebble.DataCorruptionInfo) { logger{o.Log}.Errorf("%s", i) },
		},
	}
	for i := range po.Levels {
		po.Levels[i].BlockSize = blockBytes
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	var db *pebble.DB
	err := guard(func() (err error) {
		db, err = pebble.Open(dir, po)
		return err
	})
	if err != nil {
		corrupt := pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) ||
			strings.Contains(err.Error(), sizeMismatch)
		return nil, store.EngineFault(err, corrupt, "open pebble")
	}
	return &Engine{db: db, dir: dir, reader: reader{db}}, nil
}

// Apply writes b atomically.
func (e *Engine) Apply(b *store.Batch, sync bool) error {
	return e.write("write a batch", func() error {
		w, err := e.encode(b)
		if err == nil {
			err = e.db.Apply(w, writeOptions(sync))
		}
		if err != nil {
			return err
		}
		return w.Close()
	})
}

// ApplyAsync implements store.AsyncEngine: pebble's log is synced in order, and
// a failed sync fails all that wait for it or come later.
func (e *Engine) ApplyAsync(b *store.Batch) (wait func() error, err error) {
	var w *pebble.Batch
	err = e.write("write a batch", func() (err error) {
		if w, err = e.encode(b); err != nil {
			return err
		}
		return e.db.ApplyNoSyncWait(w, pebble.Sync)
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		return e.run("sync a batch", func() error {
			if err := w.SyncWait(); err != nil {
				return err
			}
			return w.Close()
		})
	}, nil
}

// write runs f unless a write has failed before.
func (e *Engine) write(what string, f func() error) error {
	e.mu.Lock()
	err := e.broken
	e.mu.Unlock()
	if err != nil {
		return err
	}
	return e.run(what, f)
}

// run runs f, and lets no write follow when it fails.
func (e *Engine) run(what string, f func() error) error {
	err := mapError(guard(f), what)
	if err != nil {
		e.mu.Lock()
		e.broken = err
		e.mu.Unlock()
	}
	return err
}

// encode returns b as a batch of pebble.
func (e *Engine) encode(b *store.Batch) (w *pebble.Batch, err error) {
	w = e.db.NewBatchWithSize(b.Bytes() + 16*b.Len())
	for _, op := range b.Ops() {
		switch op.Kind {
		case store.OpPut:
			err = w.Set(op.Key, op.Value, nil)
		case store.OpDelete:
			err = w.Delete(op.Key, nil)
		case store.OpDeleteRange:
			err = w.DeleteRange(op.Key, op.Value, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

func writeOptions(sync bool) *pebble.WriteOptions {
	if sync {
		return pebble.Sync
	}
	return pebble.NoSync
}

// Sync makes everything applied so far durable.
func (e *Engine) Sync() error {
	return e.write("sync", func() error { return e.db.LogData(nil, pebble.Sync) })
}

// Snapshot returns a view of everything applied so far.
func (e *Engine) Snapshot() (store.Snapshot, error) {
	s := e.db.NewSnapshot()
	return snapshot{s, reader{s}}, nil
}

// Size returns the bytes that the folder takes on disk. Pebble's own figure
// leaves out the log that is being written.
func (e *Engine) Size() (int64, error) { return store.FolderSize(e.dir) }

// RangeSize estimates the bytes of [lo, hi) in sorted files; what is in
// memtables only is left out.
func (e *Engine) RangeSize(lo, hi []byte) (int64, error) {
	if hi == nil {
		hi = []byte{0xFF}
	}
	n, err := e.db.EstimateDiskUsage(lo, hi)
	return int64(n), mapError(err, "estimate a size")
}

// Close syncs what is not yet durable and releases everything. It returns nil
// when a write has failed: that was reported.
func (e *Engine) Close() error {
	e.mu.Lock()
	broken := e.broken != nil
	e.mu.Unlock()
	if broken {
		return nil
	}
	return mapError(guard(e.db.Close), "close pebble")
}

// guard runs f and turns a panic of pebble, which is how it reports a log that
// can't be written, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			cause, ok := r.(error)
			if !ok {
				cause = fmt.Errorf("%v", r)
			}
			err = fmt.Errorf("pebble stopped: %w", cause)
		}
	}()
	return f()
}

func mapError(err error, what string) error {
	return store.EngineFault(err, pebble.IsCorruptionError(err), what)
}

// logger keeps pebble quiet: information is dropped, errors are logged.
type logger struct{ log *slog.Logger }

func (logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.log.Warn("storage engine: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return: pebble calls it when it can't write its own state,
// where going on would lose data. The panic keeps the cause; in a write it is
// caught by guard, in pebble's own goroutines it ends the process.
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, a := range args {
		if cause, ok := a.(error); ok {
			err = fmt.Errorf("%s (%w)", err.Error(), cause)
		}
	}
	l.log.Error("storage engine: " + err.Error())
	panic(err)
}
