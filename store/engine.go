package store

// Engine is what a backend provides: one ordered space of byte keys. The
// Partition API (DB) is built on it once for all backends, so another backend
// is one package with an Engine that passes storetest.
//
// An Engine is safe for concurrent use, except that Apply has one caller at a
// time and Close comes last, after all iterators and snapshots are closed.
//
// Keys are not empty and do not begin with 0xFF: what is from there on belongs
// to the engine. Errors are made by EngineFault.
type Engine interface {
	Reader
	// Apply writes b atomically and, when sync is set, returns only once it
	// is on stable storage. It may be visible to new snapshots before that;
	// DB hides it. b is not kept. A batch that is too large for the engine is
	// refused with PAYLOAD_TOO_LARGE and leaves nothing; after any other error
	// what is left of it is unknown, and DB applies nothing more.
	Apply(b *Batch, sync bool) error
	// Sync makes everything applied so far durable.
	Sync() error
	// Snapshot returns a view of everything applied so far.
	Snapshot() (Snapshot, error)
	// Size returns the bytes on disk (in memory, for a memory engine).
	Size() (int64, error)
	// RangeSize estimates the bytes that keys in [lo, hi) take in files; what
	// is still buffered may be left out.
	RangeSize(lo, hi []byte) (int64, error)
	// Close releases everything. Unsynced batches are synced first.
	Close() error
}

// AsyncEngine is an Engine that can take a batch while an earlier one is synced.
// An engine that can't is used one batch after another.
type AsyncEngine interface {
	Engine
	// ApplyAsync is Apply with sync set that does not wait for the sync: b is
	// visible to new snapshots when it returns, and wait returns once b, and
	// with it every batch that was applied before, is on stable storage. wait
	// is called once, by any goroutine. When it fails, so do those of later
	// batches.
	ApplyAsync(b *Batch) (wait func() error, err error)
}

// Reader reads an ordered key space.
type Reader interface {
	// Get returns a copy of the value of key, and whether there is one.
	Get(key []byte) (value []byte, found bool, err error)
	// Scan walks the keys of [lo, hi) upwards, or downwards from the last key
	// below hi when reverse is set. A nil hi means the end. The iterator must
	// be closed; it is never nil, and reports its errors through Err.
	Scan(lo, hi []byte, reverse bool) Iterator
}

// Snapshot is a Reader that does not change. Close frees it, once.
type Snapshot interface {
	Reader
	Close() error
}

// Iterator walks key and value pairs. It is used by one goroutine.
//
//	for it.Next() { use(it.Key(), it.Value()) }
//	err := it.Err()
type Iterator interface {
	// Next moves to the next pair, the first one on the first call.
	Next() bool
	// Key returns the present key, valid until Next or Close; not to be changed.
	Key() []byte
	// Value returns the present value, valid until Next or Close; not to be
	// changed. An error in loading it is reported by Err after the loop.
	Value() []byte
	// Err returns what ended the walk early, if anything did.
	Err() error
	// Close frees the iterator and returns Err's error. It may be called twice.
	Close() error
}
