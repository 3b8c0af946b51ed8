// Package s3test starts a real S3 server over a folder, for tests. The server is
// a program of its own, which `make .cache/versitygw` builds; where that was not
// done, or can't be, tests that need it are skipped by name.
package s3test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// envBinary names the server's binary, instead of the one in .cache.
const envBinary = "KALAM_TEST_S3"

// Server is an S3 server. It stops with its test.
type Server struct {
	Endpoint  string // "http://127.0.0.1:port"
	Bucket    string // an empty bucket
	AccessKey string
	Secret    string
	Folder    string // where the objects of Bucket lie as files

	binary, root, address string
	cmd                   *exec.Cmd
	out                   safeBuffer
}

// Binary returns the path of the server's program, and skips the test where
// there is none.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(envBinary)
	if path == "" {
		root, err := testkit.Root()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(root, ".cache", "versitygw")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no S3 server at %s; `make s3` builds it", path)
	}
	return path
}

// Start starts a server whose files lie below root, which is made.
func Start(t testing.TB, root string) *Server {
	t.Helper()
	s := &Server{
		Bucket: "bucket", AccessKey: "test-access-key", Secret: "test-secret-key-0123456789",
		binary: Binary(t), root: root, Folder: filepath.Join(root, "files", "bucket"),
	}
	for _, dir := range []string{s.Folder, filepath.Join(root, "meta")} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s.Endpoint = "http://" + s.address
	s.Resume(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// URI returns the uri of the server's bucket, reached at endpoint, "" for the
// server's own.
func (s *Server) URI(prefix, endpoint string) string {
	if endpoint == "" {
		endpoint = s.Endpoint
	}
	return fmt.Sprintf("s3://%s/%s?region=us-east-1&endpoint=%s", s.Bucket, prefix, endpoint)
}

// Credentials returns the credentials of the server as JSON.
func (s *Server) Credentials() string {
	return fmt.Sprintf(`{"access_key_id": %q, "secret_access_key": %q}`, s.AccessKey, s.Secret)
}

// Resume starts the server, also again after Stop, at the same address.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.binary, "--port", s.address, "--access", s.AccessKey,
		"--secret", s.Secret, "--quiet", "--keep-alive", "posix",
		"--sidecar", filepath.Join(s.root, "meta"), filepath.Join(s.root, "files"))
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	testkit.Eventually(t, 20*time.Second, "the S3 server answers: "+s.out.String(), func() bool {
		answer, err := client.Get(s.Endpoint)
		if err != nil {
			return false
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return err == nil && answer.Body.Close() == nil
	})
}

// Stop kills the server. What it has stored stays.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = s.cmd.Wait() // it was killed, and says so
	s.cmd = nil
	if t.Failed() {
		t.Logf("the S3 server said: %s", s.out.String())
	}
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what was written.
func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
