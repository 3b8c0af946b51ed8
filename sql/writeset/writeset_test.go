package writeset_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store/row"
)

func TestSet_WritesOfOneKeyMerge(t *testing.T) {
	table := &ddl.Table{ID: 100}
	type step struct {
		op      row.Op
		payload string
	}
	for _, c := range []struct {
		name   string
		expect clock.Seq // of the first step
		steps  []step
		want   string
	}{
		{"insert, update", 0, []step{{row.Insert, "a"}, {row.Update, "b"}}, "1 b 0"},
		{"insert, delete", 0, []step{{row.Insert, "a"}, {row.Delete, ""}}, ""},
		{"insert, delete, insert", 0, []step{{row.Insert, "a"}, {row.Delete, ""}, {row.Insert, "c"}}, "1 c 0"},
		{"update, update", 7, []step{{row.Update, "a"}, {row.Update, "b"}}, "2 b 7"},
		{"update, delete", 7, []step{{row.Update, "a"}, {row.Delete, "old"}}, "3 old 7"},
		{"delete, insert", 7, []step{{row.Delete, "old"}, {row.Insert, "b"}}, "2 b 7"},
	} {
		var s writeset.Set
		for i, st := range c.steps {
			w := writeset.Write{Table: table, User: "u", Op: st.op, PK: []byte("k"), Payload: []byte(st.payload)}
			if i == 0 {
				w.Expect = c.expect
			}
			s.Add(w)
		}
		s.Add(writeset.Write{Table: table, User: "v", Op: row.Insert, PK: []byte("k")})
		got := ""
		for _, w := range s.Writes() {
			if w.User == "u" {
				got = fmt.Sprintf("%d %s %d", w.Op, w.Payload, w.Expect)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if s.Len() != 2 || s.Lookup(100, "u", []byte("k")) == nil || s.Lookup(100, "w", []byte("k")) != nil {
			t.Errorf("%s: the set holds %d keys", c.name, s.Len())
		}
		if s.Bytes() > 2+len("old") {
			t.Errorf("%s: %d bytes", c.name, s.Bytes())
		}
	}
}

func TestSet_LaterWriteIsOfItsSchemaVersion(t *testing.T) {
	var s writeset.Set
	s.Add(writeset.Write{Table: &ddl.Table{ID: 100, Version: 1}, Op: row.Insert, Payload: []byte("old")})
	s.Add(writeset.Write{Table: &ddl.Table{ID: 100, Version: 2}, Op: row.Update, Payload: []byte("new")})
	if w := s.Writes()[0]; w.Table.Version != 2 || string(w.Payload) != "new" || w.Op != row.Insert {
		t.Errorf("a payload of version 2 is written as version %d: %+v", w.Table.Version, w)
	}
}

func TestSet_FindsEachOfManyKeys(t *testing.T) {
	table := &ddl.Table{ID: 100}
	var s writeset.Set
	for round := range 2 {
		for i := range 40 {
			pk := fmt.Appendf(nil, "k%d", i)
			s.Add(writeset.Write{Table: table, Op: row.Insert, PK: pk, Payload: []byte{byte(round)}})
			for back := range i + 1 {
				w := s.Lookup(100, "", fmt.Appendf(nil, "k%d", back))
				if w == nil || string(w.PK) != fmt.Sprintf("k%d", back) {
					t.Fatalf("with %d keys, key %d is %+v", i+1, back, w)
				}
			}
		}
		if s.Len() != 40 || s.Lookup(100, "", []byte("k40")) != nil {
			t.Fatalf("the set holds %d keys", s.Len())
		}
	}
}
