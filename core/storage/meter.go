package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// Figures count what was done with a storage since the start.
type Figures struct {
	Storage                 ident.StorageID
	Reads, Writes           int64 // calls
	Errors                  int64 // calls that failed by the storage's fault
	Retries                 int64 // requests that were sent again
	BytesRead, BytesWritten int64
	Failing                 bool // now
}

// Alarm is something that an operator should look at.
type Alarm struct {
	Storage ident.StorageID
	Code    fault.Code
	Message string
	Since   time.Time
}

// direction tells reading from writing: a storage that is full can still be read.
type direction int

const (
	reading direction = iota
	writing
	directions
)

// meter counts what is done with one storage, over all its buckets.
type meter struct {
	r  *Registry
	id ident.StorageID

	reads, writes, errors, retries, bytesRead, bytesWritten atomic.Int64

	mu      sync.Mutex
	used    bool
	failing [directions]*Alarm
}

func (r *Registry) meter(id ident.StorageID) *meter {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.meters[id]
	if m == nil {
		m = &meter{r: r, id: id}
		r.meters[id] = m
	}
	return m
}

func (m *meter) retried() { m.retries.Add(1) }

// done counts a call that ended with err, and raises or ends the alarm.
func (m *meter) done(d direction, err error) {
	if d == reading {
		m.reads.Add(1)
	} else {
		m.writes.Add(1)
	}
	code := fault.CodeOf(err)
	switch code {
	case fault.StorageUnavailable, fault.StorageFull, fault.InUse: // by another database
		m.errors.Add(1)
		m.fail(d, fault.From(err))
	case "", fault.NotFound:
		m.recover(d)
	} // else it says nothing of the storage
}

func (m *meter) fail(d direction, err *fault.Error) {
	m.mu.Lock()
	m.used = true
	old := m.failing[d]
	now := &Alarm{m.id, err.Code, err.Message, m.r.Now()}
	if old != nil {
		now.Since = old.Since
	}
	m.failing[d] = now
	m.mu.Unlock()
	if old == nil {
		m.r.Logger.Warn("a storage fails; what needs it is tried again", "storage", m.id,
			"code", err.Code, "error", err)
	}
}

func (m *meter) recover(d direction) {
	m.mu.Lock()
	m.used = true
	old := m.failing[d]
	m.failing[d] = nil
	m.mu.Unlock()
	if old != nil {
		m.r.Logger.Info("a storage works again", "storage", m.id,
			"after", m.r.Now().Sub(old.Since).Round(time.Second).String())
	}
}

// alarm returns what fails now, nil when nothing does. used says whether the
// storage was used since the start.
func (m *meter) alarm() (a *Alarm, used bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a = m.failing[writing]; a == nil {
		a = m.failing[reading]
	}
	return a, m.used
}

func (m *meter) figures() Figures {
	a, _ := m.alarm()
	return Figures{
		Storage: m.id, Reads: m.reads.Load(), Writes: m.writes.Load(), Errors: m.errors.Load(),
		Retries: m.retries.Load(), BytesRead: m.bytesRead.Load(), BytesWritten: m.bytesWritten.Load(),
		Failing: a != nil,
	}
}

// tracked is a bucket whose use is counted, and that is claimed before the first
// change.
type tracked struct {
	object.Bucket
	m       *meter
	claim   func(context.Context) error // nil when it needs none
	claimed atomic.Bool
}

func (r *Registry) track(id ident.StorageID, b object.Bucket,
	claim func(context.Context) error,
) *tracked {
	return &tracked{Bucket: b, m: r.meter(id), claim: claim}
}

// ready claims the storage, once.
func (t *tracked) ready(ctx context.Context) error {
	if t.claim == nil || t.claimed.Load() {
		return nil
	}
	if err := t.claim(ctx); err != nil {
		return err
	}
	t.claimed.Store(true)
	return nil
}

// Put implements object.Bucket.
func (t *tracked) Put(ctx context.Context, path string, write func(io.Writer) error) error {
	var own error // of write, which says nothing of the storage
	err := t.ready(ctx)
	if err == nil {
		err = t.Bucket.Put(ctx, path, func(w io.Writer) error {
			counting := &countingWriter{w, &t.m.bytesWritten, nil}
			if own = write(counting); counting.err != nil {
				own = nil
			}
			return own
		})
	}
	if own == nil || err == nil {
		t.m.done(writing, err)
	}
	return err
}

type countingWriter struct {
	w     io.Writer
	bytes *atomic.Int64
	err   error
}

// Write implements io.Writer.
func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.bytes.Add(int64(n))
	c.err = err
	return n, err
}

// Open implements object.Bucket.
func (t *tracked) Open(ctx context.Context, path string) (object.Reader, error) {
	r, err := t.Bucket.Open(ctx, path)
	t.m.done(reading, err)
	if err != nil {
		return nil, err
	}
	return &trackedReader{r, r, t.m}, nil
}

// List implements object.Bucket.
func (t *tracked) List(ctx context.Context, prefix string) iter.Seq2[object.Info, error] {
	return func(yield func(object.Info, error) bool) {
		var failed error
		for info, err := range t.Bucket.List(ctx, prefix) {
			failed = err
			if !yield(info, err) {
				break
			}
		}
		t.m.done(reading, failed)
	}
}

// Delete implements object.Bucket.
func (t *tracked) Delete(ctx context.Context, path string) error {
	err := t.ready(ctx)
	if err == nil {
		err = t.Bucket.Delete(ctx, path)
	}
	t.m.done(writing, err)
	return err
}

// Sweep implements object.Bucket.
func (t *tracked) Sweep(ctx context.Context, before time.Time) (n int, err error) {
	if err = t.ready(ctx); err == nil {
		n, err = t.Bucket.Sweep(ctx, before)
	}
	t.m.done(writing, err)
	return n, err
}

// trackedReader counts what is read.
type trackedReader struct {
	object.Reader
	at io.ReaderAt
	m  *meter
}

// At implements object.Reader.
func (r *trackedReader) At(ctx context.Context) io.ReaderAt {
	return &trackedReader{r.Reader, r.Reader.At(ctx), r.m}
}

// ReadAt implements io.ReaderAt.
func (r *trackedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.at.ReadAt(p, off)
	r.m.bytesRead.Add(int64(n))
	if errors.Is(err, io.EOF) {
		r.m.done(reading, nil)
	} else {
		r.m.done(reading, err)
	}
	return n, err
}
