package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// gated are storages whose files can't be read until the gate opens.
type gated struct {
	cold.Storages
	gate chan struct{}
}

func (s gated) Bucket(ctx context.Context, id ident.StorageID) (object.Bucket, error) {
	b, err := s.Storages.Bucket(ctx, id)
	return gatedBucket{b, s.gate}, err
}

type gatedBucket struct {
	object.Bucket
	gate chan struct{}
}

func (b gatedBucket) Open(ctx context.Context, path string) (object.Reader, error) {
	r, err := b.Bucket.Open(ctx, path)
	return gatedReader{r, b.gate}, err
}

type gatedReader struct {
	object.Reader
	gate chan struct{}
}

func (r gatedReader) ReadAt(p []byte, at int64) (int, error) {
	<-r.gate
	return r.Reader.ReadAt(p, at)
}

// coldNotes has so many rows of alice in the cold tier.
func coldNotes(t *testing.T, n int, o engine.Options) *bench {
	t.Helper()
	o.Storage = engine.Memory
	b := open(t, "", o)
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE TABLE chat.m (id BIGINT PRIMARY KEY, n BIGINT, body TEXT)")
	for from := 0; from < n; from += 500 {
		var rows []string
		for i := from; i < min(from+500, n); i++ {
			rows = append(rows, fmt.Sprintf("(%d, %d, 'text %d')", i, i%7, i))
		}
		b.run(alice, "INSERT INTO chat.m VALUES "+strings.Join(rows, ","))
	}
	if _, err := b.db.Flush(t.Context(), "chat", "m", "alice"); err != nil {
		t.Fatal(err)
	}
	return b
}

// Reads of one row that is in no cache read its file and its block once.
func TestCold_ReadsABlockOnce(t *testing.T) {
	gate := make(chan struct{})
	b := coldNotes(t, 1000, engine.Options{
		WrapStorages: func(s cold.Storages) cold.Storages { return gated{s, gate} }})
	const readers = 8
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			r, err := b.db.Query(t.Context(), alice, "SELECT body FROM chat.m WHERE id = 700")
			if err != nil || len(r.Rows) != 1 || r.Rows[0][0].Text() != "text 700" {
				t.Errorf("%v %v", r, err)
			}
		})
	}
	close(gate)
	all.Wait()
	f := b.db.Cold().Figures()
	if f.FilesOpened != 1 || f.RowsRead > 256 || f.RowsFetched != readers {
		t.Errorf("%+v", f)
	}
}

// A change of many rows fetches the cold ones together, and so does an index that
// is made of them.
func TestCold_BulkChangesFetchTogether(t *testing.T) {
	b := coldNotes(t, 2000, engine.Options{Cold: cold.Options{CacheBytes: 1}})
	fetches := func(sql string) int64 {
		t.Helper()
		before := b.db.Cold().Figures().Fetches
		if strings.HasPrefix(sql, "CREATE") {
			b.run(root, sql)
		} else {
			b.run(alice, sql)
		}
		return b.db.Cold().Figures().Fetches - before
	}
	if n := fetches("UPDATE chat.m SET n = n + 10 WHERE n = 3"); n > 20 {
		t.Errorf("an UPDATE fetches %d times", n)
	}
	if n := fetches("DELETE FROM chat.m WHERE n = 4 AND id < 1500"); n > 20 {
		t.Errorf("a DELETE fetches %d times", n)
	}
	if n := fetches("CREATE INDEX by_body ON chat.m (body)"); n > 40 {
		t.Errorf("an index fetches %d times", n)
	}
	got := b.run(alice, "SELECT COUNT(*), MIN(id), MAX(id) FROM chat.m WHERE body > 'text 18'").Rows[0]
	var want [3]int
	want[1] = -1
	for i := range 2000 {
		if fmt.Sprintf("text %d", i) > "text 18" && (i%7 != 4 || i >= 1500) {
			if want[0]++; want[1] < 0 {
				want[1] = i
			}
			want[2] = i
		}
	}
	if fmt.Sprint(got[0].Text(), got[1].Text(), got[2].Text()) != fmt.Sprint(fmt.Sprint(want[0]),
		fmt.Sprint(want[1]), fmt.Sprint(want[2])) {
		t.Errorf("by the index %v, want %v", got, want)
	}
	changed := b.run(alice, "SELECT COUNT(*) FROM chat.m WHERE n = 13").Rows[0][0].Int()
	if left := b.run(alice, "SELECT COUNT(*) FROM chat.m WHERE n = 3").Rows[0][0].Int(); left != 0 ||
		changed != 286 {
		t.Errorf("%d changed, %d left", changed, left)
	}
}
