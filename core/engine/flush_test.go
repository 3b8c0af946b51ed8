package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/flush"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// waits runs a statement that starts a job and waits for its end, which is to be
// as status says. It returns the job's message.
func (b *bench) waits(sql, status string) string {
	b.t.Helper()
	id := b.job(root, sql)
	r := b.run(root, "WAIT FOR JOB '"+id+"'").Rows[0]
	if r[2].Str() != status {
		b.t.Fatalf("%s: %s: %s %s", sql, r[2].Str(), r[4].Text(), r[12].Text())
	}
	return r[4].Text()
}

// fill inserts rows of a user.
func (b *bench) fill(id engine.Identity, from, n int) {
	b.t.Helper()
	var rows []string
	for i := from; i < from+n; i++ {
		rows = append(rows, fmt.Sprintf("(1, %d, 'row %d')", i, i))
	}
	b.run(id, "INSERT INTO chat.messages VALUES "+strings.Join(rows, ", "))
}

// files returns the files of the cold tier in a data directory.
func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "cold"), func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".parquet") {
			list = append(list, p)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return list
}

func (b *bench) wantFiles(dir string, n int) {
	b.t.Helper()
	testkit.Eventually(b.t, 20*time.Second, fmt.Sprintf("%d files", n), func() bool {
		return len(files(b.t, dir)) == n
	})
}

func TestEngine_FlushAndCompact(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.chat()
	b.fill(alice, 0, 20)
	b.fill(bob, 0, 10)
	if m := b.waits("FLUSH TABLE chat.messages FOR USER 'alice'", "completed"); m !=
		"20 rows of 1 users in 1 segments" {
		t.Errorf("flushed %s", m)
	}
	b.wantFiles(dir, 1)
	if m := b.waits("FLUSH TABLE chat.messages", "completed"); m != "10 rows of 1 users in 1 segments" {
		t.Errorf("flushed %s", m)
	}
	b.want(root, "alice there local 20 20\nbob there local 10 10", `SELECT user_id, status, storage,
		rows, live_rows FROM system.manifest WHERE table_name = 'messages' ORDER BY user_id`)
	b.fill(alice, 20, 5)
	b.run(alice, "DELETE FROM chat.messages WHERE id < 3")
	b.waits("FLUSH TABLE chat.messages", "completed")
	b.want(root, "25 5 22", `SELECT sum(rows), min(live_rows), sum(live_rows) FROM system.manifest
		WHERE user_id = 'alice'`)
	var cold, segments, dead int64
	for _, r := range b.run(service, "SHOW STATS FOR TABLE chat.messages").Rows {
		cold, segments, dead = cold+r[4].Int(), segments+r[6].Int(), dead+r[7].Int()
	}
	if cold != 32 || segments != 3 || dead != 3 {
		t.Errorf("%d cold rows in %d segments, %d dead", cold, segments, dead)
	}
	if m := b.waits("COMPACT TABLE chat.messages", "completed"); m !=
		"2 segments of 1 users became 1, 22 rows written" {
		t.Errorf("compacted %s", m)
	}
	b.want(root, "alice 22 22\nbob 10 10", `SELECT user_id, rows, live_rows FROM system.manifest
		WHERE status = 'there' ORDER BY user_id`)
	b.want(alice, "22 3 24", "SELECT count(*), min(id), max(id) FROM chat.messages")
	b.want(alice, "row 24", "SELECT content FROM chat.messages WHERE id = 24")
	if m := b.waits("COMPACT TABLE chat.messages", "completed"); !strings.HasPrefix(m, "0 segments") {
		t.Errorf("compacted again %s", m)
	}
	for _, r := range b.run(root, "CHECK TABLE chat.messages").Rows {
		if r[4].Str() != "ok" {
			t.Errorf("%v", r)
		}
	}
	all := files(t, dir)
	bytes, err := os.ReadFile(all[len(all)-1])
	if err != nil {
		t.Fatal(err)
	}
	bytes[len(bytes)/2] ^= 1
	if err := os.WriteFile(all[len(all)-1], bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, r := range b.run(root, "CHECK TABLE chat.messages").Rows {
		if r[4].Str() == string(fault.Corruption) {
			damaged++
			if r[0].Str() != "segment" || !strings.Contains(all[len(all)-1], r[1].Str()[len("local:"):]) ||
				!strings.Contains(r[5].Str(), ".parquet") {
				t.Errorf("%v", r)
			}
		}
	}
	if damaged != 1 {
		t.Errorf("%d places are damaged", damaged)
	}
	if err := os.Remove(all[len(all)-1]); err != nil {
		t.Fatal(err)
	}
	missing := ""
	for _, r := range b.run(root, "CHECK TABLE chat.messages").Rows {
		missing += r[5].Text()
	}
	if !strings.Contains(missing, ".parquet is missing") {
		t.Errorf("a file that is gone: %q", missing)
	}
}

// A dropped or truncated table leaves no file and no partition, although the
// process may end in the middle.
func TestEngine_CleansUp(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.chat()
	const partitions = "SELECT value FROM system.stats WHERE name = 'partitions'"
	before := b.rows(root, partitions)
	for range 2 {
		b.fill(alice, 0, 5)
		b.fill(bob, 0, 5)
		b.waits("FLUSH TABLE chat.messages", "completed")
		b.wantFiles(dir, 2)
		b.run(root, "TRUNCATE TABLE chat.messages")
		b.want(alice, "0", "SELECT count(*) FROM chat.messages")
		b.wantFiles(dir, 0)
	}
	b.fill(alice, 0, 5)
	b.waits("FLUSH TABLE chat.messages", "completed")
	b.run(root, "DROP NAMESPACE chat CASCADE")
	b.chat() // under the same name
	b.close()
	b.open()
	b.wantFiles(dir, 0)
	b.want(alice, "0", "SELECT count(*) FROM chat.messages")
	testkit.Eventually(t, 20*time.Second, "the partitions to go", func() bool {
		return b.rows(root, partitions) == before
	})
	b.want(root, "3", "SELECT count(*) FROM system.jobs WHERE kind = 'cleanup' AND status = 'completed'")
}

// Tables are flushed, compacted and swept as their policies say, small users
// only when their rows are old.
func TestEngine_FlushesByPolicy(t *testing.T) {
	dir := t.TempDir()
	now, move := at(time.Now())
	b := open(t, dir, engine.Options{
		RootPassword: "a password", FlushCheck: 10 * time.Millisecond, Now: now,
		Flush: flush.Policy{MinRows: 10, MaxAge: time.Hour},
	})
	b.chat()
	b.fill(alice, 0, 30)
	b.fill(bob, 0, 3)
	b.run(root, "ALTER TABLE chat.messages SET (FLUSH_POLICY = 'rows:25,interval:1s')")
	const there = "SELECT user_id, rows FROM system.manifest WHERE status = 'there' ORDER BY user_id"
	testkit.Eventually(t, 20*time.Second, "alice's rows in a segment", func() bool {
		move(time.Second)
		return b.rows(root, there) == "alice 30"
	})
	testkit.Eventually(t, 20*time.Second, "the job to tell what it did", func() bool {
		return b.rows(root, "SELECT message, user_id FROM system.jobs WHERE rows = 30") ==
			"30 rows of 1 users in 1 segments; 1 users wait until they have more rows system"
	})
	testkit.Eventually(t, 20*time.Second, "bob's rows to be old enough", func() bool {
		move(time.Minute)
		return b.rows(root, there) == "alice 30\nbob 3"
	})
	b.run(root, "ALTER TABLE chat.messages SET (FLUSH_POLICY = 'none')")
	b.fill(alice, 100, 30)
	b.want(root, "30", "SELECT max(rows) FROM system.manifest")
}

// unsteady is the storages of an engine, which fail while down is set.
type unsteady struct {
	cold.Storages
	down *atomic.Bool
}

func (u unsteady) Bucket(ctx context.Context, id ident.StorageID) (object.Bucket, error) {
	if u.down.Load() {
		return nil, fault.New(fault.StorageUnavailable, "the storage does not answer")
	}
	return u.Storages.Bucket(ctx, id)
}

// A flush whose storage is out of reach is tried again until it works; rows go on
// being written and read meanwhile, and it can be killed.
func TestEngine_FlushToAStorageThatFails(t *testing.T) {
	var down atomic.Bool
	b := open(t, "", engine.Options{
		Storage:      engine.Memory,
		Jobs:         job.Options{Backoff: 20 * time.Millisecond, MaxBackoff: 50 * time.Millisecond, Attempts: 1000},
		WrapStorages: func(s cold.Storages) cold.Storages { return unsteady{s, &down} },
	})
	b.chat()
	b.fill(alice, 0, 10)
	down.Store(true)
	id := b.job(root, "FLUSH TABLE chat.messages")
	testkit.Eventually(t, 10*time.Second, "the second attempt", func() bool {
		r := b.run(root, "SELECT attempts, error FROM system.jobs").Rows[0]
		return r[0].Int() > 1 && strings.HasPrefix(r[1].Text(), "STORAGE_UNAVAILABLE: the storage")
	})
	b.fill(alice, 10, 10)
	b.want(alice, "20", "SELECT count(*) FROM chat.messages")
	b.fails(root, fault.StatementTimeout, "WAIT FOR JOB '"+id+"' TIMEOUT '1s'")
	down.Store(false)
	r := b.run(root, "WAIT FOR JOB '"+id+"'").Rows[0]
	if r[2].Str() != "completed" || r[9].Int() != 20 || r[12].Text() != "" {
		t.Errorf("ended as %v", r)
	}
	b.fill(alice, 20, 1)
	down.Store(true)
	id = b.job(root, "FLUSH TABLE chat.messages")
	b.run(root, "KILL JOB '"+id+"'")
	if r := b.run(root, "WAIT FOR JOB '"+id+"'").Rows[0]; r[2].Str() != "cancelled" {
		t.Errorf("ended as %v", r)
	}
	b.fails(alice, fault.StorageUnavailable, "SELECT content FROM chat.messages WHERE id = 3")
	down.Store(false)
	b.want(alice, "row 3", "SELECT content FROM chat.messages WHERE id = 3")
}

// Deleted rows leave the cold tier too when their retention is over, by a job that
// nobody asks for.
func TestEngine_RetainsInTheColdTier(t *testing.T) {
	dir := t.TempDir()
	now, move := at(time.Now())
	b := open(t, dir, engine.Options{
		RootPassword: "a password", FlushCheck: 10 * time.Millisecond, Now: now,
		HistoryRetention: time.Hour, DeletedRetention: 2 * time.Hour,
	})
	b.chat()
	b.fill(alice, 0, 10)
	b.waits("FLUSH TABLE chat.messages", "completed")
	first := files(t, dir)
	b.run(alice, "DELETE FROM chat.messages WHERE id = 4")
	b.want(alice, "row 4", "SELECT content FROM chat.messages WHERE _deleted = TRUE")
	move(90 * time.Minute)
	if err := b.db.TrimHistory(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(alice, "row 4", "SELECT content FROM chat.messages WHERE _deleted = TRUE")
	move(31 * time.Minute)
	testkit.Eventually(t, 20*time.Second, "the segment to be rewritten", func() bool {
		return b.rows(root, "SELECT rows FROM system.manifest WHERE status = 'there'") == "9"
	})
	b.want(alice, "", "SELECT content FROM chat.messages WHERE _deleted = TRUE")
	move(2 * time.Minute)
	testkit.Eventually(t, 20*time.Second, "the old file to go", func() bool {
		list := files(t, dir)
		return len(list) == 1 && list[0] != first[0]
	})
	b.want(alice, "9 row 9", "SELECT count(*), max(content) FROM chat.messages")
	testkit.Eventually(t, 20*time.Second, "the jobs to end", func() bool {
		return b.rows(root, "SELECT DISTINCT kind, status FROM system.jobs "+
			"WHERE kind IN ('retain', 'sweep') ORDER BY kind") == "retain completed\nsweep completed"
	})
}
