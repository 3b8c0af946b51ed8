// Package clienttest has a small server that speaks the HTTP and WebSocket
// interface of KalamDB, for tests of clients: it holds tokens, scripted
// answers and one log of changes that subscriptions follow, and it can be told
// to misbehave.
//
// It does not run SQL. New registers the end of everything it starts with the
// test.
package clienttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// Answer is the reply to one statement text.
type Answer func(r *http.Request, req wire.SQLRequest) (*wire.SQLResponse, error)

// Server is the fake. Its methods are safe for concurrent use.
type Server struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	users    map[string]string // passwords
	valid    map[string]string // access tokens, and whose they are
	refresh  map[string]string
	expired  map[string]bool
	ttl      time.Duration
	trust    bool
	answers  map[string]Answer
	requests []Seen
	counts   map[string]int // logins, refreshes, dials
	health   wire.HealthResponse

	feed feed
}

// Seen is one SQL request as it arrived.
type Seen struct {
	wire.SQLRequest
	User   string // who asked
	Acting string // X-USER-ID
}

// New starts a server whose root user has the password "secret".
func New(t testing.TB) *Server {
	s := &Server{t: t, users: map[string]string{"root": "secret"}, valid: map[string]string{},
		refresh: map[string]string{}, expired: map[string]bool{}, ttl: time.Hour,
		answers: map[string]Answer{}, counts: map[string]int{},
		health: wire.HealthResponse{Status: wire.Healthy, Version: "fake", APIVersion: wire.APIVersion}}
	s.feed.init(t.Context())
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+wire.PathHealth, func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		h := s.health
		s.mu.Unlock()
		reply(w, http.StatusOK, h)
	})
	mux.HandleFunc("POST "+wire.PathLogin, s.login)
	mux.HandleFunc("POST "+wire.PathRefresh, s.renew)
	mux.HandleFunc("GET "+wire.PathMe, s.me)
	mux.HandleFunc("POST "+wire.PathSQL, s.sql)
	mux.HandleFunc("GET "+wire.PathWS, s.socket)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.feed.close()
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// User adds an account.
func (s *Server) User(id, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[id] = password
}

// TTL sets how long access tokens given from now on last.
func (s *Server) TTL(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ttl = d
}

// ExpireTokens makes all access tokens given so far expired ones.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.valid {
		s.expired[t] = true
	}
}

// Trust lets callers in who give no credentials, as a development server does.
func (s *Server) Trust() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trust = true
}

// RootPasswordFile sets the path that the health answer tells.
func (s *Server) RootPasswordFile(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.RootPasswordFile = path
}

// Answer scripts the reply to a statement text.
func (s *Server) Answer(sql string, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[sql] = a
}

// Rows scripts a reply of rows. Columns are "name:Type".
func (s *Server) Rows(sql string, columns []string, rows ...[]any) {
	r := wire.Result{Rows: rows, RowCount: int64(len(rows))}
	for i, c := range columns {
		name, typ, _ := strings.Cut(c, ":")
		r.Schema = append(r.Schema, wire.Column{Name: name, DataType: typ, Index: i})
	}
	s.Answer(sql, func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
		return Success(r), nil
	})
}

// Fail scripts an error.
func (s *Server) Fail(sql string, err error) {
	s.Answer(sql, func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
		return nil, err
	})
}

// Success is an answer with results.
func Success(results ...wire.Result) *wire.SQLResponse {
	took := wire.Millis(1234 * time.Microsecond)
	return &wire.SQLResponse{Status: wire.Success, Results: results, Took: &took}
}

// Requests returns the SQL requests so far.
func (s *Server) Requests() []Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Seen(nil), s.requests...)
}

// Count returns how often "login", "refresh" or "dial" happened.
func (s *Server) Count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client's going away is its own affair
}

func replyError(w http.ResponseWriter, err error) {
	reply(w, wire.HTTPStatus(err), wire.SQLResponse{
		Status: wire.Failure, Results: []wire.Result{}, Error: wire.ErrorOf(err)})
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	var req wire.LoginRequest
	_ = json.NewDecoder(r.Body).Decode(&req) // an empty login is refused below
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts["login"]++
	if want, ok := s.users[req.User]; !ok || want != req.Password {
		replyError(w, fault.New(fault.InvalidCredentials, "wrong user or password"))
		return
	}
	reply(w, http.StatusOK, s.issueLocked(req.User))
}

func (s *Server) renew(w http.ResponseWriter, r *http.Request) {
	var req wire.RefreshRequest
	_ = json.NewDecoder(r.Body).Decode(&req) // an empty token is refused below
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts["refresh"]++
	user, ok := s.refresh[req.RefreshToken]
	if !ok {
		replyError(w, fault.New(fault.InvalidCredentials, "unknown refresh token"))
		return
	}
	reply(w, http.StatusOK, s.issueLocked(user))
}

func (s *Server) issueLocked(user string) wire.TokenResponse {
	n := len(s.valid) + 1
	a, f := fmt.Sprintf("access-%s-%d", user, n), fmt.Sprintf("refresh-%s-%d", user, n)
	s.valid[a], s.refresh[f] = user, user
	return wire.TokenResponse{AccessToken: a, RefreshToken: f, ExpiresAt: time.Now().Add(s.ttl),
		RefreshExpiresAt: time.Now().Add(24 * time.Hour), User: account(user)}
}

func account(id string) wire.User {
	return wire.User{ID: ident.UserID(id), Role: ident.RoleUser}
}

// who identifies the caller of a request.
func (s *Server) who(r *http.Request) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user, password, ok := r.BasicAuth(); ok {
		if want, known := s.users[user]; !known || want != password {
			return "", fault.New(fault.InvalidCredentials, "wrong user or password")
		}
		return user, nil
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok && s.trust {
		return "root", nil
	}
	if !ok {
		return "", fault.New(fault.AuthRequired, "log in first")
	}
	if s.expired[token] {
		return "", fault.New(fault.TokenExpired, "the token has expired")
	}
	user, ok := s.valid[token]
	if !ok {
		return "", fault.New(fault.InvalidCredentials, "unknown token")
	}
	return user, nil
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	user, err := s.who(r)
	if err != nil {
		replyError(w, err)
		return
	}
	me := wire.MeResponse{}
	me.User = account(user)
	reply(w, http.StatusOK, me)
}

func (s *Server) sql(w http.ResponseWriter, r *http.Request) {
	user, err := s.who(r)
	if err != nil {
		replyError(w, err)
		return
	}
	var req wire.SQLRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		replyError(w, fault.New(fault.MalformedRequest, "%v", err))
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, Seen{req, user, r.Header.Get(wire.HeaderUserID)})
	answer := s.answers[req.SQL]
	s.mu.Unlock()
	if answer == nil {
		replyError(w, fault.New(fault.InvalidSQL, "no answer for %q", req.SQL).At(1, 1))
		return
	}
	resp, err := answer(r, req)
	switch {
	case err != nil && resp != nil:
		resp.Status, resp.Error = wire.Failure, wire.ErrorOf(err)
		reply(w, wire.HTTPStatus(err), resp)
	case err != nil:
		if fault.Is(err, fault.RateLimitExceeded) {
			w.Header().Set("Retry-After", "0")
		}
		replyError(w, err)
	default:
		resp.RequestID = req.RequestID
		reply(w, http.StatusOK, resp)
	}
}
