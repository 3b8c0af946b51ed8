package ddl_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
)

func origin() ddl.Origin {
	return ddl.Origin{Now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC), By: "carol",
		Eval: func(f ddl.Func) (value.Value, error) {
			if f == ddl.FuncNow {
				return value.NewTimestamp(time.Date(2026, 5, 6, 7, 8, 9, 1000, time.UTC)), nil
			}
			return value.NewBigInt(77), nil
		}}
}

// notes is a table with a column of every kind that can be widened.
func notes() *ddl.Table {
	t := &ddl.Table{ID: 100, Namespace: "chat", Name: "notes", Kind: ddl.UserTable,
		State: ddl.Ready, Version: 1, Codec: serde.Row, PrimaryKey: []int{1}, CreatedBy: "root"}
	for i, c := range []ddl.Column{
		{Name: "a", Type: ddl.Type{Kind: value.Int16}, NotNull: true},
		{Name: "id", Type: ddl.Type{Kind: value.Int64}, NotNull: true},
		{Name: "u", Type: ddl.Type{Kind: value.Uint32}},
		{Name: "f", Type: ddl.Type{Kind: value.Float32}},
		{Name: "d", Type: ddl.Type{Kind: value.Decimal, Precision: 5, Scale: 2}},
		{Name: "s", Type: ddl.Type{Kind: value.Text, Length: 10}},
	} {
		c.ID = ident.ColumnID(i + 1)
		t.Columns = append(t.Columns, c)
	}
	return t
}

func enum(labels ...string) ddl.Type { return ddl.Type{Kind: value.Enum, Labels: labels} }

func column(name string, kind value.Kind) ddl.Column {
	return ddl.Column{Name: name, Type: ddl.Type{Kind: kind}}
}

func TestAlter_ColumnsHaveIDsOfTheirOwn(t *testing.T) {
	old := notes()
	before := notes()
	add := &ddl.AddColumn{Column: column("x", value.Text)}
	one, err := ddl.Alter(old, []ddl.Action{add, &ddl.DropColumn{Name: "a"}}, origin())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(old, before) {
		t.Error("the old definition was changed")
	}
	two, err := ddl.Alter(one, []ddl.Action{&ddl.DropColumn{Name: "x"}, add}, origin())
	if err != nil {
		t.Fatal(err)
	}
	if one.Columns[5].ID != 7 || two.Columns[5].ID != 8 || two.Columns[5].Name != "x" {
		t.Errorf("ids %d, %d", one.Columns[5].ID, two.Columns[5].ID)
	}
	if !reflect.DeepEqual(one.PrimaryKey, []int{0}) || two.Version != 3 || len(two.Past) != 2 {
		t.Errorf("key %v, version %d, %d past", one.PrimaryKey, two.Version, len(two.Past))
	}
	for v, width := range map[ident.SchemaVersion]int{1: 6, 2: 6, 3: 6} {
		if s, ok := two.SchemaOf(v); !ok || s.Version != v || len(s.IDs) != width {
			t.Errorf("schema %d is %+v", v, s)
		}
	}
	if _, ok := two.SchemaOf(4); ok {
		t.Error("a version that never was")
	}
	if v := two.Versions(); v[0].ChangedBy != "root" || v[2].ChangedBy != "carol" {
		t.Errorf("versions %+v", v)
	}
}

func TestAlter_OldRowsShowTheDefault(t *testing.T) {
	bigger := column("c", value.Float64)
	filled := column("c", value.Float32)
	filled.Default, filled.NotNull = &ddl.Default{Text: "0.1"}, true
	now := column("n", value.DateTime)
	now.Default = ddl.FuncDefault(ddl.FuncNow)
	flake := column("k", value.Int64)
	flake.Default = ddl.FuncDefault(ddl.FuncSnowflake)
	got, err := ddl.Alter(notes(), []ddl.Action{
		&ddl.AddColumn{Column: filled}, &ddl.AddColumn{Column: now}, &ddl.AddColumn{Column: flake},
		&ddl.AddColumn{Column: column("z", value.Text)},
		&ddl.SetDefault{Name: "c", Default: &ddl.Default{Text: "9"}},
		&ddl.ModifyColumn{Column: bigger},
	}, origin())
	if err != nil {
		t.Fatal(err)
	}
	first, _ := got.SchemaOf(1)
	r, err := got.Reader(first)
	if err != nil {
		t.Fatal(err)
	}
	vals := make([]value.Value, 6)
	for i, text := range []string{"1", "2", "3", "0.5", "1.25", "s"} {
		if vals[i], err = value.Parse(first.Kinds[i], text); err != nil {
			t.Fatal(err)
		}
	}
	payload, err := first.Encode(vals)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]value.Value, 10)
	if err := r.Read(record(payload), all); err != nil {
		t.Fatal(err)
	}
	var cells []string
	for _, v := range all {
		cells = append(cells, v.Text())
	}
	// A FLOAT that is widened shows what it was rounded to.
	want := "1 2 3 0.5 1.25 s 0.10000000149011612 2026-05-06T07:08:09.000001Z 77 "
	if text := strings.Join(cells, " "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if _, err := notes().Reader(got.Schema()); !fault.Is(err, fault.TransactionConflict) {
		t.Errorf("a newer row with an old definition: %v", err)
	}
}

func TestAlter_WidensOnly(t *testing.T) {
	wide := notes()
	for i, typ := range []ddl.Type{enum("a", "b"), {Kind: value.Embedding, Length: 3}} {
		wide.Columns = append(wide.Columns, ddl.Column{ID: ident.ColumnID(90 + i),
			Name: []string{"e", "v"}[i], Type: typ})
	}
	for _, c := range []struct {
		name string
		to   ddl.Type
		ok   bool
	}{
		{"a", ddl.Type{Kind: value.Int16}, true}, {"a", ddl.Type{Kind: value.Int64}, true},
		{"a", ddl.Type{Kind: value.Int8}, false}, {"a", ddl.Type{Kind: value.Uint32}, false},
		{"a", ddl.Type{Kind: value.Float64}, false}, {"a", ddl.Type{Kind: value.Text}, false},
		{"u", ddl.Type{Kind: value.Uint64}, true}, {"u", ddl.Type{Kind: value.Int64}, false},
		{"f", ddl.Type{Kind: value.Float64}, true}, {"f", ddl.Type{Kind: value.Int64}, false},
		{"d", ddl.Type{Kind: value.Decimal, Precision: 9, Scale: 2}, true},
		{"d", ddl.Type{Kind: value.Decimal, Precision: 4, Scale: 2}, false},
		{"d", ddl.Type{Kind: value.Decimal, Precision: 9, Scale: 3}, false},
		{"s", ddl.Type{Kind: value.Text, Length: 11}, true}, {"s", ddl.Type{Kind: value.Text}, true},
		{"s", ddl.Type{Kind: value.Text, Length: 9}, false}, {"s", ddl.Type{Kind: value.Bytes}, false},
		{"id", ddl.Type{Kind: value.Int64}, false},
		{"e", enum("a", "b"), true}, {"e", enum("a", "b", "c"), true}, {"e", enum("a"), false},
		{"e", enum("b", "a"), false}, {"e", enum("a", "c", "b"), false},
		{"e", ddl.Type{Kind: value.Text}, false},
		{"v", ddl.Type{Kind: value.Embedding, Length: 3}, true},
		{"v", ddl.Type{Kind: value.Embedding, Length: 4}, false},
	} {
		col := ddl.Column{Name: c.name, Type: c.to, Comment: "new"}
		got, err := ddl.Alter(wide, []ddl.Action{&ddl.ModifyColumn{Column: col}}, origin())
		switch {
		case c.ok && err != nil, !c.ok && !fault.Is(err, fault.Unsupported):
			t.Errorf("%s to %s: %v", c.name, c.to.SQL(), err)
		case c.ok:
			is := got.Columns[got.Column(c.name)]
			if !reflect.DeepEqual(is.Type, c.to) || is.Comment != "new" || is.NotNull ||
				is.ID != wide.Columns[wide.Column(c.name)].ID {
				t.Errorf("%s to %s gave %+v", c.name, c.to.SQL(), is)
			}
		}
	}
}

func TestAlter_Refuses(t *testing.T) {
	notNull := column("x", value.Int32)
	notNull.NotNull = true
	notNullU := column("u", value.Uint32)
	notNullU.NotNull = true
	for what, c := range map[string]struct {
		action ddl.Action
		code   fault.Code
	}{
		"a column that is there":       {&ddl.AddColumn{Column: column("u", value.Text)}, fault.AlreadyExists},
		"NOT NULL and no default":      {&ddl.AddColumn{Column: notNull}, fault.InvalidSQL},
		"dropping a key column":        {&ddl.DropColumn{Name: "id"}, fault.Unsupported},
		"dropping what is not there":   {&ddl.DropColumn{Name: "nope"}, fault.ColumnNotFound},
		"a new name that is taken":     {&ddl.RenameColumn{From: "u", To: "a"}, fault.AlreadyExists},
		"renaming what is not there":   {&ddl.RenameColumn{From: "nope", To: "b"}, fault.ColumnNotFound},
		"modifying what is not there":  {&ddl.ModifyColumn{Column: column("nope", value.Text)}, fault.ColumnNotFound},
		"NOT NULL of what may be NULL": {&ddl.ModifyColumn{Column: notNullU}, fault.Unsupported},
		"a default of another type":    {&ddl.SetDefault{Name: "u", Default: &ddl.Default{Text: "x"}}, fault.TypeMismatch},
		"a default out of range":       {&ddl.SetDefault{Name: "u", Default: &ddl.Default{Text: "-1"}}, fault.ValueOutOfRange},
		"DEFAULT NULL of NOT NULL":     {&ddl.SetDefault{Name: "a", Default: &ddl.Default{Null: true}}, fault.InvalidSQL},
		"a function of another type":   {&ddl.SetDefault{Name: "u", Default: ddl.FuncDefault(ddl.FuncNow)}, fault.TypeMismatch},
		"access of a USER table":       {&ddl.SetOptions{Access: ptr(ddl.Public)}, fault.InvalidParameter},
		"a comment without end":        {&ddl.SetOptions{Comment: ptr(strings.Repeat("x", 5000))}, fault.InvalidParameter},
	} {
		_, err := ddl.Alter(notes(), []ddl.Action{&ddl.RenameColumn{From: "s", To: "t"}, c.action}, origin())
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", what, err, c.code)
		}
	}
	_, err := ddl.Alter(notes(), []ddl.Action{&ddl.DropColumn{Name: "idd"}}, origin())
	if err == nil || !strings.Contains(err.Error(), "did you mean id?") {
		t.Errorf("no suggestion: %v", err)
	}
	checked := notes()
	checked.Checks = []ddl.Check{{Name: "c", Expr: "u > 0", Columns: []ident.ColumnID{3}}}
	for _, action := range []ddl.Action{&ddl.DropColumn{Name: "u"}, &ddl.RenameColumn{From: "u", To: "v"}} {
		if _, err := ddl.Alter(checked, []ddl.Action{action}, origin()); !fault.Is(err, fault.Unsupported) {
			t.Errorf("%+v of a column in a CHECK: %v", action, err)
		}
	}
	full := notes()
	full.Past = make([]ddl.Version, ddl.MaxVersions-1)
	if _, err := ddl.Alter(full, nil, origin()); !fault.Is(err, fault.Unsupported) {
		t.Errorf("versions without end: %v", err)
	}
}

func TestAlter_NothingToDo(t *testing.T) {
	tab := notes()
	got, err := ddl.Alter(tab, []ddl.Action{
		&ddl.AddColumn{Column: column("u", value.Text), IfNotExists: true},
		&ddl.DropColumn{Name: "nope", IfExists: true}, &ddl.RenameColumn{From: "u", To: "u"},
	}, origin())
	if err != nil || got != tab {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHistory(t *testing.T) {
	c := column("x", value.Text)
	c.Default, c.Comment = &ddl.Default{Text: "it's"}, "why"
	tab, err := ddl.Alter(notes(), []ddl.Action{&ddl.AddColumn{Column: c}}, origin())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := ddl.History(tab)
	if err != nil || len(rows) != 2 || len(rows[0]) != len(ddl.HistoryHeader()) {
		t.Fatalf("%v, %v", rows, err)
	}
	if got := rows[1][2].Text(); got != "carol" || !rows[0][1].IsNull() {
		t.Errorf("changed by %s, first at %s", got, rows[0][1].Text())
	}
	const want = `{"name":"x","data_type":"TEXT","nullable":true,"default":"'it''s'","comment":"why"}]`
	if got := rows[1][3].Str(); !strings.HasSuffix(got, want) || strings.Contains(rows[0][3].Str(), `"x"`) {
		t.Errorf("columns %s", got)
	}
}

func ptr[T any](v T) *T { return &v }

func record(payload []byte) row.Record {
	return row.Record{Schema: 1, Codec: serde.Row, Payload: payload}
}
