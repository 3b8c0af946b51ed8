package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

func TestCompileLive_Kinds(t *testing.T) {
	w := newWorld(t)
	for _, x := range []struct {
		kind predicate.Kind
		key  string // the columns that are marked as the key
		sql  string
	}{
		{predicate.Rows, "conversation_id id", "SELECT * FROM messages WHERE UPPER(author) = 'BOB'"},
		{predicate.WindowRows, "id", "SELECT id FROM messages ORDER BY conversation_id, id LIMIT 5"},
		{predicate.WindowRows, "id", "SELECT id, body AS b FROM messages ORDER BY b DESC LIMIT 5 OFFSET 2"},
		{predicate.WindowRows, "", "SELECT body FROM messages LIMIT 3"},
		{predicate.Reevaluated, "conversation_id id", "SELECT * FROM messages ORDER BY id"},
		{predicate.Aggregates, "author", "SELECT author, COUNT(*), MAX(id) FROM messages m GROUP BY m.author"},
		{predicate.Aggregates, "", "SELECT AVG(id) FROM messages WHERE UPPER(body) = 'X' GROUP BY author"},
		{predicate.Aggregates, "", "SELECT COUNT(author) AS n, SUM(id) FROM messages"},
		{predicate.Reevaluated, "author", "SELECT author, COUNT(*) FROM messages GROUP BY author LIMIT 3"},
		{predicate.Reevaluated, "author", "SELECT author, COUNT(DISTINCT id) FROM messages GROUP BY author"},
		{predicate.Reevaluated, "", "SELECT SUM(id + 1) FROM messages"},
		{predicate.Reevaluated, "", "SELECT COUNT(*) FROM messages WHERE id IN (SELECT 1)"},
		{predicate.Reevaluated, "", "SELECT STD(id) FROM messages"},
		{predicate.Reevaluated, "", "SELECT LENGTH(author) FROM messages GROUP BY LENGTH(author)"},
		{predicate.Reevaluated, "", "SELECT DISTINCT author FROM messages"},
		{predicate.Reevaluated, "", "SELECT MAX(id) FROM messages HAVING MAX(id) > 3"},
		{predicate.Reevaluated, "", "SELECT id FROM messages WHERE id IN (SELECT id FROM messages)"},
		{predicate.Reevaluated, "conversation_id id", "SELECT conversation_id, id FROM messages " +
			"WHERE EXISTS (SELECT 1)"},
		{predicate.Reevaluated, "conversation_id id id", "SELECT m.conversation_id, m.id, r.id " +
			"FROM messages m JOIN rooms r ON r.id = m.conversation_id"},
		{predicate.Reevaluated, "", "SELECT m.id, r.id FROM messages m LEFT JOIN rooms r ON r.id = m.id"},
		{predicate.Reevaluated, "", "SELECT q.id FROM (SELECT * FROM messages) q"},
		{predicate.Reevaluated, "", "WITH q AS (SELECT 1) SELECT body FROM messages"},
		{predicate.Reevaluated, "", "SELECT id FROM messages UNION SELECT conversation_id FROM messages"},
		{predicate.Reevaluated, "conversation_id id",
			"SELECT conversation_id, id, ROW_NUMBER() OVER () FROM messages"},
	} {
		q, owner, err := w.live(x.sql)
		if err != nil {
			t.Errorf("%s: %v", x.sql, err)
			continue
		}
		var key []string
		for _, c := range q.Columns {
			if c.Key {
				key = append(key, c.Name)
			}
		}
		if got := strings.Join(key, " "); q.Kind() != x.kind || got != x.key || owner != "alice" {
			t.Errorf("%s: %s of %q by %q, want %s by %q", x.sql, q.Kind(), owner, got, x.kind, x.key)
		}
		if strings.Contains(q.Text, "alice") || strings.Contains(q.Text, "616c") {
			t.Errorf("the text %q names its owner", q.Text)
		}
	}
}

func TestCompileLive_WhatARerunReads(t *testing.T) {
	w := newWorld(t)
	q, _, err := w.live("SELECT COUNT(*) FROM messages m JOIN rooms USING (id) "+
		"WHERE m.id IN (SELECT id FROM texts) AND m.id > ?", 3)
	if err != nil {
		t.Fatal(err)
	}
	var follows, reads []string
	for _, f := range q.Follows() {
		follows = append(follows, f.FullName())
	}
	for _, f := range q.Rerun.Reads {
		reads = append(reads, f.FullName())
	}
	if got := fmt.Sprint(follows, reads, q.Rerun.Ordered); got != "[chat.messages chat.texts] [chat.rooms] false" {
		t.Errorf("follows and reads %s", got)
	}
	if !strings.Contains(q.Text, "m.id > 3") {
		t.Errorf("the text %q lacks the parameter", q.Text)
	}
}

func TestCompileLive_Window(t *testing.T) {
	w := newWorld(t)
	for sql, want := range map[string]string{
		"ORDER BY conversation_id DESC LIMIT 3":                               "0 3 key reversed",
		"WHERE conversation_id = 1 ORDER BY id DESC LIMIT 3 OFFSET 4":         "4 3 key reversed bounded",
		"WHERE conversation_id = 1 AND id > 7 ORDER BY id LIMIT 3":            "0 3 key bounded",
		"WHERE conversation_id = 1 OR id > 7 ORDER BY id LIMIT 3":             "0 3 sorted",
		"WHERE conversation_id = 1 AND 2 = conversation_id LIMIT 9":           "0 9 key bounded",
		"WHERE author = 'x' ORDER BY body LIMIT 99999999999":                  "0 2147483647 sorted",
		"WHERE conversation_id = 1 ORDER BY conversation_id DESC, id LIMIT 2": "0 2 key bounded",
	} {
		q, _, err := w.live("SELECT id FROM messages " + sql)
		if err != nil || q.Window == nil {
			t.Errorf("%s: %+v, %v", sql, q, err)
			continue
		}
		win := q.Window
		got := fmt.Sprint(win.Offset, " ", win.Limit)
		if win.Order == nil {
			got += " key"
		} else {
			got += " sorted"
		}
		if win.Reverse {
			got += " reversed"
		}
		if q.Lo != nil || q.Hi != nil {
			got += " bounded"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

// The order of a window is that of value.Compare, NULL first, turned around for
// DESC.
func TestCompileLive_WindowOrder(t *testing.T) {
	w := newWorld(t)
	q, _, err := w.live("SELECT id FROM messages ORDER BY author DESC, LENGTH(body) LIMIT 3")
	if err != nil {
		t.Fatal(err)
	}
	row := func(author, body value.Value) string {
		key, err := q.Window.Order(nil, []value.Value{value.NewBigInt(1), value.NewBigInt(2), author, body,
			value.NewBigInt(0), value.NullValue, value.NewBool(false)})
		if err != nil {
			t.Fatal(err)
		}
		return string(key)
	}
	text := value.NewText
	keys := []string{row(text("b"), text("")), row(text("ab"), text("z")), row(text("a"), value.NullValue),
		row(text("a"), text("xx")), row(text("a"), text("aaa")), row(value.NullValue, text("a"))}
	for i := 1; i < len(keys); i++ {
		if keys[i-1] >= keys[i] {
			t.Errorf("key %d is not before key %d", i-1, i)
		}
	}
}
