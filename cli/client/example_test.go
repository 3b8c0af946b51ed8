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
	sub, err := c.Subscribe(ctx, "SELECT * FROM chat.messages", client.SubscribeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for {
		event, err := sub.Next(ctx) // resumes by itself after a lost connection
		if err != nil {
			log.Fatal(err)
		}
		for _, row := range event.Rows {
			text, err := row.String("text")
			fmt.Println(event.Kind, text, err)
		}
	}
}
