package object_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/s3test"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/object/objecttest"
)

// network is an S3 server behind a proxy that does what networks do.
type network struct {
	server  *s3test.Server
	proxy   *blackbox.Proxy
	bucket  object.Bucket
	retries atomic.Int64
}

func newNetwork(t *testing.T, opts object.Options) *network {
	t.Helper()
	n := &network{server: s3test.Start(t, t.TempDir())}
	var err error
	if n.proxy, err = blackbox.NewProxy(n.server.Endpoint); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.proxy.Close)
	opts.PartBytes, opts.Retried = 5<<20, func() { n.retries.Add(1) }
	n.bucket = openS3(t, n.server, "p", n.proxy.URL, opts)
	t.Cleanup(func() {
		if err := n.bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// fails checks that everything answers STORAGE_UNAVAILABLE, and soon.
func (n *network) fails(t *testing.T, within time.Duration) {
	t.Helper()
	var list error
	start := time.Now()
	_, open := n.bucket.Open(t.Context(), "there")
	for _, err := range n.bucket.List(t.Context(), "") {
		list = err
	}
	for what, err := range map[string]error{
		"open": open, "list": list, "delete": n.bucket.Delete(t.Context(), "there"),
		"put": object.WriteAll(t.Context(), n.bucket, "new", []byte("new")),
	} {
		if !fault.Is(err, fault.StorageUnavailable) || !fault.CodeOf(err).Info().Retryable {
			t.Errorf("%s: %v", what, err)
		}
		if strings.Contains(err.Error(), n.server.Secret) {
			t.Errorf("%s tells the secret: %v", what, err)
		}
	}
	if took := time.Since(start); took > within {
		t.Errorf("it took %v to fail", took)
	}
}

// stored returns the files that the server has, without drafts of its own.
func (n *network) stored(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(n.server.Folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestS3_refuses(t *testing.T) {
	n := newNetwork(t, object.Options{Timeout: 2 * time.Second, Attempts: 2})
	objecttest.Put(t, n.bucket, "there", []byte("x"))
	n.proxy.Refuse(true)
	n.fails(t, 30*time.Second)
	n.proxy.Refuse(false)
	objecttest.Want(t, n.bucket, "there", []byte("x"))
	n.server.Stop(t)
	n.fails(t, 30*time.Second)
	n.server.Resume(t)
	objecttest.Want(t, n.bucket, "there", []byte("x"))
	if n.retries.Load() == 0 {
		t.Error("no request was sent again")
	}
}

func TestS3_doesNotAnswer(t *testing.T) {
	n := newNetwork(t, object.Options{Timeout: 300 * time.Millisecond, Attempts: 2})
	objecttest.Put(t, n.bucket, "there", []byte("x"))
	n.proxy.Stall(true)
	n.fails(t, 30*time.Second)
	n.proxy.Stall(false)
	objecttest.Want(t, n.bucket, "there", []byte("x"))
}

// big writes pieces of a megabyte, and calls at before the number of each.
func big(pieces int, at func(i int)) func(io.Writer) error {
	return func(w io.Writer) error {
		piece := make([]byte, 1<<20)
		for i := range pieces {
			at(i)
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}
}

// A connection that breaks now and then costs a part, not the upload.
func TestS3_losesConnections(t *testing.T) {
	n := newNetwork(t, object.Options{Timeout: 5 * time.Second, Attempts: 5})
	err := n.bucket.Put(t.Context(), "x", big(40, func(i int) {
		if i%13 == 12 {
			n.proxy.Cut()
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	objecttest.Want(t, n.bucket, "x", make([]byte, 40<<20))
	if n.proxy.Cuts() == 0 || n.retries.Load() == 0 {
		t.Errorf("%d connections were cut, %d requests were sent again", n.proxy.Cuts(), n.retries.Load())
	}
}

// A network that breaks every upload lets none through, and what it leaves goes
// with a sweep.
func TestS3_breaksInMidUpload(t *testing.T) {
	n := newNetwork(t, object.Options{Timeout: 2 * time.Second, Attempts: 2})
	objecttest.Put(t, n.bucket, "x", []byte("old"))
	n.proxy.CutUploadsAfter(3 << 20)
	if err := n.bucket.Put(t.Context(), "x", big(20, func(int) {})); !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("a broken upload is told as %v", err)
	}
	n.proxy.Refuse(true) // as the upload fails, and the library can't abort it
	if err := n.bucket.Put(t.Context(), "y", big(20, func(int) {})); !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("a refused upload is told as %v", err)
	}
	n.proxy.Refuse(false)
	n.proxy.CutUploadsAfter(-1)
	objecttest.Want(t, n.bucket, "x", []byte("old"))
	if got := objecttest.List(t, n.bucket, ""); len(got) != 1 {
		t.Errorf("listed are %v", got)
	}
	if _, err := n.bucket.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if files := n.stored(t); len(files) != 1 {
		t.Errorf("after a sweep are left %v", files)
	}
	if err := n.bucket.Put(t.Context(), "x", big(20, func(int) {})); err != nil {
		t.Error(err)
	}
	objecttest.Want(t, n.bucket, "x", make([]byte, 20<<20))
}

// An upload that nobody ends is swept, once it is old enough.
func TestS3_Sweep(t *testing.T) {
	n := newNetwork(t, object.Options{Timeout: 2 * time.Second, Attempts: 1})
	err := n.bucket.Put(t.Context(), "x", big(40, func(i int) {
		if i == 30 { // some parts are there, and the rest is lost with the server
			testkit.Eventually(t, 10*time.Second, "the server has a part", func() bool {
				return len(n.stored(t)) > 0
			})
			n.server.Stop(t)
		}
	}))
	if !fault.Is(err, fault.StorageUnavailable) {
		t.Fatalf("an upload to a dead server is told as %v", err)
	}
	n.server.Resume(t)
	if swept, err := n.bucket.Sweep(t.Context(), time.Now().Add(-time.Hour)); swept != 0 || err != nil {
		t.Errorf("swept %d that are not old, %v", swept, err)
	}
	if swept, err := n.bucket.Sweep(t.Context(), time.Now().Add(time.Hour)); swept != 1 || err != nil {
		t.Errorf("swept %d, %v", swept, err)
	}
	if files := n.stored(t); len(files) != 0 {
		t.Errorf("after a sweep are left %v", files)
	}
}

func TestS3_isSlow(t *testing.T) {
	n := newNetwork(t, object.Options{Timeout: time.Second, Attempts: 1, MinRate: 8 << 20})
	n.proxy.Slow(4 << 20)
	objecttest.Put(t, n.bucket, "small", make([]byte, 1<<20)) // slow, and done in time
	objecttest.Want(t, n.bucket, "small", make([]byte, 1<<20))
	n.proxy.Slow(64 << 10)
	start := time.Now()
	err := n.bucket.Put(t.Context(), "big", big(30, func(int) {}))
	if !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("a crawling upload is told as %v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v to fail", took)
	}
	n.proxy.Slow(0)
	if got := objecttest.List(t, n.bucket, ""); len(got) != 1 {
		t.Errorf("listed are %v", got)
	}
}

func TestS3_isFull(t *testing.T) {
	server := s3test.Start(t, testkit.SmallDisk(t))
	b := openS3(t, server, "p", "", object.Options{PartBytes: 5 << 20})
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, pieces := range []int{3, 12} {
		if err := b.Put(t.Context(), "big", big(pieces, func(int) {})); !fault.Is(err, fault.StorageFull) {
			t.Errorf("%d MiB in a full storage are told as %v", pieces, err)
		}
	}
	if got := objecttest.List(t, b, ""); len(got) != 0 {
		t.Errorf("listed are %v", got)
	}
	objecttest.Put(t, b, "small", []byte("x"))
}

func TestS3_wrongBucketAndCredentials(t *testing.T) {
	server := s3test.Start(t, t.TempDir())
	for _, spoil := range []func(*s3test.Server){
		func(s *s3test.Server) { s.Bucket = "nothing" },
		func(s *s3test.Server) { s.Secret = "another-secret-0123" },
		func(s *s3test.Server) { s.AccessKey = "another" },
	} {
		wrong := s3test.Server{Endpoint: server.Endpoint, Bucket: server.Bucket,
			AccessKey: server.AccessKey, Secret: server.Secret}
		spoil(&wrong)
		b := openS3(t, &wrong, "p", "", object.Options{})
		_, err := b.Open(t.Context(), "x")
		if !fault.Is(err, fault.StorageUnavailable) || strings.Contains(err.Error(), wrong.Secret) {
			t.Errorf("open: %v", err)
		}
		if _, err := object.Check(t.Context(), b, "1"); !fault.Is(err, fault.StorageUnavailable) ||
			strings.Contains(err.Error(), wrong.Secret) {
			t.Errorf("check: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}
