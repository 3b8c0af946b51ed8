package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// upsertForm is a statement that takes rows whose keys may be there: put says
// what becomes of a row, how many rows it counts, and whether it is returned.
type upsertForm struct {
	verb, tail string
	once       bool // a key that comes twice is an error
	put        func(old modelRow, there bool, brought modelRow, k modelKey) (modelRow, int64, bool)
}

func upsertForms() []upsertForm {
	const onConflict = " ON CONFLICT (conversation_id, id) "
	return []upsertForm{
		{verb: "REPLACE", put: func(_ modelRow, _ bool, r modelRow, _ modelKey) (modelRow, int64, bool) {
			return r, 1, true
		}},
		{verb: "INSERT", tail: " ON CONFLICT DO NOTHING",
			put: func(old modelRow, there bool, r modelRow, _ modelKey) (modelRow, int64, bool) {
				if there {
					return old, 0, false
				}
				return r, 1, true
			}},
		{verb: "INSERT", once: true,
			tail: onConflict + "DO UPDATE SET body = CONCAT(excluded.author, messages.body) WHERE messages.id > 5",
			put: func(old modelRow, there bool, r modelRow, k modelKey) (modelRow, int64, bool) {
				switch {
				case !there:
					return r, 1, true
				case k.id <= 5:
					return old, 0, false
				}
				return modelRow{old.author, clipped(r.author + old.body)}, 1, true
			}},
		{verb: "INSERT", tail: " ON DUPLICATE KEY UPDATE author = VALUES(author), body = " +
			"LEFT(CONCAT(author, body), 20)",
			put: func(old modelRow, there bool, r modelRow, _ modelKey) (modelRow, int64, bool) {
				if !there {
					return r, 1, true
				}
				next := modelRow{r.author, clipped(r.author + old.body)}
				if next == old {
					return old, 0, true
				}
				return next, 2, true
			}},
		{verb: "INSERT", tail: " ON DUPLICATE KEY UPDATE author = VALUES(author)",
			put: func(old modelRow, there bool, r modelRow, _ modelKey) (modelRow, int64, bool) {
				switch {
				case !there:
					return r, 1, true
				case old.author == r.author:
					return old, 0, true
				}
				return modelRow{r.author, old.body}, 2, true
			}},
	}
}

func clipped(s string) string { return s[:min(len(s), 20)] }

func (m *model) upsert(t *testing.T, w *world, r *rand.Rand) {
	t.Helper()
	forms := upsertForms()
	f := forms[r.IntN(len(forms))]
	if f.once {
		f.tail = strings.Replace(f.tail, "CONCAT(excluded.author, messages.body)",
			"LEFT(CONCAT(excluded.author, messages.body), 20)", 1)
	}
	rows := maps.Clone(m.rows)
	seen := map[modelKey]bool{}
	var values, returned []string
	var count int64
	twice := false
	for range 1 + r.IntN(4) {
		k := modelKey{r.IntN(4), r.IntN(12)}
		brought := modelRow{fmt.Sprintf("u%d", r.IntN(3)), fmt.Sprintf("b%d", r.IntN(9))}
		values = append(values, fmt.Sprintf("(%d, %d, '%s', '%s')", k.conversation, k.id,
			brought.author, brought.body))
		twice = twice || seen[k]
		seen[k] = true
		old, there := rows[k]
		next, n, shown := f.put(old, there, brought, k)
		rows[k] = next
		count += n
		if shown {
			returned = append(returned, fmt.Sprintf("%d|%d|%s|%s", k.conversation, k.id, next.author, next.body))
		}
	}
	sql := f.verb + " INTO messages VALUES " + strings.Join(values, ", ") + f.tail + " RETURNING *"
	res, err := w.try(sql)
	if f.once && twice {
		if !fault.Is(err, fault.DuplicateKey) {
			t.Fatalf("%s: a key came twice, got %v", sql, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if got, want := show(res.rows), strings.Join(returned, "; "); got != want || res.Affected != count {
		t.Fatalf("%s\n got %s, %d rows\nwant %s, %d rows", sql, got, res.Affected, want, count)
	}
	m.rows = rows
}
