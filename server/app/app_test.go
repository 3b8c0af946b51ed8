package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/server/app"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun_TakenPortIsNamedAndNothingIsOpened(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	c := servertest.Config(t, "KALAMDB_SERVER_PORT="+port, "KALAMDB_STORAGE_ENGINE=pebble")
	err = app.Run(context.Background(), app.Options{Config: c})
	if !fault.Is(err, fault.InUse) || !strings.Contains(err.Error(), port) {
		t.Errorf("err = %v, want one that names port %s", err, port)
	}
	if _, err := os.Stat(c.Storage.DataDir); !os.IsNotExist(err) {
		t.Errorf("the data folder was touched: %v", err)
	}
}

func TestRun_SecondProcessOnADirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	env := []string{"KALAMDB_STORAGE_ENGINE=pebble", "KALAMDB_STORAGE_DATA_DIR=" + dir}
	servertest.Start(t, env...)
	err := app.Run(context.Background(), app.Options{Config: servertest.Config(t, env...)})
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("err = %v, want one that names %s", err, dir)
	}
}

func TestRun_KeepsWhatWasWritten(t *testing.T) {
	for _, engine := range []string{"pebble", "badger"} {
		t.Run(engine, func(t *testing.T) {
			env := []string{"KALAMDB_STORAGE_ENGINE=" + engine,
				"KALAMDB_STORAGE_DATA_DIR=" + t.TempDir()}
			alice := servertest.Bearer(servertest.Token("alice", time.Hour))
			s := servertest.WithMessages(t, env...)
			s.MustSQL(t, alice, "INSERT INTO chat.messages VALUES (1, 'kept')")
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			s = servertest.Start(t, env...)
			if rows := s.MustSQL(t, alice, "SELECT body FROM chat.messages")[0].Rows; len(rows) != 1 ||
				rows[0][0] != "kept" {
				t.Errorf("rows = %v", rows)
			}
		})
	}
}

func TestRun_Banner(t *testing.T) {
	c := servertest.Config(t, "KALAMDB_STORAGE_ENGINE=pebble", "KALAMDB_LOGGING_FORMAT=json",
		"KALAMDB_LOGGING_SIZE_INTERVAL=1s", "KALAMDB_AUTH_ROOT_PASSWORD=")
	c.Logging.File = filepath.Join(t.TempDir(), "server.log")
	c.Logging.SizeInterval = 20 * time.Millisecond
	s := servertest.StartWith(t, app.Options{
		Config: c, Build: app.Build{Version: "1.2.3", Revision: "abc123", Branch: "main"}.WithDefaults(),
	})
	servertest.Eventually(t, "the size is logged again", func() bool {
		return strings.Contains(s.Log.String(), "size on disk")
	})
	for _, want := range []string{"1.2.3", "abc123", `"branch":"main"`, `"go":"go1.`,
		c.Storage.DataDir, `"engine":"pebble"`, "http://" + s.Addr, "root_password", "opened_in"} {
		if !strings.Contains(s.Log.String(), want) {
			t.Errorf("the log does not tell %q", want)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(c.Logging.File)
	if err != nil || string(file) != s.Log.String() {
		t.Errorf("the file differs from standard error: %v\n%s", err, file)
	}
	for line := range bytes.Lines(file) {
		if !json.Valid(line) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

func TestRun_SettingsAreATable(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_LIMITS_CONNECTIONS=77")
	rows := s.MustSQL(t, servertest.Root(),
		"SELECT * FROM system.settings WHERE name = 'limits.connections'")[0].Rows
	if len(rows) != 1 || !strings.Contains(strings.Join(texts(rows[0]), " "), "77 10000 environment") {
		t.Errorf("rows = %v", rows)
	}
	all := s.MustSQL(t, servertest.Root(), "SELECT * FROM system.settings")[0].Rows
	for _, row := range all {
		for _, text := range texts(row) {
			if text == servertest.RootPassword || text == servertest.Secret {
				t.Errorf("a secret is shown: %v", row)
			}
		}
	}
}

func texts(row []any) []string {
	var out []string
	for _, v := range row {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// A graceful stop waits for a request that is being sent; a forced one cuts
// it off and says so.
func TestRun_Stop(t *testing.T) {
	begin := func(t *testing.T, s *servertest.Server) net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		const body = `{"sql":"SELECT 1"}`
		head := "POST " + wire.PathSQL + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
			servertest.Token("alice", time.Hour) + "\r\nContent-Length: " +
			strconv.Itoa(len(body)) + "\r\nExpect: 100-continue\r\n\r\n"
		if _, err := conn.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
		// The server asks for the body, so the request is in flight.
		line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
		if _, err := conn.Read(line); err != nil || !strings.Contains(string(line), "100") {
			t.Fatalf("%q, %v", line, err)
		}
		return conn
	}
	t.Run("waits for requests in flight", func(t *testing.T) {
		s := servertest.Start(t)
		conn := begin(t, s)
		s.BeginStop()
		servertest.Eventually(t, "the stop has begun", func() bool {
			return strings.Contains(s.Log.String(), "stopping")
		})
		if _, err := conn.Write([]byte(`{"sql":"SELECT 1"}`)); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4096)
		n, err := conn.Read(answer)
		if err != nil || !strings.Contains(string(answer[:n]), "200 OK") {
			t.Errorf("%q, %v", answer[:n], err)
		}
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	t.Run("a forced one cuts them off and says so", func(t *testing.T) {
		s := servertest.Start(t)
		begin(t, s)
		err := s.ForceStop()
		if err == nil || !strings.Contains(err.Error(), "1 requests") {
			t.Errorf("stop: %v", err)
		}
	})
	t.Run("the timeout cuts them off", func(t *testing.T) {
		s := servertest.Start(t, "KALAMDB_SERVER_SHUTDOWN_TIMEOUT=50ms")
		begin(t, s)
		if err := s.Stop(); err == nil {
			t.Error("stop says that nothing was cut off")
		}
	})
}

// A graceful stop waits for the jobs that run; the timeout or a forced one cuts
// them off and names them, and the next start takes them up again.
func TestRun_StopOfJobs(t *testing.T) {
	let := make(chan error)
	kind := job.Kind{Name: job.Flush, Resume: true, Run: func(ctx context.Context, _ *job.Work) error {
		select {
		case err := <-let:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	dir := t.TempDir()
	run := func(t *testing.T, timeout string) *servertest.Server {
		t.Helper()
		c := servertest.Config(t, "KALAMDB_STORAGE_ENGINE=pebble", "KALAMDB_STORAGE_DATA_DIR="+dir,
			"KALAMDB_SERVER_SHUTDOWN_TIMEOUT="+timeout)
		return servertest.StartWith(t, app.Options{Config: c, JobKinds: []job.Kind{kind}})
	}
	running := func(t *testing.T, s *servertest.Server, n int) {
		t.Helper()
		servertest.Eventually(t, "the job runs", func() bool {
			rows := s.MustSQL(t, servertest.Root(),
				"SELECT job_id FROM system.jobs WHERE status = 'running'")[0].Rows
			return len(rows) == n
		})
	}
	s := run(t, "1m")
	s.MustSQL(t, servertest.Root(), "CREATE NAMESPACE chat")
	s.MustSQL(t, servertest.Root(), "CREATE TABLE chat.messages (id INT PRIMARY KEY)")
	s.MustSQL(t, servertest.Root(), "FLUSH TABLE chat.messages")
	running(t, s, 1)
	const name = "jobs: flush of chat.messages ("
	if err := s.ForceStop(); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a forced stop: %v", err)
	}
	s = run(t, "50ms")
	running(t, s, 1)
	if err := s.Stop(); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a stop whose time ran out: %v", err)
	}
	s = run(t, "1m")
	running(t, s, 1)
	s.BeginStop()
	servertest.Eventually(t, "the stop has begun", func() bool {
		return strings.Contains(s.Log.String(), "stopping")
	})
	let <- nil
	if err := s.Stop(); err != nil {
		t.Errorf("a stop that waited: %v", err)
	}
	s = run(t, "1m")
	rows := s.MustSQL(t, servertest.Root(), "SELECT status, attempts FROM system.jobs")[0].Rows
	if len(rows) != 1 || fmt.Sprint(rows[0]) != "[completed 3]" {
		t.Errorf("the job is %v", rows)
	}
}

func TestRun_RefusesRequestsOverTheLimit(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_LIMITS_REQUESTS_IN_FLIGHT=1")
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := "POST " + wire.PathSQL + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
		servertest.Token("alice", time.Hour) +
		"\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
	if _, err := conn.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	res, b := s.Do(t, http.MethodPost, wire.PathSQL, strings.NewReader(`{"sql":"SELECT 1"}`),
		servertest.Root())
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.StatusCode, b)
	}
	if res, _ := s.Do(t, http.MethodGet, wire.PathHealth, nil); res.StatusCode != 200 {
		t.Errorf("health: %d", res.StatusCode)
	}
}
