package catalog

import (
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// SystemTables returns the definitions of the system tables as SELECT and
// DESCRIBE show them, by name. They must not be changed.
func SystemTables() []*ddl.Table { return systemTables }

type columnDef struct {
	name    string
	kind    value.Kind
	comment string
}

var systemTables = []*ddl.Table{
	systemTable(system.AuditLog, "Acts for other users, changes of the schema and of accounts. "+
		"The newest 100,000 rows are shown.", 1,
		columnDef{"id", value.Text, "begins with the time"},
		columnDef{"time", value.Timestamp, "when it happened, the first time of count"},
		columnDef{"actor", value.Text, "who did it"},
		columnDef{"acting_for", value.Text, "the other user that it was done for"},
		columnDef{"kind", value.Text, "kind of the statement"},
		columnDef{"object", value.Text, "table, namespace or user"},
		columnDef{"outcome", value.Text, "success, or the code of the error"},
		columnDef{"count", value.Int64, "how often in the minute; acts for others are counted"},
		columnDef{"request_id", value.Text, "id of the request, when it was one"},
		columnDef{"remote_address", value.Text, "address of the client, when it is known"}),
	systemTable(system.ColumnDefs, "Columns of all tables that the caller may use.", 3,
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"table_name", value.Text, "name of the table"},
		columnDef{"position", value.Int32, "from 1, in the order of SELECT *"},
		columnDef{"name", value.Text, "name of the column"},
		columnDef{"data_type", value.Text, "declared type"},
		columnDef{"nullable", value.Bool, "whether NULL may be stored"},
		columnDef{"default_value", value.Text, "DEFAULT as it was written"},
		columnDef{"key_position", value.Int32, "from 1 in the primary key, NULL outside it"},
		columnDef{"comment", value.Text, "COMMENT of the column"}),
	systemTable(system.DataTypes, "Data types.", 1,
		columnDef{"name", value.Text, "data_type in result schemas"},
		columnDef{"sql_name", value.Text, "name in CREATE TABLE"},
		columnDef{"aliases", value.Text, "further names that CREATE TABLE reads"},
		columnDef{"in_key", value.Bool, "whether it may be part of a primary key"},
		columnDef{"limits", value.Text, "its arguments and range"}),
	systemTable(system.ErrorCodes, "Codes of errors.", 1,
		columnDef{"code", value.Text, "code in answers"},
		columnDef{"http_status", value.Int32, "HTTP status of the answer"},
		columnDef{"close_code", value.Int32, "WebSocket close code when it ends a connection"},
		columnDef{"retryable", value.Bool, "whether the same request may succeed later"},
		columnDef{"description", value.Text, "what it means"}),
	systemTable(system.Indexes, "Indexes of tables that the caller may use, the primary key "+
		"among them.", 3,
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"table_name", value.Text, "name of the table"},
		columnDef{"name", value.Text, "name of the index; PRIMARY for the primary key"},
		columnDef{"is_unique", value.Bool, "whether no two rows of a user, or of a shared table, " +
			"have the same values"},
		columnDef{"columns", value.Text, "columns in the order of the index"},
		columnDef{"state", value.Text, "ready, or building: kept by writes, not yet read"}),
	systemTable(system.Jobs, "Work in the background, ended jobs included while they are kept.", 1,
		columnDef{"job_id", value.Text, "id of the job; ids sort by time"},
		columnDef{"kind", value.Text, "what it does"},
		columnDef{"status", value.Text, "queued, running, retrying, completed, failed, cancelled or " +
			"skipped"},
		columnDef{"progress", value.Int32, "percent of what there is to do"},
		columnDef{"message", value.Text, "what it does or did"},
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"table_name", value.Text, "table that it works on"},
		columnDef{"user_id", value.Text, "who asked for it; system for the server itself"},
		columnDef{"parameters", value.JSON, "what else was asked for"},
		columnDef{"rows", value.Int64, "rows written by the present or last attempt"},
		columnDef{"bytes", value.Int64, "their bytes"},
		columnDef{"attempts", value.Int32, "how often it was begun"},
		columnDef{"error", value.Text, "why the last attempt failed, with its code"},
		columnDef{"created_at", value.Timestamp, "when it was asked for"},
		columnDef{"started_at", value.Timestamp, "when it was begun first"},
		columnDef{"finished_at", value.Timestamp, "when it ended"}),
	systemTable(system.LiveQueries, "Live queries that are open now.", 1,
		columnDef{"id", value.Text, "id of the live query"},
		columnDef{"user_id", value.Text, "who opened it"},
		columnDef{"acting_for", value.Text, "whose rows it follows"},
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"table_name", value.Text, "the followed table"},
		columnDef{"query", value.Text, "what is followed"},
		columnDef{"state", value.Text, "resuming, loading, waiting (for next_batch), replaying " +
			"(reads history) or live"},
		columnDef{"policy", value.Text, "for when it does not keep up: replay, conflate or disconnect"},
		columnDef{"cursor", value.Int64, "seq up to which everything was delivered"},
		columnDef{"lag_ms", value.Int64, "age of the oldest change that waits, or how far it is " +
			"behind in history; 0 when it has everything"},
		columnDef{"queued", value.Int64, "changes waiting to be delivered"},
		columnDef{"queued_bytes", value.Int64, "their bytes; live queries share what is the same"},
		columnDef{"delivered", value.Int64, "changes delivered so far"},
		columnDef{"conflated", value.Int64, "changes that a later one of the same row stood for"},
		columnDef{"connection", value.Text, "address of the client"},
		columnDef{"created_at", value.Timestamp, "when it was opened"}),
	systemTable(system.Manifest, "Segments of cold rows. The first 100,000 are shown.", 3,
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"table_name", value.Text, "name of the table"},
		columnDef{"segment", value.Text, "number of the segment; numbers sort by time"},
		columnDef{"user_id", value.Text, "whose rows it holds; NULL for a shared table"},
		columnDef{"shard", value.Int32, "shard of the rows"},
		columnDef{"status", value.Text, "pending, there or dying"},
		columnDef{"storage", value.Text, "storage that has the file"},
		columnDef{"path", value.Text, "the file in the storage"},
		columnDef{"schema_version", value.Int64, "schema version of its rows"},
		columnDef{"rows", value.Int64, "rows in the file"},
		columnDef{"live_rows", value.Int64, "of these, those that were not changed or deleted since"},
		columnDef{"bytes", value.Int64, "of the file"},
		columnDef{"min_seq", value.Int64, "smallest _seq of its rows"},
		columnDef{"max_seq", value.Int64, "greatest _seq of its rows"},
		columnDef{"checksum", value.Text, "SHA-256 of the file in hex"},
		columnDef{"created_at", value.Timestamp, "when it was begun"},
		columnDef{"dead_since", value.Timestamp, "when the first of its rows was changed or deleted"}),
	systemTable(system.Namespaces, "Namespaces.", 1,
		columnDef{"name", value.Text, "name of the namespace"},
		columnDef{"options", value.JSON, "options given WITH"},
		columnDef{"created_at", value.Timestamp, "when it was created"},
		columnDef{"created_by", value.Text, "who created it"}),
	systemTable(system.Partitions, "Ordered key spaces of tables on shards.", 1,
		columnDef{"name", value.Text, "name of the partition"},
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"table_name", value.Text, "name of the table"},
		columnDef{"shard", value.Int32, "shard of users, from 1"},
		columnDef{"rows", value.Int64, "live rows"},
		columnDef{"bytes", value.Int64, "estimate of bytes on disk"}),
	systemTable(system.Schemas, "Every version of the schemas of tables that the caller may use.", 3,
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"table_name", value.Text, "name of the table"},
		columnDef{"version", value.Int64, "schema version, from 1; rows of every one are read"},
		columnDef{"changed_at", value.Timestamp, "when it came to be"},
		columnDef{"changed_by", value.Text, "who made it"},
		columnDef{"columns", value.JSON, "its columns: name, data_type, nullable, default, comment"}),
	systemTable(system.Settings, "Settings in force.", 1,
		columnDef{"name", value.Text, "section and key"},
		columnDef{"value", value.Text, "value in force; secrets are hidden"},
		columnDef{"default_value", value.Text, "value without configuration"},
		columnDef{"source", value.Text, "default, file or environment"},
		columnDef{"description", value.Text, "what it does"}),
	systemTable(system.Statements, "Statements and their forms.", 1,
		columnDef{"kind", value.Text, "name of the statement"},
		columnDef{"area", value.Text, "group in the documentation"},
		columnDef{"form", value.Text, "syntax"},
		columnDef{"who", value.Text, "who may run it"}),
	systemTable(system.Stats, "Figures of the running server.", 1,
		columnDef{"name", value.Text, "name of the figure"},
		columnDef{"value", value.Int64, "its value now"},
		columnDef{"unit", value.Text, "its unit"}),
	systemTable(system.Storages, "Storages of the cold tier. Credentials are never shown.", 1,
		columnDef{"id", value.Text, "name of the storage"},
		columnDef{"type", value.Text, "filesystem, s3, gcs or azure; memory for local without " +
			"a data directory"},
		columnDef{"uri", value.Text, "where it is"},
		columnDef{"shared_tables_template", value.Text, "folders of SHARED tables"},
		columnDef{"user_tables_template", value.Text, "folders of USER tables"},
		columnDef{"has_credentials", value.Bool, "whether credentials are stored for it"},
		columnDef{"tables", value.Int64, "tables whose rows go there"},
		columnDef{"users", value.Int64, "users whose rows go there"},
		columnDef{"status", value.Text, "ok, failing, or unused since the start"},
		columnDef{"last_error", value.Text, "what fails now"},
		columnDef{"failing_since", value.Timestamp, "since when it fails"},
		columnDef{"created_at", value.Timestamp, "when it was created"},
		columnDef{"created_by", value.Text, "who created it"}),
	systemTable(system.Streams, "Stream tables that the caller may use.", 2,
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"name", value.Text, "name of the table"},
		columnDef{"scope", value.Text, "user or namespace"},
		columnDef{"ttl", value.Text, "how long a row is there after it was written last"},
		columnDef{"rows", value.Int64, "rows of all users that are stored, those that expired " +
			"in the last seconds included; NULL for role user"},
		columnDef{"live_queries", value.Int64, "live queries on it that the caller may see"},
		columnDef{"created_at", value.Timestamp, "when it was created"},
		columnDef{"created_by", value.Text, "who created it"}),
	systemTable(system.Tables, "Tables that the caller may use.", 2,
		columnDef{"namespace", value.Text, "namespace of the table"},
		columnDef{"name", value.Text, "name of the table"},
		columnDef{"kind", value.Text, "USER, SHARED, STREAM or SYSTEM"},
		columnDef{"table_id", value.Int64, "number of the table, never used again"},
		columnDef{"schema_version", value.Int64, "from 1, raised by each change of the schema"},
		columnDef{"primary_key", value.Text, "columns of the primary key"},
		columnDef{"access", value.Text, "access level of a shared table"},
		columnDef{"codec", value.Text, "how rows are encoded"},
		columnDef{"storage", value.Text, "storage of rows that go cold; NULL where all stay hot"},
		columnDef{"use_user_storage", value.Bool, "whether a user's own storage comes first"},
		columnDef{"flush_policy", value.Text, "when rows go cold; default is the configuration's"},
		columnDef{"deleted_retention", value.Text, "how long deleted rows are kept; NULL leaves it " +
			"to the configuration"},
		columnDef{"comment", value.Text, "COMMENT of the table"},
		columnDef{"created_at", value.Timestamp, "when it was created"},
		columnDef{"created_by", value.Text, "who created it"}),
	systemTable(system.Transactions, "Transactions that are open now.", 1,
		columnDef{"id", value.Text, "id of the transaction"},
		columnDef{"user_id", value.Text, "who began it"},
		columnDef{"started_at", value.Timestamp, "when it was begun"},
		columnDef{"rows", value.Int64, "rows that it has written or locked"},
		columnDef{"bytes", value.Int64, "bytes that it has written"}),
	systemTable(system.Users, "Accounts.", 1,
		columnDef{"id", value.Text, "user id"},
		columnDef{"role", value.Text, "user, service or dba"},
		columnDef{"email", value.Text, "e-mail address"},
		columnDef{"storage", value.Text, "where the user's rows go cold in tables with " +
			"USE_USER_STORAGE"},
		columnDef{"created_at", value.Timestamp, "when it was created"},
		columnDef{"deleted_at", value.Timestamp, "when it was dropped, NULL otherwise"}),
}

// systemTable makes the definition of a system table whose key is the first
// keys columns. It has no id: its rows are made on request.
func systemTable(name system.Table, comment string, keys int, cols ...columnDef) *ddl.Table {
	t := &ddl.Table{
		Namespace: system.Namespace, Name: ident.TableName(name), Kind: ddl.SystemTable,
		State: ddl.Ready, Version: 1, Codec: serde.Row, Comment: comment,
	}
	for i, c := range cols {
		t.Columns = append(t.Columns, ddl.Column{
			ID: ident.ColumnID(i + 1), Name: c.name, Type: ddl.Type{Kind: c.kind},
			NotNull: i < keys, Comment: c.comment,
		})
		if i < keys {
			t.PrimaryKey = append(t.PrimaryKey, i)
		}
	}
	return t
}
