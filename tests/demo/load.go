package demo

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// Table is the table the messages go to.
const Table = "chat.messages"

// Prepare makes the namespace and the table when they are not there.
func Prepare(ctx context.Context, root *blackbox.Client) error {
	for _, sql := range []string{
		"CREATE NAMESPACE IF NOT EXISTS chat",
		"CREATE USER TABLE IF NOT EXISTS " + Table + " (id BIGINT NOT NULL, " +
			"conversation TEXT NOT NULL, sent_at TIMESTAMP NOT NULL, content TEXT NOT NULL, " +
			"PRIMARY KEY (conversation, id))",
	} {
		if _, err := root.SQL(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// Loader writes messages through HTTP as the users who wrote them.
type Loader struct {
	// Client is of an account that may act for others.
	Client *blackbox.Client
	// Workers is how many requests run at once. All messages of a user go
	// through one worker, in the order of the file.
	Workers int
	// Acknowledged is called after each acknowledged message, from the
	// workers' goroutines.
	Acknowledged func(Message)
	// Patience is how long a message is sent again while the server is away.
	Patience time.Duration
}

// Load writes all messages and returns when each was acknowledged, or with the
// first error that sending again does not mend. What a crash cut off is sent
// again under the same request id, so that it is applied once.
func (l *Loader) Load(ctx context.Context, all []Message) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client := *l.Client
	client.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: l.Workers}}
	defer client.HTTP.CloseIdleConnections()

	var wg sync.WaitGroup
	for _, own := range l.split(all) {
		wg.Go(func() {
			for _, m := range own {
				if err := l.send(ctx, &client, m); err != nil {
					cancel(fmt.Errorf("message %d of %s: %w", m.ID, m.User, err))
					return
				}
				l.Acknowledged(m)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// split deals the messages out to the workers, by user.
func (l *Loader) split(all []Message) [][]Message {
	parts := make([][]Message, l.Workers)
	for _, m := range all {
		h := fnv.New32a()
		h.Write([]byte(m.User))
		i := int(h.Sum32() % uint32(l.Workers))
		parts[i] = append(parts[i], m)
	}
	return parts
}

// send writes one message, again and again while the server is away.
func (l *Loader) send(ctx context.Context, c *blackbox.Client, m Message) error {
	request := blackbox.Request{
		SQL: "INSERT INTO " + Table +
			" (id, conversation, sent_at, content) VALUES ($1, $2, $3, $4)",
		Params:    []any{m.ID, m.Conversation, m.Time(), m.Content},
		RequestID: fmt.Sprintf("message-%d", m.ID),
	}
	deadline := time.Now().Add(l.Patience)
	for {
		a, err := c.WithUser(m.User).Do(ctx, request)
		if err == nil && a.Error == nil {
			return nil
		}
		if err == nil && !a.Error.Retryable {
			return a.Error
		}
		if time.Now().After(deadline) {
			if err == nil {
				err = a.Error
			}
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// pause waits, or returns why the context ended.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errStopped ends a follower that was told to stop.
var errStopped = errors.New("demo: the follower was stopped")
