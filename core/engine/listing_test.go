package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// listings returns the listings of a data directory, whose segments must all be
// there as they say.
func listings(t *testing.T, dir string) map[ident.UserID]*segment.Listing {
	t.Helper()
	all := make(map[ident.UserID]*segment.Listing)
	err := filepath.WalkDir(filepath.Join(dir, "cold"), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != segment.ListingName {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		l, err := segment.ReadListing(bytes.NewReader(text))
		if err != nil {
			return err
		}
		all[l.User] = l
		found, err := l.Check(t.Context(), diskFolder(filepath.Dir(p)))
		for _, f := range found {
			t.Errorf("%s of %s: %v", f.File, p, f.Err)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

// diskFolder is a segment.Folder.
type diskFolder string

func (d diskFolder) Names(context.Context) (names []string, err error) {
	entries, err := os.ReadDir(string(d))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d diskFolder) Open(_ context.Context, name string) (io.ReaderAt, int64, error) {
	b, err := os.ReadFile(filepath.Join(string(d), name))
	if os.IsNotExist(err) {
		return nil, 0, fault.New(fault.FileNotFound, "there is no %s", name)
	}
	return bytes.NewReader(b), int64(len(b)), err
}

func (b *bench) whole(table string) {
	b.t.Helper()
	for _, r := range b.run(root, "CHECK TABLE "+table).Rows {
		if r[4].Str() != "ok" {
			b.t.Errorf("%v", r)
		}
	}
}

// wrong returns what CHECK TABLE finds, as "kind name: code message" each.
func (b *bench) wrong(table string) (all []string) {
	b.t.Helper()
	for _, r := range b.run(root, "CHECK TABLE "+table).Rows {
		if r[4].Str() != "ok" {
			all = append(all, fmt.Sprintf("%s %s: %s %s", r[0].Str(), r[1].Str(), r[4].Str(), r[5].Text()))
		}
	}
	return all
}

// A listing stands beside the files of a user from their first flush to the last
// of them.
func TestListing_FollowsTheFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.chat()
	b.fill(alice, 0, 20)
	b.fill(bob, 0, 10)
	b.waits("FLUSH TABLE chat.messages", "completed")
	b.fill(alice, 20, 5)
	b.waits("FLUSH TABLE chat.messages", "completed")
	l := listings(t, dir)
	if len(l) != 2 || len(l["alice"].Files) != 2 || l["alice"].Files[1].Rows != 5 ||
		l["alice"].Name != "chat.messages" || len(l["bob"].Files) != 1 {
		t.Fatalf("the listings are %+v", l)
	}
	b.whole("chat.messages")
	b.run(alice, "DELETE FROM chat.messages WHERE id < 3")
	b.waits("COMPACT TABLE chat.messages", "completed")
	b.whole("chat.messages") // the old files may be there still, and are not listed
	if _, err := b.db.SweepCold(t.Context(), "chat", "messages"); err != nil {
		t.Fatal(err)
	}
	if l := listings(t, dir); len(l["alice"].Files) != 1 || l["alice"].Files[0].Rows != 22 {
		t.Errorf("compacted, alice's is %+v", l["alice"])
	}
	b.run(bob, "DELETE FROM chat.messages")
	if _, err := b.db.SweepCold(t.Context(), "chat", "messages"); err != nil {
		t.Fatal(err)
	}
	if l := listings(t, dir); len(l) != 1 {
		t.Errorf("without rows of bob there are %+v", l)
	}
	b.whole("chat.messages")
	b.run(root, "DROP TABLE chat.messages")
	b.wantFiles(dir, 0)
	if l := listings(t, dir); len(l) != 0 {
		t.Errorf("of the dropped table are left %+v", l)
	}
}

// lists fails the writes of listings while failing is set, and counts all.
type lists struct {
	cold.Storages
	failing *atomic.Bool
	written *atomic.Int64
}

func (l lists) Bucket(ctx context.Context, id ident.StorageID) (object.Bucket, error) {
	b, err := l.Storages.Bucket(ctx, id)
	return listsBucket{b, l}, err
}

type listsBucket struct {
	object.Bucket
	lists
}

func (b listsBucket) Put(ctx context.Context, path string, write func(io.Writer) error) error {
	if filepath.Base(path) == segment.ListingName {
		b.written.Add(1)
		if b.failing.Load() {
			return errDown
		}
	}
	return b.Bucket.Put(ctx, path, write)
}

// A segment that can't be listed is not used, and one whose listing can't be
// mended stays until it can: a listing is never wrong.
func TestListing_Fails(t *testing.T) {
	dir := t.TempDir()
	var failing atomic.Bool
	var written atomic.Int64
	b := open(t, dir, engine.Options{
		RootPassword: "a password",
		WrapStorages: func(s cold.Storages) cold.Storages { return lists{s, &failing, &written} },
	})
	b.chat()
	b.fill(alice, 0, 1000)
	move := func(f func(context.Context, ident.NamespaceID, ident.TableName, ident.UserID) (
		cold.Report, error),
	) error {
		_, err := f(t.Context(), "chat", "messages", "alice")
		return err
	}
	failing.Store(true)
	if err := move(b.db.Flush); !fault.Is(err, fault.StorageUnavailable) {
		t.Fatalf("flushed: %v", err)
	}
	b.want(root, "there 0", "SELECT status, live_rows FROM system.manifest")
	b.want(alice, "1000 row 999", "SELECT COUNT(*), MAX(content) FROM chat.messages")
	b.whole("chat.messages")
	failing.Store(false)
	written.Store(0)
	if err := move(b.db.Flush); err != nil {
		t.Fatal(err)
	}
	if n := written.Load(); n != 1 {
		t.Errorf("a flush wrote the listing %d times", n)
	}
	b.fill(alice, 1000, 5)
	if err := move(b.db.Flush); err != nil {
		t.Fatal(err)
	}
	failing.Store(true)
	b.run(alice, "DELETE FROM chat.messages WHERE id >= 1000")
	if _, err := b.db.SweepCold(t.Context(), "chat", "messages"); !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("swept: %v", err)
	}
	listings(t, dir)
	b.whole("chat.messages")
	failing.Store(false)
	if _, err := b.db.SweepCold(t.Context(), "chat", "messages"); err != nil {
		t.Fatal(err)
	}
	if l := listings(t, dir); len(l["alice"].Files) != 1 {
		t.Errorf("alice's is %+v", l["alice"])
	}
	b.wantFiles(dir, 1)
}

// Whatever happens to files, CHECK TABLE names them, and reads fail only where they
// need one.
func TestCheck_DamagedFiles(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, first, second, list string)
		reads  bool     // whether the rows of the first file read
		tells  []string // of the findings
	}{
		"a byte": {func(t *testing.T, first, _, _ string) {
			edit(t, first, func(b []byte) []byte { b[len(b)/3] ^= 1; return b })
		}, false, []string{"first is damaged"}},
		"the footer": {func(t *testing.T, first, _, _ string) {
			edit(t, first, func(b []byte) []byte { b[len(b)-20] ^= 1; return b })
		}, false, []string{"first"}},
		"cut": {func(t *testing.T, first, _, _ string) {
			edit(t, first, func(b []byte) []byte { return b[:len(b)/2] })
		}, false, []string{"first"}},
		"empty": {func(t *testing.T, first, _, _ string) {
			edit(t, first, func([]byte) []byte { return nil })
		}, false, []string{"first"}},
		"missing": {func(t *testing.T, first, _, _ string) {
			if err := os.Remove(first); err != nil {
				t.Fatal(err)
			}
		}, false, []string{"first is missing"}},
		"exchanged": {func(t *testing.T, first, second, _ string) {
			for _, err := range []error{
				os.Rename(first, first+"x"), os.Rename(second, first), os.Rename(first+"x", second),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}, false, []string{"first", "second"}},
		"no listing": {func(t *testing.T, _, _, list string) {
			if err := os.Remove(list); err != nil {
				t.Fatal(err)
			}
		}, true, []string{"manifest.json is missing"}},
		"half a listing": {func(t *testing.T, _, _, list string) {
			edit(t, list, func(b []byte) []byte { return b[:len(b)/2] })
		}, true, []string{"manifest.json"}},
		"a listing without a segment": {func(t *testing.T, _, _, list string) {
			relist(t, list, func(l *segment.Listing) { l.Files = l.Files[1:] })
		}, true, []string{"manifest.json lacks the segment first"}},
		"a listing with another segment": {func(t *testing.T, _, _, list string) {
			relist(t, list, func(l *segment.Listing) {
				more := l.Files[0]
				more.File = "00000000000000000001.parquet"
				l.Files = append(l.Files, more)
			})
		}, true, []string{"manifest.json names the segment 00000000000000000001.parquet"}},
		"a listing of other rows": {func(t *testing.T, _, _, list string) {
			relist(t, list, func(l *segment.Listing) { l.Files[0].Rows++ })
		}, true, []string{"manifest.json tells of the segment first"}},
		"a listing of another user": {func(t *testing.T, _, _, list string) {
			relist(t, list, func(l *segment.Listing) { l.User = "bob" })
		}, true, []string{"manifest.json is another"}},
	} {
		t.Run(name, func(t *testing.T) { testDamage(t, c.change, c.reads, c.tells) })
	}
}

func testDamage(
	t *testing.T, change func(t *testing.T, first, second, list string), reads bool, tells []string,
) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.chat()
	b.fill(alice, 0, 10)
	b.waits("FLUSH TABLE chat.messages", "completed")
	b.fill(alice, 10, 10)
	b.waits("FLUSH TABLE chat.messages", "completed")
	all := files(t, dir)
	slices.Sort(all)
	b.fill(bob, 0, 10)
	b.waits("FLUSH TABLE chat.messages", "completed")
	b.fill(alice, 20, 10)
	if len(all) != 2 {
		t.Fatalf("the files are %v", all)
	}
	b.close() // what is in memory is forgotten
	change(t, all[0], all[1], filepath.Join(filepath.Dir(all[0]), segment.ListingName))
	b.open()
	const read = "SELECT content FROM chat.messages WHERE conversation = 1 AND id = "
	if reads {
		b.want(alice, "row 3", read+"3")
	} else {
		err := b.fails(alice, fault.Corruption, read+"3")
		if !strings.Contains(err.Error(), filepath.Base(all[0])) {
			t.Errorf("the read tells %v", err)
		}
		b.fails(alice, fault.Corruption, "SELECT MAX(content) FROM chat.messages")
	}
	b.want(alice, "row 23", read+"23") // hot
	b.want(alice, "30", "SELECT COUNT(*) FROM chat.messages")
	b.want(bob, "row 3", read+"3")
	b.want(bob, "row 9", "SELECT MAX(content) FROM chat.messages")
	found := b.wrong("chat.messages")
	if len(found) != len(tells) {
		t.Fatalf("found %q, want %q", found, tells)
	}
	for i, want := range tells {
		want = strings.ReplaceAll(want, "first", filepath.Base(all[0]))
		want = strings.ReplaceAll(want, "second", filepath.Base(all[1]))
		if want, ok := strings.CutSuffix(want, " is damaged"); ok {
			if !strings.Contains(found[i], want+" of the cold tier is damaged") {
				t.Errorf("found %q, want %q", found[i], want)
			}
		} else if !strings.Contains(found[i], want) {
			t.Errorf("found %q, want %q", found[i], want)
		}
		if !strings.Contains(found[i], string(fault.Corruption)) {
			t.Errorf("found %q", found[i])
		}
	}
}

// edit changes a file.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// relist changes a listing.
func relist(t *testing.T, path string, change func(*segment.Listing)) {
	t.Helper()
	edit(t, path, func(b []byte) []byte {
		l, err := segment.ReadListing(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		change(l)
		var to bytes.Buffer
		if err := l.Write(&to); err != nil {
			t.Fatal(err)
		}
		return to.Bytes()
	})
}
