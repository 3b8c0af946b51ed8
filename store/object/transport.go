package object

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"
)

// newClient returns what sends requests to a service, with a limit to each time
// in which nothing moves, and how to give back its connections.
func newClient(opts Options) (*http.Client, func()) {
	dial := &net.Dialer{Timeout: min(opts.Timeout, 10*time.Second), KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &impatient{Conn: c, limit: opts.Timeout}, nil
		},
		ForceAttemptHTTP2: true, MaxIdleConns: 64, MaxIdleConnsPerHost: 16,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: min(opts.Timeout, 10*time.Second),
		ResponseHeaderTimeout: opts.Timeout, ExpectContinueTimeout: time.Second,
	}
	return &http.Client{Transport: &counting{next: t, retried: opts.Retried}}, t.CloseIdleConnections
}

// impatient is a connection that fails when no byte moves for a time, in either
// direction: while a request is sent nothing comes, and the other way around.
type impatient struct {
	net.Conn
	limit time.Duration
}

// Read implements net.Conn.
func (c *impatient) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *impatient) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// counting tells of requests that the library of a service sends again, which
// each library says in a header of its own.
type counting struct {
	next    http.RoundTripper
	retried func()
}

// RoundTrip implements http.RoundTripper.
func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	again := strings.Contains(r.Header.Get("X-Goog-Api-Client"), "gccl-attempt-count/") &&
		!strings.Contains(r.Header.Get("X-Goog-Api-Client"), "gccl-attempt-count/1 ") &&
		!strings.HasSuffix(r.Header.Get("X-Goog-Api-Client"), "gccl-attempt-count/1")
	if try := r.Header.Get("Amz-Sdk-Request"); again ||
		strings.HasPrefix(try, "attempt=") && !strings.HasPrefix(try, "attempt=1;") {
		c.retried()
	}
	return c.next.RoundTrip(r)
}
