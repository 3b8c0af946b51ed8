package engine_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// A database in process: two users with tables of their own behind one schema.
func Example() {
	ctx := context.Background()
	db, err := engine.Open("", engine.Options{Storage: engine.Memory})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	root := engine.Identity{Caller: "root", Role: ident.RoleDBA}
	alice := engine.Identity{Caller: "alice", Role: ident.RoleUser}
	bob := engine.Identity{Caller: "bob", Role: ident.RoleUser}
	run := func(id engine.Identity, sql string, params ...any) engine.Table {
		t, err := db.Query(ctx, id, sql, params...)
		if err != nil {
			log.Fatal(err)
		}
		return t
	}
	run(root, "CREATE NAMESPACE chat")
	run(root, `CREATE TABLE chat.messages (
		id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), content TEXT NOT NULL)`)
	run(alice, "INSERT INTO chat.messages (content) VALUES ($1)", "hello")
	for _, who := range []engine.Identity{alice, bob} {
		t := run(who, "SELECT content FROM chat.messages")
		fmt.Println(who.Caller, len(t.Rows))
	}
	var content []value.Value = run(alice, "SELECT content FROM chat.messages").Rows[0]
	fmt.Println(content[0].Text())
	// Output:
	// alice 1
	// bob 0
	// hello
}
