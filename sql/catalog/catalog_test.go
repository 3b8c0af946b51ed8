package catalog_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// world is a store with the system partitions and a stand-in for the commit
// path.
type world struct {
	t   *testing.T
	db  *store.DB
	seq clock.Seq
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := store.Open("", store.Options{Engine: store.Memory, OpenEngine: memkv.Open})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	for _, k := range catalog.AllKept() {
		_, err := db.CreatePartition(k.Table().Partition(ident.SystemShard))
		check(t, err)
	}
	return &world{t: t, db: db}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// commit applies writes as the commit path does.
func (w *world) commit(writes ...writeset.Write) {
	w.t.Helper()
	v := w.db.View()
	defer v.Release()
	var b store.Batch
	for _, wr := range writes {
		part, ok := w.db.Partition(wr.Table.Partition(ident.SystemShard))
		if !ok {
			w.t.Fatalf("no partition for %s", wr.Table.FullName())
		}
		tab := table.Table{Part: part}
		rec, found, err := tab.Present(v, &b, wr.User, wr.PK)
		check(w.t, err)
		w.seq++
		change := table.Write{
			PK: wr.PK, Op: wr.Op, Seq: w.seq, Schema: wr.Table.Version, Codec: wr.Table.Codec,
			Payload: wr.Payload,
		}
		if found {
			change.Present = &rec
		}
		_, err = tab.Stage(&b, change)
		check(w.t, err)
	}
	check(w.t, w.db.Commit(&b, true))
}

func (w *world) view() *store.View {
	v := w.db.View()
	w.t.Cleanup(v.Release)
	return v
}

func (w *world) put(k *catalog.Kept, name string, doc any) {
	w.t.Helper()
	var old any
	seq, err := k.Get(w.db, w.view(), name, &old)
	check(w.t, err)
	wr, err := k.Put(name, doc, seq)
	check(w.t, err)
	w.commit(wr)
}

func newTable(id ident.TableID, ns ident.NamespaceID, name ident.TableName, kind ddl.TableKind,
) *ddl.Table {
	return &ddl.Table{
		ID: id, Namespace: ns, Name: name, Kind: kind, State: ddl.Ready, Version: 1, Codec: 1,
		Columns:    []ddl.Column{{ID: 1, Name: "id", Type: ddl.Type{Kind: value.Int64}, NotNull: true}},
		PrimaryKey: []int{0},
	}
}

func TestKept_DocumentsAreStoredChangedAndRemoved(t *testing.T) {
	w := newWorld(t)
	w.put(catalog.KeptUsers, "alice", ddl.User{ID: "alice", Role: ident.RoleUser})
	w.put(catalog.KeptUsers, "alice", ddl.User{ID: "alice", Role: ident.RoleDBA})
	w.put(catalog.KeptUsers, "bob", ddl.User{ID: "bob"})
	var u ddl.User
	seq, err := catalog.KeptUsers.Get(w.db, w.view(), "alice", &u)
	check(t, err)
	if seq != 2 || u.Role != ident.RoleDBA {
		t.Fatalf("read %+v at %d", u, seq)
	}
	w.commit(catalog.KeptUsers.Delete("alice", seq))
	if seq, err := catalog.KeptUsers.Get(w.db, w.view(), "alice", &u); err != nil || seq != 0 {
		t.Errorf("a removed document: %d %v", seq, err)
	}
	var names []ident.UserID
	check(t, catalog.KeptUsers.Each(w.db, w.view(), func(decode func(any) error) error {
		var u ddl.User
		err := decode(&u)
		names = append(names, u.ID)
		return err
	}))
	if len(names) != 1 || names[0] != "bob" {
		t.Errorf("the documents are of %v", names)
	}
}

func TestNextTableID_NeverRepeats(t *testing.T) {
	w := newWorld(t)
	for want := catalog.FirstTableID; want < catalog.FirstTableID+3; want++ {
		id, taken, err := catalog.NextTableID(w.db, w.view())
		check(t, err)
		if id != want {
			t.Fatalf("got id %d, want %d", id, want)
		}
		w.commit(taken)
	}
}

func TestCatalog_Refresh(t *testing.T) {
	w := newWorld(t)
	c, err := catalog.Open(w.db)
	check(t, err)
	before := c.Snapshot()
	w.put(catalog.KeptNamespaces, "chat", ddl.Namespace{Name: "chat"})
	messages := newTable(100, "chat", "messages", ddl.UserTable)
	messages.State = ddl.Creating
	w.put(catalog.KeptTables, catalog.TableKey("chat", "messages"), messages)
	check(t, c.Refresh())
	if _, err := c.Snapshot().Table("chat", "messages"); !fault.Is(err, fault.TableNotFound) {
		t.Errorf("a table that is being made is seen: %v", err)
	}
	if got := c.Snapshot().All(); len(got) != 1 || got[0].State != ddl.Creating {
		t.Errorf("unfinished tables are not listed: %v", got)
	}
	messages.State = ddl.Ready
	w.put(catalog.KeptTables, catalog.TableKey("chat", "messages"), messages)
	check(t, c.Refresh())
	got, err := c.Snapshot().Table("chat", "messages")
	check(t, err)
	if byID, ok := c.Snapshot().TableByID(100); !ok || byID != got {
		t.Error("the table is not found by its id")
	}
	if s, err := c.Snapshot().Schema(100, 1); err != nil || len(s.Kinds) != 1 {
		t.Errorf("schema: %+v %v", s, err)
	}
	if _, err := c.Snapshot().Schema(100, 2); !fault.Is(err, fault.Corruption) {
		t.Errorf("a schema version that never was: %v", err)
	}
	if c.Snapshot().Version() <= before.Version() {
		t.Error("the version did not grow")
	}
	if _, ok := before.Namespace("chat"); ok {
		t.Error("an old snapshot changed")
	}
}

func TestSnapshot_MissingNames(t *testing.T) {
	s := catalog.NewSnapshot([]*ddl.Namespace{{Name: "chat"}}, []*ddl.Table{
		newTable(100, "chat", "messages", ddl.UserTable),
		newTable(101, "chat", "salaries", ddl.SharedTable),
	})
	for _, c := range []struct {
		ns   ident.NamespaceID
		name string
		code fault.Code
		hint string
	}{
		{"chat", "mesages", fault.TableNotFound, "did you mean chat.messages?"},
		{"chat", "salarie", fault.TableNotFound, ""}, // would tell of a table that is hidden
		{"chta", "messages", fault.NamespaceNotFound, "did you mean chat?"},
		{"system", "user", fault.TableNotFound, "did you mean system.users?"},
	} {
		_, err := s.Table(c.ns, c.name)
		if !fault.Is(err, c.code) || !strings.HasSuffix(err.Error(), c.hint) ||
			c.hint == "" && strings.Contains(err.Error(), "mean") {
			t.Errorf("%s.%s: %v", c.ns, c.name, err)
		}
	}
}

func TestSystemTables(t *testing.T) {
	s := catalog.NewSnapshot(nil, nil)
	last := ident.TableName("")
	for _, def := range catalog.SystemTables() {
		if def.Name <= last {
			t.Errorf("%s is not in order", def.Name)
		}
		last = def.Name
		if err := def.Validate(); err != nil && def.ID != 0 {
			t.Error(err)
		}
		if got, err := s.Table(system.Namespace, string(def.Name)); err != nil || got != def {
			t.Errorf("%s is not found: %v", def.Name, err)
		}
		if len(def.PrimaryKey) == 0 || def.Comment == "" {
			t.Errorf("%s has no key or no comment", def.Name)
		}
		for _, c := range def.Columns {
			if c.Comment == "" || system.IsColumn(c.Name) {
				t.Errorf("column %s.%s has no comment or a reserved name", def.Name, c.Name)
			}
		}
	}
}
