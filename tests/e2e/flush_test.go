package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// A flush that a crash cuts off is taken up again: each row is there once, and
// every file that is left is in the manifest.
func TestFlush_crashInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	s := testkit.Start(t, "KALAMDB_STORAGE_ENGINE=pebble", "KALAMDB_STORAGE_SHARDS=2",
		"KALAMDB_STORAGE_DATA_DIR="+dir, "KALAMDB_FLUSH_CHECK_INTERVAL=200ms")
	s.Process(t)
	root := s.Root()
	ns := s.Namespace(t)
	testkit.Must(t, root, "CREATE TABLE "+ns+".notes (id INT PRIMARY KEY, v TEXT)")
	const users, rows = 200, 50
	for u := range users {
		var values []string
		for i := range rows {
			values = append(values, fmt.Sprintf("(%d, 'note %d of %d')", i, i, u))
		}
		testkit.Must(t, root, fmt.Sprintf("INSERT INTO %s.u%d.notes VALUES %s", ns, u,
			strings.Join(values, ", ")))
	}
	id := testkit.Must(t, root, "FLUSH TABLE "+ns+".notes").Strings()[0][0]
	job := func(columns string) []string {
		return testkit.Must(t, root, "SELECT "+columns+" FROM system.jobs WHERE job_id = '"+id+"'").
			Strings()[0]
	}
	crashes := 0
	for range 3 {
		testkit.Eventually(t, patience, "some rows to be moved", func() bool {
			r := job("status, rows")
			n, err := strconv.Atoi(r[1])
			return err == nil && n > 0 || r[0] == "completed"
		})
		if job("status")[0] == "completed" {
			break
		}
		crashes++
		s.CrashAndRestart(t)
	}
	if crashes == 0 {
		t.Fatal("the flush had ended before it could be cut off")
	}
	end := testkit.Must(t, root, "WAIT FOR JOB '"+id+"' TIMEOUT '60s'").Strings()[0]
	if end[2] != "completed" || job("attempts")[0] == "1" {
		t.Errorf("after %d crashes it is %v, with attempts %s", crashes, end, job("attempts"))
	}
	testkit.WantRows(t, root, "SELECT sum(live_rows), sum(rows) >= sum(live_rows) FROM system.manifest",
		[]string{strconv.Itoa(users * rows), "true"})
	for _, u := range []int{0, 7, users - 1} {
		testkit.WantRows(t, root, fmt.Sprintf("SELECT count(*), max(v) FROM %s.u%d.notes", ns, u),
			[]string{strconv.Itoa(rows), fmt.Sprintf("note 9 of %d", u)})
	}
	for _, r := range testkit.Must(t, root, "CHECK TABLE "+ns+".notes").Strings() {
		if r[4] != "ok" {
			t.Errorf("%v", r)
		}
	}
	testkit.Eventually(t, 3*time.Minute, "no file that is not in the manifest", func() bool {
		known := testkit.Must(t, root, "SELECT path FROM system.manifest WHERE status = 'there'").Strings()
		return len(known) == len(segmentFiles(t, dir))
	})
	testkit.Eventually(t, patience, "no unfinished file", func() bool {
		drafts, err := filepath.Glob(filepath.Join(dir, "cold", ".kalamdb-draft-*"))
		return err == nil && len(drafts) == 0
	})
	testkit.Must(t, root, "DROP TABLE "+ns+".notes")
	s.CrashAndRestart(t)
	testkit.Eventually(t, patience, "the files of the dropped table to go", func() bool {
		return len(segmentFiles(t, dir)) == 0
	})
}

func segmentFiles(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "cold"), func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".parquet") {
			list = append(list, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
