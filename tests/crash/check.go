package crash

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long work may take that the server does by itself.
const patience = 60 * time.Second

// check compares everything with what was acknowledged, by every way of reading
// it, before rows move again and behind one more flush and compaction.
func (r *run) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for _, m := range r.realms {
		if err := r.settle(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if err := r.checkRealms(ctx); err != nil {
		return err
	}
	if err := r.arrive(ctx); err != nil {
		return fmt.Errorf("%s: %w", leaver, err)
	}
	if err := r.jobsEnd(ctx); err != nil {
		return err
	}
	if r.rand.IntN(2) == 0 {
		for _, sql := range []string{"FLUSH ALL", "COMPACT TABLE " + userTable,
			"COMPACT TABLE " + sharedTable} {
			if err := r.job(ctx, sql); err != nil {
				return err
			}
		}
		if err := r.checkRealms(ctx); err != nil {
			return err
		}
	}
	if err := r.checkTables(ctx); err != nil {
		return err
	}
	return r.checkFiles(ctx)
}

// checkRealms reads all realms in every way.
func (r *run) checkRealms(ctx context.Context) error {
	r.report.Rows = 0
	for _, m := range r.realms {
		r.report.Rows += len(m.rows)
		for _, q := range m.reads(r.rand) {
			if err := r.compare(ctx, m, q); err != nil {
				return fmt.Errorf("%s: %s: %w", m.name, q.sql, err)
			}
		}
		for id := m.lo; id < m.hi; id += 1 + r.rand.Int64N(m.hi-m.lo)/8 {
			if err := r.compare(ctx, m, m.byKey(id)); err != nil {
				return fmt.Errorf("%s: row %d: %w", m.name, id, err)
			}
		}
		if err := r.count(ctx, m); err != nil {
			return fmt.Errorf("%s: count: %w", m.name, err)
		}
		if err := r.snapshot(ctx, m); err != nil {
			return fmt.Errorf("%s: live snapshot: %w", m.name, err)
		}
	}
	return nil
}

func (m *realm) byKey(id int64) read {
	q := read{fmt.Sprintf("SELECT id, n, body FROM %s WHERE id = %d", m.table, id), nil}
	if c, ok := m.rows[id]; ok {
		q.want = map[int64]content{id: c}
	}
	return q
}

// jobsEnd waits for the jobs that the crash has cut, which go on or have failed
// with the reason.
func (r *run) jobsEnd(ctx context.Context) error {
	const open = "SELECT job_id, kind, status, error FROM system.jobs WHERE status NOT IN " +
		"('completed', 'failed', 'cancelled', 'skipped')"
	return r.until(ctx, "jobs that were cut have ended", func() (string, error) {
		a, err := r.root.SQL(ctx, open)
		if err != nil || len(a.Rows) == 0 {
			return "", err
		}
		return fmt.Sprint(a.Strings()), nil
	})
}

// until waits until left says that nothing is left; what is left behind
// patience is a fault.
func (r *run) until(ctx context.Context, what string, left func() (string, error)) error {
	for end := time.Now().Add(patience); ; {
		rest, err := left()
		switch {
		case err != nil || rest == "":
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(end):
			r.fault("after %v still not: %s: %s", patience, what, rest)
			return nil
		}
		wait(ctx, 20*time.Millisecond)
	}
}

// checkTables has the server look for damage itself.
func (r *run) checkTables(ctx context.Context) error {
	for _, t := range []string{userTable, sharedTable} {
		a, err := r.root.SQL(ctx, "CHECK TABLE "+t)
		if err != nil {
			return fmt.Errorf("CHECK TABLE %s: %w", t, err)
		}
		status := column(a, "status")
		for i, row := range a.Strings() {
			if i >= len(status) || status[i] != "ok" {
				r.fault("CHECK TABLE %s: %v", t, row)
			}
		}
	}
	return nil
}

// checkFiles compares the files of the storage with the manifest: behind the
// next sweep each entry has its file and rows that point to it, and each file
// its entry.
func (r *run) checkFiles(ctx context.Context) error {
	first := true
	return r.until(ctx, "the files are those of the manifest", func() (string, error) {
		settled, unsettled, err := r.entries(ctx)
		if err != nil {
			return "", err
		}
		files, err := r.files()
		if err != nil {
			return "", err
		}
		orphans, missing := without(files, settled), without(settled, files)
		if first {
			first = false
			r.report.Swept += len(orphans)
		}
		r.report.Files = len(files)
		if len(orphans)+len(missing)+len(unsettled) == 0 {
			return "", nil
		}
		return fmt.Sprintf("%d files that nothing needs: %v; %d entries without a file: %v; "+
			"unsettled: %v", len(orphans), few(orphans), len(missing), few(missing), few(unsettled)), nil
	})
}

// few returns the first of a list that stands in a message.
func few(list []string) []string { return list[:min(len(list), 5)] }

// entries returns the paths of the segments that rows point to, in order, and
// those that nothing does, with their state.
func (r *run) entries(ctx context.Context) (settled, unsettled []string, err error) {
	r.report.Cold = 0
	for _, t := range []string{userTable, sharedTable} {
		a, err := r.root.SQL(ctx, "SHOW MANIFEST FOR "+t)
		if err != nil {
			return nil, nil, err
		}
		states, live := column(a, "status"), column(a, "live_rows")
		for i, path := range column(a, "path") {
			n, err := strconv.ParseInt(live[i], 10, 64)
			if err != nil {
				return nil, nil, err
			}
			r.report.Cold += n
			if states[i] == "there" && n > 0 {
				settled = append(settled, path)
			} else {
				unsettled = append(unsettled, fmt.Sprintf("%s is %s with %d rows", path, states[i], n))
			}
		}
	}
	slices.Sort(settled)
	return settled, unsettled, nil
}

// files returns the paths of the segments below the folder of the storage
// local.
func (r *run) files() (paths []string, err error) {
	root := filepath.Join(r.DataDir, "cold")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if rel, err := filepath.Rel(root, path); err == nil && !strings.HasSuffix(rel, ".json") {
			paths = append(paths, rel)
		}
		return nil
	})
	if os.IsNotExist(err) {
		err = nil
	}
	slices.Sort(paths)
	return paths, err
}

// without returns what is in a and not in b; both are sorted.
func without(a, b []string) (rest []string) {
	for _, s := range a {
		if _, ok := slices.BinarySearch(b, s); !ok {
			rest = append(rest, s)
		}
	}
	return rest
}
