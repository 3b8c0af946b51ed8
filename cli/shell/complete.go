package shell

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/system"
)

// refreshTimeout bounds the reading of names from the server.
const refreshTimeout = 5 * time.Second

// keywords are completed beside the words of the server's statements.
var keywords = strings.Fields(`
ALL AND AS ASC AVG BETWEEN BY CASE COUNT CROSS CURRENT_USER_ID DEFAULT DELETE
DESC DISTINCT ELSE END EXECUTE EXISTS EXPLAIN FALSE FROM GROUP HAVING IN INNER
INSERT INTO IS JOIN KEY LEFT LIKE LIMIT MAX MIN NOT NOW NULL OFFSET ON OR
ORDER PRIMARY REPLACE RETURNING RIGHT SELECT SET SNOWFLAKE_ID SUM TABLE THEN
TRUE UNION UPDATE USER USING VALUES WHEN WHERE WITH`)

// column is a column's name and the table that has it.
type column struct{ table, name string }

// vocabulary is the names that completion offers: those of the last refresh.
// It is safe for concurrent use.
type vocabulary struct {
	mu         sync.Mutex
	statements []string // "CREATE USER TABLE"
	namespaces []string
	tables     []string // "chat.messages"
	columns    []column
}

// forget drops the names, those of another server or user.
func (v *vocabulary) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.statements, v.namespaces, v.tables, v.columns = nil, nil, nil, nil
}

// refresh reads the names anew. What can't be read stays as it was:
// completion is a convenience and must not get in the way.
func (v *vocabulary) refresh(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	read := func(t system.Table, columns string, keep func(rows []client.Row)) {
		r, err := c.Query(ctx, "SELECT "+columns+" FROM "+system.Namespace+"."+string(t))
		if err != nil {
			return
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		keep(r.Rows)
	}
	read(system.Statements, "kind", func(rows []client.Row) { v.statements = first(rows) })
	read(system.Namespaces, "name", func(rows []client.Row) { v.namespaces = first(rows) })
	read(system.Tables, "namespace, name", func(rows []client.Row) {
		v.tables = nil
		for _, r := range rows {
			v.tables = append(v.tables, r.Text(0)+"."+r.Text(1))
		}
	})
	read(system.ColumnDefs, "namespace, table_name, name", func(rows []client.Row) {
		v.columns = nil
		for _, r := range rows {
			v.columns = append(v.columns, column{r.Text(0) + "." + r.Text(1), r.Text(2)})
		}
	})
}

func first(rows []client.Row) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.Text(0))
	}
	return out
}

// Complete returns what may follow the text before the cursor: whole words,
// each of which begins with the last typed runes of it, whatever their case.
// before is the part of the statement on earlier lines.
func (v *vocabulary) complete(before, line, namespace string) (words []string, typed int) {
	start := strings.LastIndexFunc(line, func(r rune) bool {
		return strings.ContainsRune(" \t,()=<>+-*/;'", r)
	}) + 1
	word := line[start:]
	if strings.HasPrefix(strings.TrimSpace(line), `\`) {
		if start == 0 && before == "" {
			return matching(metaNames(), word)
		}
	}
	if word == "" {
		return nil, 0
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	all := slices.Concat(keywords, v.namespaces, v.tables, system.Columns)
	for _, s := range v.statements {
		all = append(all, strings.Fields(s)...)
	}
	text := strings.ToLower(before + " " + line)
	for _, t := range v.tables {
		ns, name, _ := strings.Cut(t, ".")
		if ns == namespace {
			all = append(all, name)
		}
	}
	return matching(append(all, v.columnsFor(text)...), word)
}

// columnsFor returns the columns of the tables that text names; of all tables
// when it names none yet.
func (v *vocabulary) columnsFor(text string) []string {
	var named, all []string
	for _, c := range v.columns {
		_, name, _ := strings.Cut(c.table, ".")
		if strings.Contains(text, strings.ToLower(name)) {
			named = append(named, c.name)
		}
		all = append(all, c.name)
	}
	if len(named) == 0 {
		return all
	}
	return named
}

// matching returns the words that begin with prefix, sorted and once each. A
// prefix in lower case gets keywords in lower case.
func matching(all []string, prefix string) ([]string, int) {
	var out []string
	lower := prefix == strings.ToLower(prefix)
	for _, w := range all {
		if len(w) < len(prefix) || !strings.EqualFold(w[:len(prefix)], prefix) {
			continue
		}
		if lower && w == strings.ToUpper(w) {
			w = strings.ToLower(w)
		}
		out = append(out, w)
	}
	slices.Sort(out)
	return slices.Compact(out), len([]rune(prefix))
}

// Complete returns the words that may stand at the end of a line that is being
// typed, and how many runes of them are typed. It is what Terminal.Complete
// wants.
func (s *Shell) Complete(line string) (words []string, typed int) {
	return s.names.complete(string(s.split.buf), line, s.namespace)
}
