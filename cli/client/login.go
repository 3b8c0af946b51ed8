package client

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// renewAhead is how long before its end a token is renewed, at most a fifth
// of its life.
const renewAhead = 30 * time.Second

// login keeps the access token. However many requests find it expired, one of
// them renews it and the others wait.
type login struct {
	c *Client

	mu      sync.Mutex
	tokens  Tokens
	renewAt time.Time // zero: only when the server calls it expired
	running *renewal
}

// renewal is a login or refresh that others may wait for.
type renewal struct {
	done chan struct{}
	err  error // set before done is closed
}

func newLogin(c *Client) *login {
	l := &login{c: c}
	if s := c.opts.Saved; s != nil && c.opts.TokenSource == nil {
		l.tokens, l.renewAt = *s, s.ExpiresAt
	}
	return l
}

// renewable reports whether an expired token can be replaced.
func (l *login) renewable() bool {
	o := &l.c.opts
	return o.TokenSource != nil || o.Token == "" && o.User != ""
}

// token returns an access token that is not the rejected one; "" when the
// Client has no credentials. It may log in.
func (l *login) token(ctx context.Context, rejected string) (string, error) {
	if !l.renewable() {
		return l.c.opts.Token, nil
	}
	for {
		l.mu.Lock()
		if t := l.tokens.AccessToken; t != "" && t != rejected && !l.dueLocked() {
			l.mu.Unlock()
			return t, nil
		}
		r, mine := l.running, false
		if r == nil {
			r, mine = &renewal{done: make(chan struct{})}, true
			l.running = r
		}
		l.mu.Unlock()
		if mine {
			return l.lead(ctx, r)
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return "", fault.From(ctx.Err())
		}
		if r.err != nil && !fault.Is(r.err, fault.Cancelled) &&
			!fault.Is(r.err, fault.StatementTimeout) {
			return "", r.err
		}
	}
}

func (l *login) dueLocked() bool {
	return !l.renewAt.IsZero() && !time.Now().Before(l.renewAt)
}

// lead renews for everybody who waits on r.
func (l *login) lead(ctx context.Context, r *renewal) (string, error) {
	l.mu.Lock()
	old := l.tokens
	l.mu.Unlock()

	t, err := l.renew(ctx, old)

	l.mu.Lock()
	if err == nil {
		l.storeLocked(t)
	}
	r.err, l.running = err, nil
	close(r.done)
	l.mu.Unlock()
	if err == nil && l.c.opts.OnTokens != nil && l.c.opts.TokenSource == nil {
		l.c.opts.OnTokens(t)
	}
	return t.AccessToken, err
}

func (l *login) storeLocked(t Tokens) {
	l.tokens = t
	if t.ExpiresAt.IsZero() { // of a TokenSource
		return
	}
	left := time.Until(t.ExpiresAt)
	l.renewAt = t.ExpiresAt.Add(-min(renewAhead, left/5))
	if left <= 0 { // clocks differ; leave it to the server
		l.renewAt = time.Time{}
	}
}

// renew asks the source of tokens where there is one. Otherwise it uses the
// refresh token, and the password when that is refused.
func (l *login) renew(ctx context.Context, old Tokens) (Tokens, error) {
	o, refresh := l.c.opts, old.RefreshToken
	if o.TokenSource != nil {
		token, err := o.TokenSource(ctx, old.AccessToken)
		if err == nil && token == "" {
			err = fault.New(fault.AuthRequired, "the source of tokens gave none")
		}
		return Tokens{AccessToken: token}, err
	}
	if refresh != "" {
		t, err := l.post(ctx, wire.PathRefresh, wire.RefreshRequest{RefreshToken: refresh})
		if t.RefreshToken == "" {
			t.RefreshToken = refresh
		}
		if err == nil || o.Password == "" || fault.From(err).Code.Info().HTTP != 401 {
			return t, err
		}
	}
	if o.Password == "" {
		return Tokens{}, fault.New(fault.AuthRequired, "no password for user %q was given", o.User)
	}
	return l.post(ctx, wire.PathLogin, wire.LoginRequest{User: o.User, Password: o.Password})
}

func (l *login) post(ctx context.Context, path string, body any) (Tokens, error) {
	var t Tokens
	err := l.c.send(ctx, &call{method: http.MethodPost, path: path,
		body: body, anonymous: true, repeatable: true}, &t)
	return t, err
}

// Tokens is what a login gives. Whoever holds it is the user: keep it in a
// file that others can't read.
type Tokens = wire.TokenResponse

// AccessToken returns an access token of the Client's user that is not the
// expired one, renewing it when needed; "" for a Client without a login. It
// fits TokenSource of another Client, as of one that acts for another user.
func (c *Client) AccessToken(ctx context.Context, expired string) (string, error) {
	if c.opts.Basic {
		return "", nil
	}
	return c.auth.token(ctx, expired)
}

// Login makes sure that the Client has a valid token, asking the server for
// one when needed, and returns the user it belongs to. Requests do so by
// themselves; Login tells early whether the credentials are good.
func (c *Client) Login(ctx context.Context) (wire.User, error) {
	var me wire.MeResponse
	err := c.send(ctx, &call{method: http.MethodGet, path: wire.PathMe, repeatable: true}, &me)
	return me.User, err
}

// Acting returns another Client of the same caller and server that acts for a
// user; "" is the caller. It shares the login, and nothing else: closing one
// does not close the other. change may change its options before it is made.
func (c *Client) Acting(user string, change func(*Options)) (*Client, error) {
	o := c.opts
	o.As = user
	if c.auth.renewable() && !o.Basic {
		o.TokenSource, o.Saved, o.OnTokens = c.AccessToken, nil, nil
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}
