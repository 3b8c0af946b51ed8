package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/live"
)

// A text that was followed before isn't parsed again. What it means still
// depends on who asks, with which rights, in which namespace, and on the table
// that is there now.
func TestEngine_SubscribeToAKnownText(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'of alice')")
	b.run(bob, "INSERT INTO chat.messages VALUES (1, 2, 'of bob')")
	b.run(root, "CREATE NAMESPACE other")
	b.run(root, "CREATE USER TABLE other.messages (id BIGINT PRIMARY KEY, content TEXT)")
	b.run(alice, "INSERT INTO other.messages VALUES (5, 'elsewhere')")
	shows := func(what string, who engine.Identity, ns, sql, want string) {
		t.Helper()
		v := &viewer{bench: b, who: who, sql: sql, ordered: true, batch: 3}
		sub, err := b.db.Subscribe(t.Context(), who,
			engine.Subscription{SQL: sql, Namespace: ident.NamespaceID(ns)})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer sub.Close(live.Unsubscribed)
		v.sub = sub
		v.drain()
		if got := strings.Join(texts(v.rows), " "); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	refused := func(what string, who engine.Identity, ns, sql string, code fault.Code) {
		t.Helper()
		_, err := b.db.Subscribe(t.Context(), who,
			engine.Subscription{SQL: sql, Namespace: ident.NamespaceID(ns)})
		if !fault.Is(err, code) {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	const any, own = "SELECT id, content FROM messages", "SELECT content FROM chat.user.messages"
	for range 2 {
		shows("alice", alice, "chat", any, "1|of alice")
		shows("bob", bob, "chat", any, "2|of bob")
		shows("another namespace", alice, "other", any, "5|elsewhere")
		refused("no namespace", alice, "", any, fault.NamespaceNotFound)
		shows("alice's own", alice, "", own, "of alice")
		shows("bob's own", bob, "", own, "of bob")
		refused("nobody's own", root, "", own, fault.UserRequired)
		shows("bob's by root", root, "", "SELECT id FROM chat.bob.messages", "2")
		refused("bob's by alice", alice, "", "SELECT id FROM chat.bob.messages",
			fault.PermissionDenied)
	}
	const all = "SELECT * FROM chat.messages"
	shows("all columns", alice, "", all, "1|1|of alice")
	b.run(root, "ALTER TABLE chat.messages ADD COLUMN note TEXT DEFAULT 'new'")
	shows("a new column", alice, "", all, "1|1|of alice|new")
	b.run(root, "DROP TABLE chat.messages")
	refused("dropped", alice, "", all, fault.TableNotFound)
	b.run(root, "CREATE USER TABLE chat.messages (id BIGINT PRIMARY KEY)")
	shows("another table", alice, "", all, "")
	refused("a column that has gone", alice, "chat", any, fault.ColumnNotFound)
}
