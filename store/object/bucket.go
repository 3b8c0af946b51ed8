package object

import (
	"context"
	"io"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Bucket is a set of objects below one root. Paths are relative and divided by
// slashes.
type Bucket interface {
	// Put stores what write writes under path, in place of what is there. It
	// holds some parts of the object in memory, never the whole. When write
	// fails, Put returns that error and nothing is stored.
	Put(ctx context.Context, path string, write func(io.Writer) error) error
	// Open returns what reads an object. A missing one is NOT_FOUND.
	Open(ctx context.Context, path string) (Reader, error)
	// List yields the objects whose paths begin with prefix, in no order. It
	// ends with the first error.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Delete removes an object. One that is not there is no error.
	Delete(ctx context.Context, path string) error
	// Sweep removes what uploads left that were begun before a time and did not
	// end, and returns how many. No upload may be older and still go on.
	Sweep(ctx context.Context, before time.Time) (int, error)
	// Close gives back connections. Calls that go on may fail.
	Close() error
}

// Reader reads an object. It holds nothing that must be closed, and is safe for
// concurrent use.
type Reader interface {
	// ReadAt implements io.ReaderAt by a ranged read, under the time limits of
	// the bucket alone.
	io.ReaderAt
	// At returns what reads under ctx as well.
	At(ctx context.Context) io.ReaderAt
	// Size returns the bytes of the object when it was opened.
	Size() int64
}

// Info is what List tells of an object.
type Info struct {
	Path     string
	Size     int64 // in bytes
	Modified time.Time
}

// Options bound what a bucket may cost. The zero value is the default.
type Options struct {
	// Timeout is how long a storage may not answer, or not move a byte; 0 means
	// 30 seconds. A transfer also fails when it is slower than MinRate over its
	// whole length.
	Timeout time.Duration
	// MinRate is in bytes a second; 0 means 64 KiB.
	MinRate int64
	// PartBytes is the size of the pieces of an upload to the cloud, 5 MiB at
	// least; 0 means 8 MiB. PartsAtOnce of them are in memory; 0 means 3.
	PartBytes   int
	PartsAtOnce int
	// Attempts is how often a request to the cloud is sent before it fails; 0
	// means 3.
	Attempts int
	// Retried is called when a request is sent again. Nil is allowed.
	Retried func()
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MinRate == 0 {
		o.MinRate = 64 << 10
	}
	if o.PartBytes == 0 {
		o.PartBytes = 8 << 20
	}
	if o.PartsAtOnce == 0 {
		o.PartsAtOnce = 3
	}
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	if o.Retried == nil {
		o.Retried = func() {}
	}
	return o
}

// limit returns how long a transfer of n bytes may take.
func (o Options) limit(n int64) time.Duration {
	return o.Timeout + time.Duration(float64(n)/float64(o.MinRate)*float64(time.Second))
}

// maxPath bounds a path in bytes, as S3 does, and leaves room for a prefix.
const maxPath = 900

// checkPath refuses what is no path of an object. With prefix it may be empty
// or end with a slash.
func checkPath(path string, prefix bool) error {
	if prefix && path == "" {
		return nil
	}
	if prefix {
		path = strings.TrimSuffix(path, "/")
	}
	ok := path != "" && len(path) <= maxPath && utf8.ValidString(path) &&
		!strings.Contains(path, `\`) && !strings.ContainsFunc(path, unicode.IsControl)
	for element := range strings.SplitSeq(path, "/") {
		ok = ok && element != "" && element != "." && element != ".." &&
			!strings.HasPrefix(element, draftPrefix)
	}
	if !ok {
		return fault.New(fault.InvalidParameter, "%q is no path of an object; write folder/name",
			clip(path))
	}
	return nil
}

// clip shortens what stands in a message.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func missing(path string) error {
	return fault.New(fault.NotFound, "the file %s is not in the storage", clip(path))
}
