package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Memory is the name of the engine that keeps nothing on disk. It is the only
// one that may be opened without a data directory.
const Memory = "memory"

// DefaultShards is the number of shards of a new data directory whose Options
// do not say.
const DefaultShards = 10

// MaxShards bounds the number of shards.
const MaxShards = 4096

// closeWait bounds how long Close waits for views that are still held.
const closeWait = 10 * time.Second

// Options configure Open.
type Options struct {
	// Engine is the backend's name as it is recorded in the data directory.
	Engine string
	// Shards is the number of shards of users, 1 to MaxShards; fixed when the
	// directory is made. 0 means the number recorded there, DefaultShards for
	// a new one.
	Shards int
	// OpenEngine opens the backend in a folder that belongs to it alone ("" for
	// a store without a data directory). Tests wrap the engine here.
	OpenEngine func(dir string) (Engine, error)
	// CloseWait bounds how long Close waits for views that are still held; 0
	// means ten seconds.
	CloseWait time.Duration
}

// DB is an open store: the partitions of one data directory. It is safe for
// concurrent use and runs no goroutines of its own.
//
// Writes go one after another under one mutex, which Commit holds while the
// engine applies and syncs: whoever wants throughput puts many changes into a
// Batch, and prepares the next while one syncs; see CommitAsync. Reads never
// take it. After an engine failed to apply a batch nobody knows what of it is
// durable, so the DB refuses further writes with that error until it is opened
// again, while reads go on with the last published view.
type DB struct {
	opts   Options
	home   *home // nil without a data directory
	engine Engine

	current atomic.Pointer[View]
	closed  *View // what View returns after Close

	write  sync.Mutex // serialises Apply, Sync and Close; guards tip
	tip    *Pending   // the last batch of CommitAsync since the last Commit
	failed atomic.Pointer[fault.Error]

	parts directory

	views viewCount
}

// Open opens the store in dir, and makes it when dir is missing or empty. A
// mismatch with what is there (in use by another process, another engine,
// another number of shards, a newer format, a folder with other files) is a
// fault that says what differs, and changes nothing on disk. An empty dir
// stands for no directory at all and needs the memory engine.
func Open(dir string, opts Options) (*DB, error) {
	h, opts, err := openHome(dir, opts)
	if err != nil {
		return nil, err
	}
	d := &DB{opts: opts, home: h}
	if err := d.start(); err != nil {
		if h != nil {
			err = errors.Join(err, h.unlock())
		}
		return nil, fault.From(err)
	}
	return d, nil
}

func (d *DB) start() (err error) {
	if d.engine, err = d.opts.OpenEngine(d.home.engineDir()); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.engine.Close())
		}
	}()
	if err = d.parts.load(d.engine); err != nil {
		return err
	}
	if err = d.home.finish(); err != nil {
		return err
	}
	snap, err := d.engine.Snapshot()
	if err != nil {
		return err
	}
	d.closed = &View{db: d, snap: closedSnapshot{}}
	d.closed.refs.Store(1)
	d.publish(d.newView(snap))
	return nil
}

// Shards returns the number of shards of users.
func (d *DB) Shards() int { return d.opts.Shards }

// EngineName returns the backend's name.
func (d *DB) EngineName() string { return d.opts.Engine }

// ID returns the id that the data directory was given when it was made, "" when
// there is none.
func (d *DB) ID() string {
	if d.home == nil {
		return ""
	}
	return d.home.label.ID
}

// Dir returns the data directory, "" when there is none.
func (d *DB) Dir() string {
	if d.home == nil {
		return ""
	}
	return d.home.dir
}

// View returns the published view with a reference for the caller, who calls
// Release. It shows every Commit that returned before the call, and nothing
// that is not published. It does not block or allocate. The view of a closed
// DB answers each read with SHUTTING_DOWN.
func (d *DB) View() *View {
	for {
		if v := d.current.Load(); v.retain() {
			return v
		}
	}
}

// Commit applies b atomically and publishes a view that shows it. When sync is
// set it returns, and publishes, only once b is on stable storage. It blocks
// while another Commit runs. A batch that the engine can't hold is refused
// with PAYLOAD_TOO_LARGE and leaves nothing; for other errors see DB. b is not
// kept.
func (d *DB) Commit(b *Batch, sync bool) error {
	d.write.Lock()
	defer d.write.Unlock()
	return d.commit(b, sync)
}

func (d *DB) commit(b *Batch, sync bool) error {
	if err := d.settle(); err != nil {
		return err
	}
	if b.Len() == 0 {
		return d.sync(sync)
	}
	if err := d.engine.Apply(b, sync); err != nil {
		if fault.Is(err, fault.PayloadTooLarge) {
			return err
		}
		return d.fail(err)
	}
	snap, err := d.engine.Snapshot()
	if err != nil {
		return d.fail(err)
	}
	d.publish(d.newView(snap))
	return nil
}

// settle waits until no batch is pending, so that views are published in the
// order of their batches, and tells whether the store takes writes.
func (d *DB) settle() error {
	if d.tip != nil {
		if err := d.tip.Wait(); err != nil {
			return err
		}
		d.tip = nil
	}
	return d.failure()
}

// failure returns why the store takes no writes, nil when it does.
func (d *DB) failure() error {
	if f := d.failed.Load(); f != nil {
		return f
	}
	return nil
}

// Sync makes everything committed so far durable.
func (d *DB) Sync() error {
	d.write.Lock()
	defer d.write.Unlock()
	if err := d.failure(); err != nil {
		return err
	}
	return d.sync(true)
}

func (d *DB) sync(wanted bool) error {
	if !wanted {
		return nil
	}
	if err := d.engine.Sync(); err != nil {
		return d.fail(err)
	}
	return nil
}

func (d *DB) fail(err error) error {
	d.failed.CompareAndSwap(nil,
		fault.Wrap(fault.Internal, err, "the store takes no more writes until it is restarted"))
	return d.failure()
}

func (d *DB) newView(snap Snapshot) *View {
	v := &View{db: d, snap: snap}
	v.refs.Store(1)
	v.number = d.views.add()
	return v
}

// publish makes v the current view, and takes over the caller's reference. The
// old one goes once its readers do.
func (d *DB) publish(v *View) {
	if old := d.current.Swap(v); old != nil {
		old.Release()
	}
}

// Size returns the bytes that the store takes on disk, or in memory for the
// memory engine.
func (d *DB) Size() (int64, error) {
	v := d.View()
	defer v.Release()
	if v == d.closed {
		return 0, errClosed
	}
	return d.engine.Size()
}

// OpenViews returns how many states of the store are held: the current one, and
// each earlier one that somebody still reads. One that stays above 1 while
// nothing is read is a view that was not released.
func (d *DB) OpenViews() int { return d.views.open() }

// WaitOlder blocks until nobody holds a view of a state before v's, or ctx ends.
// What no such view shows can be taken away then. The caller holds v.
func (d *DB) WaitOlder(ctx context.Context, v *View) error {
	return d.views.older(ctx, v.number)
}

// sizeWalk bounds the pairs that PartitionSize counts one by one.
const sizeWalk = 1000

// PartitionSize estimates the bytes that p takes: the exact length of keys and
// values when they are few, else what the engine says of its files, which
// leaves out what is still in its memory.
func (d *DB) PartitionSize(p Partition) (int64, error) {
	v := d.View()
	defer v.Release()
	it := v.Scan(p, Range{})
	var sum int64
	n := 0
	for ; n < sizeWalk && it.Next(); n++ {
		sum += int64(len(it.Key()) + len(it.Value()))
	}
	if err := it.Close(); err != nil || n < sizeWalk {
		return sum, err
	}
	est, err := d.engine.RangeSize(p.physical(nil), p.end())
	return max(sum, est), err
}

// Close refuses further use, waits up to Options.CloseWait for the views and
// iterators that are still held, and closes the engine and the data directory.
// When views are held for longer it returns IN_USE and leaves the engine open
// for their holders; Close may then be called again. A second Close of a
// closed DB does nothing.
func (d *DB) Close() error {
	d.write.Lock()
	_ = d.settle() // who committed a batch that fails is told by Pending.Wait
	if old := d.current.Swap(d.closed); old != d.closed {
		d.failed.CompareAndSwap(nil, errClosed)
		old.Release()
	}
	d.write.Unlock()
	if held := d.views.wait(d.opts.CloseWait); held > 0 {
		return fault.New(fault.InUse,
			"the store can't be closed: %d views are still read; end the readers first", held)
	}
	d.write.Lock()
	defer d.write.Unlock()
	if d.engine == nil {
		return nil
	}
	err := errors.Join(d.views.err, d.engine.Close(), d.home.unlock())
	d.engine = nil
	if err != nil {
		return fault.From(err)
	}
	return nil
}

func (d *DB) viewFreed(number uint64, err error) { d.views.done(number, err) }
