package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/store"
)

// Run checks what every engine promises.
func Run(t *testing.T, o Opener) {
	for name, f := range map[string]func(*testing.T, Opener){
		"a pair is read as it was put last":        testPairs,
		"empty values and odd bytes survive":       testBytes,
		"scans keep to their bounds both ways":     testBounds,
		"a batch applies in its order":             testOrder,
		"a range delete removes exactly its range": testRange,
		"a large range delete is complete":         testLargeRange,
		"snapshots do not change":                  testSnapshot,
		"iterators keep their view under writes":   testIterator,
		"readers and a writer run side by side":    testConcurrent,
		"a closed iterator stays closed":           testClosedIterator,
		"sizes grow with what is stored":           testSize,
		"a random history equals the model's":      testModel,
	} {
		t.Run(name, func(t *testing.T) { f(t, o) })
	}
}

func testPairs(t *testing.T, o Opener) {
	e := opened(t, o)
	if _, found, err := e.Get(physical("a")); found || err != nil {
		t.Fatalf("an empty engine has a pair: %v %v", found, err)
	}
	put(t, e, "a", "1", "b", "2")
	put(t, e, "a", "3")
	var b store.Batch
	b.Delete(part, []byte("b"))
	b.Delete(part, []byte("never there"))
	check(t, e.Apply(&b, false))
	check(t, e.Sync())
	want(t, "after overwrite and delete", scan(t, e, "", "", false), "a=3")
	value, found, err := e.Get(physical("a"))
	check(t, err)
	if !found || string(value) != "3" {
		t.Fatalf("got %q %v", value, found)
	}
	value[0] = 'x'
	want(t, "after the caller changed its copy", scan(t, e, "", "", false), "a=3")
}

func testBytes(t *testing.T, o Opener) {
	e := opened(t, o)
	keys := []string{"\x00", "\x00\x00", "a", "a\x00", "a\xff", "a\xff\xff", "b", "\xff", "\xff\xff"}
	for _, k := range keys {
		put(t, e, k, "")
	}
	long := strings.Repeat("k", 3000)
	put(t, e, long, strings.Repeat("v", 1<<20+1))
	for _, k := range keys {
		value, found, err := e.Get(physical(k))
		if err != nil || !found || len(value) != 0 {
			t.Fatalf("key %q: %q %v %v", k, value, found, err)
		}
	}
	value, found, err := e.Get(physical(long))
	if err != nil || !found || len(value) != 1<<20+1 {
		t.Fatalf("long pair: %d bytes, %v %v", len(value), found, err)
	}
	want(t, "order", scan(t, e, "a", "b", false), "a= a\x00= a\xff= a\xff\xff=")
}

func testBounds(t *testing.T, o Opener) {
	e := opened(t, o)
	all := []string{"b", "ba", "bb", "c", "d"}
	for _, k := range all {
		put(t, e, k, k)
	}
	var b store.Batch // neighbours that no scan may show
	b.Put(store.Partition{ID: part.ID - 1}, []byte("z"), nil)
	b.Put(store.Partition{ID: part.ID + 1}, nil, nil)
	check(t, e.Apply(&b, true))
	bounds := []string{"", "a", "b", "b\x00", "ba", "bb", "bz", "c", "d", "e"}
	for _, lo := range bounds {
		for _, hi := range bounds {
			var up, down []string
			for _, k := range all {
				if k >= lo && (hi == "" || k < hi) {
					up = append(up, k+"="+k)
					down = append([]string{k + "=" + k}, down...)
				}
			}
			what := fmt.Sprintf("[%q, %q)", lo, hi)
			want(t, what+" up", scan(t, e, lo, hi, false), strings.Join(up, " "))
			want(t, what+" down", scan(t, e, lo, hi, true), strings.Join(down, " "))
		}
	}
	for _, reverse := range []bool{false, true} {
		it := e.Scan([]byte{0}, nil, reverse)
		n := 0
		for it.Next() {
			n++
		}
		check(t, it.Close())
		if n != len(all)+2 {
			t.Fatalf("a scan without an end (reverse %v) has %d pairs, not %d", reverse, n, len(all)+2)
		}
	}
}

func testOrder(t *testing.T, o Opener) {
	e := opened(t, o)
	put(t, e, "x", "old", "y", "old")
	var b store.Batch
	b.Put(part, []byte("x"), []byte("1"))
	b.Put(part, []byte("x"), []byte("2"))
	b.Put(part, []byte("q"), []byte("gone"))
	b.DeleteRange(part, []byte("q"), []byte("r"))
	b.Put(part, []byte("qq"), []byte("kept"))
	b.Delete(part, []byte("y"))
	b.Put(part, []byte("z"), []byte("gone"))
	b.Delete(part, []byte("z"))
	check(t, e.Apply(&b, true))
	want(t, "later operations win", scan(t, e, "", "", false), "qq=kept x=2")
}

func testRange(t *testing.T, o Opener) {
	e := opened(t, o)
	put(t, e, "a", "1", "b", "2", "b\xff", "3", "c", "4", "d", "5")
	var b store.Batch
	b.Put(store.Partition{ID: part.ID + 1}, nil, []byte("next"))
	b.DeleteRange(part, []byte("b"), []byte("c"))
	check(t, e.Apply(&b, true))
	want(t, "[b, c) is gone", scan(t, e, "", "", false), "a=1 c=4 d=5")
	b.Reset()
	b.DeleteRange(part, []byte("x"), []byte("z"))
	b.DeleteRange(part, []byte("c"), nil)
	check(t, e.Apply(&b, true))
	want(t, "to the end", scan(t, e, "", "", false), "a=1")
	if _, found, err := e.Get([]byte{0, 0, 0, 8}); !found || err != nil {
		t.Fatalf("the next partition lost its first key: %v", err)
	}
}

func testLargeRange(t *testing.T, o Opener) {
	e := opened(t, o)
	const batches, rows = 12, 10_000
	for i := range batches {
		var b store.Batch
		for j := range rows {
			b.Put(part, fmt.Appendf(nil, "k%06d", i*rows+j), []byte("value"))
		}
		check(t, e.Apply(&b, true))
	}
	before, err := e.Snapshot()
	check(t, err)
	var b store.Batch
	b.DeleteRange(part, []byte("k000001"), []byte("k119999"))
	b.Put(part, []byte("n"), []byte("1"))
	check(t, e.Apply(&b, true))
	want(t, "what is left", scan(t, e, "", "", false), "k000000=value k119999=value n=1")
	it := before.Scan(physical(""), []byte{0, 0, 0, 8}, true)
	n := 0
	for it.Next() {
		n++
	}
	check(t, it.Close())
	check(t, before.Close())
	if n != batches*rows {
		t.Fatalf("the snapshot from before has %d pairs, not %d", n, batches*rows)
	}
}

func testSnapshot(t *testing.T, o Opener) {
	e := opened(t, o)
	put(t, e, "a", "1", "b", "2")
	s, err := e.Snapshot()
	check(t, err)
	put(t, e, "a", "9", "c", "3")
	var b store.Batch
	b.DeleteRange(part, []byte("b"), nil)
	check(t, e.Apply(&b, true))
	want(t, "the snapshot", scan(t, s, "", "", false), "a=1 b=2")
	want(t, "the snapshot, down", scan(t, s, "", "", true), "b=2 a=1")
	value, found, err := s.Get(physical("b"))
	if err != nil || !found || string(value) != "2" {
		t.Fatalf("b in the snapshot: %q %v %v", value, found, err)
	}
	if _, found, err := s.Get(physical("c")); found || err != nil {
		t.Fatalf("c in the snapshot: %v %v", found, err)
	}
	check(t, s.Close())
	want(t, "now", scan(t, e, "", "", false), "a=9")
}

func testIterator(t *testing.T, o Opener) {
	e := opened(t, o)
	for i := range 100 {
		put(t, e, fmt.Sprintf("%03d", i), "old")
	}
	for _, reverse := range []bool{false, true} {
		it := e.Scan(physical(""), []byte{0, 0, 0, 8}, reverse)
		n := 0
		for it.Next() {
			if string(it.Value()) == "new" {
				t.Fatalf("pair %s of a later batch shows up (reverse %v)", it.Key(), reverse)
			}
			put(t, e, fmt.Sprintf("%03d+%v", n, reverse), "new")
			n++
		}
		check(t, it.Close())
		if n != 100 {
			t.Fatalf("%d pairs (reverse %v), want 100", n, reverse)
		}
		var b store.Batch
		for i := range 100 {
			b.Delete(part, fmt.Appendf(nil, "%03d+%v", i, reverse))
		}
		check(t, e.Apply(&b, true))
	}
}

// testConcurrent writes pairs of equal values in one batch each; no reader may
// see them differ.
func testConcurrent(t *testing.T, o Opener) {
	e := opened(t, o)
	put(t, e, "left", "0", "right", "0")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := seeEqual(e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 300 {
		v := fmt.Sprint(i)
		put(t, e, "left", v, "right", v)
	}
	close(stop)
	readers.Wait()
}

func seeEqual(e store.Engine) error {
	s, err := e.Snapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	left, _, err := s.Get(physical("left"))
	if err != nil {
		return err
	}
	it := s.Scan(physical("right"), []byte{0, 0, 0, 8}, false)
	defer it.Close()
	if !it.Next() || !bytes.Equal(left, it.Value()) {
		return fmt.Errorf("half a batch shows: left %s, right %s", left, it.Value())
	}
	return it.Err()
}

func testClosedIterator(t *testing.T, o Opener) {
	e := opened(t, o)
	put(t, e, "a", "1", "b", "2")
	it := e.Scan(physical("a"), nil, false)
	if !it.Next() {
		t.Fatal("no pair")
	}
	check(t, it.Close())
	check(t, it.Close())
	if it.Next() {
		t.Fatal("a closed iterator moves")
	}
	it = e.Scan(physical("z"), physical("a"), false) // bounds crossed
	if it.Next() {
		t.Fatal("crossed bounds hold a pair")
	}
	check(t, it.Close())
}

func testSize(t *testing.T, o Opener) {
	e := opened(t, o)
	before, err := e.Size()
	check(t, err)
	var b store.Batch
	for i := range 4000 {
		b.Put(part, fmt.Appendf(nil, "%05d", i), bytes.Repeat([]byte{byte(i), byte(i >> 3)}, 250))
	}
	check(t, e.Apply(&b, true))
	after, err := e.Size()
	check(t, err)
	if grown := after - before; grown < 50_000 || grown > 20<<20 {
		t.Fatalf("2 MB of values made the size grow by %d bytes", grown)
	}
	n, err := e.RangeSize(physical(""), nil)
	check(t, err)
	if n < 0 || n > 20<<20 {
		t.Fatalf("2 MB of values have a range size of %d bytes", n)
	}
}
