package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// tables are those that the loads write, with the users who have rows in them.
func (r *run) tables() map[string][]string {
	all := map[string][]string{}
	add := func(table string, n int, user func(int) string) {
		for u := range n {
			all[table] = append(all[table], user(u))
		}
	}
	add("registers", registerUsers, func(u int) string { return fmt.Sprintf("register%d", u) })
	add("counters", counterUsers, counterUser)
	add("feed", feedUsers, func(u int) string { return fmt.Sprintf("feed%d", u) })
	for _, table := range []string{"bank", "ledger"} {
		add(table, bankUsers, bankUser)
		add(table, crossUsers, crossUser)
	}
	return all
}

// checkAlike reads all rows through each node, which reads its own replica: they are the
// same.
func (r *run) checkAlike(ctx context.Context) error {
	for table, users := range r.tables() {
		for _, user := range users {
			c := r.caller("alike-"+table+"-"+user, user)
			var first [][]string
			for i, n := range r.nodes {
				rows, err := c.through(ctx, n, "SELECT *, _seq FROM nemesis."+table)
				if err != nil {
					return err
				}
				if i == 0 {
					first = rows
				} else if !slices.EqualFunc(first, rows, slices.Equal) {
					r.violation("replicas", "%s of %s: node 1 has %d rows %q, node %d has %d rows %q",
						table, user, len(first), clip(first), n.id, len(rows), clip(rows))
				}
			}
		}
	}
	return nil
}

func clip(rows [][]string) [][]string { return rows[:min(len(rows), 10)] }

// through asks one node until it answers.
func (c *caller) through(ctx context.Context, n *node, sql string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	for {
		a, err := c.once(ctx, n, blackbox.Request{SQL: sql})
		switch {
		case err == nil && len(a.Results) == 1:
			return a.Results[0].Strings(), nil
		case err == nil:
			return nil, fmt.Errorf("%s: %d results", sql, len(a.Results))
		case ctx.Err() != nil || !errors.Is(err, errUnknown):
			return nil, fmt.Errorf("%s: %w", sql, err)
		}
		wait(ctx, retryPause)
	}
}
