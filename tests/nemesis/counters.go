package nemesis

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// How the counters are used: no statement is known to the table but by what it added.
const counterUsers = 4

// counters is the load of statements that may take place only once: each raises a
// counter by one. A repeat of one that took place would raise it again.
type counters struct {
	run *run

	mu     sync.Mutex
	lowest map[string]int // raises that were acknowledged, by user
	unsure map[string]int // raises that nobody answered
}

func newCounters(r *run) *counters {
	return &counters{run: r, lowest: map[string]int{}, unsure: map[string]int{}}
}

func (s *counters) setUp(ctx context.Context) error {
	c := s.run.caller("counters", "")
	const table = "CREATE USER TABLE IF NOT EXISTS nemesis.counters (id BIGINT PRIMARY KEY, " +
		"n BIGINT NOT NULL)"
	if _, err := c.ask(ctx, table); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	for u := range counterUsers {
		c := s.run.caller(fmt.Sprintf("counters-%d", u), counterUser(u))
		if _, err := c.ask(ctx, "INSERT INTO nemesis.counters VALUES (1, 0)"); err != nil {
			return fmt.Errorf("first row of a counter: %w", err)
		}
	}
	return nil
}

func counterUser(u int) string { return fmt.Sprintf("counter%d", u) }

func (s *counters) work(ctx context.Context) {
	var wg sync.WaitGroup
	for u := range counterUsers {
		wg.Go(func() {
			c := s.run.caller(fmt.Sprintf("count-%d", u), counterUser(u))
			for !s.run.over(ctx) {
				_, err := c.ask(ctx, "UPDATE nemesis.counters SET n = n + 1 WHERE id = 1")
				s.run.unexpected("counters", err)
				s.run.count("counters")
				s.mu.Lock()
				switch {
				case err == nil:
					s.lowest[c.user]++
				case errors.Is(err, errUnknown):
					s.unsure[c.user]++
				}
				s.mu.Unlock()
				wait(ctx, registerPause)
			}
		})
	}
	wg.Wait()
}

func (s *counters) check(ctx context.Context) error {
	for u := range counterUsers {
		c := s.run.caller(fmt.Sprintf("counted-%d", u), counterUser(u))
		rows, err := c.rows(ctx, "SELECT n FROM nemesis.counters WHERE id = 1")
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			s.run.violation("counters", "%s has rows %q", c.user, rows)
			continue
		}
		least, most := s.lowest[c.user], s.lowest[c.user]+s.unsure[c.user]
		var n int
		if _, err := fmt.Sscan(rows[0][0], &n); err != nil {
			return err
		}
		if n < least || n > most {
			s.run.violation("counters", "%s is at %d; %d raises were acknowledged and %d are unknown",
				c.user, n, least, most-least)
		}
	}
	return nil
}
