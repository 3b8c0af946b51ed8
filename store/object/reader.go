package object

import (
	"context"
	"errors"
	"io"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// reader is the Reader of all buckets: they differ in how a range is read.
type reader struct {
	ctx  context.Context // of Open, without its end
	path string
	size int64
	// read fills p from off on, which is inside of the object.
	read func(ctx context.Context, p []byte, off int64) (int, error)
}

var _ Reader = (*reader)(nil)

// Size implements Reader.
func (r *reader) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, off int64) (int, error) { return r.readAt(r.ctx, p, off) }

// At implements Reader.
func (r *reader) At(ctx context.Context) io.ReaderAt { return &bound{r, ctx} }

func (r *reader) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, fault.New(fault.InvalidParameter, "%s can't be read from %d on", clip(r.path), off)
	case off >= r.size:
		return 0, io.EOF
	}
	asked := p
	if int64(len(p)) > r.size-off {
		asked = p[:r.size-off]
	}
	if len(asked) == 0 {
		return 0, nil
	}
	n, err := r.read(ctx, asked, off)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), err == nil && n < len(asked):
		return n, fault.New(fault.Corruption, "the file %s is shorter than the %d bytes it had; "+
			"restore it from a backup", clip(r.path), r.size)
	case err == nil && len(asked) < len(p):
		err = io.EOF
	}
	return n, err
}

// bound is a reader under a context.
type bound struct {
	r   *reader
	ctx context.Context
}

// ReadAt implements io.ReaderAt.
func (b *bound) ReadAt(p []byte, off int64) (int, error) { return b.r.readAt(b.ctx, p, off) }
