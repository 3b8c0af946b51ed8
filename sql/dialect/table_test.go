package dialect_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

func mustTable(t testing.TB, text string) *ast.CreateTable {
	t.Helper()
	n, ok := mustParse(t, text).Node.(*ast.CreateTable)
	if !ok {
		t.Fatalf("%q is no CREATE TABLE", text)
	}
	return n
}

func TestParse_CreateTable(t *testing.T) {
	st := mustParse(t, `CREATE TABLE IF NOT EXISTS Chat.Messages (
		conversation_id BIGINT(20) UNSIGNED,
		id bigint AUTO_INCREMENT COMMENT 'it''s',
		key VARCHAR(20) DEFAULT 'a''b' NOT NULL,
		price NUMERIC(5, 2) DEFAULT -1.5 NULL,
		seen BOOL COMMENT 'read?' DEFAULT (FALSE),
		at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP,
		PRIMARY KEY (conversation_id, ID)
	) COMMENT = 'talk' WITH (codec = 'JSON')`)
	want := &ast.CreateTable{
		Namespace: "chat", Name: "messages", Kind: ddl.UserTable, IfNotExists: true,
		Columns: []ddl.Column{
			{ID: 1, Name: "conversation_id", Type: ddl.Type{Kind: value.Uint64}, NotNull: true},
			{ID: 2, Name: "id", Type: ddl.Type{Kind: value.Int64}, NotNull: true, Comment: "it's",
				Default: ddl.FuncDefault(ddl.FuncSnowflake)},
			{ID: 3, Name: "key", Type: ddl.Type{Kind: value.Text, Length: 20}, NotNull: true,
				Default: &ddl.Default{Text: "a'b"}},
			{ID: 4, Name: "price", Type: ddl.Type{Kind: value.Decimal, Precision: 5, Scale: 2},
				Default: &ddl.Default{Text: "-1.5"}},
			{ID: 5, Name: "seen", Type: ddl.Type{Kind: value.Bool}, Comment: "read?",
				Default: &ddl.Default{Text: "false"}},
			{ID: 6, Name: "at", Type: ddl.Type{Kind: value.Timestamp},
				Default: ddl.FuncDefault(ddl.FuncNow)},
		},
		PrimaryKey: []int{0, 1}, Codec: serde.JSON, Comment: "talk",
	}
	if st.Kind != dialect.CreateUserTable || !reflect.DeepEqual(st.Node, want) {
		t.Errorf("%v\n got %+v\nwant %+v", st.Kind, st.Node, want)
	}
}

func TestParse_ColumnTypes(t *testing.T) {
	types := map[string]ddl.Type{
		"TINYINT(1)": {Kind: value.Int8}, "INT UNSIGNED": {Kind: value.Uint32},
		"INTEGER SIGNED": {Kind: value.Int32}, "SMALLINT(5) UNSIGNED": {Kind: value.Uint16},
		"DECIMAL": {Kind: value.Decimal, Precision: 10}, "CHAR": {Kind: value.Text, Length: 1},
		"DECIMAL(65)":      {Kind: value.Decimal, Precision: 65},
		"NUMERIC(30,30)":   {Kind: value.Decimal, Precision: 30, Scale: 30},
		"DOUBLE PRECISION": {Kind: value.Float64}, "FLOAT(53)": {Kind: value.Float64},
		"FLOAT(24)": {Kind: value.Float32}, "STRING": {Kind: value.Text},
		"VARBINARY(16)": {Kind: value.Bytes, Length: 16}, "BINARY": {Kind: value.Bytes, Length: 1},
		"datetime(6)": {Kind: value.DateTime}, "uuid": {Kind: value.UUID},
		"EMBEDDING(384)":     {Kind: value.Embedding, Length: 384},
		"vector(3)":          {Kind: value.Embedding, Length: 3},
		`ENUM('a', 'it''s')`: {Kind: value.Enum, Labels: []string{"a", "it's"}},
	}
	for _, k := range value.Kinds() {
		if k.Column && k.Kind != value.Decimal && k.Kind != value.Enum && k.Kind != value.Embedding {
			types[k.SQL] = ddl.Type{Kind: k.Kind}
		}
	}
	for text, want := range types {
		n := mustTable(t, "CREATE TABLE t (id INT PRIMARY KEY, c "+text+" NOT NULL)")
		if got := n.Columns[1].Type; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", text, got, want)
		}
	}
}

func TestParse_TableOptions(t *testing.T) {
	for options, want := range map[string]ast.CreateTable{
		"":                            {Kind: ddl.UserTable, Codec: serde.Row},
		"CODEC 'cbor', COMMENT 'x'":   {Kind: ddl.UserTable, Codec: serde.CBOR, Comment: "x"},
		"WITH (TYPE = 'USER')":        {Kind: ddl.UserTable, Codec: serde.Row},
		"WITH (type = shared)":        {Kind: ddl.SharedTable, Codec: serde.Row, Access: ddl.Private},
		"TYPE 'SHARED' ACCESS=public": {Kind: ddl.SharedTable, Codec: serde.Row, Access: ddl.Public},
		"WITH (ACCESS_LEVEL = 'RESTRICTED', TYPE = 'shared') WITH (CODEC = 'msgpack')": {
			Kind: ddl.SharedTable, Codec: serde.MsgPack, Access: ddl.Restricted},
	} {
		st := mustParse(t, "CREATE TABLE t (id INT PRIMARY KEY) "+options)
		got := st.Node.(*ast.CreateTable)
		if got.Kind != want.Kind || got.Codec != want.Codec || got.Access != want.Access ||
			got.Comment != want.Comment {
			t.Errorf("%q gave %+v", options, got)
		}
		if (st.Kind == dialect.CreateSharedTable) != (want.Kind == ddl.SharedTable) {
			t.Errorf("%q is of kind %v", options, st.Kind)
		}
	}
}

func TestParse_RefusesTables(t *testing.T) {
	for _, c := range []struct {
		columns string // behind CREATE TABLE t
		code    fault.Code
		pos     int // from 1, in columns; 0 is not looked at
		says    string
	}{
		{"", fault.InvalidSQL, 0, "( and the columns"},
		{"()", fault.InvalidSQL, 2, "column"},
		{"(id INT)", fault.InvalidSQL, 0, "no primary key"},
		{"(id INT PRIMARY KEY", fault.InvalidSQL, 1, "not closed"},
		{"(id INT PRIMARY KEY,)", fault.InvalidSQL, 21, "column"},
		{"(id INT PRIMARY KEY) garbage", fault.InvalidParameter, 22, "unknown table option GARBAGE"},
		{"(id INT PRIMARY KEY) 5", fault.InvalidSQL, 22, "an option or the end"},
		{"(id INT PRIMARY KEY, ID INT)", fault.InvalidSQL, 22, "twice"},
		{"(a INT PRIMARY KEY, b INT PRIMARY KEY)", fault.InvalidSQL, 27, "PRIMARY KEY (a, b)"},
		{"(a INT PRIMARY KEY, PRIMARY KEY (a))", fault.InvalidSQL, 21, "two primary keys"},
		{"(a INT, PRIMARY KEY (b))", fault.ColumnNotFound, 22, `"b"`},
		{"(conversation INT, PRIMARY KEY (convresation))", fault.ColumnNotFound, 33,
			"did you mean conversation?"},
		{"(a INT, PRIMARY KEY (a, a))", fault.InvalidSQL, 25, "twice"},
		{"(a INT, PRIMARY KEY (a DESC))", fault.Unsupported, 24, "ascending"},
		{"(a TEXT, PRIMARY KEY (a(10)))", fault.Unsupported, 24, "whole columns"},
		{"(a DOUBLE PRIMARY KEY)", fault.InvalidParameter, 0, "DOUBLE in its primary key"},
		{"(a JSON, PRIMARY KEY (a))", fault.InvalidParameter, 0, "JSON in its primary key"},
		{"(a INT NULL PRIMARY KEY)", fault.InvalidSQL, 2, "can't be NULL"},
		{"(a INT DEFAULT NULL, PRIMARY KEY (a))", fault.InvalidSQL, 2, "DEFAULT NULL"},
		{"(a INT NOT NULL NULL)", fault.InvalidSQL, 2, "keep one"},
		{"(a INT NOT NULL NOT NULL)", fault.InvalidSQL, 17, "twice"},
		{"(a INT DEFAULT 1 DEFAULT 2)", fault.InvalidSQL, 18, "twice"},
		{"(_seq INT PRIMARY KEY)", fault.InvalidParameter, 2, "reserved"},
		{"(`_x` INT PRIMARY KEY)", fault.InvalidParameter, 2, "reserved"},
		{"(\"a b\" INT PRIMARY KEY)", fault.InvalidParameter, 2, "letter"},
		{"(a INTT PRIMARY KEY)", fault.InvalidSQL, 4, "did you mean INT?"},
		{"(a PRIMARY KEY)", fault.InvalidSQL, 4, "no type"},
		{"(a)", fault.InvalidSQL, 3, "a type"},
		{"(a NULL)", fault.InvalidSQL, 4, "no type"},
		{"(a ENUM)", fault.InvalidSQL, 8, "("},
		{"(a ENUM())", fault.InvalidSQL, 9, "label"},
		{"(a ENUM(1))", fault.InvalidSQL, 9, "label"},
		{"(a ENUM('x' 'y'))", fault.InvalidSQL, 13, ","},
		{"(a ENUM('x', 'x'))", fault.InvalidParameter, 4, "twice"},
		{"(a ENUM('x', ''))", fault.InvalidParameter, 4, "1 to 255 characters"},
		{"(a ENUM('x') DEFAULT 'y')", fault.ValueOutOfRange, 22, "its labels are 'x'"},
		{"(a ENUM('x') PRIMARY KEY)", fault.InvalidParameter, 0, "ENUM('x') in its primary key"},
		{"(a EMBEDDING)", fault.InvalidParameter, 4, "EMBEDDING(384)"},
		{"(a EMBEDDING(0))", fault.InvalidParameter, 4, "1 to 8192"},
		{"(a EMBEDDING(8193))", fault.InvalidParameter, 4, "1 to 8192"},
		{"(a EMBEDDING(2, 3))", fault.InvalidParameter, 4, "two numbers"},
		{"(a EMBEDDING(3) DEFAULT '[1, 2]')", fault.ValueOutOfRange, 25, "takes 3 numbers, not 2"},
		{"(a EMBEDDING(3) PRIMARY KEY)", fault.InvalidParameter, 0, "in its primary key"},
		{"(a FILE)", fault.Unsupported, 4, "not supported yet"},
		{"(a LONGTEXT)", fault.Unsupported, 4, "use TEXT"},
		{"(a DECIMAL(66))", fault.InvalidParameter, 4, "1 to 65"},
		{"(a DECIMAL(65, 31))", fault.InvalidParameter, 4, "0 to 30"},
		{"(a DECIMAL(2, 3))", fault.InvalidParameter, 4, "above the precision"},
		{"(a DECIMAL(2, 3, 4))", fault.InvalidSQL, 16, "expected )"},
		{"(a VARCHAR(0))", fault.InvalidParameter, 4, "at least 1"},
		{"(a VARCHAR(99999999))", fault.InvalidParameter, 4, "length"},
		{"(a VARCHAR(99999999999999999999))", fault.InvalidSQL, 12, "whole number"},
		{"(a VARCHAR(x))", fault.InvalidSQL, 12, "whole number"},
		{"(a DOUBLE UNSIGNED)", fault.Unsupported, 11, "UNSIGNED"},
		{"(a TIMESTAMP(3))", fault.Unsupported, 4, "microseconds"},
		{"(a DATE(3))", fault.InvalidParameter, 4, "no length"},
		{"(a FLOAT(7, 2))", fault.InvalidParameter, 4, "two numbers"},
		{"(a INT AUTO_INCREMENT)", fault.Unsupported, 2, "BIGINT"},
		{"(a BIGINT AUTO_INCREMENT DEFAULT 1)", fault.InvalidSQL, 2, "keep one"},
		{"(a TINYINT DEFAULT 300)", fault.ValueOutOfRange, 20, ""},
		{"(a INT UNSIGNED DEFAULT -1)", fault.ValueOutOfRange, 25, ""},
		{"(a INT DEFAULT 'x')", fault.TypeMismatch, 16, ""},
		{"(a DATE DEFAULT '2026-13-01')", "", 17, ""},
		{"(a JSON DEFAULT '{')", fault.TypeMismatch, 17, ""},
		{"(a VARCHAR(2) DEFAULT 'abc')", fault.ValueOutOfRange, 23, "length 3"},
		{"(a DECIMAL(3,1) DEFAULT 100)", fault.ValueOutOfRange, 25, ""},
		{"(a UUID DEFAULT SNOWFLAKE_ID())", fault.TypeMismatch, 2, "SNOWFLAKE_ID()"},
		{"(a VARCHAR(10) DEFAULT ULID())", fault.TypeMismatch, 2, "ULID()"},
		{"(a INT DEFAULT NOW())", fault.TypeMismatch, 2, "NOW()"},
		{"(a TIMESTAMP DEFAULT NOW(7))", fault.InvalidParameter, 26, "0 to 6"},
		{"(a TIMESTAMP DEFAULT NOW)", fault.InvalidSQL, 25, "()"},
		{"(a INT DEFAULT RAND())", fault.Unsupported, 16, "SNOWFLAKE_ID()"},
		{"(a INT DEFAULT 1 + 1)", fault.Unsupported, 18, "expressions"},
		{"(a INT DEFAULT (1 + 1))", fault.Unsupported, 19, "expressions"},
		{"(a INT DEFAULT ?)", fault.Unsupported, 16, "parameters"},
		{"(a INT DEFAULT -'1')", fault.InvalidSQL, 17, "number"},
		{"(a INT UNIQUE UNIQUE)", fault.InvalidSQL, 15, "twice"},
		{"(a INT REFERENCES b (c))", fault.Unsupported, 8, "REFERENCES"},
		{"(a INT, UNIQUE ())", fault.InvalidSQL, 17, "column"},
		{"(a INT, UNIQUE KEY k (b))", fault.ColumnNotFound, 23, "column \"b\""},
		{"(a INT, INDEX i (a DESC))", fault.Unsupported, 20, "both ways"},
		{"(a INT, KEY i (a(10)))", fault.Unsupported, 17, "beginning"},
		{"(a INT, KEY i USING HASH (a))", fault.Unsupported, 21, "HASH"},
		{"(a INT, KEY i ((a + 1)))", fault.Unsupported, 16, "expression"},
		{"(a INT, KEY primary (a))", fault.InvalidParameter, 13, "primary"},
		{"(a INT, KEY `a b` (a))", fault.InvalidParameter, 13, ""},
		{"(a INT PRIMARY KEY, KEY i (a, a))", fault.InvalidSQL, 0, "twice"},
		{"(a INT PRIMARY KEY, KEY i (a), KEY I (a))", fault.InvalidSQL, 0, "index i twice"},
		{"(a INT PRIMARY KEY, j JSON, KEY i (j))", fault.Unsupported, 0, "JSON"},
		{"(a INT, FOREIGN KEY (a) REFERENCES b (c))", fault.Unsupported, 9, "FOREIGN KEY"},
		{"(a INT, CONSTRAINT u UNIQUE (b))", fault.ColumnNotFound, 30, "column \"b\""},
		{"(a TEXT COLLATE utf8mb4_bin)", fault.Unsupported, 9, "COLLATE"},
		{"(a INT GENERATED ALWAYS AS (1))", fault.Unsupported, 8, "GENERATED"},
		{"(a TIMESTAMP ON UPDATE NOW())", fault.Unsupported, 14, "ON"},
		{"AS SELECT 1", fault.Unsupported, 1, "list the columns"},
		{"LIKE u", fault.Unsupported, 1, "list the columns"},
		{"(a INT PRIMARY KEY) ENGINE = InnoDB", fault.InvalidParameter, 21,
			"ACCESS, CODEC, COMMENT, DELETED_RETENTION, FLUSH_POLICY, SCOPE, STORAGE, TTL, TYPE and"},
		{"(a INT PRIMARY KEY) FLUSH 5", fault.InvalidSQL, 27, "ROWS n or INTERVAL"},
		{"(a INT PRIMARY KEY) FLUSH ROWS 0", fault.InvalidParameter, 21, "from 1 to"},
		{"(a INT PRIMARY KEY) FLUSH ROWS 5 ROWS 6", fault.InvalidParameter, 21, "one of the two"},
		{"(a INT PRIMARY KEY) FLUSH ROWS 5 WITH (FLUSH_POLICY = 'none')", fault.InvalidParameter, 40,
			"twice"},
		{"(a INT PRIMARY KEY) FLUSH_POLICY 'often'", fault.InvalidParameter, 21, "one of the two"},
		{"(a INT PRIMARY KEY) FLUSH_POLICY 'interval:99ms'", fault.InvalidParameter, 21, "1 second"},
		{"(a INT PRIMARY KEY) STORAGE '../x'", fault.InvalidParameter, 21, "storage id"},
		{"(a INT PRIMARY KEY) DELETED_RETENTION 'x'", fault.InvalidParameter, 21, "no duration"},
		{"(a INT PRIMARY KEY) DELETED_RETENTION_HOURS 1.5", fault.InvalidParameter, 21, "of hours"},
		{"(a INT PRIMARY KEY) USE_USER_STORAGE = maybe", fault.InvalidParameter, 21, "true or false"},
		{"(a INT PRIMARY KEY) USE_USER_STORAGE = 1 TYPE 'SHARED'", fault.InvalidParameter, 0, "USER"},
		{"(a INT PRIMARY KEY) FLUSH ROWS 5 TYPE 'STREAM' TTL '5s'", fault.InvalidParameter, 0, "hot"},
		{"(a INT PRIMARY KEY) WITH (TTL_SECONDS = 5)", fault.InvalidParameter, 0, "STREAM"},
		{"(a INT PRIMARY KEY) WITH (TTL_SECONDS = '5s')", fault.InvalidParameter, 27, "TTL_SECONDS"},
		{"(a INT PRIMARY KEY) WITH (TTL = 5, TTL_SECONDS = 5)", fault.InvalidParameter, 27, "'10s'"},
		{"(a INT PRIMARY KEY) WITH (TTL = '5s', TTL_SECONDS = 5)", fault.InvalidParameter, 39, "twice"},
		{"(a INT PRIMARY KEY) WITH (SCOPE = 'shard')", fault.InvalidParameter, 27, "namespace"},
		{"(a INT PRIMARY KEY) WITH (TYPE = 'STREAM', TTL = '999ms')", fault.InvalidParameter, 44,
			"1 second"},
		{"(a INT PRIMARY KEY) WITH (TYPE = 'STREAM', TTL = '5s', ACCESS = 'public')",
			fault.InvalidParameter, 0, "SCOPE"},
		{"(a INT PRIMARY KEY) WITH (CODEC = 'x')", fault.InvalidParameter, 27, "msgpack"},
		{"(a INT PRIMARY KEY) WITH (ACCESS = 'x')", fault.InvalidParameter, 27, "restricted"},
		{"(a INT PRIMARY KEY) WITH (ACCESS = 'public')", fault.InvalidParameter, 0, "SHARED"},
		{"(a INT PRIMARY KEY) WITH (ACCESS = 'x', ACCESS_LEVEL = 'y')", fault.InvalidParameter, 0, ""},
		{"(a INT PRIMARY KEY) CODEC 'row' WITH (CODEC = 'row')", fault.InvalidParameter, 39, "twice"},
		{"(a INT PRIMARY KEY) WITH (TYPE = 'STREAM')", fault.InvalidParameter, 0, "needs a TTL"},
		{"(a INT PRIMARY KEY) WITH (TYPE = 'x')", fault.InvalidParameter, 27, "USER, SHARED or STREAM"},
		{"(a INT PRIMARY KEY) COMMENT 'x',", fault.InvalidSQL, 32, "option"},
	} {
		t.Run(c.columns, func(t *testing.T) {
			const head = "CREATE TABLE t "
			_, err := dialect.Parse(head+c.columns, dialect.Limits{})
			e := fault.From(err)
			if e == nil {
				t.Fatal("accepted")
			}
			if c.code != "" && e.Code != c.code || c.pos != 0 && e.Position != c.pos+len(head) ||
				!strings.Contains(e.Message, c.says) {
				t.Errorf("got %s at %d: %s; want %s at %d with %q",
					e.Code, e.Position-len(head), e.Message, c.code, c.pos, c.says)
			}
		})
	}
}

func TestParse_StreamTables(t *testing.T) {
	for text, want := range map[string]ast.CreateTable{
		"CREATE STREAM TABLE t (a INT PRIMARY KEY) WITH (TTL = '10s')": {
			TTL: 10 * time.Second, Scope: ddl.UserScope},
		"CREATE TABLE t (a INT PRIMARY KEY) TYPE 'stream' TTL_SECONDS = 90 SCOPE 'Namespace'": {
			TTL: 90 * time.Second, Scope: ddl.NamespaceScope},
		"CREATE STREAM TABLE t (a INT PRIMARY KEY) WITH (SCOPE = 'user', TTL = '3650D')": {
			TTL: ddl.MaxTTL, Scope: ddl.UserScope},
	} {
		st := mustParse(t, text)
		n := mustTable(t, text)
		if st.Kind != dialect.CreateStreamTable || n.Kind != ddl.StreamTable ||
			n.TTL != want.TTL || n.Scope != want.Scope || n.Table().TTL != n.TTL {
			t.Errorf("%s is %v %+v", text, st.Kind, n)
		}
		again := mustTable(t, ddl.ShowCreate(n.Table()))
		if again.TTL != n.TTL || again.Scope != n.Scope || again.Kind != n.Kind {
			t.Errorf("%s is shown as %s", text, ddl.ShowCreate(n.Table()))
		}
	}
}

func TestParse_TierOptions(t *testing.T) {
	for options, want := range map[string]ast.Tier{
		"": {},
		"STORAGE 'Local' FLUSH ROWS 1000 INTERVAL '5m'": {Storage: "local",
			Flush: ddl.FlushPolicy{Rows: 1000, Interval: 5 * time.Minute}},
		"FLUSH INTERVAL 60, STORAGE_ID = 's3-eu'": {Storage: "s3-eu",
			Flush: ddl.FlushPolicy{Interval: time.Minute}},
		"WITH (FLUSH_POLICY = 'rows:10, interval:60', USE_USER_STORAGE = TRUE)": {UserStorage: true,
			Flush: ddl.FlushPolicy{Rows: 10, Interval: time.Minute}},
		"FLUSH_POLICY 'none' DELETED_RETENTION_HOURS 36": {
			Flush: ddl.FlushPolicy{Never: true}, DeletedRetention: 36 * time.Hour},
		"WITH (FLUSH_POLICY = 'Default', DELETED_RETENTION = '30D')": {
			DeletedRetention: 720 * time.Hour},
		"WITH (DELETED_RETENTION = 90)": {DeletedRetention: 90 * time.Second},
	} {
		n := mustTable(t, "CREATE TABLE t (id INT PRIMARY KEY) "+options)
		if n.Tier != want {
			t.Errorf("%q gave %+v", options, n.Tier)
		}
		shown := ddl.ShowCreate(n.Table())
		if again := mustTable(t, shown); again.Tier != want {
			t.Errorf("%q is shown as %s", options, shown)
		}
	}
}

func TestParse_RefusesContradictingKind(t *testing.T) {
	_, err := dialect.Parse("CREATE SHARED TABLE t (a INT PRIMARY KEY) TYPE 'USER'", dialect.Limits{})
	if !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("got %v", err)
	}
}

func TestParse_BoundsColumns(t *testing.T) {
	table := func(n int) string {
		var b strings.Builder
		b.WriteString("CREATE TABLE t (c0 INT PRIMARY KEY")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, ", c%d INT", i)
		}
		return b.String() + ")"
	}
	if n := mustTable(t, table(ddl.MaxColumns)); len(n.Columns) != ddl.MaxColumns {
		t.Errorf("%d columns", len(n.Columns))
	}
	_, err := dialect.Parse(table(ddl.MaxColumns+1), dialect.Limits{})
	if !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("got %v", err)
	}
}

func TestShowCreate_ParsesBack(t *testing.T) {
	for _, text := range []string{
		"CREATE TABLE t (id INT PRIMARY KEY)",
		"CREATE SHARED TABLE ns.t (`key` TEXT, `order` VARCHAR(9), PRIMARY KEY (`order`, `key`)) " +
			"ACCESS public CODEC cbor COMMENT 'it''s \\\\ \\n \\0 ü'",
		`CREATE USER TABLE ns.t (
			a BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT COMMENT 'x''y',
			b DECIMAL(10, 3) DEFAULT -.5, c BOOLEAN DEFAULT TRUE, d TEXT DEFAULT 'it''s' NOT NULL,
			e JSON DEFAULT '{"a": [1]}', f TIMESTAMP DEFAULT NOW(6), g UUID DEFAULT UUID_V7(),
			h CHAR(26) DEFAULT ULID(), i TEXT DEFAULT CURRENT_USER_ID(), j DATE DEFAULT '2026-01-02',
			k BYTES DEFAULT 'abc', l TIME DEFAULT '01:02:03', m DOUBLE DEFAULT 1e-9,
			n INT DEFAULT NULL, o VARBINARY(4), p SMALLINT UNSIGNED DEFAULT +5, q FLOAT)`,
	} {
		want := mustTable(t, text).Table()
		shown := ddl.ShowCreate(want)
		got := mustTable(t, shown).Table()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v\nwant %+v", shown, got, want)
		}
	}
}
