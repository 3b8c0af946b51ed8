package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Step is one thing that Check has done.
type Step struct {
	Name string // write, read, list or delete
	Took time.Duration
}

// checkFolder holds the objects that Check makes for a moment.
const checkFolder = "kalamdb-check"

// Check writes, reads, lists and deletes a small object, and returns what it did
// and the first error. id makes the object's name one of its own.
func Check(ctx context.Context, b Bucket, id string) (steps []Step, err error) {
	path := checkFolder + "/" + id
	content := bytes.Repeat([]byte(id+"\n"), 100)
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"write", func() error { return put(ctx, b, path, content) }},
		{"read", func() error { return compare(ctx, b, path, content) }},
		{"list", func() error { return find(ctx, b, path) }},
		{"delete", func() error { return b.Delete(ctx, path) }},
	} {
		start := time.Now()
		if err := step.do(); err != nil {
			return steps, errors.Join(err, cleanUp(ctx, b, path, step.name))
		}
		steps = append(steps, Step{step.name, time.Since(start)})
	}
	return steps, nil
}

// cleanUp deletes what a failed check has written.
func cleanUp(ctx context.Context, b Bucket, path, failed string) error {
	if failed == "write" || failed == "delete" {
		return nil
	}
	return b.Delete(ctx, path)
}

func put(ctx context.Context, b Bucket, path string, content []byte) error {
	return b.Put(ctx, path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

func compare(ctx context.Context, b Bucket, path string, content []byte) error {
	r, err := b.Open(ctx, path)
	if err != nil {
		return found(err, path)
	}
	from := len(content) / 3
	got := make([]byte, len(content)-from)
	n, err := r.At(ctx).ReadAt(got, int64(from))
	if err != nil && !errors.Is(err, io.EOF) {
		return found(err, path)
	}
	if r.Size() != int64(len(content)) || !bytes.Equal(got[:n], content[from:]) {
		return fault.New(fault.StorageUnavailable,
			"the storage does not give back what was written to it; it can't be used")
	}
	return nil
}

// found makes of a missing object what it means here.
func found(err error, path string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.StorageUnavailable,
			"the file %s was written and is not there; the storage can't be used", clip(path))
	}
	return err
}

func find(ctx context.Context, b Bucket, path string) error {
	for info, err := range b.List(ctx, checkFolder+"/") {
		if err != nil {
			return err
		}
		if info.Path == path {
			return nil
		}
	}
	return found(missing(path), path)
}

// ReadAll returns a small object whole; one over limit bytes is a
// PAYLOAD_TOO_LARGE.
func ReadAll(ctx context.Context, b Bucket, path string, limit int64) ([]byte, error) {
	r, err := b.Open(ctx, path)
	switch {
	case err != nil:
		return nil, err
	case r.Size() > limit:
		return nil, fault.New(fault.PayloadTooLarge, "the file %s has %d bytes, more than %d", clip(path),
			r.Size(), limit)
	}
	content := make([]byte, r.Size())
	n, err := r.At(ctx).ReadAt(content, 0)
	if errors.Is(err, io.EOF) && n == len(content) {
		err = nil
	}
	return content, err
}

// WriteAll stores a small object.
func WriteAll(ctx context.Context, b Bucket, path string, content []byte) error {
	if err := put(ctx, b, path, content); err != nil {
		return fmt.Errorf("write %s: %w", clip(path), err)
	}
	return nil
}
