package engine_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

// TestCold_DamagedFiles damages one file of two and removes another: what needs
// them fails and names them, all else goes on.
func TestCold_DamagedFiles(t *testing.T) {
	b := coldBench(t, 20, engine.Options{Cold: cold.Options{CacheBytes: 1, FileBytes: 1}})
	b.run(root, `CREATE TABLE chat.other (id BIGINT PRIMARY KEY, room INT, body TEXT,
		price DECIMAL(10, 2), tag ENUM('a', 'b'), INDEX by_room (room))`)
	b.run(alice, "INSERT INTO chat.other SELECT * FROM chat.m")
	b.moveRows("other", "alice", false)
	otherTable, otherUser := b.fileOf("other-", "alice"), b.fileOf("m-", "bob")
	b.run(alice, "INSERT INTO chat.m (id, body) VALUES (21, 'new'), (22, 'newer')")
	b.flush("alice")
	var files []string
	err := filepath.WalkDir(filepath.Join(b.dir, "cold"), func(p string, e fs.DirEntry, err error) error {
		if strings.HasSuffix(p, ".parquet") && strings.Contains(p, "m-") &&
			strings.Contains(p, "alice") {
			files = append(files, p)
		}
		return err
	})
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	slices.Sort(files)
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"missing":         func() error { return os.Remove(files[0]) },
		"cut":             func() error { return os.WriteFile(files[0], whole[:len(whole)/2], 0o600) },
		"another table's": func() error { return os.WriteFile(files[0], otherTable, 0o600) },
		"another user's":  func() error { return os.WriteFile(files[0], otherUser, 0o600) },
		"empty":           func() error { return os.WriteFile(files[0], nil, 0o600) },
		"changed": func() error {
			bad := slices.Clone(whole)
			for i := range len(bad) / 2 {
				bad[i] ^= 0x40
			}
			return os.WriteFile(files[0], bad, 0o600)
		},
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{"SELECT body FROM chat.m WHERE id = 5", "SELECT * FROM chat.m",
			"UPDATE chat.m SET room = 1 WHERE id = 5", "DELETE FROM chat.m WHERE id = 5"} {
			err := b.fails(alice, fault.Corruption, sql)
			if err != nil && !strings.Contains(err.Error(), filepath.Base(files[0])) {
				t.Errorf("%s file: %s does not name it: %v", name, sql, err)
			}
		}
		b.fails(alice, fault.DuplicateKey, "INSERT INTO chat.m (id) VALUES (5)")
		if got := b.damaged(); len(got) != 1 || !strings.Contains(got[0], filepath.Base(files[0])) {
			t.Errorf("%s file: CHECK TABLE finds %q", name, got)
		}
		for sql, want := range map[string]string{
			"SELECT COUNT(*) FROM chat.m":                                  "22",
			"SELECT body FROM chat.m WHERE id > 20":                        "new, newer",
			"SELECT body FROM chat.m ORDER BY id DESC LIMIT 2":             "newer, new",
			"UPDATE chat.m SET body = 'new' WHERE id = 21 RETURNING body":  "new",
			"SELECT _deleted FROM chat.m WHERE id = 22 AND body = 'newer'": "false",
		} {
			if got := b.list(alice, sql); got != want {
				t.Errorf("%s file: %s gives %q", name, sql, got)
			}
		}
		if got := b.list(bob, "SELECT COUNT(body) FROM chat.m"); got != "20" {
			t.Errorf("%s file: bob has %s rows", name, got)
		}
	}
	if err := os.WriteFile(files[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.list(alice, "SELECT body FROM chat.m WHERE id = 5"); got != "alice 5" {
		t.Errorf("with its file again: %q", got)
	}
}

// fileOf returns the content of the one file of a user of a table.
func (b *bench) fileOf(table string, u ident.UserID) []byte {
	b.t.Helper()
	pattern := filepath.Join(b.dir, "cold", "chat", table+"*", string(u), "*.parquet")
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		b.t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	content, err := os.ReadFile(found[0])
	if err != nil {
		b.t.Fatal(err)
	}
	return content
}

// damaged returns the files of chat.m that CHECK TABLE finds damaged.
func (b *bench) damaged() (files []string) {
	b.t.Helper()
	for _, r := range b.run(root, "CHECK TABLE chat.m").Rows {
		switch {
		case r[4].Str() == "ok":
		case r[0].Str() == "segment" && r[4].Str() == string(fault.Corruption):
			files = append(files, r[1].Str())
		default:
			b.t.Errorf("CHECK TABLE says %s of %s: %s", r[4].Str(), r[0].Str(), r[5].Text())
		}
	}
	return files
}

// TestCold_FlippedBits flips one bit of a file somewhere: a read gives what was
// written, or says that the file is damaged and which it is; CHECK TABLE always does.
func TestCold_FlippedBits(t *testing.T) {
	r := storetest.Seed(t)
	b := coldBench(t, 500, engine.Options{Cold: cold.Options{CacheBytes: 1, FileBytes: 1}})
	whole := b.fileOf("m-", "alice")
	found, err := filepath.Glob(filepath.Join(b.dir, "cold", "chat", "m-*", "alice", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	file, refused := found[0], 0
	queries := []string{"SELECT * FROM chat.m ORDER BY id", "SELECT body FROM chat.m WHERE id = 77",
		"SELECT SUM(price) FROM chat.m", "SELECT id, body FROM chat.m WHERE room = 1 ORDER BY id"}
	want := make([]string, len(queries))
	for i, sql := range queries {
		want[i] = b.rows(alice, sql)
	}
	for range 40 {
		at, bit := r.IntN(len(whole)), byte(1)<<r.IntN(8)
		bad := slices.Clone(whole)
		bad[at] ^= bit
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		for i, sql := range queries {
			_, err := b.db.Query(t.Context(), alice, sql)
			switch {
			case fault.Is(err, fault.Corruption):
				if refused++; !strings.Contains(err.Error(), filepath.Base(file)) {
					t.Errorf("bit %d of byte %d: %s does not name the file: %v", bit, at, sql, err)
				}
			case err != nil:
				t.Errorf("bit %d of byte %d: %s: %v", bit, at, sql, err)
			case b.rows(alice, sql) != want[i]:
				t.Errorf("bit %d of byte %d: %s gives what was never written", bit, at, sql)
			}
		}
		if got := b.damaged(); len(got) != 1 {
			t.Errorf("bit %d of byte %d: CHECK TABLE finds %q", bit, at, got)
		}
		b.run(bob, "SELECT SUM(price) FROM chat.m")
	}
	if refused == 0 {
		t.Error("no read was refused")
	}
}
