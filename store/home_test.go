package store_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
)

func pebble(shards int) store.Options {
	return store.Options{
		Engine: pebblekv.Name, Shards: shards, OpenEngine: pebblekv.Opener(pebblekv.Options{}),
	}
}

func mustOpen(t *testing.T, dir string, o store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// made returns a data directory with four shards that is closed.
func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	mustClose(t, mustOpen(t, dir, pebble(4)))
	return dir
}

func mustClose(t *testing.T, db *store.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// tree returns the names, contents and times of all files under dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		out.WriteString(name + " " + info.ModTime().String() + " " + string(raw) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// refused opens dir, which must fail with code, mention what, and change
// nothing.
func refused(t *testing.T, dir string, o store.Options, code fault.Code, what ...string) {
	t.Helper()
	before := tree(t, dir)
	notOpened(t, dir, o, code, what...)
	if after := tree(t, dir); after != before {
		t.Errorf("the folder changed:\n%.2000s\n%.2000s", before, after)
	}
}

// notOpened is refused for a folder that another process is writing to.
func notOpened(t *testing.T, dir string, o store.Options, code fault.Code, what ...string) {
	t.Helper()
	db, err := store.Open(dir, o)
	if err == nil {
		mustClose(t, db)
		t.Fatal("it was opened")
	}
	if !fault.Is(err, code) {
		t.Fatalf("got %v, want code %s", err, code)
	}
	for _, w := range what {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not mention %q", err, w)
		}
	}
}

func editLabel(t *testing.T, dir string, edit func(map[string]any)) {
	t.Helper()
	name := filepath.Join(dir, "KALAMDB")
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	label := map[string]any{}
	if err := json.Unmarshal(raw, &label); err != nil {
		t.Fatal(err)
	}
	edit(label)
	if raw, err = json.Marshal(label); err != nil {
		t.Fatal(err)
	}
	write(t, name, string(raw))
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_RefusesMismatch(t *testing.T) {
	t.Run("another number of shards", func(t *testing.T) {
		refused(t, made(t), pebble(5), fault.InvalidParameter, "4 shards", "not 5")
	})
	t.Run("another engine", func(t *testing.T) {
		o := store.Options{Engine: "badger", OpenEngine: memkv.Open}
		refused(t, made(t), o, fault.InvalidParameter, `"pebble"`, `"badger"`)
	})
	t.Run("a newer format", func(t *testing.T) {
		dir := made(t)
		editLabel(t, dir, func(l map[string]any) { l["format"] = 2 })
		refused(t, dir, pebble(4), fault.InvalidParameter, "format 2")
	})
	t.Run("a label that does not parse", func(t *testing.T) {
		dir := made(t)
		write(t, filepath.Join(dir, "KALAMDB"), `{"format": 1, "eng`)
		refused(t, dir, pebble(4), fault.Corruption, "KALAMDB")
	})
	t.Run("a label without a format", func(t *testing.T) {
		dir := made(t)
		editLabel(t, dir, func(l map[string]any) { delete(l, "format") })
		refused(t, dir, pebble(4), fault.Corruption, "KALAMDB")
	})
	t.Run("a label with no shards", func(t *testing.T) {
		dir := made(t)
		editLabel(t, dir, func(l map[string]any) { l["shards"] = 0 })
		refused(t, dir, pebble(0), fault.Corruption, "0 shards")
	})
	t.Run("a lost engine folder", func(t *testing.T) {
		dir := made(t)
		if err := os.RemoveAll(filepath.Join(dir, "pebble")); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, pebble(4), fault.Corruption, "pebble")
	})
	t.Run("a folder of something else", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "holiday.txt"), "sun")
		refused(t, dir, pebble(4), fault.InvalidParameter, "holiday.txt")
	})
	t.Run("a file in the place of the folder", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "file")
		write(t, name, "sun")
		refused(t, name, pebble(4), fault.InvalidParameter)
	})
	t.Run("a second owner", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		db := mustOpen(t, dir, pebble(4))
		refused(t, dir, pebble(4), fault.InUse, "process "+strconv.Itoa(os.Getpid()), dir)
		mustClose(t, db)
	})
	t.Run("options that make no sense", func(t *testing.T) {
		dir := t.TempDir()
		refused(t, dir, pebble(-1), fault.InvalidParameter)
		refused(t, dir, pebble(store.MaxShards+1), fault.InvalidParameter)
		refused(t, dir, store.Options{Engine: "pebble"}, fault.InvalidParameter)
		refused(t, dir, store.Options{Engine: "../x", OpenEngine: memkv.Open}, fault.InvalidParameter)
		if _, err := store.Open("", pebble(4)); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("pebble without a folder: %v", err)
		}
	})
}

func TestOpen_AfterRefusal(t *testing.T) {
	dir := made(t)
	refused(t, dir, pebble(5), fault.InvalidParameter)
	db := mustOpen(t, dir, pebble(4)) // the lock was given back
	if db.Shards() != 4 {
		t.Fatalf("%d shards", db.Shards())
	}
	mustClose(t, db)
}

func TestOpen_UnfinishedDirectory(t *testing.T) {
	dir := t.TempDir()
	o := pebble(4)
	o.OpenEngine = func(engineDir string) (store.Engine, error) {
		write(t, filepath.Join(engineDir, "half"), "made")
		return nil, fault.New(fault.StorageFull, "no room")
	}
	if _, err := store.Open(dir, o); !fault.Is(err, fault.StorageFull) {
		t.Fatalf("got %v", err)
	}
	mustClose(t, mustOpen(t, dir, pebble(6)))
	db := mustOpen(t, dir, pebble(6))
	if db.Shards() != 6 {
		t.Fatalf("%d shards", db.Shards())
	}
	mustClose(t, db)
}

func TestOpen_Memory(t *testing.T) {
	db := mustOpen(t, "", store.Options{Engine: memkv.Name, OpenEngine: memkv.Open})
	if db.Dir() != "" || db.Shards() != store.DefaultShards {
		t.Fatalf("dir %q, %d shards", db.Dir(), db.Shards())
	}
	mustClose(t, db)
}

const holdDir = "KALAMDB_STORE_TEST_HOLD"

// TestOpen_LockEndsWithItsProcess opens a directory in a child process, kills
// that, and opens it here.
func TestOpen_LockEndsWithItsProcess(t *testing.T) {
	if dir := os.Getenv(holdDir); dir != "" {
		mustOpen(t, dir, pebble(4))
		if _, err := os.Stdout.WriteString("held\n"); err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdin.Read(make([]byte, 1)) // until it is killed
		return
	}
	dir := made(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), holdDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	refusedBy := "process " + strconv.Itoa(cmd.Process.Pid)
	notOpened(t, dir, pebble(4), fault.InUse, refusedBy)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	mustClose(t, mustOpen(t, dir, pebble(4)))
}
