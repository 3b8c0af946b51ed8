package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// place is a folder of a storage, with files that a test has put there.
type place struct {
	t   *testing.T
	dir string
}

// put writes a file that is so old.
func (p *place) put(path, content string, age time.Duration) {
	p.t.Helper()
	at := filepath.Join(p.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	modified := time.Now().Add(-age)
	if err := os.Chtimes(at, modified, modified); err != nil {
		p.t.Fatal(err)
	}
}

// want checks whether files are there.
func (p *place) want(there bool, paths ...string) {
	p.t.Helper()
	for _, path := range paths {
		_, err := os.Stat(filepath.Join(p.dir, filepath.FromSlash(path)))
		if there != (err == nil) || err != nil && !os.IsNotExist(err) {
			p.t.Errorf("%s: %v, want there %v", path, err, there)
		}
	}
}

const (
	orphan  = "00000000000000000042.parquet"
	listing = `{"format": 1, "table_id": 900, "table": "a.b", "user": "u", "segments": []}`
	day     = 24 * time.Hour
)

// Files of ours that no manifest names go when they are old, and nothing else does.
func TestEngine_sweepsFilesThatNoManifestNames(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	now, move := at(time.Now())
	b := open(t, dir, engine.Options{
		RootPassword: "a password", FlushCheck: 10 * time.Millisecond, Now: now,
	})
	b.run(root, "CREATE STORAGE archive TYPE filesystem WITH (uri = '"+other+"')")
	b.chat()
	b.fill(alice, 0, 10)
	b.waits("FLUSH TABLE chat.messages", "completed")
	known := filepath.Base(files(t, dir)[0])
	local, archive := &place{t, filepath.Join(dir, "cold")}, &place{t, other}
	archive.put("a/b/"+orphan, "x", 10*day)
	local.put("gone-9/u/"+orphan, "x", 10*day)
	local.put("gone-9/u/manifest.json", listing, 10*day)
	local.put("gone-9/v/"+strings.Replace(orphan, "42", "43", 1), "x", 10*day)
	local.put("gone-9/v/manifest.json", `{"name": "somebody else's"}`, 10*day)
	left := map[string]time.Duration{
		"gone-9/w/00000000000000000044.parquet": time.Hour, // it may still be written
		"gone-9/w/part-0.parquet":               10 * day,
		"gone-9/w/notes.txt":                    10 * day,
		"gone-9/w/manifest.json":                10 * day,
		"copies/" + known:                       10 * day, // its number is in use
		orphan:                                  10 * day, // no segment lies there
		"nested/kalamdb-storage.json":           10 * day,
		"nested/a-1/u/" + orphan:                10 * day,
		"nested/kalamdb/" + orphan:              10 * day,
	}
	for path, age := range left {
		local.put(path, "x", age)
	}
	move(11 * time.Minute)
	jobs := func() string {
		return b.rows(root, "SELECT JSON_UNQUOTE(JSON_EXTRACT(parameters, '$.storage')), status, message "+
			"FROM system.jobs WHERE kind = 'sweep' ORDER BY 1")
	}
	testkit.Eventually(t, 20*time.Second, "the storages to be swept", func() bool {
		return strings.Count(jobs(), "completed") == 2
	})
	if got := jobs(); !strings.Contains(got, "archive completed 1 files of storage archive deleted") ||
		!strings.Contains(got, "local completed 2 files of storage local deleted that no manifest names") {
		t.Errorf("the jobs say %q", got)
	}
	archive.want(false, "a/b/"+orphan)
	local.want(false, "gone-9/u/"+orphan, "gone-9/u/manifest.json",
		"gone-9/v/"+strings.Replace(orphan, "42", "43", 1))
	local.want(true, "gone-9/v/manifest.json")
	for path := range left {
		local.want(true, path)
	}
	b.want(alice, "10 row 9", "SELECT count(*), max(content) FROM chat.messages")
}

// A place that is another database's by now is let alone.
func TestEngine_sweepsNoPlaceOfAnotherDatabase(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	now, move := at(time.Now())
	b := open(t, dir, engine.Options{
		RootPassword: "a password", FlushCheck: 10 * time.Millisecond, Now: now,
	})
	b.run(root, "CREATE STORAGE archive TYPE filesystem WITH (uri = '"+other+"')")
	archive := &place{t, other}
	archive.put("a/b/"+orphan, "x", 10*day)
	archive.put("kalamdb-storage.json", `{"format": 1, "database": "another", "storage": "x"}`, 0)
	move(11 * time.Minute)
	testkit.Eventually(t, 20*time.Second, "the sweep to fail", func() bool {
		return strings.HasPrefix(b.rows(root, "SELECT error FROM system.jobs WHERE kind = 'sweep' "+
			"AND JSON_UNQUOTE(JSON_EXTRACT(parameters, '$.storage')) = 'archive'"), "IN_USE")
	})
	archive.want(true, "a/b/"+orphan)
}
