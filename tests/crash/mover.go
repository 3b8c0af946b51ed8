package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// movers are the statements that move rows, each list given in random order by
// a caller of its own, so that flushes and compactions meet.
var movers = [][]string{
	{"FLUSH TABLE " + userTable, "FLUSH TABLE " + userTable + " FOR USER 'user%d'",
		"FLUSH TABLE " + sharedTable},
	{"COMPACT TABLE " + userTable, "COMPACT TABLE " + sharedTable, "FLUSH ALL"},
}

// move has rows flushed and compacted until the server is gone.
func (r *run) move(ctx context.Context, statements []string, random *rand.Rand) {
	for ctx.Err() == nil {
		sql := statements[random.IntN(len(statements))]
		if sql == movers[0][1] {
			sql = fmt.Sprintf(sql, random.IntN(r.Users))
		}
		err := r.job(ctx, sql)
		var e *blackbox.Error
		switch {
		case err == nil:
		case errors.As(err, &e):
			r.fault("%s: %v", sql, e)
			return
		default:
			return
		}
		wait(ctx, time.Duration(random.Int64N(int64(r.Life)/50)))
	}
}

// job starts work and waits for its end. A job that failed is a fault.
func (r *run) job(ctx context.Context, sql string) error {
	ctx = context.WithoutCancel(ctx)
	a, err := r.root.SQL(ctx, sql)
	if err != nil {
		return err
	}
	for _, id := range column(a, "job_id") {
		if id == "NULL" {
			continue
		}
		row, err := r.root.SQL(ctx, "WAIT FOR JOB '"+id+"' TIMEOUT '60s'")
		if err != nil {
			return fmt.Errorf("wait for the job of %s: %w", sql, err)
		}
		kind, status := column(row, "kind"), column(row, "status")
		if len(status) != 1 || len(kind) != 1 || status[0] != "completed" && status[0] != "skipped" {
			r.fault("%s: its job is %v", sql, row.Strings())
			continue
		}
		r.mu.Lock()
		r.report.Moves[kind[0]+" "+status[0]]++
		r.mu.Unlock()
	}
	return nil
}

// column returns a column of a result by its name; a name that is not there is
// an empty column.
func column(a *blackbox.Result, name string) (cells []string) {
	for i, c := range a.Schema {
		if c.Name != name {
			continue
		}
		for _, row := range a.Strings() {
			cells = append(cells, row[i])
		}
	}
	return cells
}
