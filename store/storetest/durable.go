package storetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/store"
)

// RunDurable checks what an engine on disk promises besides Run.
func RunDurable(t *testing.T, o Opener) {
	t.Run("a closed engine opens with everything", func(t *testing.T) { testReopen(t, o) })
	t.Run("a second owner is refused", func(t *testing.T) { testSecond(t, o) })
}

func testReopen(t *testing.T, o Opener) {
	dir := t.TempDir()
	r := Seed(t)
	m := model{}
	for round := range 4 {
		e := open(t, o, dir)
		want(t, "after opening", scan(t, e, "", "", false), m.scan("", "", false))
		for step := range 40 {
			check(t, e.Apply(randomBatch(r, m, round*100+step), r.IntN(2) == 0))
		}
		check(t, e.Close())
	}
	e := open(t, o, dir)
	want(t, "at the end", scan(t, e, "", "", true), m.scan("", "", true))
	check(t, e.Close())
}

func testSecond(t *testing.T, o Opener) {
	dir := t.TempDir()
	e := open(t, o, dir)
	if second, err := o(dir); err == nil {
		t.Errorf("a folder was opened twice")
		check(t, second.Close())
	}
	check(t, e.Close())
}

// crashDir tells a child process of Crash where to write.
const crashDir = "KALAMDB_STORETEST_CRASH_DIR"

const (
	crashAcks = 150 // batches after which the child is killed
	crashKeys = 5   // pairs of a batch
)

// Crash starts the test binary again for the calling test, which does nothing
// but call it, lets the child write synced batches, kills it in the middle,
// and checks that every batch it acknowledged is there and none is there in
// part. A killed process does not lose the system's file cache; that the sync
// itself happened is for the engine's own tests to show.
func Crash(t *testing.T, o Opener) {
	if dir := os.Getenv(crashDir); dir != "" {
		writeUntilKilled(t, o, dir)
		return
	}
	for range 3 {
		dir := t.TempDir()
		acked := killedWriter(t, dir)
		e := open(t, o, dir)
		last := lastWhole(t, e)
		check(t, e.Close())
		if last < acked {
			t.Fatalf("batch %d was acknowledged, the last one found is %d", acked, last)
		}
	}
}

func writeUntilKilled(t *testing.T, o Opener, dir string) {
	e := open(t, o, dir)
	for i := 0; ; i++ {
		var b store.Batch
		for k := range crashKeys {
			b.Put(part, fmt.Appendf(nil, "%08d.%d", i, k), fmt.Appendf(nil, "%0200d", i))
		}
		check(t, e.Apply(&b, true))
		fmt.Printf("\nack %d\n", i)
	}
}

// killedWriter runs the child and returns the last batch it acknowledged.
func killedWriter(t *testing.T, dir string) (acked int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	acked = -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, ok := strings.CutPrefix(lines.Text(), "ack ")
		if !ok {
			continue
		}
		if acked, err = strconv.Atoi(n); err != nil {
			break // a line that the kill cut in two
		}
		if acked == crashAcks {
			check(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || acked < crashAcks {
		t.Fatalf("the writer ended by itself after batch %d: %v", acked, err)
	}
	return acked
}

// lastWhole checks that the batches are whole and without gaps, and returns
// the number of the last one.
func lastWhole(t *testing.T, e store.Engine) int {
	t.Helper()
	it := e.Scan(physical(""), []byte{0, 0, 0, 8}, false)
	n := 0
	for ; it.Next(); n++ {
		key := fmt.Sprintf("%08d.%d", n/crashKeys, n%crashKeys)
		if string(it.Key()[prefixLen:]) != key {
			t.Fatalf("found %q in the place of %q", it.Key()[prefixLen:], key)
		}
	}
	check(t, it.Close())
	if n%crashKeys != 0 {
		t.Fatalf("batch %d is there in part", n/crashKeys)
	}
	return n/crashKeys - 1
}
