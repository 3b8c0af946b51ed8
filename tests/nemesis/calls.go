package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// How long one attempt may take, all attempts of one statement, and the pause between
// two of them.
const (
	attemptLimit = 5 * time.Second
	callLimit    = 90 * time.Second
	retryPause   = 50 * time.Millisecond
)

// caller sends the statements of one user to all nodes. It belongs to one goroutine.
type caller struct {
	run   *run
	user  string
	name  string // prefix of its request ids
	count int
	rand  *rand.Rand
	http  *http.Client
}

func (r *run) caller(name, user string) *caller {
	seed := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		seed = (seed ^ uint64(b)) * 1099511628211
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true}
	r.transports = append(r.transports, transport)
	return &caller{run: r, user: user, name: name,
		rand: rand.New(rand.NewPCG(r.Seed, seed)), http: &http.Client{Transport: transport}}
}

// at returns the client at a node.
func (c *caller) at(n *node) *blackbox.Client {
	return &blackbox.Client{URL: n.url, As: c.user, HTTP: c.http,
		Authorization: blackbox.Basic(blackbox.RootUser, blackbox.RootPassword)}
}

func (c *caller) any() *node { return c.run.nodes[c.rand.IntN(len(c.run.nodes))] }

// errUnknown is of a statement of which nobody has said what became of it.
var errUnknown = errors.New("the outcome is not known")

// ask runs statements and tries again at other nodes, with the same request id, until
// one has answered. What is returned is the answer, an error of the statement as
// *blackbox.Error, or errUnknown.
func (c *caller) ask(ctx context.Context, sql string) (*blackbox.Answer, error) {
	c.count++
	id := fmt.Sprintf("%s-%d", c.name, c.count)
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	for {
		a, err := c.once(ctx, c.any(), blackbox.Request{SQL: sql, RequestID: id})
		if err == nil || !errors.Is(err, errUnknown) {
			return a, err
		}
		if ctx.Err() != nil {
			return nil, err
		}
		wait(ctx, retryPause)
	}
}

// once makes one attempt at a node.
func (c *caller) once(ctx context.Context, n *node, r blackbox.Request) (*blackbox.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	c.run.attempts.Add(1)
	a, err := c.at(n).Do(ctx, r)
	switch {
	case err != nil:
		c.run.heard("no answer", err)
		return nil, fmt.Errorf("%w: node %d: %w", errUnknown, n.id, err)
	case a.Error == nil:
		c.run.acknowledged.Add(1)
		return a, nil
	case a.Error.Retryable:
		c.run.heard(a.Error.Code, a.Error)
		return nil, fmt.Errorf("%w: node %d: %w", errUnknown, n.id, a.Error)
	}
	c.run.heard(a.Error.Code, a.Error)
	return nil, a.Error
}

// is reports whether err is an error answer of one of these codes.
func is(err error, codes ...string) bool {
	var e *blackbox.Error
	if !errors.As(err, &e) || errors.Is(err, errUnknown) {
		return false
	}
	for _, code := range codes {
		if e.Code == code {
			return true
		}
	}
	return false
}

// unexpected tells of an error answer that no fault explains.
func (r *run) unexpected(where string, err error) {
	if err != nil && !errors.Is(err, errUnknown) && !errors.Is(err, context.Canceled) {
		r.violation("errors", "%s: %v", where, err)
	}
}

// rows asks and returns the rows of the last result.
func (c *caller) rows(ctx context.Context, sql string) ([][]string, error) {
	a, err := c.ask(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	if len(a.Results) == 0 {
		return nil, fmt.Errorf("%s: no result", sql)
	}
	return a.Results[len(a.Results)-1].Strings(), nil
}
