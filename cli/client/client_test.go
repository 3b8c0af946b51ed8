package client_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/client/clienttest"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.Main(m)
}

// open returns a server and a client of its root user.
func open(t *testing.T, change func(*client.Options)) (*clienttest.Server, *client.Client) {
	t.Helper()
	s := clienttest.New(t)
	o := client.Options{URL: s.URL, User: "root", Password: "secret",
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("error %v, want %s", err, code)
	}
}

func TestClient_Query(t *testing.T) {
	s, c := open(t, func(o *client.Options) { o.Namespace, o.As = "chat", "alice" })
	s.Rows("SELECT 1", []string{"id:BigInt", "n:Int", "ok:Boolean", "at:Timestamp", "b:Bytes", "no:Text"},
		[]any{"9007199254740993", 7, true, "2026-01-02T03:04:05.000006Z", "aGk=", nil})
	r, err := c.Query(soon(t), "SELECT 1", int64(9007199254740993), []byte("hi"))
	if err != nil {
		t.Fatal(err)
	}
	row := r.Rows[0]
	id, err := row.Int64("id")
	if err != nil || id != 9007199254740993 {
		t.Errorf("id %d, %v", id, err)
	}
	n, err := row.Float64("n")
	if err != nil || n != 7 {
		t.Errorf("n %v, %v", n, err)
	}
	ok, err := row.Bool("ok")
	if err != nil || !ok {
		t.Errorf("ok %v, %v", ok, err)
	}
	at, err := row.Time("at")
	if err != nil || at.Nanosecond() != 6000 {
		t.Errorf("at %v, %v", at, err)
	}
	b, err := row.Bytes("b")
	if err != nil || string(b) != "hi" {
		t.Errorf("b %q, %v", b, err)
	}
	if !row.IsNull("no") || !row.Has("no") || row.Has("nothing") {
		t.Error("NULL and missing columns are not told apart")
	}
	_, err = row.Int64("no")
	wantCode(t, err, fault.TypeMismatch)
	_, err = row.Int64("nothing")
	wantCode(t, err, fault.ColumnNotFound)

	seen := s.Requests()[0]
	if seen.Acting != "alice" || seen.NamespaceID != "chat" || seen.RequestID == "" {
		t.Errorf("request %+v", seen)
	}
	if got := seen.Params; len(got) != 2 || got[1] != "aGk=" {
		t.Errorf("params %v", got)
	}
}

func TestClient_Exec_failure_keeps_earlier_results(t *testing.T) {
	s, c := open(t, nil)
	s.Answer("a; b", func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
		return clienttest.Success(wire.Result{RowCount: 1}),
			fault.New(fault.TableNotFound, "no b").At(2, 4)
	})
	rs, err := c.Exec(soon(t), "a; b")
	wantCode(t, err, fault.TableNotFound)
	if f := fault.From(err); f.Statement != 2 || f.Position != 4 || f.Message != "no b" {
		t.Errorf("fault %+v", f)
	}
	if len(rs.Results) != 1 || rs.Took != 1234*time.Microsecond {
		t.Errorf("results %+v", rs)
	}
}

func TestClient_Do_retries_under_one_id(t *testing.T) {
	s, c := open(t, nil)
	var n atomic.Int32
	s.Answer("INSERT", func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
		if n.Add(1) < 3 {
			return nil, fault.New(fault.RateLimitExceeded, "wait")
		}
		return clienttest.Success(wire.Result{RowCount: 1}), nil
	})
	if _, err := c.Exec(soon(t), "INSERT"); err != nil {
		t.Fatal(err)
	}
	seen := s.Requests()
	if len(seen) != 3 || seen[0].RequestID != seen[2].RequestID {
		t.Errorf("requests %+v", seen)
	}
	t.Run("what can't get better is not repeated", func(t *testing.T) {
		s.Fail("BAD", fault.New(fault.InvalidSQL, "no"))
		_, err := c.Exec(soon(t), "BAD")
		wantCode(t, err, fault.InvalidSQL)
		if got := len(s.Requests()); got != 4 {
			t.Errorf("%d requests, want 4", got)
		}
	})
	t.Run("attempts are bounded", func(t *testing.T) {
		s.Fail("BUSY", fault.New(fault.StorageUnavailable, "no"))
		_, err := c.Exec(soon(t), "BUSY")
		wantCode(t, err, fault.StorageUnavailable)
		if got := len(s.Requests()); got != 8 {
			t.Errorf("%d requests, want 8", got)
		}
	})
}

func TestClient_renews_tokens(t *testing.T) {
	t.Run("when the server calls them expired", func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		s, c := open(t, func(o *client.Options) {
			o.OnTokens = func(k client.Tokens) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, k.AccessToken)
			}
		})
		s.Rows("Q", []string{"x:Int"})
		for range 2 {
			if _, err := c.Query(soon(t), "Q"); err != nil {
				t.Fatal(err)
			}
			s.ExpireTokens()
		}
		if s.Count("login") != 1 || s.Count("refresh") != 1 || len(told) != 2 {
			t.Errorf("logins %d, refreshes %d, told %v", s.Count("login"), s.Count("refresh"), told)
		}
	})
	t.Run("once for many requests, before they expire", func(t *testing.T) {
		s, c := open(t, func(o *client.Options) {
			o.Password = ""
			o.Saved = &client.Tokens{AccessToken: "old", RefreshToken: "gone",
				ExpiresAt: time.Now().Add(-time.Minute)}
		})
		s.Rows("Q", []string{"x:Int"})
		_, err := c.Query(soon(t), "Q")
		wantCode(t, err, fault.InvalidCredentials)

		c2, err := client.New(client.Options{URL: s.URL, User: "root", Password: "secret",
			Saved: &client.Tokens{AccessToken: "old", ExpiresAt: time.Now().Add(-time.Minute)}})
		if err != nil {
			t.Fatal(err)
		}
		defer c2.Close()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := c2.Query(soon(t), "Q"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if s.Count("login") != 1 {
			t.Errorf("%d logins, want 1", s.Count("login"))
		}
	})
	t.Run("not when it came from elsewhere", func(t *testing.T) {
		_, c := open(t, func(o *client.Options) { o.Token = "forged" })
		_, err := c.Login(soon(t))
		wantCode(t, err, fault.InvalidCredentials)
	})
	t.Run("not with Basic", func(t *testing.T) {
		s, c := open(t, func(o *client.Options) { o.Basic = true })
		u, err := c.Login(soon(t))
		if err != nil || u.ID != "root" || s.Count("login") != 0 {
			t.Errorf("user %v, %v, logins %d", u, err, s.Count("login"))
		}
	})
	t.Run("never with a wrong password", func(t *testing.T) {
		_, c := open(t, func(o *client.Options) { o.Password = "wrong" })
		_, err := c.Login(soon(t))
		wantCode(t, err, fault.InvalidCredentials)
	})
}

func TestClient_unreachable(t *testing.T) {
	s, c := open(t, nil)
	s.Close()
	_, err := c.Health(soon(t))
	if !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("error %v", err)
	}
	_, err = c.Subscribe(soon(t), "SELECT", client.SubscribeOptions{})
	if !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("subscribe error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = c.Health(ctx)
	wantCode(t, err, fault.Cancelled)
}

func TestNew_refuses_bad_options(t *testing.T) {
	for _, o := range []client.Options{{URL: "localhost:8080"}, {URL: "ftp://x"},
		{URL: "http://"}, {URL: "http://a b"}, {QueueSize: -1}} {
		_, err := client.New(o)
		if !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("New(%+v): %v", o, err)
		}
	}
}

func TestClient_answers_of_strangers(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   fault.Code
	}{
		{502, "<html>", fault.ForwardFailed},
		{413, "", fault.PayloadTooLarge},
		{200, "<html>", fault.Internal},
		{404, "not here", fault.Internal},
	} {
		_, c := open(t, func(o *client.Options) {
			o.MaxAttempts = 1
			o.HTTPClient = &http.Client{Transport: answering{tc.status, tc.body}}
		})
		_, err := c.Health(soon(t))
		wantCode(t, err, tc.want)
	}
}
