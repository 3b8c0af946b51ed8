package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/store/object"
)

const storageRows = "SELECT id, type, uri, shared_tables_template, user_tables_template, " +
	"has_credentials, tables, users, status FROM system.storages"

// cloud is an address at which nobody answers.
const cloud = "endpoint=http://127.0.0.1:1"

func TestStorage_localIsThere(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.want(root, "local filesystem "+dir+"/cold {namespace}/{table} {namespace}/{table}/{user} "+
		"false 0 0 unused", storageRows)
	out := b.rows(root, "CHECK STORAGE local")
	if lines := strings.Split(out, "\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], "write ok ") {
		t.Errorf("CHECK STORAGE gives %q", out)
	}
	b.want(root, "local ok", "SELECT id, status FROM system.storages")
	for sql, code := range map[string]fault.Code{
		"DROP STORAGE local":                                      fault.Unsupported,
		"ALTER STORAGE local SET (uri = '/x')":                    fault.Unsupported,
		"CREATE STORAGE local TYPE s3 WITH (uri = 's3://bucket')": fault.AlreadyExists,
		"CREATE STORAGE LOCAL TYPE s3 WITH (uri = 's3://bucket')": fault.AlreadyExists,
	} {
		b.fails(root, code, sql)
	}
	inMemory(t).want(root, "local memory memory", "SELECT id, type, uri FROM system.storages")
}

// What an upload left that a crash has cut off is gone behind the next start.
func TestStorage_takesAwayUploadsThatWereCutOff(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.run(root, "CHECK STORAGE local")
	b.close()
	draft := filepath.Join(dir, "cold", ".kalamdb-draft-1-1")
	other := filepath.Join(dir, "cold", "notes.txt")
	for _, path := range []string{draft, other} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.open()
	testkit.Eventually(t, 20*time.Second, "the draft is gone", func() bool {
		_, err := os.Stat(draft)
		return os.IsNotExist(err)
	})
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	b.want(root, "local unused", "SELECT id, status FROM system.storages")
}

func TestStorage_life(t *testing.T) {
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "data"), engine.Options{RootPassword: "a password"})
	cold := filepath.Join(dir, "cold")
	b.run(root, "CREATE STORAGE archive TYPE filesystem WITH (uri = 'file://"+cold+"', "+
		"shared_tables_template = 'shared/{table}', user_tables_template = '{user}/{table}')")
	want := "archive filesystem file://" + cold + " shared/{table} {user}/{table} false 0 0 ok"
	b.close()
	b.open()
	b.want(root, strings.Replace(want, "ok", "unused", 1), storageRows+" WHERE id <> 'local'")
	b.run(root, "CHECK STORAGE archive")
	b.want(root, want, storageRows+" WHERE id = 'archive'")
	if got := b.rows(root, "SHOW STORAGES"); !strings.HasPrefix(got, "local ") {
		t.Errorf("local is not first: %s", got)
	}
	b.fails(root, fault.AlreadyExists, "CREATE STORAGE archive TYPE s3 WITH (uri = 's3://bucket')")
	b.run(root, "CREATE STORAGE IF NOT EXISTS archive TYPE s3 WITH (uri = 's3://bucket')")

	b.run(root, "ALTER STORAGE archive SET (user_tables_template = 'u/{table}/{user}')")
	b.want(root, "u/{table}/{user}",
		"SELECT user_tables_template FROM system.storages WHERE id = 'archive'")
	b.run(root, "DROP STORAGE archive")
	b.fails(root, fault.NotFound, "DROP STORAGE archive")
	b.fails(root, fault.NotFound, "CHECK STORAGE archive")
	b.fails(root, fault.NotFound, "ALTER STORAGE archive SET (uri = '/x')")
	b.run(root, "DROP STORAGE IF EXISTS archive")
	entries, err := os.ReadDir(cold)
	if err != nil || len(entries) != 0 {
		t.Errorf("a dropped storage that was never used has %v, %v", entries, err)
	}
}

func TestStorage_refuses(t *testing.T) {
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "data"), engine.Options{RootPassword: "a password"})
	b.run(root, "CREATE STORAGE a TYPE filesystem WITH (uri = '"+dir+"/a')")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for with, code := range map[string]fault.Code{
		"TYPE tape WITH (uri = '/x')":                                            fault.InvalidParameter,
		"TYPE filesystem WITH (uri = 'relative')":                                fault.InvalidParameter,
		"TYPE filesystem WITH (uri = '" + dir + "/data')":                        fault.InvalidParameter,
		"TYPE filesystem WITH (uri = '" + dir + "/data/cold/x')":                 fault.InvalidParameter,
		"TYPE filesystem WITH (uri = '" + dir + "')":                             fault.InvalidParameter,
		"TYPE filesystem WITH (uri = '" + dir + "/a')":                           fault.InUse,
		"TYPE filesystem WITH (uri = '" + dir + "/a/b')":                         fault.InUse,
		"TYPE filesystem WITH (uri = '" + file + "')":                            fault.StorageUnavailable,
		"TYPE filesystem WITH (uri = '" + dir + "/x', credentials = '{}')":       fault.InvalidParameter,
		"TYPE s3 WITH (uri = 's3://b')":                                          fault.InvalidParameter,
		"TYPE s3 WITH (uri = 's3://bucket', user_tables_template = '{table}')":   fault.InvalidParameter,
		"TYPE s3 WITH (uri = 's3://bucket', user_tables_template = '../{user}')": fault.InvalidParameter,
		"TYPE s3 WITH (uri = 's3://bucket', shared_tables_template = '{x}')":     fault.InvalidParameter,
		"TYPE s3 WITH (uri = 's3://bucket', shared_tables_template = '')":        fault.InvalidParameter,
		"TYPE s3 WITH (uri = 's3://bucket', colour = 'red')":                     fault.InvalidParameter,
		"TYPE s3 WITH (uri = 's3://bucket', uri = 's3://bucket')":                fault.InvalidParameter,
		"TYPE s3 WITH (credentials = '{}')":                                      fault.InvalidParameter,
		"TYPE s3 WITH ()":                                                        fault.InvalidParameter,
		"TYPE s3":                                                                fault.InvalidSQL,
		"WITH (uri = 's3://bucket')":                                             fault.InvalidSQL,
		"TYPE s3 WITH (uri 's3://bucket')":                                       fault.InvalidSQL,
		"TYPE s3 WITH (uri = 's3://bucket') x":                                   fault.InvalidSQL,
	} {
		b.fails(root, code, "CREATE STORAGE x "+with)
	}
	b.fails(root, fault.InvalidParameter, "CREATE STORAGE '../x' TYPE s3 WITH (uri = 's3://bucket')")
	b.fails(root, fault.InvalidSQL, "ALTER STORAGE a SET ()")
	b.fails(root, fault.InvalidParameter, "ALTER STORAGE a SET (uri = 's3://bucket')")
	b.fails(root, fault.InvalidParameter, "ALTER STORAGE a SET (uri = '"+dir+"/data/x')")
	b.want(root, "a\nlocal", "SELECT id FROM system.storages ORDER BY id")
}

// Nothing that anybody can look at has the credentials.
func TestStorage_credentialsAreHidden(t *testing.T) {
	const secret = "a-secret-word"
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password", Objects: object.Options{
		Timeout: 100 * time.Millisecond, Attempts: 1}})
	with := `credentials = '{"access_key_id": "key", "secret_access_key": "` + secret + `"}'`
	out := b.run(root, "CREATE STORAGE archive TYPE s3 WITH (uri = 's3://bucket?"+cloud+"', "+with+")")
	if !strings.Contains(out.Message, "does not answer") {
		t.Errorf("a storage that does not answer is told as %q", out.Message)
	}
	b.want(root, "true", "SELECT has_credentials FROM system.storages WHERE id = 'archive'")
	var shown strings.Builder
	fmt.Fprintln(&shown, out.Message)
	for _, sql := range []string{
		"CREATE STORAGE x TYPE s3 WITH (" + with, "CREATE STORAGE x TYPE s3 " + with,
		"CREATE STORAGE x TYPE s3 WITH (" + strings.Replace(with, " = ", " ", 1) + ")",
		"CREATE STORAGE x TYPE s3 WITH ('" + secret + "')", "CREATE STORAGE x TYPE s3 WITH (uri = '" + secret + "')",
		"CREATE STORAGE x TYPE s3 WITH (uri = 's3://bucket', credentials = '" + secret + "')",
		"CREATE STORAGE x TYPE s3 WITH (uri = 's3://bucket', credentials = '" + secret + ")",
		"CREATE STORAGE x TYPE s3 WITH (uri = 's3://bucket') '" + secret + "'",
		"ALTER STORAGE archive SET (credentials = '" + secret + "')",
		"ALTER STORAGE archive SET (credentials '" + secret + "')",
		"ALTER STORAGE archive '" + secret + "'", "CHECK STORAGE archive", "DROP STORAGE archive WITH " + secret,
	} {
		_, err := b.db.Query(t.Context(), root, sql)
		if err == nil {
			t.Errorf("%s is done", sql)
			continue
		}
		if sql != "DROP STORAGE archive WITH "+secret {
			fmt.Fprintln(&shown, err, fault.From(err).Message)
		}
	}
	for _, table := range strings.Fields(b.rows(root, "SELECT name FROM system.tables WHERE namespace = 'system'")) {
		fmt.Fprintln(&shown, b.rows(root, "SELECT * FROM system."+table))
	}
	fmt.Fprintln(&shown, b.rows(root, "SHOW STORAGES"))
	if strings.Contains(shown.String(), secret) {
		t.Errorf("the secret is shown in\n%s", shown.String())
	}
	b.want(root, "failing STORAGE_UNAVAILABLE", `SELECT s.status, 'STORAGE_UNAVAILABLE'
		FROM system.storages s WHERE id = 'archive' AND last_error IS NOT NULL`)
	if a := b.db.Alarms(); len(a) != 1 || a[0].Storage != "archive" || a[0].Code != fault.StorageUnavailable {
		t.Errorf("alarms are %+v", a)
	}
	b.close()
	defer b.open()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), secret) {
			t.Errorf("%s has the secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, "storage_key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is a file of mode %v, %v", info.Mode(), err)
	}
}

func TestStorage_anotherKey(t *testing.T) {
	dir := t.TempDir()
	opts := engine.Options{RootPassword: "a password", CredentialsKey: "the first key of all",
		Objects: object.Options{Timeout: 100 * time.Millisecond, Attempts: 1}}
	b := open(t, dir, opts)
	b.run(root, "CREATE STORAGE archive TYPE s3 WITH (uri = 's3://bucket?"+cloud+"', "+
		`credentials = '{"access_key_id": "key", "secret_access_key": "word"}')`)
	b.close()
	b.opt.CredentialsKey = "quite another key"
	b.open()
	err := b.fails(root, fault.StorageUnavailable, "CHECK STORAGE archive")
	if !strings.Contains(err.Error(), "storage.credentials_key") {
		t.Errorf("another key is told as %v", err)
	}
	b.run(root, "ALTER STORAGE archive SET (credentials = "+
		`'{"access_key_id": "key", "secret_access_key": "other"}')`)
	err = b.fails(root, fault.StorageUnavailable, "CHECK STORAGE archive")
	if strings.Contains(err.Error(), "credentials_key") {
		t.Errorf("after new credentials: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "storage_key")); err == nil {
		t.Error("a key was made although one is configured")
	}
}

func TestStorage_inUse(t *testing.T) {
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "data"), engine.Options{RootPassword: "a password"})
	b.run(root, "CREATE NAMESPACE app")
	b.fails(root, fault.NotFound,
		"CREATE TABLE app.t (id INT PRIMARY KEY) WITH (STORAGE = 'archive')")
	b.fails(root, fault.NotFound, "CREATE USER 'alice' PASSWORD 'a password' STORAGE 'archive'")
	b.run(root, "CREATE USER 'alice' PASSWORD 'a password'")
	b.fails(root, fault.NotFound, "ALTER USER 'alice' SET STORAGE 'archive'")
	b.run(root, "CREATE STORAGE archive TYPE filesystem WITH (uri = '"+dir+"/a')")
	b.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY) WITH (STORAGE = 'archive')")
	b.run(root, "CREATE TABLE app.u (id INT PRIMARY KEY)")
	b.run(root, "ALTER USER 'alice' SET STORAGE 'archive'")
	b.fails(alice, fault.PermissionDenied, "ALTER USER 'alice' SET STORAGE 'local'")
	b.want(root, "archive", "SELECT storage FROM system.users WHERE id = 'alice'")
	b.want(root, "archive 1 1\nlocal 1 0", "SELECT id, tables, users FROM system.storages ORDER BY id")
	err := b.fails(root, fault.InUse, "DROP STORAGE archive")
	if !strings.Contains(err.Error(), "1 tables and 1 users") {
		t.Errorf("%v does not count", err)
	}
	b.fails(root, fault.StorageUnavailable, "ALTER STORAGE archive SET (uri = '"+dir+"/b')")
	if err := os.Mkdir(filepath.Join(dir, "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.fails(root, fault.InUse, "ALTER STORAGE archive SET (uri = '"+dir+"/b')")
	if err := os.CopyFS(filepath.Join(dir, "b"), os.DirFS(filepath.Join(dir, "a"))); err != nil {
		t.Fatal(err)
	}
	b.run(root, "ALTER STORAGE archive SET (uri = '"+dir+"/b')")
	b.run(root, "ALTER TABLE app.t SET (STORAGE = 'local')")
	err = b.fails(root, fault.InUse, "DROP STORAGE archive")
	if !strings.Contains(err.Error(), "0 tables and 1 users") {
		t.Errorf("%v does not count", err)
	}
	b.run(root, "ALTER USER 'alice' SET STORAGE NULL")
	b.run(root, "DROP STORAGE archive")
}

// A disk that is not mounted is not taken for an empty storage, nor written to.
func TestStorage_notMounted(t *testing.T) {
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "data"), engine.Options{RootPassword: "a password"})
	cold, away := filepath.Join(dir, "cold"), filepath.Join(dir, "away")
	b.run(root, "CREATE STORAGE archive TYPE filesystem WITH (uri = '"+cold+"')")
	b.close()
	if err := os.Rename(cold, away); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.fails(root, fault.StorageUnavailable, "CHECK STORAGE archive")
	if err := os.Mkdir(cold, 0o700); err != nil {
		t.Fatal(err)
	}
	err := b.fails(root, fault.StorageUnavailable, "CHECK STORAGE archive")
	if !strings.Contains(err.Error(), "mounted") {
		t.Error(err)
	}
	if entries, err := os.ReadDir(cold); err != nil || len(entries) != 0 {
		t.Errorf("%v were written, %v", entries, err)
	}
	b.want(root, "failing", "SELECT status FROM system.storages WHERE id = 'archive'")
	if err := os.Remove(cold); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, cold); err != nil {
		t.Fatal(err)
	}
	b.run(root, "CHECK STORAGE archive")
	b.want(root, "ok", "SELECT status FROM system.storages WHERE id = 'archive'")
}

// Two databases never share a place: each would sweep the other's files.
func TestStorage_belongsToOneDatabase(t *testing.T) {
	dir := t.TempDir()
	first := open(t, filepath.Join(dir, "1"), engine.Options{RootPassword: "a password"})
	second := open(t, filepath.Join(dir, "2"), engine.Options{RootPassword: "a password"})
	with := " TYPE filesystem WITH (uri = '" + dir + "/cold')"
	first.run(root, "CREATE STORAGE a"+with)
	err := second.fails(root, fault.InUse, "CREATE STORAGE a"+with)
	if !strings.Contains(err.Error(), "another database") {
		t.Error(err)
	}
	first.run(root, "DROP STORAGE a")
	second.run(root, "CREATE STORAGE a"+with)
	first.fails(root, fault.InUse, "CREATE STORAGE b"+with)
}

// Each user's rows go where the table or the user says, and are read from there
// although both say otherwise later.
func TestStorage_ofTablesAndUsers(t *testing.T) {
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "data"), engine.Options{RootPassword: "a password"})
	for _, id := range []string{"a", "b"} {
		b.run(root, fmt.Sprintf("CREATE STORAGE %s TYPE filesystem WITH (uri = '%s/%s')", id, dir, id))
	}
	b.run(root, "ALTER STORAGE b SET (user_tables_template = 'u={user}/{shard}/{table}')")
	b.run(root, "CREATE USER 'alice' PASSWORD 'a password' STORAGE 'b'")
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.own (id INT PRIMARY KEY) WITH (STORAGE = 'a', USE_USER_STORAGE = true)")
	b.run(root, "CREATE TABLE app.plain (id INT PRIMARY KEY) WITH (STORAGE = 'a')")
	b.run(root, "CREATE SHARED TABLE app.s (id INT PRIMARY KEY) WITH (ACCESS = 'public')")
	for _, who := range []engine.Identity{alice, bob} {
		b.run(who, "INSERT INTO app.own VALUES (1)")
		b.run(who, "INSERT INTO app.plain VALUES (2)")
	}
	b.run(root, "INSERT INTO app.s VALUES (3)")
	for _, table := range []ident.TableName{"own", "plain", "s"} {
		if _, err := b.db.Flush(t.Context(), "app", table, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, place := range []string{
		"b/u=alice/*/own-*", "a/app/own-*/bob", "a/app/plain-*/alice", "a/app/plain-*/bob",
		"data/cold/app/s-*",
	} {
		found, err := filepath.Glob(filepath.Join(dir, place, "*.parquet"))
		if err != nil || len(found) != 1 {
			t.Errorf("in %s are %v, %v", place, found, err)
		}
	}
	b.run(root, "ALTER USER 'alice' SET STORAGE ''")
	b.run(root, "ALTER TABLE app.own SET (STORAGE = 'local')")
	b.close()
	b.open()
	b.want(alice, "1", "SELECT id FROM app.own")
	b.want(bob, "1", "SELECT id FROM app.own")
	b.want(root, "3", "SELECT id FROM app.s")
	err := b.fails(root, fault.InUse, "DROP STORAGE b")
	if !strings.Contains(err.Error(), "1 tables and 0 users") {
		t.Errorf("files of users are not counted: %v", err)
	}
}
