package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Sizes of the crowds.
const (
	stalledSockets   = 10_000
	healthySockets   = 100
	resumedSockets   = 10_000
	missedBy         = 1000 // of them, who have something to be told
	manySockets      = 1000
	manyEach         = 100
	roomSubscribers  = 10_000
	eventsPerSecond  = 20
	crowdConnections = "KALAMDB_LIMITS_CONNECTIONS=15000"
)

// setUp launches a server for crowds.
func (b *bench) setUp(ctx context.Context, statements []string, env ...string) (*server, error) {
	s, err := b.launch(ctx, append(env, crowdConnections)...)
	if err != nil {
		return nil, err
	}
	for _, sql := range append([]string{"CREATE NAMESPACE bench"}, statements...) {
		if _, err := s.root().SQL(ctx, sql); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

const createEvents = "CREATE STREAM TABLE bench.events (id BIGINT PRIMARY KEY, room BIGINT, " +
	"sent BIGINT, body TEXT) WITH (TTL = '10m', SCOPE = 'namespace')"

// publish inserts events for a time, so many a second.
func (s *server) publish(ctx context.Context, d time.Duration, from, perSecond int,
	body string, room func(n int) int,
) (int, error) {
	return s.pace(ctx, d, perSecond, func(n int) []byte {
		return fmt.Appendf(nil, `{"sql":"INSERT INTO bench.events (id, room, sent, body) `+
			`VALUES ($1, $2, $3, $4)","params":[%d,%d,%d,%q]}`,
			from+n, room(n), time.Now().UnixNano(), body)
	})
}

// pace sends statements for a time, so many a second, and returns their number.
func (s *server) pace(ctx context.Context, d time.Duration, perSecond int,
	request func(n int) []byte,
) (n int, err error) {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	c, err := dial(s.host(), s.root().Authorization, "")
	if err != nil {
		return 0, err
	}
	defer c.close()
	for end := time.Now().Add(d); time.Now().Before(end); n++ {
		if _, err := c.do(request(n)); err != nil {
			return n, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
	return n, nil
}

func anyRoom(int) int { return 0 }

// stalled measures what sockets cost that take nothing, and whether those that
// do are told as fast beside them.
func (b *bench) stalled(ctx context.Context) (err error) {
	s, err := b.setUp(ctx, []string{createEvents}, "KALAMDB_LIVE_WRITE_TIMEOUT=1h")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	const sql = "SELECT * FROM bench.events"
	healthy, err := s.crowd(ctx, crowdSpec{
		User: "healthy%d", Sockets: healthySockets, Each: 1, SQL: sql})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, healthy.close()) }()
	if _, err := healthy.do(cmdOpen); err != nil {
		return err
	}
	at, err := b.delivery(ctx, s, healthy, 0, "healthy_alone", "beside nobody")
	if err != nil {
		return err
	}
	slow, err := s.crowd(ctx, crowdSpec{
		User: "stalled%d", Sockets: stalledSockets, Each: 1, SQL: sql, Stall: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, slow.close()) }()
	if _, err := slow.do(cmdOpen); err != nil {
		return err
	}
	if err := wait(ctx, 3*time.Second); err != nil {
		return err
	}
	before, err := memory(s.PID(), keyResident)
	if err != nil {
		return err
	}
	// What the network holds is filled first.
	n, err := s.publish(ctx, b.duration, at, eventsPerSecond, strings.Repeat("x", 16<<10), anyRoom)
	if err != nil {
		return err
	}
	if _, err := healthy.do(cmdTold); err != nil {
		return err
	}
	conditions := fmt.Sprintf("beside %d that take nothing", stalledSockets)
	if _, err := b.delivery(ctx, s, healthy, at+n, "healthy_beside_stalled", conditions); err != nil {
		return err
	}
	after, err := memory(s.PID(), keyResident)
	if err != nil {
		return err
	}
	return b.report(Figure{Name: "memory_of_stalled", Value: (after - before) / (1 << 20), Unit: "MB",
		Durability: "none", Clients: stalledSockets,
		Conditions: "resident memory beyond that of the same sockets idle, of one stream"})
}

// delivery publishes small events and reports how long they took.
func (b *bench) delivery(
	ctx context.Context, s *server, c *crowd, from int, name, conditions string,
) (next int, err error) {
	n, err := s.publish(ctx, b.duration, from, eventsPerSecond, content, anyRoom)
	if err != nil {
		return 0, err
	}
	if err := wait(ctx, time.Second); err != nil {
		return 0, err
	}
	a, err := c.do(cmdLatency)
	if err != nil {
		return 0, err
	}
	if a.Told < n*healthySockets {
		return 0, fmt.Errorf("%d of %d were told", a.Told, n*healthySockets)
	}
	for _, part := range []struct {
		name  string
		value float64
	}{{"_p50", a.P50}, {"_p99", a.P99}} {
		err := b.report(Figure{Name: name + part.name, Value: part.value, Unit: "ms", Durability: "sync",
			Clients: healthySockets, Conditions: fmt.Sprintf(
				"from sending an INSERT into a stream until a subscriber has it, %d a second, %s",
				eventsPerSecond, conditions)})
		if err != nil {
			return 0, err
		}
	}
	return from + n, nil
}

// subscriptions measures how long it takes to open very many live queries.
func (b *bench) subscriptions(ctx context.Context) (err error) {
	s, err := b.setUp(ctx, []string{"CREATE USER TABLE bench.written " + schema})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	c, err := s.crowd(ctx, crowdSpec{User: "many%d", Sockets: manySockets, Each: manyEach,
		SQL: "SELECT id, content FROM bench.written WHERE conversation = %d", Modulo: manyEach})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	before, err := cpuOf(s.PID())
	if err != nil {
		return err
	}
	a, err := c.do(cmdOpen)
	if err != nil {
		return err
	}
	conditions := fmt.Sprintf(
		"%d live queries on each, until all are acknowledged and have their snapshots", manyEach)
	return b.reportAll(s, before, "subscribe_all", a.Seconds, manySockets, conditions)
}

// rooms measures what an event of a stream costs that concerns one of very many
// who each follow a room.
func (b *bench) rooms(ctx context.Context) (err error) {
	s, err := b.setUp(ctx, []string{createEvents})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	from := 0
	for _, n := range []int{100, roomSubscribers} {
		c, err := s.crowd(ctx, crowdSpec{User: "room%d", First: from, Sockets: n - from, Each: 1,
			SQL: "SELECT * FROM bench.events WHERE room = %d"})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.close()) }()
		if _, err := c.do(cmdOpen); err != nil {
			return err
		}
		const perSecond = 200
		told, err := s.publish(ctx, b.duration, from*1_000_000, perSecond, content,
			func(i int) int { return from + i%(n-from) })
		if err != nil {
			return err
		}
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
		a, err := c.do(cmdLatency)
		if err != nil {
			return err
		}
		if a.Told != told {
			return fmt.Errorf("%d of %d events were told", a.Told, told)
		}
		for suffix, v := range map[string]float64{"_p50": a.P50, "_p99": a.P99} {
			err := b.report(Figure{Name: "room" + suffix, Value: v, Unit: "ms", Durability: "sync",
				Clients: n, Conditions: fmt.Sprintf("from sending an INSERT into a stream until the "+
					"one has it who follows its room, %d a second", perSecond)})
			if err != nil {
				return err
			}
		}
		from = n
	}
	return nil
}

// reconnect measures how long it takes to resume everybody after all were cut.
func (b *bench) reconnect(ctx context.Context) (err error) {
	s, err := b.setUp(ctx, []string{"CREATE USER TABLE bench.written " + schema})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	c, err := s.crowd(ctx, crowdSpec{User: "resumed%d", Sockets: resumedSockets, Each: 1,
		SQL: "SELECT conversation, id, content FROM bench.written"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	for _, command := range []string{cmdOpen, cmdClose, cmdTold} {
		if _, err := c.do(command); err != nil {
			return err
		}
	}
	for i := range missedBy {
		_, err := s.root().WithUser(fmt.Sprintf("resumed%d", i*resumedSockets/missedBy)).SQL(ctx,
			"INSERT INTO bench.written (conversation, id, content) VALUES (1, 1, 'missed')")
		if err != nil {
			return err
		}
	}
	before, err := cpuOf(s.PID())
	if err != nil {
		return err
	}
	a, err := c.do(cmdResume)
	if err != nil {
		return err
	}
	if err := wait(ctx, time.Second); err != nil {
		return err
	}
	told, err := c.do(cmdTold)
	if err != nil {
		return err
	}
	if told.Told != missedBy || told.Rows > 0 || told.Resyncs > 0 {
		return fmt.Errorf("%d changes, %d snapshots with rows and %d resyncs instead of %d changes",
			told.Told, told.Rows, told.Resyncs, missedBy)
	}
	conditions := fmt.Sprintf("connect at once after all were cut, until each has resumed from "+
		"its cursor; %d have missed a change", missedBy)
	return b.reportAll(s, before, "resume_all", a.Seconds, resumedSockets, conditions)
}

// reportAll prints how long something took for all clients, and the processor
// time of the server in it, which another load on the machine changes less.
func (b *bench) reportAll(
	s *server, before usage, name string, seconds float64, clients int, conditions string,
) error {
	after, err := cpuOf(s.PID())
	if err != nil {
		return err
	}
	f := Figure{Name: name, Value: seconds, Unit: "s", Durability: "none", Clients: clients,
		Conditions: conditions}
	if err := b.report(f); err != nil {
		return err
	}
	f.Name, f.Value = name+"_cpu_server", after.since(before).server.Seconds()
	return b.report(f)
}
