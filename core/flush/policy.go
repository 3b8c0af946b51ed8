// Package flush decides when rows go cold, and does it: it schedules flushes and
// compactions by the policies of tables, and is the kinds of jobs that run them.
// What moves the rows of one user is package cold.
//
// A Scheduler is an actor beside the jobs: it looks at all tables from time to
// time and asks for jobs; it waits for none. The package starts no goroutine.
package flush

import (
	"time"

	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Policy is what holds for tables that say nothing else. Zero Rows and Interval
// flush by hand only; the other fields have defaults.
type Policy struct {
	Rows     int64         // a flush as soon as so many rows came since the last
	Interval time.Duration // a flush so often

	// Users with fewer than MinRows hot rows wait until one of these is older
	// than MaxAge, so that small users don't become small files; 1000 and 30
	// days. A flush that is asked for takes all.
	MinRows int
	MaxAge  time.Duration

	// A user's segments are compacted when so many of them are small, or when
	// the share of their rows that nothing points to is so great; 8 and 50.
	CompactSegments int
	DeadPercent     int
	// SmallRows is the number of rows below which a segment is small; 50,000.
	SmallRows int

	// DeletedRetention is how long deleted rows are kept; 7 days.
	DeletedRetention time.Duration
}

// withDefaults returns p with its defaults.
func (p Policy) withDefaults() Policy {
	number := func(n *int, def int) {
		if *n == 0 {
			*n = def
		}
	}
	number(&p.MinRows, 1000)
	number(&p.CompactSegments, 8)
	number(&p.DeadPercent, 50)
	number(&p.SmallRows, 50_000)
	if p.MaxAge == 0 {
		p.MaxAge = 30 * 24 * time.Hour
	}
	if p.DeletedRetention == 0 {
		p.DeletedRetention = 7 * 24 * time.Hour
	}
	return p
}

// of returns what holds for a table.
func (p Policy) of(t *ddl.Table) Policy {
	if t.Flush != (ddl.FlushPolicy{}) {
		p.Rows, p.Interval = t.Flush.Rows, t.Flush.Interval
	}
	if t.DeletedRetention != 0 {
		p.DeletedRetention = t.DeletedRetention
	}
	return p
}
