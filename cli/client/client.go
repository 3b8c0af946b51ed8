// Package client is the Go client of a KalamDB server: SQL over HTTP and live
// queries over one shared WebSocket.
//
// A Client logs in by itself, renews its token before it expires, and repeats
// a request only where that is safe: every request carries an id, and the
// server applies an id once. A Subscription survives lost connections: the
// client connects again and resumes from the last commit that it queued, so
// that events are neither lost nor repeated.
//
// A View goes one step further and keeps the rows of the result.
//
// The package does not parse SQL and does not read configuration, files or the
// environment.
//
// Goroutines: New starts none. The first Subscribe starts one that owns the
// connection, and one more while connected; Close ends both and waits. Each
// View has one of its own.
//
// Every error is a *fault.Error. One that means that the server was not
// reached also matches ErrUnreachable.
package client

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// Causes that callers tell apart with errors.Is.
var (
	// ErrUnreachable means that no answer came: the server does not run, or
	// the address, the network or the TLS certificate is wrong.
	ErrUnreachable = errors.New("client: server not reachable")
	// ErrClosed means that the Client or the Subscription was closed.
	ErrClosed = errors.New("client: closed")
)

// DefaultURL is where a server listens that was started without settings.
const DefaultURL = "http://localhost:8080"

// Options say which server to talk to, and as whom. The zero value means the
// local server without credentials.
type Options struct {
	// URL is the server's address, http or https; default DefaultURL.
	URL string

	// User and Password are used to log in. With Basic they go along with
	// each request instead, and no token is asked for.
	User     string
	Password string
	Basic    bool

	// Token is an access token that came from elsewhere. It is sent as it is
	// and can't be renewed. It wins over User and Password.
	Token string

	// TokenSource gives access tokens that come from elsewhere, as from an
	// identity provider: one to use now, and another one when the server called
	// the one that it is given expired. It wins over Token; it is called without
	// locks held, by one goroutine at a time, and must not call the Client.
	TokenSource func(ctx context.Context, expired string) (string, error)

	// Saved are the tokens of an earlier login of User. They are used first;
	// when they can't be renewed any more, Password is.
	Saved *Tokens
	// OnTokens is called after each login and renewal, without locks held, on
	// the goroutine that needed the token. It must not call the Client.
	OnTokens func(Tokens)

	// As is the user acted for; the caller's role must allow it.
	As string
	// Namespace is the namespace of names that name none.
	Namespace string

	// HTTPClient is used when given, and then never closed. The default has
	// no overall timeout: contexts bound requests.
	HTTPClient *http.Client

	// MaxAttempts bounds how often one request is sent; default 4, 1 means
	// never again.
	MaxAttempts int
	// MinBackoff and MaxBackoff bound the wait between attempts and between
	// connections, which doubles each time and is shortened by up to half at
	// random; defaults 100 ms and 10 s. A Retry-After above MaxBackoff is not
	// waited for: the error is returned.
	MinBackoff time.Duration
	MaxBackoff time.Duration

	// MaxResponseBytes bounds an answer and a WebSocket message; default
	// 256 MiB.
	MaxResponseBytes int64
	// PingInterval is how often an open WebSocket is probed; one that is
	// silent for two of them is given up. Default 20 s.
	PingInterval time.Duration
	// QueueSize is how many events a Subscription holds for its reader;
	// default 1024.
	QueueSize int
}

func (o Options) withDefaults() Options {
	o.URL = strings.TrimRight(cmp.Or(o.URL, DefaultURL), "/")
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 4)
	o.MinBackoff = cmp.Or(o.MinBackoff, 100*time.Millisecond)
	o.MaxBackoff = max(cmp.Or(o.MaxBackoff, 10*time.Second), o.MinBackoff)
	o.MaxResponseBytes = cmp.Or(o.MaxResponseBytes, 256<<20)
	o.PingInterval = cmp.Or(o.PingInterval, 20*time.Second)
	o.QueueSize = cmp.Or(o.QueueSize, 1024)
	return o
}

func (o Options) validate() error {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fault.New(fault.InvalidParameter,
			"%q is not the address of a server; write it like %s", o.URL, DefaultURL)
	}
	if o.MaxAttempts < 1 || o.QueueSize < 1 || o.MaxResponseBytes < 1 || o.PingInterval < 0 {
		return fault.New(fault.InvalidParameter, "client options must not be negative")
	}
	return nil
}

// Client talks to one server as one user. It is safe for concurrent use.
type Client struct {
	opts Options
	http *http.Client
	auth *login
	live *live

	ownHTTP bool
}

// New returns a Client. It does no I/O: the first request logs in.
func New(opts Options) (*Client, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	c := &Client{opts: opts, http: opts.HTTPClient}
	if c.http == nil {
		c.ownHTTP = true
		c.http = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	c.auth = newLogin(c)
	c.live = newLive(c)
	return c, nil
}

// URL returns the server's address, without a slash at its end.
func (c *Client) URL() string { return c.opts.URL }

// Close ends all subscriptions and waits for the Client's goroutines.
// Requests that are running are left to their contexts.
func (c *Client) Close() error {
	c.live.close()
	if c.ownHTTP {
		c.http.CloseIdleConnections()
	}
	return nil
}

// Health asks whether the server serves statements. It needs no credentials.
func (c *Client) Health(ctx context.Context) (wire.HealthResponse, error) {
	var h wire.HealthResponse
	err := c.send(ctx, &call{method: http.MethodGet, path: wire.PathHealth,
		anonymous: true, repeatable: true}, &h)
	return h, err
}
