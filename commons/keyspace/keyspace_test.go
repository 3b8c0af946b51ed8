package keyspace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/system"
)

// Names of partitions are stored: a change makes a table's rows unreachable.
func TestName_keeps_its_form(t *testing.T) {
	for _, test := range []struct{ got, want keyspace.Name }{
		{keyspace.System(system.Users), "sys.users"},
		{keyspace.Shard(ident.SystemShard), "shard.0"},
		{keyspace.Shard(keyspace.SharedShard(10)), "shard.11"},
		{keyspace.User("chat", "messages", 12, 4), "user.chat.messages.12.4"},
		{keyspace.Stream("chat", "typing", 13, 1), "stream.chat.typing.13.1"},
		{keyspace.Shared("chat", "rooms", 14), "shared.chat.rooms.14"},
	} {
		if test.got != test.want {
			t.Errorf("%q, not %q", test.got, test.want)
		}
	}
}

func TestName_of_a_table_made_again_is_another(t *testing.T) {
	if keyspace.User("a", "b", 1, 11) == keyspace.User("a", "b", 11, 1) ||
		keyspace.User("a", "b", 1, 1) == keyspace.User("a", "b", 2, 1) {
		t.Error("two tables share a partition")
	}
}

// The shard of a user is part of the data format.
func TestShardOf_keeps_users_where_they_are(t *testing.T) {
	for user, want := range map[ident.UserID]ident.ShardID{
		"alice": 10, "alice@example.com": 1, "auth0|123": 4, "": 2,
	} {
		if got := keyspace.ShardOf(user, 10); got != want {
			t.Errorf("%q is in shard %d, not %d", user, got, want)
		}
	}
	if got := keyspace.ShardOf("anyone", 1); got != 1 {
		t.Errorf("the only shard is %d", got)
	}
}

func TestShardOf_spreads_users(t *testing.T) {
	const users, shards = 100_000, 10
	var count [shards + 1]int
	for i := range users {
		count[keyspace.ShardOf(ident.UserID(fmt.Sprintf("user-%d", i)), shards)]++
	}
	if count[0] != 0 {
		t.Error("users in the shard of the system")
	}
	for s, n := range count[1:] {
		if n < users/shards*95/100 || n > users/shards*105/100 {
			t.Errorf("shard %d has %d of %d users", s+1, n, users)
		}
	}
}

func TestEscapePath(t *testing.T) {
	for in, want := range map[string]string{
		"alice-1_x":  "alice-1_x",
		"Alice":      "%41lice",
		"..":         "%2e%2e",
		"a/../b":     "a%2f%2e%2e%2fb",
		`C:\x`:       "%43%3a%5cx",
		"é":          "%c3%a9",
		"auth0|123":  "auth0%7c123",
		"%41":        "%2541",
		"nul\x00 \n": "nul%00%20%0a",
	} {
		if got := keyspace.EscapePath(in); got != want {
			t.Errorf("%q becomes %q, not %q", in, got, want)
		}
	}
}

func FuzzEscapePath(f *testing.F) {
	f.Add("alice", "Alice")
	f.Add("a", "a%")
	f.Add("..", "%2e%2e")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := keyspace.EscapePath(a), keyspace.EscapePath(b)
		if (a == b) != (strings.EqualFold(x, y)) {
			t.Fatalf("%q and %q become %q and %q", a, b, x, y)
		}
		if strings.ContainsAny(x, "./\\:\x00 ") {
			t.Fatalf("%q becomes %q", a, x)
		}
	})
}
