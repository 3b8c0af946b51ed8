package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/s3test"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// s3Bench is a database whose table app.t goes cold in an S3 server, reached over
// a network that fails when it is told to.
type s3Bench struct {
	*bench
	server *s3test.Server
	proxy  *blackbox.Proxy
	rows   int
}

func newS3Bench(t *testing.T, root3 string) *s3Bench {
	t.Helper()
	s := &s3Bench{server: s3test.Start(t, root3)}
	var err error
	if s.proxy, err = blackbox.NewProxy(s.server.Endpoint); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.proxy.Close)
	s.bench = open(t, filepath.Join(t.TempDir(), "data"), engine.Options{
		RootPassword: "a password",
		Objects:      object.Options{Timeout: time.Second, Attempts: 2, PartBytes: 5 << 20},
	})
	s.run(root, "CREATE NAMESPACE app")
	s.run(root, fmt.Sprintf("CREATE STORAGE s3 TYPE s3 WITH (uri = '%s', credentials = '%s')",
		s.server.URI("cold", s.proxy.URL), s.server.Credentials()))
	s.run(root, "CREATE TABLE app.t (id BIGINT PRIMARY KEY, body TEXT) WITH (STORAGE = 's3')")
	return s
}

// write adds rows of alice that do not compress, and checks that all are there.
func (s *s3Bench) write(n, size int) {
	s.t.Helper()
	for range n {
		s.run(alice, "INSERT INTO app.t VALUES (?, ?)", s.rows, body(s.rows, size))
		s.rows++
	}
}

func body(i, size int) string {
	var b strings.Builder
	x := uint64(i)*0x9e3779b97f4a7c15 + 1
	for b.Len() < size {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%016x", x)
	}
	return b.String()[:size]
}

func (s *s3Bench) check() {
	s.t.Helper()
	out := s.run(alice, "SELECT id, body FROM app.t ORDER BY id")
	if len(out.Rows) != s.rows {
		s.t.Fatalf("%d rows, want %d", len(out.Rows), s.rows)
	}
	for i, row := range out.Rows {
		if text := row[1].Text(); text != body(i, len(text)) || len(text) == 0 {
			s.t.Fatalf("row %d reads otherwise than it was written", i)
		}
	}
}

func (s *s3Bench) flushFails(code fault.Code) {
	s.t.Helper()
	start := time.Now()
	_, err := s.db.Flush(context.Background(), "app", "t", "alice")
	if !fault.Is(err, code) {
		s.t.Errorf("a flush that can't be: %v, want %s", err, code)
	}
	if took := time.Since(start); took > time.Minute {
		s.t.Errorf("it took %v to fail", took)
	}
	if a := s.db.Alarms(); len(a) != 1 || a[0].Storage != "s3" || a[0].Code != code {
		s.t.Errorf("alarms are %+v", a)
	}
	s.want(root, "failing", "SELECT status FROM system.storages WHERE id = 's3'")
}

func (s *s3Bench) flush() {
	s.t.Helper()
	if _, err := s.db.Flush(s.t.Context(), "app", "t", "alice"); err != nil {
		s.t.Fatal(err)
	}
	if a := s.db.Alarms(); len(a) != 0 {
		s.t.Errorf("alarms are left: %+v", a)
	}
}

// Whatever the network does, writes go on hot, nothing is lost, and the flush is
// done when it is tried again.
func TestS3Storage_flushesOverABadNetwork(t *testing.T) {
	s := newS3Bench(t, t.TempDir())
	s.write(50, 1000)
	s.flush()
	s.check()
	for name, trouble := range map[string]func(on bool){
		"it refuses":         s.proxy.Refuse,
		"it does not answer": s.proxy.Stall,
		"it loses connections in mid-upload": func(on bool) {
			if s.proxy.CutUploadsAfter(-1); on {
				s.proxy.CutUploadsAfter(20_000)
			}
		},
	} {
		t.Run(name, func(*testing.T) {
			s.write(50, 1000)
			trouble(true)
			s.flushFails(fault.StorageUnavailable)
			s.write(20, 1000)
			s.want(alice, fmt.Sprint(s.rows), "SELECT COUNT(*) FROM app.t") // no cold row is read
			trouble(false)
			s.check()
			s.flush()
			s.check()
		})
	}
	s.proxy.Slow(1 << 20)
	s.write(100, 1000)
	s.flush()
	s.proxy.Slow(0)
	s.close()
	s.open()
	s.check()
	err := s.fails(root, fault.InUse, "DROP STORAGE s3")
	if !strings.Contains(err.Error(), "1 tables") {
		t.Error(err)
	}
	s.run(root, "ALTER TABLE app.t SET (STORAGE = 'local')")
	s.fails(root, fault.InUse, "DROP STORAGE s3") // files are there
	s.run(root, "DROP TABLE app.t")
}

func TestS3Storage_isFull(t *testing.T) {
	s := newS3Bench(t, testkit.SmallDisk(t))
	s.write(20, 1000)
	s.flush()
	s.write(20, 200_000)
	s.flushFails(fault.StorageFull)
	s.check()
	s.write(20, 1000)
	s.run(root, "ALTER TABLE app.t SET (STORAGE = 'local')")
	if _, err := s.db.Flush(t.Context(), "app", "t", "alice"); err != nil {
		t.Fatal(err)
	}
	s.check()
	s.run(root, "CHECK STORAGE s3") // there is room for what is small
	if a := s.db.Alarms(); len(a) != 0 {
		t.Errorf("alarms are %+v", a)
	}
}

func TestS3Storage_Probe(t *testing.T) {
	s := newS3Bench(t, t.TempDir())
	s.proxy.Refuse(true)
	s.fails(root, fault.StorageUnavailable, "CHECK STORAGE s3")
	s.db.ProbeStorages(t.Context())
	if len(s.db.Alarms()) != 1 {
		t.Error("the alarm is gone while the storage fails")
	}
	s.proxy.Refuse(false)
	s.db.ProbeStorages(t.Context())
	if a := s.db.Alarms(); len(a) != 0 {
		t.Errorf("alarms are %+v", a)
	}
	if n, err := s.db.Query(t.Context(), root, "SELECT value FROM system.stats WHERE name = 'storage_errors.s3'"); err != nil ||
		n.Rows[0][0].Text() == "0" {
		t.Errorf("%v, %v", n.Rows, err)
	}
}
