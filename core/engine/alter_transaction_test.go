package engine_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// TestEngine_AlterDuringTransaction: what a transaction wrote with an earlier
// schema is refused at its COMMIT, and never read or kept with another.
func TestEngine_AlterDuringTransaction(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'one')")
	c := b.client(alice)
	send := func(want, sql string) {
		t.Helper()
		if got, err := c.send(sql); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", sql, got, err, want)
		}
	}
	send("", "BEGIN")
	send("", "INSERT INTO chat.messages VALUES (1, 2, 'two')")
	b.run(root, "ALTER TABLE chat.messages ADD COLUMN n INT DEFAULT 7, RENAME content TO body")
	send("1 1 one 7,1 2 two 7", "SELECT * FROM chat.messages")
	send("", "UPDATE chat.messages SET n = 8, body = 'TWO' WHERE id = 2")
	send("1 1 one 7,1 2 TWO 8", "SELECT * FROM chat.messages")
	send("", "INSERT INTO chat.messages VALUES (1, 3, 'three', 9)")
	if _, err := c.send("COMMIT"); err != nil { // all its rows are of the new schema by now
		t.Errorf("commit: %v", err)
	}
	b.want(alice, "1 1 one 7\n1 2 TWO 8\n1 3 three 9", "SELECT * FROM chat.messages")
	send("", "BEGIN")
	send("", "UPDATE chat.messages SET body = 'x' WHERE id = 1")
	b.run(root, "ALTER TABLE chat.messages DROP COLUMN n")
	if _, err := c.send("COMMIT"); !fault.Is(err, fault.TransactionConflict) {
		t.Errorf("a commit with a schema that is gone: %v", err)
	}
}
