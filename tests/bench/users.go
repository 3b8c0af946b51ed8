package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// What very many users are compared with, and who writes for them.
const (
	fewUsers    = 1000
	userWriters = 64
)

// users measures what very many users with a row each cost: inserts beside
// those of few users, the start of the server, and its memory. A backend writes
// for them (X-USER-ID), or each signs in by a token of its own.
func (b *bench) users(ctx context.Context) error {
	for _, own := range []bool{false, true} {
		name := "users_of_backend"
		if own {
			name = "users_signed_in"
		}
		if !b.loads.MatchString(name) {
			continue
		}
		if err := b.manyUsers(ctx, name, own); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (b *bench) manyUsers(ctx context.Context, name string, own bool) (err error) {
	s, err := b.launch(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, sql := range []string{
		"CREATE NAMESPACE bench", "CREATE USER TABLE bench.written " + schema,
	} {
		if _, err := s.root().SQL(ctx, sql); err != nil {
			return err
		}
	}
	few := min(fewUsers, b.million)
	if err := b.fillUsers(ctx, s, name+"_filled", 0, few, own); err != nil {
		return err
	}
	if err := b.fillUsers(ctx, s, name+"_filled", few, b.million, own); err != nil {
		return err
	}
	if err := b.compareUsers(ctx, s, name, few, own); err != nil {
		return err
	}
	return b.restartUsers(ctx, s, name)
}

// compareUsers inserts rows for few users and for all, in turn, since the speed
// of a machine drifts.
func (b *bench) compareUsers(
	ctx context.Context, s *server, name string, few int, own bool,
) error {
	const turns = 5
	var rates [2][]float64
	for turn := range turns {
		for i, users := range []int{few, b.million} {
			o, err := drive(ctx, s.PID(), userWriters, b.duration, func(c int) (client, error) {
				return s.userWriter(users, (1+2*turn+i)*userWriters+c, own)
			})
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], o.perSecond)
		}
	}
	for i, users := range []int{few, b.million} {
		slices.Sort(rates[i])
		err := b.report(Figure{Name: name + "_insert", Value: rates[i][turns/2], Unit: "per second",
			Durability: "sync", Clients: userWriters, Conditions: fmt.Sprintf("one row of 200 bytes "+
				"over HTTP for one of %d users at random, %d users in the table, median of %d loads "+
				"in turn", users, b.million, turns)})
		if err != nil {
			return err
		}
	}
	return b.report(Figure{Name: name + "_insert_share", Unit: "%", Durability: "sync",
		Value: 100 * rates[1][turns/2] / rates[0][turns/2], Clients: userWriters,
		Conditions: "of the rate for few users"})
}

// userWriter inserts rows for users at random.
func (s *server) userWriter(users, conversation int, own bool) (client, error) {
	c, err := s.userConn(own)
	if err != nil {
		return client{}, err
	}
	return client{close: c.close, step: func(n int) error {
		return c.insert(rand.IntN(users), conversation, n)
	}}, nil
}

// fillUsers gives the users from, to a row each, and reports the rate.
func (b *bench) fillUsers(
	ctx context.Context, s *server, name string, from, to int, own bool,
) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  error
		next atomic.Int64
	)
	next.Store(int64(from))
	start := time.Now()
	for range userWriters {
		wg.Go(func() {
			err := s.fillSome(ctx, &next, to, own)
			mu.Lock()
			defer mu.Unlock()
			all = errors.Join(all, err)
		})
	}
	wg.Wait()
	if all != nil {
		return all
	}
	return b.report(Figure{Name: name, Value: float64(to-from) / time.Since(start).Seconds(),
		Unit: "per second", Durability: "sync", Clients: userWriters,
		Conditions: fmt.Sprintf("the first row of each of %d users", to-from)})
}

func (s *server) fillSome(ctx context.Context, next *atomic.Int64, to int, own bool) error {
	c, err := s.userConn(own)
	if err != nil {
		return err
	}
	defer c.close()
	for ctx.Err() == nil {
		user := int(next.Add(1)) - 1
		if user >= to {
			return nil
		}
		if err := c.insert(user, 0, 0); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// restartUsers measures the memory of the server, and how long its start takes.
func (b *bench) restartUsers(ctx context.Context, s *server, name string) error {
	conditions := fmt.Sprintf("%d users with a row each", b.million)
	if err := b.reportMemory(s, name+"_rss", "behind the loads, "+conditions); err != nil {
		return err
	}
	if err := s.Stop(); err != nil {
		return err
	}
	from := time.Now()
	if err := s.Restart(ctx); err != nil {
		return err
	}
	err := b.report(Figure{Name: name + "_start", Value: time.Since(from).Seconds(), Unit: "s",
		Durability: "none", Conditions: "exec to first healthy answer, " + conditions})
	if err != nil {
		return err
	}
	if err := wait(ctx, 2*time.Second); err != nil {
		return err
	}
	return b.reportMemory(s, name+"_start_rss", "2 s after the start, "+conditions)
}

func (b *bench) reportMemory(s *server, name, conditions string) error {
	bytes, err := memory(s.PID(), keyResident)
	if err != nil {
		return err
	}
	return b.report(Figure{Name: name, Value: bytes / (1 << 20), Unit: "MB", Durability: "none",
		Conditions: "all resident memory, " + conditions})
}

// userConn is a connection over which rows of any user are written.
type userConn struct {
	*conn
	host, root string
	own        bool
	body       []byte
	count      []byte
}

func (s *server) userConn(own bool) (*userConn, error) {
	root := s.root().Authorization
	c, err := dial(s.host(), root, "")
	return &userConn{conn: c, host: s.host(), root: root, own: own, count: rowCount(1)}, err
}

// insert writes one row of a user.
func (c *userConn) insert(user, conversation, id int) error {
	name := "user" + strconv.Itoa(user)
	if c.own {
		c.head = head(c.host, blackbox.Bearer(name, time.Now()), "")
	} else {
		c.head = head(c.host, c.root, name)
	}
	c.body = append(c.body[:0], `{"sql":"INSERT INTO bench.written (conversation, id, content) `+
		`VALUES ($1, $2, $3)","params":[`...)
	c.body = strconv.AppendInt(c.body, int64(conversation), 10)
	c.body = append(c.body, ',')
	c.body = strconv.AppendInt(c.body, int64(id), 10)
	c.body = append(c.body, `,"`+content+`"]}`...)
	return c.ask(c.body, c.count)
}
