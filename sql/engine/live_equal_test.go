package engine_test

import (
	"fmt"
	"testing"
)

func TestCompileLive_Equalities(t *testing.T) {
	w := newWorld(t)
	for where, want := range map[string]string{
		"":                              "",
		"WHERE id = 5":                  "id=5;",
		"WHERE 5 = (id)":                "id=5;",
		"WHERE author = 'x' AND id = 5": "id=5;author=x;",
		"WHERE (id > 1 AND (author = 'x' AND id < 7))": "author=x;",
		"WHERE id = 5 OR author = 'x'":                 "",
		"WHERE NOT id = 5":                             "",
		"WHERE id = '5'":                               "",
		"WHERE id = 1.5":                               "",
		"WHERE id = 5 AND id = 6":                      "id=6;",
		"WHERE author = 5":                             "",
		"WHERE author = NULL":                          "",
		"WHERE id <=> 5":                               "",
		"WHERE _seq = 5":                               "",
		"WHERE id = 99999999999999999999":              "",
		"WHERE UPPER(author) = 'X'":                    "",
	} {
		q, _, err := w.live("SELECT * FROM messages " + where)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		got := ""
		for _, e := range q.Equal {
			got += fmt.Sprintf("%s=%s;", q.Table.Columns[e.Column].Name, e.Value.Text())
		}
		if got != want {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
	}
}
