package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/core/engine"
)

func TestEngine_ShowStats(t *testing.T) {
	b := open(t, t.TempDir(), engine.Options{Shards: 3})
	b.chat()
	b.run(root, "CREATE SHARED TABLE chat.rooms (id INT PRIMARY KEY)")
	b.run(root, "INSERT INTO chat.rooms VALUES (1), (2)")
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'a'), (1, 2, 'b')")
	b.run(bob, "INSERT INTO chat.messages VALUES (1, 1, 'b')")
	b.run(bob, "DELETE FROM chat.messages")
	stats := b.run(service, "SHOW STATS FOR TABLE chat.messages")
	rows := int64(0)
	for i, r := range stats.Rows {
		if r[1].Int() != int64(i+1) || r[3].Int() < 0 || !strings.Contains(r[0].Str(), "messages") {
			t.Errorf("partition %v", r)
		}
		rows += r[2].Int()
	}
	if len(stats.Rows) != 3 || rows != 2 {
		t.Errorf("%d rows in %d partitions", rows, len(stats.Rows))
	}
	if r := b.run(root, "SHOW STATS FOR TABLE chat.rooms").Rows; len(r) != 1 || r[0][2].Int() != 2 {
		t.Errorf("%v", r)
	}
}

func TestEngine_ClearCache(t *testing.T) {
	b := inMemory(t)
	b.chat()
	const entries = "SELECT value > 0 FROM system.stats WHERE name = 'plan_cache_entries'"
	b.run(root, "CLEAR CACHE")
	b.run(alice, "SELECT content FROM chat.messages WHERE conversation = 1 AND id = 1")
	b.run(alice, "SELECT content FROM chat.messages WHERE conversation = $1 AND id = $2", 1, 1)
	var message string
	err := b.db.Execute(t.Context(), root, engine.Request{SQL: "CLEAR CACHE"},
		func(res *engine.Result) error { message = res.Message; return nil })
	if err != nil || !strings.HasPrefix(message, "cache cleared: 2 plans of statements, 0 predicates") {
		t.Errorf("%q %v", message, err)
	}
	b.run(alice, "SELECT content FROM chat.messages WHERE conversation = 1 AND id = 1")
	b.want(root, "true", entries)
}
