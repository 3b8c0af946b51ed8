// Package cold moves rows to the cold tier and reads them there: it writes
// segments, tells the log what became of them, fetches rows out of them for
// whoever reads a table, and takes away the files that nothing points to.
//
// A Tier is safe for concurrent use and runs no goroutine of its own: who calls
// Rewrite and Sweep decides when, and that the same rows are not rewritten twice
// at once. What it holds in memory is bounded, whatever the number of rows, users
// and segments.
//
// It knows no statement, no policy and no job.
package cold

import (
	"context"
	"log/slog"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// Storages knows where segments lie.
type Storages interface {
	// For returns where new segments of a user's rows go, "" for a shared table.
	For(t *ddl.Table, u ident.UserID) (ident.StorageID, error)
	Bucket(ctx context.Context, id ident.StorageID) (object.Bucket, error)
	// Path returns where a new segment lies in a storage.
	Path(ctx context.Context, id ident.StorageID, t *ddl.Table, s ident.ShardID,
		u ident.UserID, g ident.SegmentID) (string, error)
}

// Parts are what a Tier works with. All are required but Log, Clock, Gen and
// Catalog, without which it only reads, and Peers, which a cluster has.
type Parts struct {
	DB       *store.DB
	Storages Storages
	Log      replica.Log
	Clock    *clock.Clock
	Gen      *clock.Generator
	Catalog  *catalog.Catalog
	Peers    Peers
	Logger   *slog.Logger
}

// Options bound what a Tier takes; 0 means the default.
type Options struct {
	// CacheBytes bounds the rows that are kept in memory after they were fetched.
	// Default 32 MiB.
	CacheBytes int64
	// FileBytes bounds what is kept in memory of open segments. Default 32 MiB.
	FileBytes int64
	// SegmentRows and SegmentBytes bound the rows of a segment, and the bytes of
	// their payloads. Default 1,000,000 rows and 256 MiB.
	SegmentRows  int
	SegmentBytes int64
	// Reads says how long reads go, for comparing.
	Reads Reads
}

// Reads is a way in which long reads take rows out of segments.
type Reads uint8

// The ways of long reads.
const (
	ReadsEither  Reads = iota // as it is cheaper
	ReadsByPlace              // each row by its place, as short ones do
	ReadsByScan               // all rows
)

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.FileBytes == 0 {
		o.FileBytes = 32 << 20
	}
	if o.SegmentRows == 0 {
		o.SegmentRows = 1_000_000
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 256 << 20
	}
	return o
}

// Tier is the cold tier of a database.
type Tier struct {
	Parts
	opts   Options
	files  *cache[fileKey, *file]
	blocks *cache[blockKey, *block]
	meter  meter

	mu      sync.Mutex
	busy    map[ident.SegmentID]bool // being written here
	listing map[folder]chan struct{} // whose listing or file is being written; closed when it is
}

// New returns the cold tier of a database.
func New(parts Parts, opts Options) *Tier {
	opts = opts.withDefaults()
	return &Tier{
		Parts: parts, opts: opts, busy: make(map[ident.SegmentID]bool),
		listing: make(map[folder]chan struct{}),
		files:   newCache[fileKey, *file](opts.FileBytes),
		blocks:  newCache[blockKey, *block](opts.CacheBytes),
	}
}

// fileKey names a segment.
type fileKey struct {
	part store.PartitionID
	id   ident.SegmentID
}

// file is an open segment.
type file struct {
	*segment.File
	name string
	rows uint32 // of a block
}

func (t *Tier) begin(id ident.SegmentID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy[id] = true
}

func (t *Tier) end(id ident.SegmentID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, id)
}

func (t *Tier) isBusy(id ident.SegmentID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.busy[id]
}

// propose commits a command and returns what it did in the cold tier.
func (t *Tier) propose(ctx context.Context, c *command.Command) (edited, swapped int, err error) {
	c.Clock = t.Clock.Now()
	out, err := t.Log.Propose(ctx, c)
	if err == nil {
		err = out.Err
	}
	return out.Edited, out.Swapped, err
}
