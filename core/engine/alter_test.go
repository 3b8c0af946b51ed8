package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

func TestEngine_AlterTable(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'one'), (1, 2, 'two')")
	b.run(root, "ALTER TABLE chat.messages ADD COLUMN likes SMALLINT NOT NULL DEFAULT 7, ADD note TEXT")
	b.run(root, "ALTER TABLE chat.messages ALTER likes SET DEFAULT 9")
	b.run(alice, "INSERT INTO chat.messages (conversation, id, content) VALUES (1, 3, 'three')")
	b.want(alice, "1 1 one 7 \n1 2 two 7 \n1 3 three 9 ", "SELECT * FROM chat.messages")
	b.run(alice, "UPDATE chat.messages SET note = 'n' WHERE conversation = 1 AND id = 1")
	b.want(alice, "1 7 n", "SELECT id, likes, note FROM chat.messages WHERE conversation = 1 AND id = 1")

	b.run(root, "ALTER TABLE chat.messages RENAME COLUMN content TO body, MODIFY likes BIGINT DEFAULT 1, "+
		"RENAME COLUMN id TO nr")
	b.want(alice, "1 one 7\n2 two 7\n3 three 9", "SELECT nr, body, likes FROM chat.messages ORDER BY nr")
	b.fails(alice, fault.ColumnNotFound, "SELECT content FROM chat.messages")
	b.run(alice, "UPDATE chat.messages SET likes = NULL WHERE conversation = 1 AND nr = 2")
	b.run(alice, "INSERT INTO chat.messages (conversation, nr, body, likes) VALUES (1, 4, 'x', 5000000000)")
	b.want(alice, "7\n\n9\n5000000000", "SELECT likes FROM chat.messages")

	b.run(root, "ALTER TABLE chat.messages DROP COLUMN likes")
	b.run(root, "ALTER TABLE chat.messages ADD COLUMN likes TEXT DEFAULT 'new'")
	b.want(alice, "1 1 one n new\n1 2 two  new\n1 3 three  new\n1 4 x  new", "SELECT * FROM chat.messages")
	b.run(alice, "DELETE FROM chat.messages WHERE nr < 4")
	b.want(alice, "1 4 x  new", "SELECT * FROM chat.messages")
}

func TestEngine_AlterTableOfFunctions(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'one'), (1, 2, 'two')")
	b.run(root, "ALTER TABLE chat.messages ADD at TIMESTAMP NOT NULL DEFAULT NOW(), "+
		"ADD k BIGINT DEFAULT SNOWFLAKE_ID(), ADD u UUID DEFAULT UUID_V7()")
	first := b.rows(alice, "SELECT DISTINCT at, k, u FROM chat.messages")
	if strings.Count(first, "\n") != 0 || strings.Count(first, " ") != 2 || strings.Contains(first, "  ") {
		t.Fatalf("old rows show %q", first)
	}
	b.want(alice, first, "SELECT DISTINCT at, k, u FROM chat.messages")
	b.run(alice, "INSERT INTO chat.messages (conversation, id, content) VALUES (1, 3, 'three')")
	b.want(alice, "3", "SELECT COUNT(DISTINCT k) + COUNT(DISTINCT u) - 1 FROM chat.messages")
}

func TestEngine_AlterTableRefuses(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(root, "CREATE SHARED TABLE chat.rooms (id INT PRIMARY KEY, name VARCHAR(5))")
	before := b.rows(root, "SHOW CREATE TABLE chat.messages")
	for sql, code := range map[string]fault.Code{
		"ALTER TABLE chat.messages DROP COLUMN id":              fault.Unsupported,
		"ALTER TABLE chat.messages MODIFY content VARCHAR(5)":   fault.Unsupported,
		"ALTER TABLE chat.messages ADD x INT, DROP COLUMN nope": fault.ColumnNotFound,
		"ALTER TABLE chat.messages ADD x INT NOT NULL":          fault.InvalidSQL,
		"ALTER TABLE chat.messages ADD content INT":             fault.AlreadyExists,
		"ALTER TABLE chat.nope ADD x INT":                       fault.TableNotFound,
		"ALTER SHARED TABLE chat.messages ADD x INT":            fault.TableNotFound,
		"TRUNCATE TABLE chat.nope":                              fault.TableNotFound,
	} {
		b.fails(root, code, sql)
	}
	b.want(root, before, "SHOW CREATE TABLE chat.messages")
	b.run(root, "ALTER TABLE IF EXISTS chat.nope ADD x INT")
	b.run(root, "ALTER TABLE chat.messages ADD IF NOT EXISTS content INT")
	b.want(root, before, "SHOW CREATE TABLE chat.messages")

	b.fails(alice, fault.PermissionDenied, "ALTER TABLE chat.messages ADD x INT")
	b.fails(alice, fault.PermissionDenied, "ALTER TABLE chat.rooms ADD x INT")
	b.fails(alice, fault.PermissionDenied, "TRUNCATE TABLE chat.messages")
	b.fails(service, fault.PermissionDenied, "TRUNCATE TABLE chat.messages")
	b.run(service, "ALTER TABLE chat.messages ADD x INT")
	b.fails(service, fault.TableNotFound, "ALTER TABLE chat.rooms ADD x INT")
	b.run(root, "ALTER TABLE chat.rooms SET (ACCESS = 'restricted')")
	b.fails(service, fault.PermissionDenied, "ALTER TABLE chat.rooms ADD x INT")
	b.fails(service, fault.PermissionDenied, "DROP TABLE chat.rooms")
}

func TestEngine_AlterTableOptions(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE SHARED TABLE chat.rooms (id INT PRIMARY KEY, name VARCHAR(5))")
	b.run(root, "INSERT INTO chat.rooms VALUES (1, 'a')")
	b.fails(alice, fault.TableNotFound, "SELECT * FROM chat.rooms")
	b.run(root, "ALTER TABLE chat.rooms SET (ACCESS = 'public', CODEC = 'json', COMMENT = 'all')")
	b.run(root, "INSERT INTO chat.rooms VALUES (2, 'b')")
	b.run(root, "ALTER TABLE chat.rooms SET (CODEC = 'cbor'), MODIFY name TEXT")
	b.run(root, "INSERT INTO chat.rooms VALUES (3, 'a long name')")
	b.want(alice, "1 a\n2 b\n3 a long name", "SELECT * FROM chat.rooms")
	b.want(alice, "public cbor all 3",
		"SELECT access, codec, comment, schema_version FROM system.tables WHERE name = 'rooms'")
}

func TestEngine_SchemaHistory(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(service, "ALTER TABLE chat.messages ADD likes INT DEFAULT 3 COMMENT 'it''s'")
	b.run(root, "ALTER TABLE chat.messages DROP content, RENAME likes TO hearts")
	b.want(root, "1 root 3\n2 app 4\n3 root 3", `SELECT version, changed_by,
		JSON_LENGTH(columns) FROM system.schemas WHERE table_name = 'messages'`)
	history := b.run(alice, "DESCRIBE chat.messages HISTORY").Rows
	if len(history) != 3 || !strings.Contains(history[2][3].Str(), `"hearts"`) {
		t.Errorf("history %v", history)
	}
	shown := b.run(root, "SHOW CREATE TABLE chat.messages").Rows[0][1].Str()
	b.run(root, "DROP TABLE chat.messages")
	b.run(root, shown)
	if again := b.run(root, "SHOW CREATE TABLE chat.messages").Rows[0][1].Str(); again != shown {
		t.Errorf("pasted back:\n%s\nwas:\n%s", again, shown)
	}
	b.want(root, "1", "SELECT version FROM system.schemas WHERE namespace = 'chat'")
}

func TestEngine_TruncateTable(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(root, "ALTER TABLE chat.messages ADD likes INT DEFAULT 3")
	for range 3 {
		b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'x', 1), (1, 2, 'y', 2)")
		b.run(bob, "INSERT INTO chat.messages (conversation, id, content) VALUES (1, 1, 'z')")
		b.run(root, "TRUNCATE TABLE chat.messages")
		b.want(alice, "0", "SELECT COUNT(*) FROM chat.messages")
		b.want(bob, "", "SELECT * FROM chat.messages")
		b.want(root, "0 10", "SELECT SUM(`rows`), COUNT(*) FROM system.partitions WHERE table_name = 'messages'")
	}
	b.want(root, "2", "SELECT COUNT(*) FROM system.schemas WHERE table_name = 'messages'")
	b.run(root, "CREATE SHARED TABLE chat.rooms (id INT PRIMARY KEY)")
	b.run(root, "INSERT INTO chat.rooms VALUES (1)")
	b.run(root, "TRUNCATE chat.rooms")
	b.want(root, "0", "SELECT COUNT(*) FROM chat.rooms")
	b.run(root, "DROP TABLE chat.messages")
	b.run(root, "DROP TABLE chat.rooms")
	b.want(root, "0", "SELECT COUNT(*) FROM system.partitions")
}

func TestEngine_SchemaVersionsSurviveRestart(t *testing.T) {
	b := open(t, t.TempDir(), engine.Options{})
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'one')")
	b.run(root, "ALTER TABLE chat.messages ADD likes SMALLINT DEFAULT 7")
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 2, 'two', 8)")
	b.run(root, "ALTER TABLE chat.messages MODIFY likes INT, DROP content")
	b.close()
	b.open()
	b.want(alice, "1 1 7\n1 2 8", "SELECT * FROM chat.messages")
	b.run(root, "ALTER TABLE chat.messages ADD content TEXT")
	b.want(alice, "1 1 7 \n1 2 8 ", "SELECT * FROM chat.messages")
	b.run(root, "TRUNCATE TABLE chat.messages")
	b.close()
	b.open()
	b.want(alice, "", "SELECT * FROM chat.messages")
}
