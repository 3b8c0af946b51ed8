package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// damage closes the database, changes the entries of a partition behind its back,
// and opens it again.
func (b *bench) damage(dir, partition string, change func(*store.Batch, store.Partition, *store.View)) {
	b.t.Helper()
	b.close()
	db, err := store.Open(dir, store.Options{
		Engine: pebblekv.Name, OpenEngine: pebblekv.Opener(pebblekv.Options{}),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range db.Partitions() {
		if strings.HasPrefix(string(p.Name), partition) {
			v := db.View()
			var batch store.Batch
			change(&batch, p, v)
			if err := db.Commit(&batch, true); err != nil || batch.Len() == 0 {
				b.t.Fatalf("%d changes, %v", batch.Len(), err)
			}
			v.Release()
		}
	}
	if err := db.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.open()
}

func TestEngine_CheckTable(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.chat()
	b.run(root, "CREATE SHARED TABLE chat.rooms (id INT PRIMARY KEY, name TEXT UNIQUE, INDEX (name, id))")
	b.run(root, "INSERT INTO chat.rooms VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, NULL), (5, 'e')")
	b.run(root, "UPDATE chat.rooms SET name = 'c' WHERE id = 1; DELETE FROM chat.rooms WHERE id = 2")
	b.run(root, "ALTER TABLE chat.rooms ADD COLUMN note TEXT NOT NULL DEFAULT 'x'")
	const check = "CHECK TABLE chat.rooms"
	statuses := func() string {
		t.Helper()
		var lines []string
		for _, r := range b.run(root, check).Rows {
			lines = append(lines, r[0].Str()+" "+r[4].Str()+" "+r[5].Text())
		}
		return strings.Join(lines, "\n")
	}
	if got := statuses(); got != "rows ok \nindex ok \nindex ok " {
		t.Errorf("undamaged:\n%s", got)
	}
	b.fails(root, fault.Unsupported, "CHECK TABLE system.users")
	b.fails(root, fault.TableNotFound, "CHECK TABLE chat.nothing")
	b.fails(service, fault.PermissionDenied, check)

	of := func(v *store.View, p store.Partition, space byte) (key, value []byte) {
		it := v.Scan(p, store.Range{Lo: []byte{space}, Hi: []byte{space + 1}})
		defer it.Close()
		if !it.Next() {
			t.Fatalf("space %c is empty", space)
		}
		return append([]byte(nil), it.Key()...), append([]byte(nil), it.Value()...)
	}
	var lost, entry []byte
	b.damage(dir, "shared.chat.rooms", func(batch *store.Batch, p store.Partition, v *store.View) {
		lost, entry = of(v, p, 'i')
		batch.Delete(p, lost)
	})
	if got := statuses(); !strings.Contains(got, "rows CORRUPTION index name has no entry") ||
		!strings.Contains(got, "index CORRUPTION index name has 3 entries") {
		t.Errorf("without an entry of an index:\n%s", got)
	}
	b.damage(dir, "shared.chat.rooms", func(batch *store.Batch, p store.Partition, v *store.View) {
		batch.Put(p, lost, entry)
		key, _ := of(v, p, 'r')
		batch.Put(p, key, []byte("no record"))
	})
	if got := statuses(); !strings.Contains(got, "rows CORRUPTION") ||
		!strings.Contains(got, "index CORRUPTION index name has 4 entries") {
		t.Errorf("with a damaged record:\n%s", got)
	}
	b.damage(dir, "shared.chat.rooms", func(batch *store.Batch, p store.Partition, v *store.View) {
		key, _ := of(v, p, 'r')
		rec := row.Record{Seq: 9, Schema: 1}.At(row.Place{Segment: 7, Ordinal: 3})
		batch.Put(p, key, row.AppendRecord(nil, rec))
	})
	if got := statuses(); !strings.Contains(got,
		"CORRUPTION a row points to segment 00000000000000000007, which is not in the manifest") {
		t.Errorf("with a pointer to nothing:\n%s", got)
	}
	b.want(root, "", "SHOW MANIFEST FOR chat.rooms")
	b.want(root, "", "SELECT * FROM system.manifest")
	b.fails(service, fault.PermissionDenied, "SELECT * FROM system.manifest")
	b.want(service, "", "SHOW MANIFEST FOR chat.messages")
}

// The entries of cold rows are compared by what the rows hold: one that is another
// row's value is damage, although there are as many as there are rows.
func TestEngine_CheckTable_entriesOfColdRows(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE SHARED TABLE chat.rooms (id INT PRIMARY KEY, name TEXT, UNIQUE u (name))")
	b.run(root, "INSERT INTO chat.rooms VALUES (1, 'a'), (2, 'b'), (3, NULL)")
	b.waits("FLUSH TABLE chat.rooms", "completed")
	b.run(root, "ALTER TABLE chat.rooms ADD COLUMN note TEXT NOT NULL DEFAULT 'x'")
	b.run(root, "CREATE INDEX by_note ON chat.rooms (note, id)")
	statuses := func() (lines []string) {
		t.Helper()
		for _, r := range b.run(root, "CHECK TABLE chat.rooms").Rows {
			if r[4].Str() != "ok" {
				lines = append(lines, r[0].Str()+" "+r[4].Str()+" "+r[5].Text())
			}
		}
		return lines
	}
	if got := statuses(); got != nil {
		t.Errorf("undamaged: %q", got)
	}
	entry := func(name string) row.Entry {
		return row.Entry{Index: 1, Unique: true,
			Columns: value.AppendKey(nil, value.NewText(name))}
	}
	b.damage(dir, "shared.chat.rooms", func(batch *store.Batch, p store.Partition, v *store.View) {
		raw, found, err := v.Get(p, entry("a").Key("", nil))
		if err != nil || !found {
			t.Fatalf("the index has no entry: %v", err)
		}
		batch.Delete(p, entry("a").Key("", nil))
		batch.Put(p, entry("c").Key("", nil), raw)
	})
	if got := statuses(); len(got) != 1 ||
		!strings.HasPrefix(got[0], "segment CORRUPTION index u has no entry for a row of partition") {
		t.Errorf("with an entry of another value: %q", got)
	}
}
