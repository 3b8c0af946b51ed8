package store_test

import (
	"fmt"
	"log"
	"os"

	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
)

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := remember(dir); err != nil {
		log.Fatal(err)
	}
	// Output: buy bread true
}

func remember(dir string) error {
	db, err := store.Open(dir, store.Options{
		Engine:     pebblekv.Name,
		OpenEngine: pebblekv.Opener(pebblekv.Options{}),
	})
	if err != nil {
		return err
	}
	defer db.Close()
	notes, err := db.CreatePartition("notes")
	if err != nil {
		return err
	}
	var b store.Batch
	b.Put(notes, []byte("1"), []byte("buy bread"))
	if err := db.Commit(&b, true); err != nil { // durable, then visible
		return err
	}
	view := db.View()
	defer view.Release()
	text, found, err := view.Get(notes, []byte("1"))
	fmt.Println(string(text), found)
	return err
}
