// Package storetest is what every store engine must pass: Run and RunDB for
// all, RunDurable, Crash and RunDamage for those that keep data on disk. It
// also has Spy, an engine that counts and fails, to test what is above one.
//
// It is imported by tests only, and starts processes in Crash alone.
package storetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/store"
)

// Opener opens the engine under test in a folder, which exists.
type Opener func(dir string) (store.Engine, error)

func open(t testing.TB, o Opener, dir string) store.Engine {
	t.Helper()
	e, err := o(dir)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return e
}

// opened returns an engine in a new folder that is closed with the test.
func opened(t testing.TB, o Opener) store.Engine {
	t.Helper()
	e := open(t, o, t.TempDir())
	t.Cleanup(func() { check(t, e.Close()) })
	return e
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// part is the partition whose keys the engine suites write: physical keys are
// what an engine sees.
var part = store.Partition{ID: 7, Name: "suite"}

const prefixLen = 4

func physical(key string) []byte { return append([]byte{0, 0, 0, 7}, key...) }

func put(t testing.TB, e store.Engine, pairs ...string) {
	t.Helper()
	var b store.Batch
	for i := 0; i < len(pairs); i += 2 {
		b.Put(part, []byte(pairs[i]), []byte(pairs[i+1]))
	}
	check(t, e.Apply(&b, true))
}

// bound makes a physical bound; "" stands for none.
func bound(key string, none []byte) []byte {
	if key == "" {
		return none
	}
	return physical(key)
}

// scan returns the keys and values of [lo, hi) as "k=v k=v".
func scan(t testing.TB, r store.Reader, lo, hi string, reverse bool) string {
	t.Helper()
	it := r.Scan(bound(lo, physical("")), bound(hi, []byte{0, 0, 0, 8}), reverse)
	out := drain(it)
	check(t, it.Close())
	return out
}

func drain(it store.Iterator) string {
	var b bytes.Buffer
	for it.Next() {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", it.Key()[prefixLen:], it.Value())
	}
	return b.String()
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s:\n got %q\nwant %q", what, got, want)
	}
}
