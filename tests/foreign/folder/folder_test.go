package folder_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/tests/foreign/folder"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// envDuckDB asks for DuckDB beside parquet-go; make duckdb sets it.
const envDuckDB = "KALAM_DUCKDB"

// columns are one of each data type.
var columns = []folder.Column{
	{Name: "room", Type: "TEXT"},
	{Name: "id", Type: "BIGINT"},
	{Name: "flag", Type: "BOOLEAN"},
	{Name: "tiny", Type: "TINYINT"},
	{Name: "utiny", Type: "TINYINT UNSIGNED"},
	{Name: "small", Type: "SMALLINT"},
	{Name: "whole", Type: "INT"},
	{Name: "uwhole", Type: "INT UNSIGNED"},
	{Name: "ubig", Type: "BIGINT UNSIGNED"},
	{Name: "single", Type: "FLOAT"},
	{Name: "twice", Type: "DOUBLE"},
	{Name: "price", Type: "DECIMAL(9,2)"},
	{Name: "exact", Type: "DECIMAL(18,6)"},
	{Name: "wide", Type: "DECIMAL(38,10)"},
	{Name: "body", Type: "TEXT"},
	{Name: "raw", Type: "BYTES"},
	{Name: "doc", Type: "JSON"},
	{Name: "day", Type: "DATE"},
	{Name: "clock", Type: "TIME"},
	{Name: "local", Type: "DATETIME"},
	{Name: "moment", Type: "TIMESTAMP"},
	{Name: "uid", Type: "UUID"},
	{Name: "state", Type: "ENUM('new','done')"},
	{Name: "near", Type: "EMBEDDING(3)"},
}

// rowOf returns the values of a row as SQL, in the order of columns, with
// limits and NULLs among them.
func rowOf(room string, id int) string {
	pick := func(of ...string) string { return of[id%len(of)] }
	return "(" + strings.Join([]string{
		"'" + room + "'", fmt.Sprint(id), pick("TRUE", "FALSE", "NULL"),
		pick("-128", "127", "0", "NULL"), pick("255", "0", "NULL"), pick("-32768", "32767"),
		pick("-2147483648", "2147483647", "NULL"), pick("4294967295", "0"),
		pick("18446744073709551615", "9223372036854775808", "0", "NULL"),
		pick("1.5", "-0.25", "3.4e38", "NULL"), pick("1.7e308", "-2.5", "0.1", "NULL"),
		pick("1234567.89", "-0.05", "0", "NULL"), pick("123456789012.000001", "-0.5", "NULL"),
		pick("1234567890123456789012345678.0123456789", "-1.5", "-0.0000000001", "0", "NULL"),
		pick("''", "'grüße, 世界'", fmt.Sprintf("REPEAT('%d ', 300)", id), "NULL"),
		pick("x'00ff10'", "x''", "NULL"),
		pick(`'{"a": [1, null, "ü"]}'`, "'[]'", "NULL"),
		pick("'1969-12-31'", "'2026-11-24'", "NULL"),
		pick("'23:59:59.999999'", "'00:00:00'", "NULL"),
		pick("'2026-11-24 10:11:12.123456'", "'1960-01-01 00:00:00'", "NULL"),
		pick("'2026-11-24 10:11:12.654321'", "'1970-01-01 00:00:01'", "NULL"),
		fmt.Sprintf("'%08x-0000-4000-8000-000000000001'", id), pick("'new'", "'done'", "NULL"),
		pick("'[0.5, -1, 3]'", "'[0.1, 0.2, 0.3]'", "NULL"),
	}, ", ") + ")"
}

// reader reads the newest rows of a folder.
type reader func(t *testing.T, dir string) folder.Rows

func readers(t *testing.T) map[string]reader {
	all := map[string]reader{"parquet-go": func(t *testing.T, dir string) folder.Rows {
		rows, err := folder.Read(dir, columns, "room", "id")
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}}
	if os.Getenv(envDuckDB) == "" {
		t.Log("skipped: DuckDB; make duckdb reads with it")
		return all
	}
	all["DuckDB"] = func(t *testing.T, dir string) folder.Rows {
		rows, err := folder.ReadByDuckDB(t.Context(), filepath.Join("..", "duckdb", "query.mjs"),
			dir, columns, "room", "id")
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	return all
}

// table is a table whose files are read.
type table struct {
	name    string
	client  *blackbox.Client // whose rows they are
	root    *blackbox.Client
	data    string
	readers map[string]reader
}

// A folder of files has the rows of the SELECT: after a flush, after changes of
// rows that were flushed before, after deletes with a compaction, and behind a
// new column.
func TestFolder_hasTheRowsOfASelect(t *testing.T) {
	s := testkit.Start(t, "KALAMDB_FLUSH_CHECK_INTERVAL=20ms")
	ns := s.Namespace(t)
	read := readers(t)
	for kind, client := range map[string]*blackbox.Client{
		"USER": s.User(t, "alice@example.com"), "SHARED": s.Root(),
	} {
		name := ns + "." + strings.ToLower(kind) + "_rows"
		var list []string
		for _, c := range columns {
			list = append(list, c.Name+" "+c.Type)
		}
		testkit.Must(t, s.Root(), fmt.Sprintf("CREATE %s TABLE %s (%s, PRIMARY KEY (room, id))",
			kind, name, strings.Join(list, ", ")))
		tab := &table{name, client, s.Root(), s.Process(t).DataDir(), read}
		t.Run(kind, func(t *testing.T) { tab.check(t) })
	}
}

func (f *table) check(t *testing.T) {
	testkit.Must(t, f.client, f.insert("a", 0, 60))
	testkit.Must(t, f.client, f.insert("b", 0, 20))
	f.run(t, "FLUSH TABLE "+f.name)
	f.compare(t, "a flush", 80)

	testkit.Must(t, f.client, "UPDATE "+f.name+" SET body = 'changed', price = price + 1 WHERE id < 7")
	testkit.Must(t, f.client, f.insert("a", 60, 70))
	f.run(t, "FLUSH TABLE "+f.name)
	f.compare(t, "changes of cold rows", 90)

	testkit.Must(t, f.client, "DELETE FROM "+f.name+" WHERE id BETWEEN 5 AND 12")
	testkit.Must(t, f.client, f.insert("b", 12, 13))
	f.run(t, "FLUSH TABLE "+f.name)
	f.run(t, "COMPACT TABLE "+f.name)
	testkit.Eventually(t, 30*time.Second, "the files that were merged are gone", func() bool {
		return !strings.Contains(fmt.Sprint(testkit.Must(t, f.root, "SHOW MANIFEST FOR "+f.name).
			Strings()), "dying")
	})
	f.compare(t, "deletes and a compaction", 75)

	testkit.Must(t, f.root, "ALTER TABLE "+f.name+" ADD COLUMN later INT")
	testkit.Must(t, f.client, "UPDATE "+f.name+" SET later = 3 WHERE room = 'b'")
	f.run(t, "FLUSH TABLE "+f.name)
	f.compare(t, "a new column", 75)
}

func (f *table) insert(room string, from, to int) string {
	var rows []string
	for id := from; id < to; id++ {
		rows = append(rows, rowOf(room, id))
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return "INSERT INTO " + f.name + " (" + strings.Join(names, ", ") + ") VALUES " +
		strings.Join(rows, ", ")
}

// run starts a job and waits until it has completed.
func (f *table) run(t *testing.T, sql string) {
	t.Helper()
	for _, row := range testkit.Must(t, f.root, sql).Strings() {
		testkit.WantRows(t, f.root, "SELECT status, error FROM system.jobs WHERE job_id = '"+
			wait(t, f.root, row[0])+"'", []string{"completed", "NULL"})
	}
}

func wait(t *testing.T, c *blackbox.Client, job string) string {
	t.Helper()
	testkit.Must(t, c, "WAIT FOR JOB '"+job+"' TIMEOUT '15s'")
	return job
}

// compare reads the folder of the table's rows with every reader.
func (f *table) compare(t *testing.T, behind string, rows int) {
	t.Helper()
	want := folder.Rows{}
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	for _, cells := range testkit.Must(t, f.client, "SELECT "+strings.Join(names, ", ")+" FROM "+
		f.name).Rows {
		texts := make([]string, len(columns))
		for i, c := range columns {
			text, err := c.Text(cells[i])
			if err != nil {
				t.Fatalf("column %s: %v", c.Name, err)
			}
			texts[i] = text
		}
		want[texts[0]+" "+texts[1]] = texts
	}
	if len(want) != rows {
		t.Fatalf("behind %s: %d rows, want %d", behind, len(want), rows)
	}
	for name, read := range f.readers {
		got := read(t, f.where(t))
		if maps.EqualFunc(got, want, slices.Equal) {
			continue
		}
		t.Errorf("behind %s, %s has %d rows:", behind, name, len(got))
		for _, key := range slices.Sorted(maps.Keys(want))[:min(len(want), 10)] {
			for i, text := range want[key] {
				if g := got[key]; g == nil || g[i] != text {
					t.Errorf("row %s: %s is %q, want %q", key, columns[i].Name, at(g, i), text)
				}
			}
		}
	}
}

func at(cells []string, i int) string {
	if cells == nil {
		return "(no row)"
	}
	return cells[i]
}

// where returns where the files of the table's rows are.
func (f *table) where(t *testing.T) string {
	t.Helper()
	r := testkit.Must(t, f.root, "SHOW MANIFEST FOR "+f.name)
	for i, c := range r.Schema {
		if c.Name == "path" && len(r.Rows) > 0 {
			return filepath.Join(f.data, "cold", filepath.Dir(r.Strings()[0][i]))
		}
	}
	t.Fatalf("no path in %v", r.Schema)
	return ""
}
