package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

func TestEngine_SchemaChangesOfClientsThatGoAway(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	for i := range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := b.db.Query(ctx, root, "CREATE TABLE app.t (id INT PRIMARY KEY)")
			if err != nil && !fault.Is(err, fault.Cancelled) {
				t.Errorf("round %d: %v", i, err)
			}
		})
		wg.Go(cancel)
		wg.Wait()
		b.run(root, "CREATE TABLE IF NOT EXISTS app.t (id INT PRIMARY KEY)")
		b.run(alice, "INSERT INTO app.t VALUES (1)")
		b.run(root, "DROP TABLE app.t")
	}
	b.want(root, "0", "SELECT COUNT(*) FROM system.partitions")
}

func TestEngine_ConcurrentSchemaChanges(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	const workers = 6
	var wg sync.WaitGroup
	made := make([]int, workers)
	for w := range workers {
		wg.Go(func() {
			for i := range 10 {
				_, err := b.db.Query(t.Context(), root, fmt.Sprintf("CREATE TABLE app.t%d (id INT PRIMARY KEY)", i))
				switch {
				case err == nil:
					made[w]++
				case !fault.Is(err, fault.AlreadyExists):
					t.Error(err)
				}
				_, err = b.db.Query(t.Context(), alice, fmt.Sprintf("INSERT INTO app.t%d VALUES (%d)", i, w))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range made {
		total += n
	}
	if total != 10 {
		t.Errorf("10 tables were created %d times", total)
	}
	for i := range 10 {
		b.want(alice, fmt.Sprint(workers), fmt.Sprintf("SELECT COUNT(*) FROM app.t%d", i))
	}
}

func TestEngine_WritesDuringDropLeaveNothing(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	for range 10 {
		b.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY)")
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
					sql := fmt.Sprintf("INSERT INTO app.t VALUES (%d)", w*1_000_000+i)
					_, err := b.db.Query(t.Context(), alice, sql)
					if err != nil && !fault.Is(err, fault.TableNotFound) {
						t.Errorf("insert during drop: %v", err)
						return
					}
				}
			})
		}
		b.run(root, "DROP TABLE app.t")
		close(stop)
		wg.Wait()
		b.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY)")
		b.want(alice, "0", "SELECT COUNT(*) FROM app.t")
		b.run(root, "DROP TABLE app.t")
	}
}
