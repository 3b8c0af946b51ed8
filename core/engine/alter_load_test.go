package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/core/engine"
)

// TestEngine_AlterUnderLoad changes a column's name, and with it what it
// means, while others write and read: `one` is 1 in every row of every schema,
// `two` is 2.
func TestEngine_AlterUnderLoad(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.t (id BIGINT PRIMARY KEY, one INT NOT NULL DEFAULT 1, two INT NOT NULL DEFAULT 2)")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	written := make([]int, 4)
	users := make([]engine.Identity, 4)
	for w := range users {
		users[w] = alice
		if users[w].Caller = alice.Caller + "-"; w > 1 {
			users[w] = bob
		}
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := w*1_000_000 + i
				for _, sql := range []string{
					fmt.Sprintf("INSERT INTO app.t (id) VALUES (%d)", id),
					fmt.Sprintf("UPDATE app.t SET one = 1, two = 2 WHERE id = %d", id),
				} {
					if _, err := b.db.Query(t.Context(), users[w], sql); err != nil {
						t.Errorf("%s: %v", sql, err)
						return
					}
				}
				written[w]++
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				out, err := b.db.Query(t.Context(), bob, "SELECT * FROM app.t WHERE id >= 0 LIMIT 300")
				if err != nil {
					t.Error(err)
					return
				}
				for _, row := range out.Rows {
					for i, c := range out.Columns {
						if n := row[i].Text(); c.Name == "one" && n != "1" || c.Name == "two" && n != "2" ||
							strings.HasPrefix(c.Name, "extra") && n != "7" {
							t.Errorf("column %s of row %s shows %s", c.Name, row[0].Text(), n)
							return
						}
					}
				}
			}
		})
	}
	// A round leaves the columns as they were, but stored at other places.
	for i := range 12 {
		b.run(root, fmt.Sprintf("ALTER TABLE app.t ADD extra%d INT DEFAULT 7", i))
		b.run(root, "ALTER TABLE app.t DROP COLUMN one, ADD one INT NOT NULL DEFAULT 1, "+
			"MODIFY two BIGINT NOT NULL DEFAULT 2")
		b.run(root, fmt.Sprintf("ALTER TABLE app.t DROP extra%d", i))
	}
	close(stop)
	wg.Wait()
	want := 0
	for _, n := range written {
		want += n
	}
	b.want(root, fmt.Sprint(want), "SELECT SUM(`rows`) FROM system.partitions WHERE table_name = 't'")
	for _, id := range users {
		b.want(id, "0", "SELECT COUNT(*) FROM app.t WHERE one <> 1 OR two <> 2")
	}
	if want == 0 {
		t.Error("nothing was written")
	}
}

// TestEngine_TruncateUnderLoad: whoever has been answered before TRUNCATE
// began is gone after it, whoever begins after it stays.
func TestEngine_TruncateUnderLoad(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.t (id BIGINT PRIMARY KEY)")
	for round := range 6 {
		b.run(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d)", -1-round))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					for _, sql := range []string{
						fmt.Sprintf("INSERT INTO app.t VALUES (%d)", round<<30+w<<20+i),
						"SELECT COUNT(*) + 1 FROM app.t WHERE id % 2 = 0",
						"SELECT id FROM app.t LIMIT 5",
					} {
						_, err := b.db.Query(t.Context(), bob, sql)
						if err != nil {
							t.Errorf("%s during truncate: %v", sql, err)
							return
						}
					}
				}
			})
		}
		b.run(root, "TRUNCATE TABLE app.t")
		b.want(alice, "0", "SELECT COUNT(*) FROM app.t")
		b.run(alice, "INSERT INTO app.t VALUES (1)")
		close(stop)
		wg.Wait()
		b.want(alice, "1", "SELECT COUNT(*) FROM app.t")
	}
	b.want(root, "10", "SELECT COUNT(*) FROM system.partitions")
}
