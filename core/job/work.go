package job

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Names of kinds that statements start, and of their parameters.
const (
	Flush   = "flush"   // moves rows to the cold tier; ForUser narrows it
	Compact = "compact" // rewrites segments of a table that are small or worn
	Retain  = "retain"  // rewrites those with rows that were deleted long ago
	Sweep   = "sweep"   // deletes files that nothing points to: of a table, or OfStorage
	Cleanup = "cleanup" // deletes all of a dropped table, or of ForUser, who was dropped

	ForUser  = "user"
	ByPolicy = "by_policy" // asked for by the policy of the table
	Dropped  = "dropped"   // the definition of a table that is to be cleaned up

	OfStorage = "storage"
)

// Kind is a kind of job.
type Kind struct {
	Name string // "flush"
	// Group names kinds of which one job at a time works on a table; "" is the
	// kind alone.
	Group string
	// Resume says that one which was interrupted can be begun anew: Run does
	// what is left, whatever was done before.
	Resume bool
	// Run does the work. It ends soon after ctx does. A *fault.Error with a
	// retryable code is tried again; see also Skip.
	Run func(ctx context.Context, w *Work) error
}

// skip ends a job as skipped.
type skip struct{ reason string }

func (s *skip) Error() string { return s.reason }

// Skip returns the error with which a Kind's Run says that there is nothing to
// do, and why.
func Skip(format string, args ...any) error { return &skip{fmt.Sprintf(format, args...)} }

// retryable reports whether the same work may succeed later.
func retryable(err error) bool {
	var s *skip
	return !errors.As(err, &s) && fault.CodeOf(err).Info().Retryable
}

// Work is one attempt at a job, as its Run sees it. It is safe for concurrent
// use.
type Work struct {
	Request // Params is not to be changed
	Attempt int

	done, total, rows, bytes atomic.Int64
	message                  atomic.Pointer[string]
}

// NewWork returns an attempt outside of a Manager, for tests of kinds.
func NewWork(r Request) *Work { return &Work{Request: r, Attempt: 1} }

// Expect says how much there is to do in all, in a unit of Run's choice.
func (w *Work) Expect(total int64) { w.total.Store(total) }

// Did adds to what is done, in the unit of Expect.
func (w *Work) Did(n int64) { w.done.Add(n) }

// Wrote adds to the rows and bytes that were written.
func (w *Work) Wrote(rows, bytes int64) {
	w.rows.Add(rows)
	w.bytes.Add(bytes)
}

// Rows returns the rows written so far.
func (w *Work) Rows() int64 { return w.rows.Load() }

// Say sets the message of the job.
func (w *Work) Say(format string, args ...any) {
	m := fmt.Sprintf(format, args...)
	w.message.Store(&m)
}

// percent of what is to be done; 100 is only said of what has ended.
func (w *Work) percent() int {
	total, done := w.total.Load(), w.done.Load()
	if total <= 0 || done <= 0 {
		return 0
	}
	return int(min(99, done*100/total))
}

// fill puts what the attempt has done into r.
func (w *Work) fill(r *Record) {
	r.Progress, r.Rows, r.Bytes = w.percent(), w.rows.Load(), w.bytes.Load()
	if m := w.message.Load(); m != nil {
		r.Message = *m
	}
}

// does reports whether a job that waits does what another asks for.
func (r *Request) does(other *Request) bool {
	return r.Kind == other.Kind && r.TableID == other.TableID &&
		(len(r.Params) == 0 || maps.Equal(r.Params, other.Params))
}
