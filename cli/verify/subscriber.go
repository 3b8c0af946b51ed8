package verify

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// subscriber is one socket that follows all queries of a user, and is opened
// again whenever it breaks.
type subscriber struct {
	name     string
	table    string
	client   *client.Client
	network  *network
	checkers []*checker
	rnd      *rand.Rand
	log      *slog.Logger
}

// maxRefusals is how often in a row a subscriber takes no for an answer.
const maxRefusals = 100

// run follows until ctx ends. An error is one that opening again does not
// mend.
func (s *subscriber) run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		opened, err := s.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case fault.Is(err, fault.SubscriptionLimit) && failures < maxRefusals:
			// the server may not know yet that the connection before is gone
		case !fault.From(err).Code.Info().Retryable:
			return err
		case opened:
			failures = 0
		}
		wait := time.NewTimer(time.Duration(1+s.rnd.IntN(20*min(failures+1, 20))) * time.Millisecond)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil
		}
	}
}

func (s *subscriber) follow(ctx context.Context) (opened bool, err error) {
	socket, err := s.client.Socket(ctx)
	if err != nil {
		return false, err
	}
	defer socket.Close() // it is given up
	for i, c := range s.checkers {
		if err := socket.Send(ctx, s.open(i, c)); err != nil {
			return true, err
		}
	}
	since := time.Now()
	for {
		data, err := socket.Receive(ctx)
		if err != nil {
			return true, err
		}
		if err := s.take(ctx, socket, data, since); err != nil {
			return true, err
		}
	}
}

func (s *subscriber) open(i int, c *checker) any {
	size := 1 + s.rnd.IntN(100)
	o := wire.SubscriptionOptions{BatchSize: &size}
	// Now and then a snapshot is taken in the middle of the writing.
	if cursor := c.open(s.rnd.IntN(8) == 0); cursor > 0 {
		from := wire.Seq(cursor)
		o.From = &from
	}
	return wire.Subscribe{Type: wire.TypeSubscribe, Subscription: wire.Subscription{
		ID: strconv.Itoa(i), SQL: c.query.sql(s.table), Options: o}}
}

// take hands a message to its checker.
func (s *subscriber) take(
	ctx context.Context, socket *client.Socket, data []byte, since time.Time,
) error {
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		return fault.Wrap(fault.Internal, err, "a message does not parse")
	}
	switch m.Type {
	case wire.TypeError, wire.TypeAuthError:
		return fault.New(fault.Code(m.Code), "%s: %s", s.name, m.Message)
	case wire.TypeUnsubscribed:
		s.log.Info("the server ended a query", "subscriber", s.name, "reason", m.Reason)
		return fault.New(fault.SlowConsumer, "%s: the server ended a query: %s", s.name, m.Reason)
	}
	if m.SubscriptionID == "" {
		return nil // of the login
	}
	i, err := strconv.Atoi(m.SubscriptionID)
	if err != nil || i < 0 || i >= len(s.checkers) {
		return fault.New(fault.Internal, "the server told of a subscription %q", m.SubscriptionID)
	}
	if after := s.network.since(); after.After(since) {
		since = after
	}
	c := s.checkers[i]
	ready := c.take(m, time.Now(), since)
	if m.Type == wire.TypeInitialData && !ready {
		last := m.BatchControl.LastSeqID
		return socket.Send(ctx, wire.NextBatch{
			Type: wire.TypeNextBatch, SubscriptionID: m.SubscriptionID, LastSeqID: last})
	}
	return nil
}
