package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// call is one HTTP request, possibly sent several times.
type call struct {
	method, path string
	body         any // sent as JSON; nil sends none
	header       http.Header

	anonymous  bool // without credentials
	repeatable bool // sending it twice does no harm
}

// send runs a call until it has an answer, and decodes it into out. An answer
// that is an error is decoded too, and then returned.
func (c *Client) send(ctx context.Context, ca *call, out any) error {
	body, err := json.Marshal(ca.body)
	if err != nil {
		return fault.Wrap(fault.InvalidParameter, err, "a parameter can't be sent as JSON")
	}
	rejected := "" // the access token that the server called expired
	for attempt := 1; ; attempt++ {
		token, err := c.credentials(ctx, ca, rejected)
		if err != nil {
			return err
		}
		wait, err := c.attempt(ctx, ca, token, body, out)
		if err == nil {
			return nil
		}
		if fault.Is(err, fault.TokenExpired) && c.auth.renewable() && !ca.anonymous &&
			rejected == "" {
			rejected = token
			continue
		}
		if attempt >= c.opts.MaxAttempts || !ca.repeatable || !worthRetry(err) ||
			wait > c.opts.MaxBackoff {
			return err
		}
		if err := pause(ctx, max(wait, c.backoff(attempt))); err != nil {
			return err
		}
	}
}

// worthRetry reports whether the same request may succeed soon. What took too
// long or was called off would do so again, and a locked account stays locked
// for minutes.
func worthRetry(err error) bool {
	f := fault.From(err)
	switch f.Code {
	case fault.StatementTimeout, fault.Cancelled, fault.AccountLocked:
		return false
	}
	return f.Code.Info().Retryable
}

// backoff returns the wait after the given failure, counted from 1.
func (c *Client) backoff(failure int) time.Duration {
	d := c.opts.MaxBackoff
	if failure < 20 {
		d = min(d, c.opts.MinBackoff<<(failure-1))
	}
	return d/2 + rand.N(d/2+1)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fault.From(ctx.Err())
	}
}

// credentials returns the bearer token for a call, or "" when it goes with
// Basic or with nothing.
func (c *Client) credentials(ctx context.Context, ca *call, rejected string) (string, error) {
	if ca.anonymous || c.opts.Basic {
		return "", nil
	}
	return c.auth.token(ctx, rejected)
}

// attempt sends the call once. It returns how long the server asks to wait.
func (c *Client) attempt(
	ctx context.Context, ca *call, token string, body []byte, out any,
) (time.Duration, error) {
	req, err := c.request(ctx, ca, token, body)
	if err != nil {
		return 0, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, c.opts.MaxResponseBytes+1))
	if err != nil {
		return 0, c.unreachable(ctx, err)
	}
	if int64(len(data)) > c.opts.MaxResponseBytes {
		return 0, fault.New(fault.ResultTooLarge,
			"the answer is over %d bytes; add a LIMIT", c.opts.MaxResponseBytes)
	}
	return retryAfter(resp.Header, time.Now()), readAnswer(resp.StatusCode, data, out)
}

func (c *Client) request(
	ctx context.Context, ca *call, token string, body []byte,
) (*http.Request, error) {
	var r io.Reader
	if ca.body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, ca.method, c.opts.URL+ca.path, r)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidParameter, err, "the request can't be made")
	}
	for k, v := range ca.header {
		req.Header[k] = v
	}
	if ca.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	if !ca.anonymous {
		c.identify(req.Header, token)
	}
	return req, nil
}

// identify adds who is asking and for whom.
func (c *Client) identify(h http.Header, token string) {
	switch {
	case token != "":
		h.Set("Authorization", "Bearer "+token)
	case c.opts.Basic && c.opts.User != "":
		r := http.Request{Header: h}
		r.SetBasicAuth(c.opts.User, c.opts.Password)
	}
	if c.opts.As != "" && h.Get(wire.HeaderUserID) == "" {
		h.Set(wire.HeaderUserID, c.opts.As)
	}
}

// unreachable makes an error of a failed exchange: the context's end, or that
// no answer came.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fault.From(ctx.Err())
	}
	return fault.Wrap(fault.ForwardFailed, errors.Join(ErrUnreachable, err),
		"cannot connect to %s; is the server running, and is the address right?", c.opts.URL)
}

// readAnswer decodes an answer, and returns the error that it holds.
func readAnswer(status int, data []byte, out any) error {
	var failed struct {
		Error *wire.Error `json:"error"`
	}
	if status >= http.StatusBadRequest {
		if json.Unmarshal(data, &failed) != nil || failed.Error == nil {
			return foreignError(status, data)
		}
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil && failed.Error == nil {
			return fault.Wrap(fault.Internal, err,
				"the answer is not what a KalamDB server sends; is the address right?")
		}
	}
	if failed.Error != nil {
		return failed.Error.Fault()
	}
	return nil
}

// foreignError explains an error that has no body of ours, as a proxy's.
func foreignError(status int, data []byte) error {
	code := fault.Internal
	switch status {
	case http.StatusUnauthorized:
		code = fault.InvalidCredentials
	case http.StatusForbidden:
		code = fault.PermissionDenied
	case http.StatusRequestEntityTooLarge:
		code = fault.PayloadTooLarge
	case http.StatusTooManyRequests:
		code = fault.RateLimitExceeded
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		code = fault.ForwardFailed
	}
	return fault.New(code, "HTTP status %d %s: %s", status, http.StatusText(status), clip(data))
}

func clip(data []byte) string {
	const most = 200
	if len(data) > most {
		return fmt.Sprintf("%q...", data[:most])
	}
	return fmt.Sprintf("%q", data)
}

// retryAfter reads Retry-After in either of its forms; 0 without one.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
