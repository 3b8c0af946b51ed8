package engine_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// TestEngine_Plans runs one statement as two users at once, while its table is
// dropped and made again with other columns.
func TestEngine_Plans(t *testing.T) {
	db := open(t, "", engine.Options{Storage: engine.Memory}).db
	query := func(id engine.Identity, sql string, params ...any) engine.Table {
		t.Helper()
		res, err := db.Query(t.Context(), id, sql, params...)
		if err != nil {
			t.Errorf("%s as %s: %v", sql, id.Caller, err)
		}
		return res
	}
	query(root, "CREATE NAMESPACE chat")
	for _, columns := range []string{"who TEXT", "n BIGINT, who TEXT"} {
		query(root, "CREATE TABLE chat.notes (id BIGINT PRIMARY KEY, "+columns+")")
		var wg sync.WaitGroup
		for _, id := range []engine.Identity{alice, bob} {
			wg.Go(func() {
				for i := range 20 {
					query(id, "INSERT INTO chat.notes (id, who) VALUES (?, ?)", i, string(id.Caller))
					all := query(id, "SELECT who, id FROM chat.notes ORDER BY id DESC")
					for _, r := range all.Rows {
						if r[0].Str() != string(id.Caller) {
							t.Errorf("%s reads a row of %s", id.Caller, r[0].Str())
						}
					}
					if len(all.Rows) != i+1 || all.Rows[0][1].Int() != int64(i) {
						t.Errorf("%s reads %d rows, want %d", id.Caller, len(all.Rows), i+1)
					}
				}
			})
		}
		wg.Wait()
		query(root, "DROP TABLE chat.notes")
	}
	figures := map[string]int64{}
	for _, r := range query(root, "SELECT name, value FROM system.stats").Rows {
		figures[r[0].Str()] = r[1].Int()
	}
	// Of 160 statements those after the first of their form have a plan.
	if hits := figures["plan_cache_hits"]; hits < 150 || figures["plan_cache_misses"] == 0 ||
		figures["plan_cache_entries"] == 0 {
		t.Errorf("figures of the plans: %v", figures)
	}
}

// TestEngine_PlannedInsertFindsDuplicates checks that an INSERT whose plan
// looked nothing up is refused with the words of one that did, and that of
// several at once one is done.
func TestEngine_PlannedInsertFindsDuplicates(t *testing.T) {
	b := inMemory(t)
	b.chat()
	const insert = "INSERT INTO chat.messages VALUES (?, ?, ?)"
	b.run(alice, insert, 1, 1, "first")
	err := b.fails(alice, fault.DuplicateKey, insert, 1, 1, "again")
	want := b.fails(alice, fault.DuplicateKey, "INSERT INTO chat.messages SELECT 1, 1, 'again'")
	if err.Error() != want.Error() || !strings.Contains(err.Error(), "id = 1") {
		t.Errorf("with a plan %v, without %v", err, want)
	}
	b.run(alice, "DELETE FROM chat.messages WHERE conversation = 1 AND id = 1")
	b.run(alice, insert, 1, 1, "third")
	b.want(alice, "third", "SELECT content FROM chat.messages")

	const many = 8
	refused := make(chan error, many)
	for range many {
		go func() {
			_, err := b.db.Query(t.Context(), bob, insert, 2, 2, "at once")
			refused <- err
		}()
	}
	done := 0
	for range many {
		switch err := <-refused; {
		case err == nil:
			done++
		case !fault.Is(err, fault.DuplicateKey):
			t.Errorf("refused with %v", err)
		}
	}
	if done != 1 {
		t.Errorf("%d of %d inserts of one key were done", done, many)
	}
}
