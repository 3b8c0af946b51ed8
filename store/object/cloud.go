package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// cloud is a Bucket over a bucket of the library.
type cloud struct {
	opts   Options
	bucket *blob.Bucket
	prefix string // of all paths: "" or ending with a slash
	name   string // for messages, without credentials
	// sweep removes uploads that were abandoned; nil where the service does so
	// itself.
	sweep func(ctx context.Context, prefix string, before time.Time) (int, error)
	idle  func() // closes connections that are not in use; may be nil
	// classify tells the code of an error of the service, "" when it can't.
	classify func(error) fault.Code
}

var _ Bucket = (*cloud)(nil)

// errSlow is the cause of the end of a call that took too long.
var errSlow = errors.New("too slow")

// within runs f with a context that ends after limit.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errSlow)
	defer cancel()
	err := f(ctx)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return err
}

// Put implements Bucket. The library uploads parts while write goes on. When
// anything fails, the upload's context is ended before it could complete, which
// makes the library abort it.
//
// The library reads from a pipe of ours: its own writers do the same, and that of
// Azure panics when it is closed after a failure.
func (c *cloud) Put(ctx context.Context, path string, write func(io.Writer) error) error {
	if err := errors.Join(checkPath(path, false), ended(ctx)); err != nil {
		return fault.From(err)
	}
	upload, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	from, to := io.Pipe()
	w := &cloudWriter{
		ctx: upload, to: to, abort: abort, limit: c.opts.limit(c.inFlight()), done: make(chan struct{}),
	}
	var uploaded error
	go func() {
		defer close(w.done)
		uploaded = c.bucket.Upload(upload, c.prefix+path, from, &blob.WriterOptions{
			BufferSize: c.opts.PartBytes, MaxConcurrency: c.opts.PartsAtOnce,
			ContentType: "application/octet-stream",
		})
		_ = from.CloseWithError(errEnded) // it returns nil always; who still writes is not to wait
	}()
	written := w.run(write)
	<-w.done
	switch {
	case written != nil && w.err == nil:
		return written
	case uploaded != nil || w.err != nil:
		return c.fault(ctx, errors.Join(uploaded, context.Cause(upload)), "write", path)
	}
	return nil
}

// errEnded is what a writer gets whose upload has ended.
var errEnded = errors.New("the upload has ended")

// inFlight returns how many bytes of an upload may be on their way.
func (c *cloud) inFlight() int64 { return int64(c.opts.PartBytes) * int64(c.opts.PartsAtOnce+1) }

// cloudWriter feeds an upload, and ends one that does not take what it is given.
type cloudWriter struct {
	ctx   context.Context // of the upload
	to    *io.PipeWriter
	abort context.CancelCauseFunc
	limit time.Duration
	done  chan struct{} // closed when the upload has ended
	err   error         // of the storage, not of who writes
}

// run has write write all and waits for the upload, which it aborts when write
// fails or panics.
func (w *cloudWriter) run(write func(io.Writer) error) (written error) {
	written = errors.New("the writer did not return")
	defer func() {
		if written != nil {
			w.abort(written)
			_ = w.to.CloseWithError(written) // it returns nil always
		} else {
			_ = w.to.Close() // likewise
		}
		w.timed(func() { <-w.done })
	}()
	written = write(w)
	return written
}

// Write implements io.Writer.
func (w *cloudWriter) Write(p []byte) (n int, err error) {
	if w.err == nil && w.ctx.Err() != nil {
		w.err = context.Cause(w.ctx)
	}
	if w.err != nil {
		return 0, w.err
	}
	w.timed(func() { n, err = w.to.Write(p) })
	if err != nil {
		w.err = err
	}
	return n, err
}

func (w *cloudWriter) timed(f func()) {
	timer := time.AfterFunc(w.limit, func() { w.abort(errSlow) })
	defer timer.Stop()
	f()
}

// Open implements Bucket.
func (c *cloud) Open(ctx context.Context, path string) (Reader, error) {
	if err := errors.Join(checkPath(path, false), ended(ctx)); err != nil {
		return nil, fault.From(err)
	}
	var size int64
	err := within(ctx, c.opts.limit(0), func(ctx context.Context) error {
		a, err := c.bucket.Attributes(ctx, c.prefix+path)
		if err == nil {
			size = a.Size
		}
		return err
	})
	if err != nil {
		return nil, c.missing(ctx, err, path)
	}
	return &reader{
		ctx: context.WithoutCancel(ctx), path: path, size: size,
		read: func(ctx context.Context, p []byte, off int64) (int, error) {
			return c.readAt(ctx, path, p, off)
		},
	}, nil
}

func (c *cloud) readAt(ctx context.Context, path string, p []byte, off int64) (n int, err error) {
	if err := ended(ctx); err != nil {
		return 0, err
	}
	for try := 1; ; try++ {
		n, err = c.readOnce(ctx, path, p, off)
		lost := n > 0 && err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() == nil
		if !lost || try >= c.opts.Attempts {
			break
		}
		c.opts.Retried() // the library sends requests again, but not what breaks off in a body
	}
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return n, err
	}
	return n, c.missing(ctx, err, path)
}

func (c *cloud) readOnce(ctx context.Context, path string, p []byte, off int64) (n int, err error) {
	err = within(ctx, c.opts.limit(int64(len(p))), func(ctx context.Context) error {
		r, err := c.bucket.NewRangeReader(ctx, c.prefix+path, off, int64(len(p)), nil)
		if err != nil {
			return err
		}
		n, err = io.ReadFull(r, p)
		if closing := r.Close(); err == nil {
			err = closing
		}
		return err
	})
	return n, err
}

// missing tells an object that is not there from a storage that is not.
func (c *cloud) missing(ctx context.Context, err error, path string) error {
	if gcerrors.Code(err) != gcerrors.NotFound {
		return c.fault(ctx, err, "read", path)
	}
	there := false
	probe := within(ctx, c.opts.limit(0), func(ctx context.Context) (err error) {
		there, err = c.bucket.IsAccessible(ctx)
		return err
	})
	if probe != nil {
		return c.fault(ctx, probe, "read", path)
	}
	if !there {
		return fault.Wrap(fault.StorageUnavailable, err, "%s does not exist or may not be listed; "+
			"check its uri and credentials", c.name)
	}
	return missing(path)
}

// pageSize is how many objects are listed by one request.
const pageSize = 1000

// List implements Bucket.
func (c *cloud) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := errors.Join(checkPath(prefix, true), ended(ctx)); err != nil {
			yield(Info{}, fault.From(err))
			return
		}
		token := blob.FirstPageToken
		for len(token) > 0 {
			var page []*blob.ListObject
			err := within(ctx, c.opts.limit(0), func(ctx context.Context) (err error) {
				page, token, err = c.bucket.ListPage(ctx, token, pageSize,
					&blob.ListOptions{Prefix: c.prefix + prefix})
				return err
			})
			if err != nil {
				yield(Info{}, c.fault(ctx, err, "list", prefix))
				return
			}
			for _, o := range page {
				path := strings.TrimPrefix(o.Key, c.prefix)
				if !o.IsDir && !yield(Info{Path: path, Size: o.Size, Modified: o.ModTime}, nil) {
					return
				}
			}
		}
	}
}

// Delete implements Bucket.
func (c *cloud) Delete(ctx context.Context, path string) error {
	if err := errors.Join(checkPath(path, false), ended(ctx)); err != nil {
		return fault.From(err)
	}
	err := within(ctx, c.opts.limit(0), func(ctx context.Context) error {
		return c.bucket.Delete(ctx, c.prefix+path)
	})
	if err == nil {
		return nil
	}
	if err := c.missing(ctx, err, path); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

// Sweep implements Bucket.
func (c *cloud) Sweep(ctx context.Context, before time.Time) (n int, err error) {
	if c.sweep == nil {
		return 0, ended(ctx)
	}
	if n, err = c.sweep(ctx, c.prefix, before); err != nil {
		err = c.fault(ctx, err, "sweep", "")
	}
	return n, err
}

// Close implements Bucket.
func (c *cloud) Close() error {
	if c.idle != nil {
		c.idle()
	}
	if err := c.bucket.Close(); err != nil {
		return fault.Wrap(fault.StorageUnavailable, err, "close %s", c.name)
	}
	return nil
}

// fault makes a fault of an error of the library. The caller's own end is told
// as that.
func (c *cloud) fault(ctx context.Context, err error, doing, path string) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	what := fmt.Sprintf("%s %s in %s", doing, clip(path), c.name)
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, errSlow):
		return fault.Wrap(fault.StorageUnavailable, hide(err), "%s: the storage is too slow or does "+
			"not answer; try again, or check the network", what)
	}
	code, hint := fault.StorageUnavailable, "the storage does not answer as it should"
	if c.classify != nil {
		if known := c.classify(err); known != "" {
			code = known
		}
	}
	switch gcerrors.Code(err) {
	case gcerrors.PermissionDenied:
		hint = "the credentials are refused; check them and the rights that they give"
	case gcerrors.NotFound:
		hint = "it does not exist; check the uri"
	case gcerrors.ResourceExhausted:
		code = fault.StorageFull
	}
	if code == fault.StorageFull {
		hint = "the storage is full; make room or raise its quota"
	}
	return fault.Wrap(code, hide(err), "%s: %s", what, hint)
}
