package engine_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// TestEngine_AccountsAreCurrent acts for users whose accounts come, change and
// go, while others are kept: what an answered statement has changed counts for
// the next one.
func TestEngine_AccountsAreCurrent(t *testing.T) {
	b := inMemory(t)
	b.chat()
	for i := range 50 {
		id := fmt.Sprintf("user%d", i%7)
		rows := "SELECT COUNT(*) FROM chat." + id + ".messages"
		if i < 7 {
			b.want(service, "0", rows) // who has no account may be acted for
			b.run(root, "CREATE USER '"+id+"' WITH PASSWORD 'a long password' ROLE user")
		}
		b.want(service, "0", rows)
		b.run(root, "ALTER USER '"+id+"' SET ROLE dba")
		b.fails(service, fault.PermissionDenied, rows)
		b.run(root, "ALTER USER '"+id+"' SET ROLE service")
		b.run(bob, fmt.Sprintf("REPLACE INTO chat.messages VALUES (1, %d, '')", i))
		b.want(service, "0", rows)
	}
	b.run(root, "DROP USER 'user0'")
	b.fails(service, fault.UserNotFound, "SELECT COUNT(*) FROM chat.user0.messages")
}
