package dialect

// Kind is the kind of a statement. One table below says everything about each:
// the parser, messages, metrics, rights and documentation read it.
type Kind uint8

// The kinds of statements.
const (
	Select Kind = iota + 1
	Insert
	Update
	Delete
	Replace
	Explain
	CreateNamespace
	AlterNamespace
	DropNamespace
	ShowNamespaces
	UseNamespace
	CreateUserTable
	CreateSharedTable
	CreateStreamTable
	AlterTable
	TruncateTable
	DropTable
	CreateIndex
	DropIndex
	ShowIndexes
	ShowTables
	DescribeTable
	ShowCreateTable
	CreateUser
	AlterUser
	DropUser
	RestoreUser
	ShowUsers
	ShowSettings
	ClearCache
	ShowLiveQueries
	KillLiveQuery
	TraceDelivery
	ShowStreams
	Subscribe
	CreateStorage
	AlterStorage
	DropStorage
	ShowStorages
	CheckStorage
	FlushTable
	FlushAll
	CompactTable
	ShowManifest
	ShowStats
	CheckTable
	ShowJobs
	KillJob
	WaitForJob
	Begin
	Commit
	Rollback
	ShowCluster
	ClusterJoin
	ClusterLeave
	ClusterReplace
	ClusterTransfer
	ClusterRebalance
	SetStaleness
	kindEnd
)

// Class groups kinds by how they are executed.
type Class uint8

// The classes of statements.
const (
	Read        Class = iota + 1 // reads tables
	Write                        // changes rows: a write set for the commit path
	Schema                       // changes the catalogue
	Account                      // changes users
	Session                      // changes or tells the session's own state
	Transaction                  // begins or ends a transaction
	Work                         // starts or ends work in the background
)

// KindInfo is a row of the table of statements.
type KindInfo struct {
	Kind    Kind
	Text    string // "CREATE USER TABLE"
	Area    string // "table"
	Form    string // its syntax, for the documentation
	Example string // one statement of this kind, which parses
	Who     string // who may run it, in words
	Class   Class
}

// Areas of the table of statements.
const (
	areaQuery     = "query"
	areaNamespace = "namespace"
	areaTable     = "table"
	areaUser      = "user"
	areaLive      = "live"
	areaTier      = "tiers"
	areaJob       = "jobs"
	areaStorage   = "storage"
	areaTx        = "transaction"
	areaCluster   = "cluster"
	areaOther     = "other"
)

// Who may run a statement, in the words of the documentation.
const (
	whoAll      = "all"
	whoDBA      = "dba"
	whoReaders  = "who may read the tables"
	whoWriters  = "who may write the table"
	whoCreators = "dba; service for USER and STREAM tables"
	whoMakers   = "dba, service"
	whoSelf     = "dba; own password"
	whoOwn      = "own; dba all"
	whoJobs     = "own; service and dba all"
)

// What ends the statements that change rows.
const returning = " [RETURNING * | value [AS name], ...]"

// The column definitions that the forms of CREATE TABLE share.
const (
	tableBody = " TABLE [IF NOT EXISTS] [ns.]t (column type [NOT NULL] " +
		"[DEFAULT literal | function()] [PRIMARY KEY] [UNIQUE] [AUTO_INCREMENT] " +
		"[CHECK (condition)] [COMMENT 's'], ... [, PRIMARY KEY (column, ...)] " +
		"[, [UNIQUE] INDEX [i] (column, ...)] [, [CONSTRAINT name] CHECK (condition)]) "
)

// The options of the cold tier; FLUSH ROWS n INTERVAL 's' and STORAGE 'id' may
// also stand outside of WITH.
const tierOptions = "STORAGE = 'id', FLUSH_POLICY = 'rows:n,interval:s' | 'none' | 'default', " +
	"DELETED_RETENTION = 's', "

var kinds = [kindEnd]KindInfo{
	Select: {Area: areaQuery, Text: "SELECT", Who: whoReaders, Class: Read,
		Form:    "[WITH ...] SELECT ... FROM ... [WHERE ...] [GROUP BY ...] [ORDER BY ...] [LIMIT n]",
		Example: "SELECT id, content FROM chat.messages WHERE id = 1"},
	Insert: {Area: areaQuery, Text: "INSERT", Who: whoWriters, Class: Write,
		Form: "INSERT INTO t [(column, ...)] VALUES (value, ...), ... [AS new] | SELECT ... " +
			"[ON DUPLICATE KEY UPDATE column = value, ...] " +
			"[ON CONFLICT [(key column, ...) | ON CONSTRAINT index] " +
			"DO NOTHING | DO UPDATE SET column = value, ... [WHERE ...]]" +
			returning,
		Example: "INSERT INTO chat.messages (id, content) VALUES (1, 'hello')"},
	Update: {Area: areaQuery, Text: "UPDATE", Who: whoWriters, Class: Write,
		Form: "UPDATE t SET column = value, ... [WHERE ...] [ORDER BY ...] [LIMIT n]" + returning +
			" | UPDATE t JOIN u ON ... SET t.column = value, ... [WHERE ...]" + returning,
		Example: "UPDATE chat.messages SET content = 'bye' WHERE id = 1"},
	Delete: {Area: areaQuery, Text: "DELETE", Who: whoWriters, Class: Write,
		Form: "DELETE FROM t [WHERE ...] [ORDER BY ...] [LIMIT n]" + returning +
			" | DELETE t FROM t JOIN u ON ... [WHERE ...]" + returning,
		Example: "DELETE FROM chat.messages WHERE id = 1"},
	Replace: {Area: areaQuery, Text: "REPLACE", Who: whoWriters, Class: Write,
		Form:    "REPLACE INTO t [(column, ...)] VALUES (value, ...), ... | SELECT ..." + returning,
		Example: "REPLACE INTO chat.messages (id, content) VALUES (1, 'hello')"},
	Explain: {Area: areaQuery, Text: "EXPLAIN", Who: whoReaders, Class: Read,
		Form:    "EXPLAIN [ANALYZE | LIVE] SELECT ...",
		Example: "EXPLAIN SELECT * FROM chat.messages WHERE id > 1"},

	CreateNamespace: {Area: areaNamespace, Text: "CREATE NAMESPACE", Who: whoDBA, Class: Schema,
		Form:    "CREATE NAMESPACE [IF NOT EXISTS] n [WITH (k = 'v', ...)]",
		Example: "CREATE NAMESPACE IF NOT EXISTS chat WITH (team = 'web')"},
	AlterNamespace: {Area: areaNamespace, Text: "ALTER NAMESPACE", Who: whoDBA, Class: Schema,
		Form:    "ALTER NAMESPACE n SET (k = 'v', ...)",
		Example: "ALTER NAMESPACE chat SET (team = 'mobile')"},
	DropNamespace: {Area: areaNamespace, Text: "DROP NAMESPACE", Who: whoDBA, Class: Schema,
		Form:    "DROP NAMESPACE [IF EXISTS] n [RESTRICT | CASCADE]",
		Example: "DROP NAMESPACE IF EXISTS chat CASCADE"},
	ShowNamespaces: {Area: areaNamespace, Text: "SHOW NAMESPACES", Who: whoAll, Class: Session,
		Form: "SHOW NAMESPACES", Example: "SHOW NAMESPACES"},
	UseNamespace: {Area: areaNamespace, Text: "USE", Who: whoAll, Class: Session,
		Form: "USE n", Example: "USE chat"},

	CreateUserTable: {Area: areaTable, Text: "CREATE USER TABLE", Who: whoMakers, Class: Schema,
		Form: "CREATE [USER]" + tableBody + "[WITH (" + tierOptions +
			"USE_USER_STORAGE = true, CODEC = 'row', COMMENT = 's')]",
		Example: "CREATE USER TABLE chat.messages (id BIGINT AUTO_INCREMENT PRIMARY KEY, content TEXT)"},
	CreateSharedTable: {Area: areaTable, Text: "CREATE SHARED TABLE", Who: whoDBA, Class: Schema,
		Form: "CREATE SHARED" + tableBody +
			"[WITH (ACCESS = 'public' | 'private' | 'restricted', " + tierOptions +
			"CODEC = 'row', COMMENT = 's')]",
		Example: "CREATE SHARED TABLE chat.rooms (id INT PRIMARY KEY, name TEXT) " +
			"WITH (ACCESS = 'public')"},
	CreateStreamTable: {Area: areaTable, Text: "CREATE STREAM TABLE", Who: whoMakers,
		Class: Schema,
		Form: "CREATE STREAM" + tableBody + "WITH (TTL = '10s' | TTL_SECONDS = n " +
			"[, SCOPE = 'user' | 'namespace'] [, CODEC = 'row', COMMENT = 's'])",
		Example: "CREATE STREAM TABLE chat.typing (room INT, who TEXT, PRIMARY KEY (room, who)) " +
			"WITH (TTL = '10s')"},
	AlterTable: {Area: areaTable, Text: "ALTER TABLE", Who: whoCreators, Class: Schema,
		Form: "ALTER [USER | SHARED | STREAM] TABLE [IF EXISTS] [ns.]t action, ... where an action is " +
			"ADD [COLUMN] [IF NOT EXISTS] column type [NOT NULL] [DEFAULT literal | function()] " +
			"[COMMENT 's'] | DROP [COLUMN] [IF EXISTS] column | RENAME [COLUMN] a TO b | " +
			"MODIFY [COLUMN] column type [NOT NULL] [DEFAULT ...] [COMMENT 's'] (wider types only) | " +
			"ALTER [COLUMN] column SET DEFAULT literal | function() | " +
			"ALTER [COLUMN] column DROP DEFAULT | DROP INDEX [IF EXISTS] i | " +
			"SET (ACCESS = 'public', " + tierOptions +
			"USE_USER_STORAGE = true, CODEC = 'row', COMMENT = 's'); " +
			"or only ADD [UNIQUE] INDEX [i] (column, ...), ...",
		Example: "ALTER TABLE chat.messages ADD COLUMN edited BOOLEAN NOT NULL DEFAULT FALSE"},
	TruncateTable: {Area: areaTable, Text: "TRUNCATE TABLE", Who: whoDBA, Class: Schema,
		Form:    "TRUNCATE [TABLE] [ns.]t",
		Example: "TRUNCATE TABLE chat.messages"},
	DropTable: {Area: areaTable, Text: "DROP TABLE", Who: whoCreators, Class: Schema,
		Form:    "DROP [USER | SHARED | STREAM] TABLE [IF EXISTS] [ns.]t",
		Example: "DROP TABLE IF EXISTS chat.messages"},
	CreateIndex: {Area: areaTable, Text: "CREATE INDEX", Who: whoCreators, Class: Schema,
		Form:    "CREATE [UNIQUE] INDEX [IF NOT EXISTS] i ON [ns.]t (column, ...)",
		Example: "CREATE INDEX by_sender ON chat.messages (sender, id)"},
	DropIndex: {Area: areaTable, Text: "DROP INDEX", Who: whoCreators, Class: Schema,
		Form:    "DROP INDEX [IF EXISTS] i ON [ns.]t",
		Example: "DROP INDEX IF EXISTS by_sender ON chat.messages"},
	ShowIndexes: {Area: areaTable, Text: "SHOW INDEX", Who: whoReaders, Class: Session,
		Form: "SHOW INDEX | INDEXES | KEYS FROM [ns.]t", Example: "SHOW INDEX FROM chat.messages"},
	ShowTables: {Area: areaTable, Text: "SHOW TABLES", Who: whoAll, Class: Session,
		Form: "SHOW TABLES [IN ns]", Example: "SHOW TABLES IN chat"},
	DescribeTable: {Area: areaTable, Text: "DESCRIBE", Who: whoReaders, Class: Session,
		Form: "DESCRIBE [ns.]t [HISTORY]", Example: "DESCRIBE chat.messages"},
	ShowCreateTable: {Area: areaTable, Text: "SHOW CREATE TABLE", Who: whoReaders, Class: Session,
		Form: "SHOW CREATE TABLE [ns.]t", Example: "SHOW CREATE TABLE chat.messages"},

	CreateUser: {Area: areaUser, Text: "CREATE USER", Who: whoDBA, Class: Account,
		Form: "CREATE USER [IF NOT EXISTS] 'id' [WITH] PASSWORD 'p' " +
			"ROLE user | service | dba [EMAIL 'e']",
		Example: "CREATE USER 'alice' WITH PASSWORD 'secret' ROLE user EMAIL 'alice@example.com'"},
	AlterUser: {Area: areaUser, Text: "ALTER USER", Who: whoSelf, Class: Account,
		Form:    "ALTER USER 'id' SET PASSWORD 'p' | ROLE r | EMAIL 'e' | STORAGE 'id' | NULL",
		Example: "ALTER USER 'alice' SET ROLE service"},
	DropUser: {Area: areaUser, Text: "DROP USER", Who: whoDBA, Class: Account,
		Form: "DROP USER [IF EXISTS] 'id'", Example: "DROP USER IF EXISTS 'alice'"},
	RestoreUser: {Area: areaUser, Text: "RESTORE USER", Who: whoDBA, Class: Account,
		Form: "RESTORE USER 'id'", Example: "RESTORE USER 'alice'"},
	ShowUsers: {Area: areaUser, Text: "SHOW USERS", Who: whoDBA, Class: Session,
		Form: "SHOW USERS", Example: "SHOW USERS"},

	ShowSettings: {Area: areaOther, Text: "SHOW SETTINGS", Who: whoDBA, Class: Session,
		Form: "SHOW SETTINGS", Example: "SHOW SETTINGS"},
	ClearCache: {Area: areaOther, Text: "CLEAR CACHE", Who: whoDBA, Class: Session,
		Form: "CLEAR CACHE", Example: "CLEAR CACHE"},
	ShowLiveQueries: {Area: areaLive, Text: "SHOW LIVE QUERIES", Who: whoOwn, Class: Session,
		Form: "SHOW LIVE QUERIES", Example: "SHOW LIVE QUERIES"},
	KillLiveQuery: {Area: areaLive, Text: "KILL LIVE QUERY", Who: whoOwn, Class: Session,
		Form: "KILL LIVE QUERY 'id'", Example: "KILL LIVE QUERY 'live-7'"},
	TraceDelivery: {Area: areaLive, Text: "TRACE DELIVERY", Who: whoOwn, Class: Session,
		Form:    "TRACE DELIVERY 'live id' FOR key | (key, ...)",
		Example: "TRACE DELIVERY 'live-7' FOR (42, 'a')"},
	ShowStreams: {Area: areaLive, Text: "SHOW STREAMS", Who: whoAll, Class: Session,
		Form: "SHOW STREAMS", Example: "SHOW STREAMS"},
	Subscribe: {Area: areaLive, Text: "SUBSCRIBE", Who: whoOwn, Class: Session,
		Form: "SUBSCRIBE TO [ns.]t | SELECT ... " +
			"[OPTIONS (last_rows = n, from = seq, batch_size = n, " +
			"policy = 'replay' | 'conflate' | 'disconnect')]",
		Example: "SUBSCRIBE TO chat.messages OPTIONS (last_rows = 50)"},

	CreateStorage: {Area: areaStorage, Text: "CREATE STORAGE", Who: whoDBA, Class: Schema,
		Form: "CREATE STORAGE [IF NOT EXISTS] id TYPE filesystem | s3 | gcs | azure WITH (uri = 's' " +
			"[, shared_tables_template = 's'] [, user_tables_template = 's'] [, credentials = '{json}'])",
		Example: "CREATE STORAGE archive TYPE s3 WITH (uri = 's3://bucket/prefix?region=eu-west-1')"},
	AlterStorage: {Area: areaStorage, Text: "ALTER STORAGE", Who: whoDBA, Class: Schema,
		Form: "ALTER STORAGE id SET (uri = 's' | shared_tables_template = 's' | " +
			"user_tables_template = 's' | credentials = '{json}', ...)",
		Example: "ALTER STORAGE archive SET (uri = 's3://bucket/other')"},
	DropStorage: {Area: areaStorage, Text: "DROP STORAGE", Who: whoDBA, Class: Schema,
		Form: "DROP STORAGE [IF EXISTS] id", Example: "DROP STORAGE archive"},
	ShowStorages: {Area: areaStorage, Text: "SHOW STORAGES", Who: whoDBA, Class: Session,
		Form: "SHOW STORAGES", Example: "SHOW STORAGES"},
	CheckStorage: {Area: areaStorage, Text: "CHECK STORAGE", Who: whoDBA, Class: Session,
		Form: "CHECK STORAGE id", Example: "CHECK STORAGE local"},

	FlushTable: {Area: areaTier, Text: "FLUSH TABLE", Who: whoMakers, Class: Work,
		Form:    "[STORAGE] FLUSH TABLE [ns.]t [FOR USER 'id']",
		Example: "FLUSH TABLE chat.messages"},
	FlushAll: {Area: areaTier, Text: "FLUSH ALL", Who: whoMakers, Class: Work,
		Form: "[STORAGE] FLUSH ALL [IN ns]", Example: "FLUSH ALL IN chat"},
	CompactTable: {Area: areaTier, Text: "COMPACT TABLE", Who: whoMakers, Class: Work,
		Form: "[STORAGE] COMPACT TABLE [ns.]t", Example: "COMPACT TABLE chat.messages"},
	ShowManifest: {Area: areaTier, Text: "SHOW MANIFEST", Who: whoMakers, Class: Session,
		Form: "SHOW MANIFEST FOR [ns.]t", Example: "SHOW MANIFEST FOR chat.messages"},
	ShowStats: {Area: areaTier, Text: "SHOW STATS", Who: whoMakers, Class: Session,
		Form: "SHOW STATS FOR TABLE [ns.]t", Example: "SHOW STATS FOR TABLE chat.messages"},
	CheckTable: {Area: areaTier, Text: "CHECK TABLE", Who: whoDBA, Class: Session,
		Form: "CHECK TABLE [ns.]t", Example: "CHECK TABLE chat.messages"},
	ShowJobs: {Area: areaJob, Text: "SHOW JOBS", Who: whoJobs, Class: Session,
		Form: "SHOW JOBS", Example: "SHOW JOBS"},
	KillJob: {Area: areaJob, Text: "KILL JOB", Who: whoJobs, Class: Work,
		Form: "KILL JOB 'id'", Example: "KILL JOB '01JDB7Q8W0G5S6T7V8X9Y0Z1A2'"},
	WaitForJob: {Area: areaJob, Text: "WAIT FOR JOB", Who: whoJobs, Class: Session,
		Form:    "WAIT FOR JOB 'id' [TIMEOUT 's']",
		Example: "WAIT FOR JOB '01JDB7Q8W0G5S6T7V8X9Y0Z1A2' TIMEOUT '30s'"},

	Begin: {Area: areaTx, Text: "BEGIN", Who: whoAll, Class: Transaction,
		Form: "BEGIN [WORK] | START TRANSACTION", Example: "BEGIN"},
	Commit: {Area: areaTx, Text: "COMMIT", Who: whoAll, Class: Transaction,
		Form: "COMMIT [WORK]", Example: "COMMIT"},
	Rollback: {Area: areaTx, Text: "ROLLBACK", Who: whoAll, Class: Transaction,
		Form: "ROLLBACK [WORK]", Example: "ROLLBACK"},

	ShowCluster: {Area: areaCluster, Text: "SHOW CLUSTER", Who: whoDBA, Class: Session,
		Form: "SHOW CLUSTER", Example: "SHOW CLUSTER"},
	ClusterJoin: {Area: areaCluster, Text: "CLUSTER JOIN", Who: whoDBA, Class: Schema,
		Form:    "CLUSTER JOIN 'number=host:port[/port]'",
		Example: "CLUSTER JOIN '4=db4.example.com:9000'"},
	ClusterLeave: {Area: areaCluster, Text: "CLUSTER LEAVE", Who: whoDBA, Class: Schema,
		Form: "CLUSTER LEAVE number", Example: "CLUSTER LEAVE 2"},
	ClusterReplace: {Area: areaCluster, Text: "CLUSTER REPLACE", Who: whoDBA, Class: Schema,
		Form:    "CLUSTER REPLACE number WITH 'number=host:port[/port]'",
		Example: "CLUSTER REPLACE 2 WITH '4=db4.example.com:9000'"},
	ClusterTransfer: {Area: areaCluster, Text: "CLUSTER TRANSFER", Who: whoDBA, Class: Schema,
		Form:    "CLUSTER TRANSFER LEADER OF shard TO number",
		Example: "CLUSTER TRANSFER LEADER OF 3 TO 2"},
	ClusterRebalance: {Area: areaCluster, Text: "CLUSTER REBALANCE", Who: whoDBA, Class: Schema,
		Form: "CLUSTER REBALANCE", Example: "CLUSTER REBALANCE"},
	SetStaleness: {Area: areaCluster, Text: "SET READ STALENESS", Who: whoAll, Class: Session,
		Form: "SET READ STALENESS 's' | OFF", Example: "SET READ STALENESS '5s'"},
}

// String returns the statement's name, such as "CREATE USER TABLE".
func (k Kind) String() string {
	if k == 0 || k >= kindEnd {
		return "UNKNOWN"
	}
	return kinds[k].Text
}

// Info returns k's row of the table of statements; the zero row with Text
// "UNKNOWN" for a number that is no kind.
func (k Kind) Info() KindInfo {
	if k == 0 || k >= kindEnd {
		return KindInfo{Kind: k, Text: k.String()}
	}
	info := kinds[k]
	info.Kind = k
	return info
}

// Kinds returns the table of statements, in the order of the kinds. The caller
// may change the slice.
func Kinds() []KindInfo {
	all := make([]KindInfo, 0, kindEnd-1)
	for k := Select; k < kindEnd; k++ {
		all = append(all, k.Info())
	}
	return all
}
