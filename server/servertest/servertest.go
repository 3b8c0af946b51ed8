// Package servertest runs a whole server on a free port for tests: the real
// app, engine and sockets, with a small client. It is no part of the product.
package servertest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/app"
	"github.com/kalamdb/kalamdb-go/server/config"
)

// What every test server is started with.
const (
	RootPassword = "root-password"
	Secret       = "a secret of the tests, 32 bytes or longer"
)

// patience bounds what a test waits for.
const patience = 20 * time.Second

// Server is a running server.
type Server struct {
	Addr string // host:port
	URL  string // http://host:port
	Log  *Log

	stop  context.CancelFunc
	force chan struct{}
	ended chan struct{}
	err   error // of Run, once ended is closed
}

// Log is what a server logged so far. It is safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns the log.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Config returns the configuration of a test server: in memory, on a free
// port, and what env says, in the form of environment variables.
func Config(t testing.TB, env ...string) *config.Loaded {
	t.Helper()
	dir := t.TempDir()
	loaded, err := config.Load(config.Input{Home: dir, Dir: dir, Environ: slices.Concat([]string{
		"KALAMDB_SERVER_PORT=0",
		"KALAMDB_STORAGE_ENGINE=memory",
		"KALAMDB_STORAGE_DATA_DIR=" + filepath.Join(dir, "data"),
		"KALAMDB_AUTH_ROOT_PASSWORD=" + RootPassword,
		"KALAMDB_AUTH_JWT_SECRET=" + Secret,
		"KALAMDB_LOGGING_LEVEL=debug",
	}, env)})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// Start starts a server with Config(t, env...) and stops it at the end of the
// test.
func Start(t testing.TB, env ...string) *Server {
	t.Helper()
	return StartWith(t, app.Options{Config: Config(t, env...)})
}

// StartWith starts a server with options, of which Stderr, Force and Serving
// are set here.
func StartWith(t testing.TB, opts app.Options) *Server {
	t.Helper()
	s := &Server{Log: &Log{}, force: make(chan struct{}), ended: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	addr := make(chan net.Addr, 1)
	opts.Stderr, opts.Force = s.Log, s.force
	opts.Serving = func(a net.Addr) { addr <- a }
	go func() { // Stop waits for it
		defer close(s.ended)
		s.err = app.Run(ctx, opts)
	}()
	select {
	case a := <-addr:
		s.Addr, s.URL = a.String(), "http://"+a.String()
	case <-s.ended:
		t.Fatalf("server did not start: %v\n%s", s.err, s.Log)
	case <-time.After(patience):
		t.Fatalf("server did not start in time\n%s", s.Log)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Logf("server log:\n%s", s.Log)
		}
	})
	return s
}

// BeginStop asks the server to stop and does not wait.
func (s *Server) BeginStop() { s.stop() }

// ForceStop stops the server at once and returns what it says was cut off.
func (s *Server) ForceStop() error {
	s.stop()
	close(s.force)
	<-s.ended
	return s.take()
}

// Stop stops the server gracefully. A second call returns nil.
func (s *Server) Stop() error {
	s.stop()
	<-s.ended
	return s.take()
}

func (s *Server) take() error {
	err := s.err
	s.err = nil
	return err
}

// Token returns an access token of a user without an account, signed as an
// identity provider with the server's secret would.
func Token(user string, life time.Duration) string {
	return Sign(map[string]any{"alg": "HS256", "typ": "JWT"}, map[string]any{
		"sub": user, "role": "user", "typ": "access",
		"iat": time.Now().Unix(), "exp": time.Now().Add(life).Unix(),
	}, Secret)
}

// Sign returns a token with an HMAC-SHA256 signature, whatever its header
// says.
func Sign(header, claims map[string]any, secret string) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Header sets a header of a request.
type Header func(http.Header)

// Bearer authenticates by a token.
func Bearer(token string) Header {
	return With("Authorization", "Bearer "+token)
}

// Root authenticates as root.
func Root() Header { return Basic("root", RootPassword) }

// Basic authenticates by a password.
func Basic(user, password string) Header {
	return With("Authorization", "Basic "+
		base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// With sets any header.
func With(name, value string) Header { return func(h http.Header) { h.Set(name, value) } }

// Do sends a request and returns the response with its whole body.
func (s *Server) Do(t testing.TB, method, path string, body io.Reader, headers ...Header) (
	*http.Response, []byte,
) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		h(req.Header)
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return res, b
}

// SQL runs statements and returns status and answer.
func (s *Server) SQL(t testing.TB, who Header, req wire.SQLRequest, headers ...Header) (
	int, wire.SQLResponse,
) {
	t.Helper()
	body, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	if who != nil {
		headers = append([]Header{who}, headers...)
	}
	res, b := s.Do(t, http.MethodPost, wire.PathSQL, bytes.NewReader(body), headers...)
	var answer wire.SQLResponse
	if err := wire.Decode(b, &answer); err != nil {
		t.Fatalf("answer %q: %v", b, err)
	}
	return res.StatusCode, answer
}

// MustSQL runs statements that must succeed.
func (s *Server) MustSQL(t testing.TB, who Header, sql string, params ...any) []wire.Result {
	t.Helper()
	status, answer := s.SQL(t, who, wire.SQLRequest{SQL: sql, Params: params})
	if answer.Error != nil {
		t.Fatalf("%s: %d %s: %s", sql, status, answer.Error.Code, answer.Error.Message)
	}
	return answer.Results
}

// WithMessages starts a server with namespace chat and its user table
// messages(id BIGINT, body TEXT).
func WithMessages(t testing.TB, env ...string) *Server {
	t.Helper()
	s := Start(t, env...)
	s.MustSQL(t, Root(), `CREATE NAMESPACE chat;
		CREATE USER TABLE chat.messages (id BIGINT, body TEXT NOT NULL, PRIMARY KEY (id))`)
	return s
}

// Eventually waits until ok, and fails the test when that takes too long.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not so: %s", what)
		}
	}
}
