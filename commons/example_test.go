package commons_test

import (
	"fmt"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func Example() {
	if err := store(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// user.chat.messages.12.1
	// 9-byte key, 8-byte record
	// ["42","hello"]
}

func store() error {
	user, err := ident.ParseUserID("alice@example.com")
	if err != nil {
		return err // a *fault.Error, with a code that clients know
	}
	fmt.Println(keyspace.User("chat", "messages", 12, keyspace.ShardOf(user, 10)))

	row := []value.Value{value.NewBigInt(42), value.NewText("hello")}
	key := value.AppendKey(nil, row[0]) // sorts as the numbers do
	for _, name := range []string{"row", "json"} {
		codec, err := serde.ByName(name)
		if err != nil {
			return err
		}
		record, err := codec.AppendRow(nil, []value.Kind{value.Int64, value.Text}, row)
		if err != nil {
			return err
		}
		if name == "json" {
			fmt.Printf("%s\n", record)
			continue
		}
		fmt.Printf("%d-byte key, %d-byte record\n", len(key), len(record))
	}
	return nil
}

func Example_errors() {
	_, err := value.Parse(value.Int8, "300")
	fmt.Println(err)
	fmt.Println(fault.CodeOf(err).Info().HTTP)
	// Output:
	// VALUE_OUT_OF_RANGE: 300 is out of range for TINYINT
	// 400
}

func Example_clock() {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	c := clock.New(func() time.Time { return noon }, 0)
	first := c.Now()
	noon = noon.Add(-time.Hour) // the wall clock jumps back
	fmt.Println(c.Now()-first, first.Time())
	// Output: 1 2026-01-02 12:00:00 +0000 UTC
}
