package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sizes of the two ways to tell many: one event for all of them, and one row
// for one of them.
const (
	fanoutSubscribers = 1000
	fanoutPerSecond   = 5
	ownSubscribers    = 10_000
	ownPerSecond      = 50
)

// fanout measures how long an event of a stream takes to all who follow it.
func (b *bench) fanout(ctx context.Context) error {
	publish := func(s *server) (int, error) {
		n, err := s.publish(ctx, b.duration, 0, fanoutPerSecond, content, anyRoom)
		return n * fanoutSubscribers, err
	}
	return b.toldTo(ctx, createEvents, crowdSpec{User: "fan%d", Sockets: fanoutSubscribers, Each: 1,
		SQL: "SELECT * FROM bench.events"}, publish, "fanout", fmt.Sprintf(
		"from sending an INSERT into a stream until a subscriber has it, all of one stream, %d a second",
		fanoutPerSecond))
}

// own measures how long a changed row takes to the user whose row it is, beside
// very many who follow theirs.
func (b *bench) own(ctx context.Context) error {
	const table = "CREATE USER TABLE bench.own (id BIGINT PRIMARY KEY, sent BIGINT, body TEXT)"
	write := func(s *server) (int, error) {
		return s.pace(ctx, b.duration, ownPerSecond, func(n int) []byte {
			const prime = 7919 // has the users come in no order
			return fmt.Appendf(nil, `{"sql":"EXECUTE AS USER 'own%d' (INSERT INTO bench.own `+
				`(id, sent, body) VALUES ($1, $2, $3))","params":[%d,%d,%q]}`,
				n*prime%ownSubscribers, n, time.Now().UnixNano(), content)
		})
	}
	return b.toldTo(ctx, table, crowdSpec{User: "own%d", Sockets: ownSubscribers, Each: 1,
		SQL: "SELECT * FROM bench.own"}, write, "own_row", fmt.Sprintf(
		"from sending an INSERT for one user until that one has it, each follows a table of "+
			"its own rows, %d a second", ownPerSecond))
}

// toldTo connects a crowd, has something written for a time, which returns how
// often somebody is to be told, and reports how long that took.
func (b *bench) toldTo(ctx context.Context, table string, spec crowdSpec,
	write func(*server) (int, error), name, conditions string,
) (err error) {
	s, err := b.setUp(ctx, []string{table})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	c, err := s.crowd(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := c.do(cmdOpen); err != nil {
		return err
	}
	if err := wait(ctx, 3*time.Second); err != nil { // until what that left is done
		return err
	}
	before, err := cpuOf(s.PID())
	if err != nil {
		return err
	}
	want, err := write(s)
	if err != nil {
		return err
	}
	if err := wait(ctx, time.Second); err != nil {
		return err
	}
	after, err := cpuOf(s.PID())
	if err != nil {
		return err
	}
	a, err := c.do(cmdLatency)
	if err != nil {
		return err
	}
	if a.Told != want {
		return fmt.Errorf("%d changes were told instead of %d", a.Told, want)
	}
	each := after.since(before).server.Seconds() * 1e6 / float64(max(want, 1))
	for _, part := range []struct {
		name, unit string
		value      float64
	}{{"_p50", "ms", a.P50}, {"_p99", "ms", a.P99}, {"_cpu_server", "µs each", each}} {
		err := b.report(Figure{Name: name + part.name, Value: part.value, Unit: part.unit,
			Durability: "sync", Clients: spec.Sockets, Conditions: conditions})
		if err != nil {
			return err
		}
	}
	return nil
}
