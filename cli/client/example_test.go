package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kalamdb/kalamdb-go/cli/client"
)

// The example needs a running server, so it is compiled and not run.
func Example() {
	ctx := context.Background()
	c, err := client.New(client.Options{User: "alice", Password: "wonderland", Namespace: "chat"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Exec(ctx, "INSERT INTO messages (id, text) VALUES ($1, $2)", 1, "hi"); err != nil {
		log.Fatal(err)
	}
	messages, err := c.Live(ctx, "SELECT * FROM chat.messages", client.LiveOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer messages.Close()
	for state, err := range messages.States(ctx) { // goes on after a lost connection
		if err != nil {
			log.Fatal(err)
		}
		for _, row := range state.Rows { // the whole result, as a commit left it
			text, err := row.String("text")
			fmt.Println(text, err)
		}
	}
}

// Subscribe gives the changes one by one, for programs that act on each.
func ExampleClient_Subscribe() {
	ctx := context.Background()
	c, err := client.New(client.Options{User: "alice", Password: "wonderland"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	sub, err := c.Subscribe(ctx, "SELECT * FROM chat.messages", client.SubscribeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range sub.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Kind, event.Reason, len(event.Rows), "row(s) up to", event.Seq)
	}
}
