package access_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/access"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

var roles = []ident.Role{ident.RoleUser, ident.RoleService, ident.RoleDBA, ident.RoleSystem}

const (
	yes    = fault.Code("")
	no     = fault.PermissionDenied
	hidden = fault.TableNotFound
)

// roleOf is who is acted for in these tests: an id is its own role.
func roleOf(id ident.UserID) (access.Target, error) {
	role := ident.Role(id)
	if id == "nobody" || id == "me" {
		role = ident.RoleUser
	}
	return access.Target{ID: id, Role: role}, nil
}

func TestRights_CheckTable(t *testing.T) {
	snapshot := catalog.NewSnapshot([]*ddl.Namespace{{Name: "chat"}}, nil)
	shared := func(a ddl.Access) *ddl.Table {
		return &ddl.Table{Namespace: "chat", Name: "rooms", Kind: ddl.SharedTable, Access: a}
	}
	user := &ddl.Table{Namespace: "chat", Name: "messages", Kind: ddl.UserTable}
	stream := func(s ddl.Scope) *ddl.Table {
		return &ddl.Table{Namespace: "chat", Name: "typing", Kind: ddl.StreamTable, Scope: s}
	}
	users, _ := snapshot.Table("system", "users")
	settings, _ := snapshot.Table("system", "settings")
	for _, c := range []struct {
		what        string
		table       *ddl.Table
		owner       ident.UserID
		read, write [4]fault.Code // by roles
	}{
		{"own rows", user, "me", [4]fault.Code{}, [4]fault.Code{}},
		{"a user's", user, "nobody", [4]fault.Code{no, yes, yes, yes}, [4]fault.Code{no, yes, yes, yes}},
		{"a service's", user, "service", [4]fault.Code{no, yes, yes, yes}, [4]fault.Code{no, yes, yes, yes}},
		{"a dba's", user, "dba", [4]fault.Code{no, no, yes, yes}, [4]fault.Code{no, no, yes, yes}},
		{"system's", user, "system", [4]fault.Code{no, no, no, yes}, [4]fault.Code{no, no, no, yes}},
		{"public", shared(ddl.Public), "", [4]fault.Code{}, [4]fault.Code{no, yes, yes, yes}},
		{"restricted", shared(ddl.Restricted), "", [4]fault.Code{hidden, yes, yes, yes},
			[4]fault.Code{hidden, yes, yes, yes}},
		{"private", shared(ddl.Private), "", [4]fault.Code{hidden, hidden, yes, yes},
			[4]fault.Code{hidden, hidden, yes, yes}},
		{"own stream", stream(ddl.UserScope), "me", [4]fault.Code{}, [4]fault.Code{}},
		{"a user's stream", stream(ddl.UserScope), "nobody",
			[4]fault.Code{no, yes, yes, yes}, [4]fault.Code{no, yes, yes, yes}},
		{"a dba's stream", stream(ddl.UserScope), "dba",
			[4]fault.Code{no, no, yes, yes}, [4]fault.Code{no, no, yes, yes}},
		{"a namespace's stream", stream(ddl.NamespaceScope), "",
			[4]fault.Code{}, [4]fault.Code{no, yes, yes, yes}},
		{"system.users", users, "", [4]fault.Code{}, [4]fault.Code{no, no, no, no}},
		{"system.settings", settings, "", [4]fault.Code{no, no, yes, yes}, [4]fault.Code{no, no, no, no}},
	} {
		for i, role := range roles {
			r := &access.Rights{
				ID: session.Identity{Caller: "me", Role: role}, Catalog: snapshot, Lookup: roleOf,
			}
			for write, want := range map[bool]fault.Code{false: c.read[i], true: c.write[i]} {
				if got := fault.CodeOf(r.CheckTable(c.table, c.owner, write)); got != want {
					t.Errorf("%s, role %s, write %v: %q, want %q", c.what, role, write, got, want)
				}
			}
			if see := r.MaySee(c.table); see != (c.read[i] != hidden) {
				t.Errorf("%s may be seen by role %s: %v", c.what, role, see)
			}
		}
	}
}

// TestMayRun tries every kind of statement by every role, so that a new kind
// needs a line here.
func TestMayRun(t *testing.T) {
	all := [4]fault.Code{}
	dba := [4]fault.Code{no, no, yes, yes}
	creators := [4]fault.Code{no, yes, yes, yes}
	want := map[dialect.Kind][4]fault.Code{
		dialect.Select: all, dialect.Insert: all, dialect.Update: all, dialect.Delete: all,
		dialect.Replace: all,
		dialect.Explain: all, dialect.ShowNamespaces: all, dialect.UseNamespace: all,
		dialect.ShowTables: all, dialect.DescribeTable: all, dialect.ShowCreateTable: all,
		dialect.ShowLiveQueries: all, dialect.Subscribe: all, dialect.ShowStreams: all,
		dialect.KillLiveQuery: all, dialect.TraceDelivery: all, // of the caller's own; dba of all
		dialect.Begin: all, dialect.Commit: all, dialect.Rollback: all,
		dialect.AlterUser:       all, // narrowed to the caller's own password when it runs
		dialect.CreateNamespace: dba, dialect.AlterNamespace: dba, dialect.DropNamespace: dba,
		dialect.CreateUserTable: creators, dialect.CreateSharedTable: dba,
		dialect.CreateStreamTable: creators,
		dialect.CreateUser:        dba, dialect.DropUser: dba, dialect.ShowUsers: dba,
		dialect.RestoreUser:   dba,
		dialect.CreateStorage: dba, dialect.AlterStorage: dba, dialect.DropStorage: dba,
		dialect.ShowStorages: dba, dialect.CheckStorage: dba,
		dialect.ShowSettings: dba, dialect.ClearCache: dba, dialect.DropTable: dba,
		dialect.AlterTable: dba, dialect.TruncateTable: dba,
		dialect.CreateIndex: dba, dialect.DropIndex: dba, dialect.ShowIndexes: all,
		dialect.FlushTable: creators, dialect.FlushAll: creators, dialect.CompactTable: creators,
		dialect.ShowManifest: creators, dialect.ShowStats: creators, dialect.CheckTable: dba,
		dialect.ShowCluster: dba, dialect.ClusterJoin: dba, dialect.ClusterLeave: dba,
		dialect.ClusterReplace: dba, dialect.ClusterTransfer: dba, dialect.ClusterRebalance: dba,
		dialect.SetStaleness: all,
		dialect.ShowJobs:     all, dialect.KillJob: all, dialect.WaitForJob: all, // as live queries
	}
	for _, k := range dialect.Kinds() {
		codes, ok := want[k.Kind]
		if !ok {
			t.Errorf("%s is not in the matrix", k.Text)
			continue
		}
		for i, role := range roles {
			if got := fault.CodeOf(access.MayRun(role, k.Kind, ddl.SharedTable)); got != codes[i] {
				t.Errorf("%s by role %s: %q, want %q", k.Text, role, got, codes[i])
			}
		}
	}
	for _, k := range []ddl.TableKind{ddl.UserTable, ddl.StreamTable} {
		if err := access.MayRun(ident.RoleService, dialect.DropTable, k); err != nil {
			t.Errorf("service drops a %s table: %v", k, err)
		}
		for _, kind := range []dialect.Kind{
			dialect.AlterTable, dialect.CreateIndex, dialect.DropIndex,
		} {
			if err := access.MayRun(ident.RoleService, kind, k); err != nil {
				t.Errorf("service runs %s of a %s table: %v", kind, k, err)
			}
		}
	}
	if err := access.MayRun("", dialect.Select, ""); err != nil {
		t.Errorf("reading is decided by table: %v", err)
	}
}
