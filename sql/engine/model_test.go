package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// modelKey and modelRow are the table messages as a plain map.
type modelKey struct{ conversation, id int }

type modelRow struct{ author, body string }

// model is what one user's messages should be.
type model struct {
	rows map[modelKey]modelRow
}

func (m *model) sorted() []modelKey {
	return slices.SortedFunc(maps.Keys(m.rows), func(a, b modelKey) int {
		if a.conversation != b.conversation {
			return a.conversation - b.conversation
		}
		return a.id - b.id
	})
}

func (m *model) show(keep func(modelKey, modelRow) bool, reverse bool, limit int) string {
	keys := m.sorted()
	if reverse {
		slices.Reverse(keys)
	}
	var out []string
	for _, k := range keys {
		if r := m.rows[k]; keep(k, r) && len(out) < limit {
			out = append(out, fmt.Sprintf("%d|%d|%s|%s", k.conversation, k.id, r.author, r.body))
		}
	}
	return strings.Join(out, "; ")
}

// filter is a random WHERE with its meaning.
type filter struct {
	sql  string
	keep func(modelKey, modelRow) bool
}

func randomFilter(r *rand.Rand) filter {
	c, i, j := r.IntN(4), r.IntN(12), r.IntN(12)
	a := fmt.Sprintf("u%d", r.IntN(3))
	all := []filter{
		{"true", func(modelKey, modelRow) bool { return true }},
		{fmt.Sprintf("conversation_id = %d", c), func(k modelKey, _ modelRow) bool { return k.conversation == c }},
		{fmt.Sprintf("conversation_id = %d AND id = %d", c, i),
			func(k modelKey, _ modelRow) bool { return k.conversation == c && k.id == i }},
		{fmt.Sprintf("conversation_id = %d AND id > %d", c, i),
			func(k modelKey, _ modelRow) bool { return k.conversation == c && k.id > i }},
		{fmt.Sprintf("conversation_id = %d AND id <= %d", c, i),
			func(k modelKey, _ modelRow) bool { return k.conversation == c && k.id <= i }},
		{fmt.Sprintf("conversation_id = %d AND id BETWEEN %d AND %d", c, i, j),
			func(k modelKey, _ modelRow) bool { return k.conversation == c && k.id >= i && k.id <= j }},
		{fmt.Sprintf("conversation_id IN (%d, 2) AND id IN (%d, %d)", c, i, j), func(k modelKey, _ modelRow) bool {
			return (k.conversation == c || k.conversation == 2) && (k.id == i || k.id == j)
		}},
		{fmt.Sprintf("conversation_id > %d AND author = '%s'", c, a),
			func(k modelKey, r modelRow) bool { return k.conversation > c && r.author == a }},
		{fmt.Sprintf("id < %d", i), func(k modelKey, _ modelRow) bool { return k.id < i }},
		{fmt.Sprintf("id > %d.5", i), func(k modelKey, _ modelRow) bool { return k.id > i }},
		{fmt.Sprintf("conversation_id < %d.5 AND conversation_id >= '1'", c),
			func(k modelKey, _ modelRow) bool { return k.conversation <= c && k.conversation >= 1 }},
		{fmt.Sprintf("conversation_id <> %d", c), func(k modelKey, _ modelRow) bool { return k.conversation != c }},
		{fmt.Sprintf("author = '%s' OR (conversation_id = %d AND id = %d)", a, c, i), func(k modelKey, r modelRow) bool {
			return r.author == a || k.conversation == c && k.id == i
		}},
		{fmt.Sprintf("conversation_id = %d OR conversation_id = %d", c, j),
			func(k modelKey, _ modelRow) bool { return k.conversation == c || k.conversation == j }},
		{fmt.Sprintf("NOT (conversation_id = %d AND id < %d)", c, i),
			func(k modelKey, _ modelRow) bool { return !(k.conversation == c && k.id < i) }},
		{fmt.Sprintf("(conversation_id, id) = (%d, %d)", c, i),
			func(k modelKey, _ modelRow) bool { return k.conversation == c && k.id == i }},
	}
	return all[r.IntN(len(all))]
}

// TestRun_AgreesWithAModel runs random statements of two users against maps.
func TestRun_AgreesWithAModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	w := newWorld(t)
	users := []string{"alice", "bob"}
	models := map[string]*model{}
	for _, u := range users {
		models[u] = &model{rows: map[modelKey]modelRow{}}
	}
	for range 1500 {
		u := users[r.IntN(2)]
		as := w.as(idOf(u))
		as.seq = w.seq
		models[u].step(t, as, r)
		w.seq = as.seq
	}
}

func (m *model) step(t *testing.T, w *world, r *rand.Rand) {
	t.Helper()
	f := randomFilter(r)
	switch r.IntN(8) {
	case 0, 1:
		m.insert(t, w, r)
	case 6, 7:
		m.upsert(t, w, r)
	case 2:
		body := fmt.Sprintf("b%d", r.IntN(100))
		n := w.run("UPDATE messages SET body = ? WHERE "+f.sql, body).Affected
		for k, row := range m.rows {
			if f.keep(k, row) {
				row.body = body
				m.rows[k] = row
				n--
			}
		}
		if n != 0 {
			t.Fatalf("UPDATE WHERE %s: affected %d rows too many", f.sql, n)
		}
	case 3:
		if r.IntN(3) > 0 {
			m.move(t, w, f, 1+r.IntN(2))
			return
		}
		n := w.run("DELETE FROM messages WHERE " + f.sql).Affected
		before := len(m.rows)
		maps.DeleteFunc(m.rows, f.keep)
		if int(n) != before-len(m.rows) {
			t.Fatalf("DELETE WHERE %s: affected %d rows, want %d", f.sql, n, before-len(m.rows))
		}
	default:
		m.query(t, w, f, r)
	}
}

func (m *model) insert(t *testing.T, w *world, r *rand.Rand) {
	t.Helper()
	rows := map[modelKey]modelRow{}
	var values []string
	clash := false
	for range 1 + r.IntN(3) {
		k := modelKey{r.IntN(4), r.IntN(12)}
		_, twice := rows[k]
		_, there := m.rows[k]
		clash = clash || twice || there
		row := modelRow{fmt.Sprintf("u%d", r.IntN(3)), "new"}
		rows[k] = row
		values = append(values, fmt.Sprintf("(%d, %d, '%s', '%s')", k.conversation, k.id, row.author, row.body))
	}
	sql := "INSERT INTO messages VALUES " + strings.Join(values, ", ")
	_, err := w.try(sql)
	if clash != fault.Is(err, fault.DuplicateKey) || !clash && err != nil {
		t.Fatalf("%s: clash %v, got %v", sql, clash, err)
	}
	if !clash {
		maps.Copy(m.rows, rows)
	}
}

// move changes a part of the key.
func (m *model) move(t *testing.T, w *world, f filter, by int) {
	t.Helper()
	next := map[modelKey]modelRow{}
	clash := false
	for k, row := range m.rows {
		if f.keep(k, row) {
			k.id += by
		}
		_, twice := next[k]
		clash = clash || twice
		next[k] = row
	}
	_, err := w.try("UPDATE messages SET id = id + ? WHERE "+f.sql, by)
	if clash != fault.Is(err, fault.DuplicateKey) || !clash && err != nil {
		t.Fatalf("move WHERE %s: clash %v, got %v", f.sql, clash, err)
	}
	if !clash {
		m.rows = next
	}
}

func (m *model) query(t *testing.T, w *world, f filter, r *rand.Rand) {
	t.Helper()
	sql := "SELECT * FROM messages WHERE " + f.sql
	limit, reverse := 1000, false
	if r.IntN(2) == 0 {
		reverse = r.IntN(2) == 0
		sql += " ORDER BY conversation_id, id"
		if reverse {
			sql = strings.TrimSuffix(sql, "conversation_id, id") + "conversation_id DESC, id DESC"
		}
		if r.IntN(2) == 0 {
			limit = 1 + r.IntN(5)
			sql += fmt.Sprintf(" LIMIT %d", limit)
		}
	}
	if got, want := show(w.run(sql).rows), m.show(f.keep, reverse, limit); got != want {
		t.Fatalf("%s\n got %s\nwant %s", sql, got, want)
	}
}
