package engine_test

import "testing"

func TestEngine_InsertAndSelect(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO chat.messages (conversation_id, id, author, body) VALUES (1, 1, 'a', 'hello'), (1, 2, 'b', 'x')")
	w.want("1|1|a|hello; 1|2|b|x", "SELECT * FROM chat.messages")
	w.want("2", "SELECT COUNT(*) FROM messages")
	w.as("bob").want("", "SELECT * FROM chat.messages")
}
