package blackbox_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// serve answers the upgrade, then writes raw frames and closes.
func serve(t *testing.T, frames ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		answer := "HTTP/1.1 101 Switching Protocols\r\n\r\n" + strings.Join(frames, "")
		if _, err := io.WriteString(conn, answer); err != nil {
			t.Error(err)
		}
		io.Copy(io.Discard, conn)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func dial(t *testing.T, url string) *blackbox.Socket {
	t.Helper()
	s, err := blackbox.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSocket_Read(t *testing.T) {
	t.Run("joins fragments and answers pings between them", func(t *testing.T) {
		s := dial(t, serve(t, "\x01\x08{\"type\":", "\x89\x01!", "\x80\x07\"pong\"}"))
		m, err := s.Read(t.Context())
		if err != nil || m.Type != "pong" {
			t.Errorf("got %+v, %v", m, err)
		}
	})
	t.Run("tells a close frame with code and reason", func(t *testing.T) {
		s := dial(t, serve(t, "\x88\x05\x03\xf0bye"))
		var closed *blackbox.CloseError
		if _, err := s.Read(t.Context()); !errors.As(err, &closed) || closed.Code != 1008 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := dial(t, serve(t)).Read(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("refuses a masked frame", func(t *testing.T) {
		if m, err := dial(t, serve(t, "\x81\x81aaaax")).Read(t.Context()); err == nil {
			t.Errorf("got %+v", m)
		}
	})
}

func TestClient_SQL(t *testing.T) {
	answers := map[string]string{
		"ok":  `{"status":"success","results":[{"rows":[["1",2,null,true]]}],"took":0.1}`,
		"bad": `{"status":"error","results":[],"error":{"code":"INVALID_SQL","message":"no"}}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for sql, answer := range answers {
			if strings.Contains(string(body), `"sql":"`+sql+`"`) {
				if sql == "bad" {
					w.WriteHeader(http.StatusBadRequest)
				}
				io.WriteString(w, answer)
			}
		}
	}))
	defer srv.Close()
	c := &blackbox.Client{URL: srv.URL}

	r, err := c.SQL(t.Context(), "ok")
	if err != nil || strings.Join(r.Strings()[0], " ") != "1 2 NULL true" {
		t.Errorf("got %+v, %v", r, err)
	}
	var e *blackbox.Error
	if _, err := c.SQL(t.Context(), "bad"); !errors.As(err, &e) || e.HTTP != 400 {
		t.Errorf("got %v", err)
	}
	if _, err := c.SQL(t.Context(), "else"); err == nil {
		t.Error("an empty answer is no error")
	}
}
