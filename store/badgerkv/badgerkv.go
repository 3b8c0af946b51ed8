// Package badgerkv is the store engine on badger. It is the only importer of
// badger.
//
// Every batch is one badger transaction and is synced, whether that is asked
// for or not: badger can't sync later what a full memtable has taken along.
// A batch over badger's transaction limit (about 15 % of Options.MemTableBytes,
// see Engine.MaxBatchBytes), a key over 65,000 bytes and a value over 32 MiB
// are refused with PAYLOAD_TOO_LARGE.
//
// Badger's iterators end silently at a damaged block, so Open verifies the
// checksums of all table files instead; see Options.SkipVerify. A damaged log
// can't be told from one that a crash cut short: what follows the damage is
// lost without an error.
//
// The engine owns one goroutine, which frees space in the value log; Close
// waits for it and for badger's own.
package badgerkv

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
)

// Name is the engine's name in the data directory and the configuration.
const Name = "badger"

// Options configure Open. The zero value is good for a server.
type Options struct {
	// CacheBytes bounds the block cache; 0 means 32 MiB.
	CacheBytes int64
	// IndexCacheBytes bounds the cache of table indexes and bloom filters; 0
	// means 16 MiB.
	IndexCacheBytes int64
	// MemTableBytes is the size of one memtable, of which up to three exist; 0
	// means 64 MiB. It bounds the size of a batch.
	MemTableBytes int64
	// SkipVerify leaves out the check of all table files in Open, which reads
	// them once. Without it a damaged block hides rows or ends the process.
	SkipVerify bool
	// Log receives badger's warnings and errors; nil means none.
	Log *slog.Logger
}

const (
	defaultCache      = 32 << 20
	defaultIndexCache = 16 << 20
	defaultMemTable   = 64 << 20
	maxKey            = 65000 // badger's own limit
	maxValue          = valueLogFile / 2
	blockSize         = 4 << 10
	maxInline         = 1 << 20  // larger values go to the value log
	valueLogFile      = 64 << 20 // of values over 1 MiB; mapped at twice the size
	gcInterval        = 10 * time.Minute
	gcDiscardRatio    = 0.5
)

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	if o.IndexCacheBytes == 0 {
		o.IndexCacheBytes = defaultIndexCache
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = defaultMemTable
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) badger(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithDetectConflicts(false). // there is one writer
		WithBlockCacheSize(o.CacheBytes).
		WithIndexCacheSize(o.IndexCacheBytes).
		WithMemTableSize(o.MemTableBytes).
		WithValueThreshold(min(maxInline, o.MemTableBytes/10)).
		WithNumMemtables(3).
		WithValueLogFileSize(valueLogFile).
		WithNumCompactors(2).
		WithMetricsEnabled(false).
		WithVerifyValueChecksum(true).
		WithChecksumVerificationMode(options.NoVerification). // verify does it
		WithBlockSize(blockSize).
		WithLogger(logger{o.Log})
}

// Engine is a badger database. Use Open.
type Engine struct {
	db  *badger.DB
	dir string

	stop chan struct{}
	gc   sync.WaitGroup
}

var _ store.Engine = (*Engine)(nil)

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

// Open opens the database in dir, and makes it when it is missing. Range
// deletes that a crash interrupted are finished before it returns.
func Open(dir string, o Options) (e *Engine, err error) {
	o = o.withDefaults()
	defer func() {
		if r := recover(); r != nil { // badger trusts the files it maps
			e, err = nil, store.EngineFault(fmt.Errorf("%v", r), true, "open badger")
		}
	}()
	if !o.SkipVerify {
		if err := verify(dir, o.badger(dir)); err != nil {
			return nil, mapError(err, "verify badger's tables")
		}
	}
	db, err := badger.Open(o.badger(dir))
	if err != nil {
		return nil, mapError(err, "open badger")
	}
	e = &Engine{db: db, dir: dir, stop: make(chan struct{})}
	if err := e.finishRanges(); err != nil {
		return nil, errors.Join(mapError(err, "finish a range delete"), db.Close())
	}
	e.gc.Go(e.collect)
	return e, nil
}

// MaxBatchBytes returns the size at which a batch is refused, to the nearest
// per cent: each pair counts some bytes besides its own.
func (e *Engine) MaxBatchBytes() int64 { return e.db.MaxBatchSize() }

// collect frees space in the value log, where only values over 1 MiB are.
func (e *Engine) collect() {
	tick := time.NewTicker(gcInterval)
	defer tick.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-tick.C:
		}
		for e.db.RunValueLogGC(gcDiscardRatio) == nil { // an error means done
			select {
			case <-e.stop:
				return
			default:
			}
		}
	}
}

// Sync makes everything applied so far durable. Every batch already is.
func (e *Engine) Sync() error { return mapError(e.db.Sync(), "sync") }

// Snapshot returns a view of everything applied so far.
func (e *Engine) Snapshot() (store.Snapshot, error) {
	return snapshot{e.db.NewTransaction(false)}, nil
}

// Get returns a copy of the value of key, and whether there is one.
func (e *Engine) Get(key []byte) ([]byte, bool, error) {
	s := snapshot{e.db.NewTransaction(false)}
	defer s.txn.Discard()
	return s.Get(key)
}

// Scan walks [lo, hi).
func (e *Engine) Scan(lo, hi []byte, reverse bool) store.Iterator {
	txn := e.db.NewTransaction(false)
	it := newIterator(txn, lo, hi, reverse)
	it.discard = txn.Discard
	return it
}

// Close releases everything.
func (e *Engine) Close() error {
	close(e.stop)
	e.gc.Wait()
	return mapError(e.db.Close(), "close badger")
}

func mapError(err error, what string) error {
	if errors.Is(err, badger.ErrTxnTooBig) {
		return fault.New(fault.PayloadTooLarge, "%s: it is over the engine's limit; split it", what)
	}
	corrupt := errors.Is(err, y.ErrChecksumMismatch) || errors.Is(err, errDamagedNote)
	return store.EngineFault(err, corrupt, what)
}

// logger keeps badger quiet: information is dropped.
type logger struct{ log *slog.Logger }

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("storage engine: " + fmt.Sprintf(format, args...))
}

func (l logger) Warningf(format string, args ...any) {
	l.log.Warn("storage engine: " + fmt.Sprintf(format, args...))
}

func (logger) Infof(string, ...any)  {}
func (logger) Debugf(string, ...any) {}
