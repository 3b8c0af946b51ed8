package table

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Scan reads long runs of cold rows, without those that a filter excludes. It is
// used by one goroutine and must be closed.
type Scan interface {
	// Take gives a cold record its Values, which are valid until the next call, or
	// reports that the filter excludes it. After an error the record is as it was.
	Take(rec *row.Record) (ok bool, err error)
	Close()
}

// Wanted is what a long read of a user's rows is about.
type Wanted struct {
	Part    store.Partition
	User    ident.UserID
	Lo, Hi  []byte // primary keys [Lo, Hi); a nil Hi is the end
	Columns []ident.ColumnID
	Filter  *row.Filter
	Reverse bool
	Passed  int // how many cold rows were read already
}

// Outlook is what a read of a user's rows would meet of segments.
type Outlook struct {
	Segments     int   // of the user that have rows
	ByKey        int   // of these, those that have none in the range of keys
	ByStatistics int   // of the rest, those whose statistics meet no condition
	Groups       int   // row groups of what is left
	GroupsPruned int   // of these, those whose statistics meet no condition
	Rows         int64 // that point to what is left
	Scans        bool  // rather than to fetch rows one by one
	Unknown      bool  // statistics could not be read
}

// scanner is the part of a walk that scans segments. It asks for a scan when it
// meets its first cold row, and again behind some that were fetched; whoever gives
// scans knows when they are worth it.
type scanner struct {
	scan   Scan
	never  bool // it failed, or the walk can't
	passed int  // cold rows that were fetched
	asked  int  // how often it has asked
}

// asks are the numbers of rows behind which a scanner asks.
var asks = [...]int{0, firstLook, longLook}

// due reports whether it is time to ask.
func (s *scanner) due() bool {
	return !s.never && s.asked < len(asks) && s.passed >= asks[s.asked]
}

// ask asks for a scan and reports whether there is one.
func (s *scanner) ask(ctx context.Context, t Table, v *store.View, w Wanted) bool {
	s.asked++
	if t.Cold == nil {
		s.never = true
		return false
	}
	w.Passed = s.passed
	scan, err := t.Cold.Scan(ctx, v, w)
	s.scan, s.never = scan, err != nil // then whoever needs the row hears why
	return scan != nil
}

// give gives up scanning: a row that could not be read may be the only one that
// is damaged or away, and is fetched by itself.
func (s *scanner) give() {
	s.close()
	s.never = true
}

func (s *scanner) close() {
	if s.scan != nil {
		s.scan.Close()
		s.scan = nil
	}
}
