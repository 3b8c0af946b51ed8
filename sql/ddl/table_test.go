package ddl_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// messages returns a valid table that uses every field.
func messages() *ddl.Table {
	return &ddl.Table{
		ID: 7, Namespace: "chat", Name: "messages", Kind: ddl.UserTable, State: ddl.Ready, Version: 3,
		Columns: []ddl.Column{
			{ID: 1, Name: "conversation_id", Type: ddl.Type{Kind: value.Int32}, NotNull: true},
			{ID: 4, Name: "id", Type: ddl.Type{Kind: value.Int64}, NotNull: true,
				Default: ddl.FuncDefault(ddl.FuncSnowflake), Comment: "it's"},
			{ID: 3, Name: "body", Type: ddl.Type{Kind: value.Text, Length: 20},
				Default: &ddl.Default{Text: "a'b"}},
			{ID: 5, Name: "price", Type: ddl.Type{Kind: value.Decimal, Precision: 5, Scale: 2},
				Default: &ddl.Default{Text: "NULL", Null: true}},
		},
		PrimaryKey: []int{0, 1}, Codec: serde.CBOR, Comment: "talk",
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), CreatedBy: "root",
	}
}

func TestShowCreate(t *testing.T) {
	want := "CREATE USER TABLE `chat`.`messages` (\n" +
		"  `conversation_id` INT NOT NULL,\n" +
		"  `id` BIGINT NOT NULL DEFAULT SNOWFLAKE_ID() COMMENT 'it''s',\n" +
		"  `body` VARCHAR(20) DEFAULT 'a''b',\n" +
		"  `price` DECIMAL(5, 2) DEFAULT NULL,\n" +
		"  PRIMARY KEY (`conversation_id`, `id`)\n" +
		") WITH (CODEC = 'cbor', COMMENT = 'talk')"
	if got := ddl.ShowCreate(messages()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDescribe(t *testing.T) {
	text := func(rows [][]value.Value) string {
		var lines []string
		for _, r := range rows {
			if len(r) != len(ddl.DescribeHeader()) {
				t.Errorf("row of %d values", len(r))
			}
			cells := make([]string, len(r))
			for i, v := range r {
				if cells[i] = v.Text(); v.IsNull() {
					cells[i] = "-"
				}
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
		return strings.Join(lines, "\n")
	}
	want := `conversation_id|INT|NO|PRI|-||
id|BIGINT|NO|PRI|SNOWFLAKE_ID()|DEFAULT_GENERATED|it's
body|VARCHAR(20)|YES||a'b||
price|DECIMAL(5, 2)|YES||-||
_seq|BIGINT|NO||-|SYSTEM|
_updated|TIMESTAMP|NO||-|SYSTEM|
_deleted|BOOLEAN|NO||-|SYSTEM|`
	tab := messages()
	if got := text(ddl.Describe(tab)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	tab.Kind = ddl.SystemTable
	if got := len(ddl.Describe(tab)); got != len(tab.Columns) {
		t.Errorf("a system table has %d rows", got)
	}
}

func TestModels_JSONRoundTrip(t *testing.T) {
	gone := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	for _, want := range []any{
		messages(),
		&ddl.Table{Name: "t", Kind: ddl.SharedTable, Access: ddl.Public, Codec: serde.Row},
		&ddl.Namespace{Name: "chat", Options: map[string]string{"a": "b"}, Created: gone,
			CreatedBy: "x"},
		&ddl.User{ID: "auth0|1", Role: ident.RoleDBA, Email: "a@b.c", Secret: "s", Created: gone,
			Deleted: &gone, Epoch: 4},
	} {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := reflect.New(reflect.TypeOf(want).Elem()).Interface()
		if err := json.Unmarshal(data, got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v\nwant %+v", data, got, want)
		}
	}
}

func TestTable_Validate(t *testing.T) {
	if err := messages().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		damage func(*ddl.Table)
		code   fault.Code
	}{
		"bad name":         {func(t *ddl.Table) { t.Name = "a b" }, fault.InvalidParameter},
		"system namespace": {func(t *ddl.Table) { t.Namespace = "system" }, fault.InvalidParameter},
		"unknown kind":     {func(t *ddl.Table) { t.Kind = "VIEW" }, fault.InvalidParameter},
		"system kind":      {func(t *ddl.Table) { t.Kind = ddl.SystemTable }, fault.InvalidParameter},
		"access of a user": {func(t *ddl.Table) { t.Access = ddl.Public }, fault.InvalidParameter},
		"no access":        {func(t *ddl.Table) { t.Kind = ddl.SharedTable }, fault.InvalidParameter},
		"unknown codec":    {func(t *ddl.Table) { t.Codec = 99 }, fault.InvalidParameter},
		"long comment": {func(t *ddl.Table) { t.Comment = strings.Repeat("x", ddl.MaxComment+1) },
			fault.InvalidParameter},
		"no columns":       {func(t *ddl.Table) { t.Columns = nil }, fault.InvalidParameter},
		"no key":           {func(t *ddl.Table) { t.PrimaryKey = nil }, fault.InvalidSQL},
		"key out of range": {func(t *ddl.Table) { t.PrimaryKey = []int{9} }, fault.InvalidParameter},
		"negative key":     {func(t *ddl.Table) { t.PrimaryKey = []int{-1} }, fault.InvalidParameter},
		"key twice":        {func(t *ddl.Table) { t.PrimaryKey = []int{1, 1} }, fault.InvalidParameter},
		"key may be null": {func(t *ddl.Table) { t.Columns[0].NotNull = false },
			fault.InvalidParameter},
		"key of a decimal":  {func(t *ddl.Table) { t.PrimaryKey = []int{3} }, fault.InvalidParameter},
		"column twice":      {func(t *ddl.Table) { t.Columns[0].Name = "body" }, fault.InvalidSQL},
		"id twice":          {func(t *ddl.Table) { t.Columns[0].ID = 3 }, fault.InvalidParameter},
		"no id":             {func(t *ddl.Table) { t.Columns[0].ID = 0 }, fault.InvalidParameter},
		"system column":     {func(t *ddl.Table) { t.Columns[0].Name = "_seq" }, fault.InvalidParameter},
		"upper-case column": {func(t *ddl.Table) { t.Columns[0].Name = "A" }, fault.InvalidParameter},
		"null default":      {func(t *ddl.Table) { t.Columns[3].NotNull = true }, fault.InvalidSQL},
		"long default": {func(t *ddl.Table) { t.Columns[2].Default.Text = strings.Repeat("x", 21) },
			fault.ValueOutOfRange},
		"unknown function": {func(t *ddl.Table) { t.Columns[1].Default.Func = "SLEEP" },
			fault.Unsupported},
		"default of another type": {func(t *ddl.Table) { t.Columns[1].Default.Func = ddl.FuncNow },
			fault.TypeMismatch},
	} {
		tab := messages()
		c.damage(tab)
		if err := tab.Validate(); !fault.Is(err, c.code) {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
}

func TestType_Validate(t *testing.T) {
	for _, typ := range []ddl.Type{
		{}, {Kind: value.Null}, {Kind: 200}, {Kind: value.Int32, Length: 1},
		{Kind: value.Text, Length: -1},
		{Kind: value.Text, Length: ddl.MaxLength + 1}, {Kind: value.Text, Precision: 1},
		{Kind: value.Decimal}, {Kind: value.Decimal, Precision: 66},
		{Kind: value.Decimal, Precision: 1, Scale: 2},
		{Kind: value.Decimal, Precision: 40, Scale: 31}, {Kind: value.Decimal, Precision: 4, Scale: -1},
		{Kind: value.Enum}, {Kind: value.Enum, Labels: make([]string, ddl.MaxLabels+1)},
		enum("a", "a"), enum("a", ""), enum("\xff"), enum(strings.Repeat("ä", ddl.MaxLabelLength+1)),
		{Kind: value.Enum, Labels: []string{"a"}, Length: 1}, {Kind: value.Text, Labels: []string{"a"}},
		{Kind: value.Embedding}, {Kind: value.Embedding, Length: value.MaxEmbedding + 1},
	} {
		if err := typ.Validate(); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("%+v: got %v", typ, err)
		}
	}
	for _, typ := range []ddl.Type{enum("a"), enum(strings.Repeat("ä", ddl.MaxLabelLength)),
		{Kind: value.Embedding, Length: value.MaxEmbedding}} {
		if err := typ.Validate(); err != nil {
			t.Errorf("%s: got %v", typ.SQL(), err)
		}
	}
	if err := (ddl.Type{Kind: value.File}).Validate(); !fault.Is(err, fault.Unsupported) {
		t.Errorf("FILE: got %v", err)
	}
}

func TestType_Fit(t *testing.T) {
	dec := func(s string) value.Value { return value.NewString(value.Decimal, s) }
	short := ddl.Type{Kind: value.Text, Length: 2}
	raw := ddl.Type{Kind: value.Bytes, Length: 2}
	exact := ddl.Type{Kind: value.Decimal, Precision: 4, Scale: 1}
	for _, c := range []struct {
		typ  ddl.Type
		v    value.Value
		want value.Value
		code fault.Code
	}{
		{short, value.NewText("üü"), value.NewText("üü"), ""},
		{short, value.NewText("abc"), value.NullValue, fault.ValueOutOfRange},
		{raw, value.NewString(value.Bytes, "üü"), value.NullValue, fault.ValueOutOfRange},
		{raw, value.NewString(value.Bytes, "ü"), value.NewString(value.Bytes, "ü"), ""},
		{exact, dec("1.25"), dec("1.3"), ""},
		{exact, dec("1"), dec("1.0"), ""},
		{exact, dec("1000"), value.NullValue, fault.ValueOutOfRange},
		{short, value.NullValue, value.NullValue, ""},
		{short, value.NewBool(true), value.NullValue, fault.TypeMismatch},
	} {
		got, err := c.typ.Fit(c.v)
		if fault.CodeOf(err) != c.code || err == nil && got != c.want {
			t.Errorf("%s of %s is %s, %v", c.v.Text(), c.typ.SQL(), got.Text(), err)
		}
	}
}

func TestTable_ShardsAndPartitions(t *testing.T) {
	const shards = 10
	tab := messages()
	if got := tab.Shards(shards); len(got) != shards || got[0] != 1 || got[shards-1] != shards {
		t.Errorf("shards of a user table are %v", got)
	}
	names := make(map[string]bool)
	for _, s := range tab.Shards(shards) {
		names[string(tab.Partition(s))] = true
	}
	if len(names) != shards {
		t.Errorf("%d partitions for %d shards", len(names), shards)
	}
	tab.Kind = ddl.SharedTable
	if got := tab.Shards(shards); len(got) != 1 || got[0] != tab.Shard("anyone", shards) {
		t.Errorf("shards of a shared table are %v", got)
	}
	tab.Kind = ddl.SystemTable
	if got := tab.Shard("anyone", shards); got != ident.SystemShard {
		t.Errorf("a system table is on shard %d", got)
	}
}

func TestTable_Column(t *testing.T) {
	tab := messages()
	if tab.Column("body") != 2 || tab.Column("nothing") != -1 {
		t.Error("columns are not found by name")
	}
	if !tab.IsKey(1) || tab.IsKey(2) || tab.FullName() != "chat.messages" {
		t.Error("key or name is wrong")
	}
	s := tab.Schema()
	if s.Version != 3 || s.Codec != serde.CBOR || s.IDs[1] != 4 || s.Kinds[2] != value.Text {
		t.Errorf("schema is %+v", s)
	}
}
