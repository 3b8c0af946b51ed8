package engine_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
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

func TestCompileLive_KeyBounds(t *testing.T) {
	w := newWorld(t)
	key := func(vals ...int64) []byte {
		var k []byte
		for _, v := range vals {
			k = value.AppendKey(k, value.NewBigInt(v))
		}
		return k
	}
	notNull := func(prefix []byte) []byte {
		return row.PrefixEnd(value.AppendKey(prefix, value.NullValue))
	}
	for where, want := range map[string][2][]byte{
		"":                                                  {nil, nil},
		"WHERE id > 5":                                      {nil, nil}, // not the first column
		"WHERE conversation_id > 5":                         {row.PrefixEnd(key(5)), nil},
		"WHERE 5 <= conversation_id":                        {key(5), nil},
		"WHERE conversation_id < 5":                         {notNull(nil), key(5)},
		"WHERE conversation_id BETWEEN 2 AND 5":             {key(2), row.PrefixEnd(key(5))},
		"WHERE conversation_id = 2":                         {key(2), row.PrefixEnd(key(2))},
		"WHERE id = 7 AND conversation_id = 2":              {key(2, 7), row.PrefixEnd(key(2, 7))},
		"WHERE conversation_id = 2 AND id > 7":              {row.PrefixEnd(key(2, 7)), row.PrefixEnd(key(2))},
		"WHERE conversation_id = 2 AND id <= 7":             {notNull(key(2)), row.PrefixEnd(key(2, 7))},
		"WHERE conversation_id > 5 AND id = 1":              {row.PrefixEnd(key(5)), nil},
		"WHERE conversation_id > 5 OR id = 1":               {nil, nil},
		"WHERE NOT conversation_id > 5":                     {nil, nil},
		"WHERE conversation_id > 5.5":                       {nil, nil},
		"WHERE conversation_id > 7 AND 7 > conversation_id": {{}, {}},
		"WHERE conversation_id > 5 AND LENGTH(body) > 2 AND conversation_id > 3": {
			row.PrefixEnd(key(5)), nil},
	} {
		for _, sql := range []string{"SELECT * FROM messages " + where,
			"SELECT COUNT(*) FROM messages " + where,
			"SELECT id FROM messages " + where + " ORDER BY body LIMIT 5"} {
			q, _, err := w.live(sql)
			if err != nil {
				t.Errorf("%s: %v", sql, err)
				continue
			}
			if !reflect.DeepEqual([2][]byte{q.Lo, q.Hi}, want) {
				t.Errorf("%s: %x to %x, want %x to %x", sql, q.Lo, q.Hi, want[0], want[1])
			}
		}
	}
}
