package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/live"
)

// Opening a live query until it is live: of few texts, by many users.
func BenchmarkEngine_Subscribe(b *testing.B) {
	db, err := engine.Open("", engine.Options{
		Storage: engine.Memory, RootPassword: "root-password",
		Live: live.Options{MaxTotal: 1 << 30, MaxPerUser: 1 << 30},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, sql := range []string{"CREATE NAMESPACE chat", "CREATE USER TABLE chat.messages " +
		"(room BIGINT, id BIGINT, body TEXT, PRIMARY KEY (room, id))"} {
		if _, err := db.Query(context.Background(), root, sql); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		id := engine.Identity{
			Caller: ident.UserID(fmt.Sprintf("user-%d", n/100)), Role: ident.RoleUser,
		}
		s, err := db.Subscribe(context.Background(), id, engine.Subscription{
			SQL: fmt.Sprintf("SELECT id, body FROM chat.messages WHERE room = %d", n%100),
		})
		if err != nil {
			b.Fatal(err)
		}
		for more := true; more; {
			if _, more, err = s.Poll(context.Background(), 32); err != nil {
				b.Fatal(err)
			}
		}
	}
}
