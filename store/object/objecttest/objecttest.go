// Package objecttest is what every bucket must pass, whatever holds its files.
// It is imported by tests only.
package objecttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// Run runs the suite. open returns an empty bucket, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) object.Bucket) {
	for name, test := range map[string]func(*testing.T, object.Bucket){
		"an object reads as it was written": testReads,
		"sizes around those of parts":       testSizes,
		"paths of all kinds":                testPaths,
		"paths that can't be are refused":   testBadPaths,
		"objects are replaced whole":        testReplaces,
		"what is missing":                   testMissing,
		"an upload that fails leaves none":  testFailedUpload,
		"an upload that is cancelled":       testCancelledUpload,
		"contexts that have ended":          testEnded,
		"listing by prefix":                 testList,
		"listing more than a page":          testListMany,
		"deleting":                          testDelete,
		"many at once":                      testConcurrent,
		"random operations":                 testRandom,
		"check":                             testCheck,
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, b)
		})
	}
}

// Put stores content in pieces, and fails the test when it can't.
func Put(t testing.TB, b object.Bucket, path string, content []byte) {
	t.Helper()
	if err := put(t.Context(), b, path, content); err != nil {
		t.Fatalf("put %q: %v", path, err)
	}
}

func put(ctx context.Context, b object.Bucket, path string, content []byte) error {
	return b.Put(ctx, path, func(w io.Writer) error {
		for piece := range slices.Chunk(content, 100_000) {
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	})
}

// Want fails the test when an object does not read as content.
func Want(t testing.TB, b object.Bucket, path string, content []byte) {
	t.Helper()
	r, err := b.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("open %q: %v", path, err)
	}
	if r.Size() != int64(len(content)) {
		t.Fatalf("%q has %d bytes, not %d", path, r.Size(), len(content))
	}
	got := make([]byte, len(content))
	if n, err := r.ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) || n != len(content) {
		t.Fatalf("read %q: %d bytes, %v", path, n, err)
	}
	if !bytes.Equal(got, content) {
		t.Fatalf("%q reads otherwise than it was written: %.40q, not %.40q", path, got, content)
	}
}

// List returns the sizes of the objects below a prefix by path.
func List(t testing.TB, b object.Bucket, prefix string) map[string]int64 {
	t.Helper()
	found := make(map[string]int64)
	for info, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		if _, twice := found[info.Path]; twice {
			t.Errorf("%q is listed twice", info.Path)
		}
		if age := time.Since(info.Modified); age > time.Hour || age < -time.Minute {
			t.Errorf("%q was modified %v ago", info.Path, age)
		}
		found[info.Path] = info.Size
	}
	return found
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("%v, want %s", err, code)
	}
}

// random returns n bytes that are the same at every run.
func random(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(r.Uint64())
	}
	return content
}

func testReads(t *testing.T, b object.Bucket) {
	content := random(10_000)
	Put(t, b, "a/b/c.parquet", content)
	Want(t, b, "a/b/c.parquet", content)
	r, err := b.Open(t.Context(), "a/b/c.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range [][2]int{{0, 1}, {9_999, 1}, {0, 10_000}, {5_000, 3}, {123, 0}} {
		p := make([]byte, span[1])
		n, err := r.At(t.Context()).ReadAt(p, int64(span[0]))
		if err != nil && !errors.Is(err, io.EOF) || n != span[1] ||
			!bytes.Equal(p, content[span[0]:span[0]+span[1]]) {
			t.Errorf("%v: %d bytes, %v", span, n, err)
		}
	}
	p := make([]byte, 100)
	n, err := r.ReadAt(p, 9_950)
	if n != 50 || !errors.Is(err, io.EOF) || !bytes.Equal(p[:50], content[9_950:]) {
		t.Errorf("over the end: %d bytes, %v", n, err)
	}
	for _, off := range []int64{10_000, 10_001, 1 << 40} {
		if n, err := r.ReadAt(p, off); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("from %d on: %d bytes, %v", off, n, err)
		}
	}
	if _, err := r.ReadAt(p, -1); err == nil {
		t.Error("a negative offset was read")
	}
}

func testSizes(t *testing.T, b object.Bucket) {
	const part = 5 << 20
	for _, n := range []int{0, 1, part - 1, part, part + 1, 2*part + 17, 3*part + 1} {
		content := random(n)
		Put(t, b, "sizes/x", content)
		Want(t, b, "sizes/x", content)
		if got := List(t, b, "sizes/")["sizes/x"]; got != int64(n) {
			t.Errorf("%d bytes are listed as %d", n, got)
		}
	}
}

func testPaths(t *testing.T, b object.Bucket) {
	paths := []string{
		"x", "%41lice", "%2e%2e/x", "a%2fb", "user=alice/x.json", "a-b_c/0.1", "é/ü", "sp ace/+",
		"a&b?c=d#e", "a/" + strings.Repeat("long", 50), strings.Repeat("d/", 50) + "deep",
		"~x/$y", "'q'", "a..b/c...",
	}
	for i, path := range paths {
		Put(t, b, path, []byte(fmt.Sprint(i)))
	}
	for i, path := range paths {
		Want(t, b, path, []byte(fmt.Sprint(i)))
	}
	got := slices.Sorted(maps.Keys(List(t, b, "")))
	if want := slices.Sorted(slices.Values(paths)); !slices.Equal(got, want) {
		t.Errorf("listed are\n%q\nwant\n%q", got, want)
	}
}

func testBadPaths(t *testing.T, b object.Bucket) {
	for _, path := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", `a\b`,
		"a\x00b", "a\nb", "\xff", ".kalamdb-draft-1", strings.Repeat("x/", 500) + "x",
	} {
		wantCode(t, put(t.Context(), b, path, nil), fault.InvalidParameter)
		_, err := b.Open(t.Context(), path)
		wantCode(t, err, fault.InvalidParameter)
		wantCode(t, b.Delete(t.Context(), path), fault.InvalidParameter)
	}
	for _, prefix := range []string{"/", "../", "a/../", "a//"} {
		for _, err := range b.List(t.Context(), prefix) {
			wantCode(t, err, fault.InvalidParameter)
		}
	}
}

func testReplaces(t *testing.T, b object.Bucket) {
	Put(t, b, "x/y", random(100))
	Put(t, b, "x/y", random(50))
	Want(t, b, "x/y", random(50))
	if got := List(t, b, ""); len(got) != 1 || got["x/y"] != 50 {
		t.Errorf("listed are %v", got)
	}
}

func testMissing(t *testing.T, b object.Bucket) {
	Put(t, b, "folder/x", []byte("x"))
	for _, path := range []string{"nothing", "no/where", "folder", "folder/x2"} {
		_, err := b.Open(t.Context(), path)
		wantCode(t, err, fault.NotFound)
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%v does not name %s", err, path)
		}
		if err := b.Delete(t.Context(), path); err != nil {
			t.Errorf("delete %s: %v", path, err)
		}
	}
	r, err := b.Open(t.Context(), "folder/x")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), "folder/x"); err != nil {
		t.Fatal(err)
	}
	_, err = r.ReadAt(make([]byte, 1), 0)
	wantCode(t, err, fault.NotFound)
	if got := List(t, b, "no/where"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

var errWriter = errors.New("the writer gave up")

// testFailedUpload fails after as much as makes several parts, and after none.
func testFailedUpload(t *testing.T, b object.Bucket) {
	Put(t, b, "there/x", []byte("old"))
	for _, size := range []int{0, 10, 12 << 20} {
		for _, path := range []string{"there/x", "fresh/x"} {
			err := b.Put(t.Context(), path, func(w io.Writer) error {
				if _, err := w.Write(random(size)); err != nil {
					t.Errorf("write: %v", err)
				}
				return errWriter
			})
			if !errors.Is(err, errWriter) {
				t.Errorf("%d bytes of %s: %v", size, path, err)
			}
		}
	}
	Want(t, b, "there/x", []byte("old"))
	_, err := b.Open(t.Context(), "fresh/x")
	wantCode(t, err, fault.NotFound)
	if got := List(t, b, ""); len(got) != 1 {
		t.Errorf("listed are %v", got)
	}
}

func testCancelledUpload(t *testing.T, b object.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	err := b.Put(ctx, "x", func(w io.Writer) error {
		for i := 0; ; i++ {
			if _, err := w.Write(random(1 << 20)); err != nil {
				return err
			}
			if i == 12 {
				cancel()
			}
			if i == 1000 {
				return errors.New("the upload goes on although it was cancelled")
			}
		}
	})
	wantCode(t, err, fault.Cancelled)
	if got := List(t, b, ""); len(got) != 0 {
		t.Errorf("listed are %v", got)
	}
}

func testEnded(t *testing.T, b object.Bucket) {
	Put(t, b, "x", []byte("x"))
	r, err := b.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, put(ctx, b, "y", []byte("y")), fault.Cancelled)
	_, err = b.Open(ctx, "x")
	wantCode(t, err, fault.Cancelled)
	_, err = r.At(ctx).ReadAt(make([]byte, 1), 0)
	wantCode(t, err, fault.Cancelled)
	wantCode(t, b.Delete(ctx, "x"), fault.Cancelled)
	for _, err := range b.List(ctx, "") {
		wantCode(t, err, fault.Cancelled)
	}
	Want(t, b, "x", []byte("x"))
}

func testList(t *testing.T, b object.Bucket) {
	for _, path := range []string{"a/1", "a/2", "a/b/3", "ab/4", "b/a/5", "6"} {
		Put(t, b, path, []byte(path))
	}
	for prefix, want := range map[string]string{
		"": "6 a/1 a/2 a/b/3 ab/4 b/a/5", "a": "a/1 a/2 a/b/3 ab/4", "a/": "a/1 a/2 a/b/3",
		"a/b": "a/b/3", "a/1": "a/1", "c": "", "a/b/3/": "", "b/a/": "b/a/5",
	} {
		got := strings.Join(slices.Sorted(maps.Keys(List(t, b, prefix))), " ")
		if got != want {
			t.Errorf("below %q are %s, want %s", prefix, got, want)
		}
	}
	for range b.List(t.Context(), "") {
		break // a listing may be left
	}
}

func testListMany(t *testing.T, b object.Bucket) {
	const n = 1100 // more than a page of any service
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				if err := put(t.Context(), b, fmt.Sprintf("many/%d/%d", i%7, i), nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := List(t, b, "many/"); len(got) != n {
		t.Errorf("%d objects, want %d", len(got), n)
	}
}

func testDelete(t *testing.T, b object.Bucket) {
	Put(t, b, "a/b/x", []byte("x"))
	Put(t, b, "a/y", []byte("y"))
	if err := b.Delete(t.Context(), "a/b/x"); err != nil {
		t.Fatal(err)
	}
	if got := List(t, b, ""); len(got) != 1 || got["a/y"] != 1 {
		t.Errorf("listed are %v", got)
	}
	Put(t, b, "a/b", []byte("where a folder was"))
	Want(t, b, "a/b", []byte("where a folder was"))
}

// testConcurrent has readers see old or new content, never a mix, while
// neighbours come and go in the same folders.
func testConcurrent(t *testing.T, b object.Bucket) {
	Put(t, b, "c/x", bytes.Repeat([]byte{0}, 50_000))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			own := fmt.Sprintf("c/%d/own", w)
			for i := range 20 {
				if err := put(t.Context(), b, "c/x", bytes.Repeat([]byte{byte(i)}, 50_000)); err != nil {
					t.Error(err)
				}
				err := put(t.Context(), b, own, []byte(own))
				if err == nil {
					err = b.Delete(t.Context(), own)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 20 {
				content, err := object.ReadAll(t.Context(), b, "c/x", 1<<20)
				if err != nil || len(content) != 50_000 || bytes.Count(content, content[:1]) != 50_000 {
					t.Errorf("a mix of %d bytes, %v", len(content), err)
				}
			}
		})
	}
	wg.Wait()
	if got := List(t, b, ""); len(got) != 1 {
		t.Errorf("listed are %v", got)
	}
}

// testRandom compares with a map.
func testRandom(t *testing.T, b object.Bucket) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	model := make(map[string][]byte)
	for range 200 {
		path := fmt.Sprintf("%d/%d/%d", r.IntN(2), r.IntN(2), r.IntN(3))
		switch r.IntN(5) {
		case 0, 1:
			model[path] = random(r.IntN(30_000))
			Put(t, b, path, model[path])
		case 2:
			delete(model, path)
			if err := b.Delete(t.Context(), path); err != nil {
				t.Fatal(err)
			}
		case 3:
			if content, ok := model[path]; ok {
				Want(t, b, path, content)
			} else if _, err := b.Open(t.Context(), path); !fault.Is(err, fault.NotFound) {
				t.Fatalf("%s: %v", path, err)
			}
		default:
			prefix := fmt.Sprintf("%d/", r.IntN(2))
			want := make(map[string]int64)
			for p, content := range model {
				if strings.HasPrefix(p, prefix) {
					want[p] = int64(len(content))
				}
			}
			if got := List(t, b, prefix); !maps.Equal(got, want) {
				t.Fatalf("below %s are %v, want %v", prefix, got, want)
			}
		}
	}
}

func testCheck(t *testing.T, b object.Bucket) {
	steps, err := object.Check(t.Context(), b, "1")
	var names []string
	for _, s := range steps {
		names = append(names, s.Name)
	}
	if err != nil || !slices.Equal(names, []string{"write", "read", "list", "delete"}) {
		t.Errorf("%v, %v", steps, err)
	}
	if got := List(t, b, ""); len(got) != 0 {
		t.Errorf("check left %v", got)
	}
}
