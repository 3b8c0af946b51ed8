package blackbox_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(c, c) // ends with the connection
				c.Close()
			})
		}
	})
	return "http://" + l.Addr().String()
}

func TestProxy_cuts_in_the_middle_and_stalls(t *testing.T) {
	p, err := blackbox.NewProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dial := func() net.Conn {
		u, err := url.Parse(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	say := func(c net.Conn, text string, n int) (string, error) {
		if _, err := c.Write([]byte(text)); err != nil {
			return "", err
		}
		buf := make([]byte, n)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second)) // a TCP socket takes it
		got, err := io.ReadFull(c, buf)
		return string(buf[:got]), err
	}

	c := dial()
	if got, err := say(c, "whole", 5); got != "whole" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	p.CutAfter(3)
	if got, err := say(c, "whole", 5); len(got) > 3 || err == nil {
		t.Errorf("%q came through, %v", got, err)
	}

	c = dial()
	if _, err := say(c, "x", 1); err != nil {
		t.Fatal(err)
	}
	p.Stall(true)
	if _, err := c.Write([]byte("later")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Millisecond)) // a TCP socket takes it
	var timeout net.Error
	if _, err := c.Read(make([]byte, 5)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read while stalled: %v", err)
	}
	p.Stall(false)
	if got, err := say(c, "", 5); got != "later" || err != nil {
		t.Errorf("after the stall %q, %v", got, err)
	}
	p.Cut()
	if _, err := say(c, "gone", 4); err == nil || p.Cuts() != 2 {
		t.Errorf("after the cut %v, %d cuts", err, p.Cuts())
	}
}
