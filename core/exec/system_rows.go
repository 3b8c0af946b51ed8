package exec

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// systemRows makes the rows of system tables that a caller may see. Values
// stand in the order of the columns in catalog.SystemTables.
type systemRows struct {
	r    *run
	cat  *catalog.Snapshot
	view *store.View
}

// SystemRows implements sqlengine.SystemRows.
func (s *systemRows) SystemRows(ctx context.Context, t system.Table) ([][]value.Value, error) {
	switch t {
	case system.AuditLog:
		return s.r.x.Audit.Rows(ctx)
	case system.Namespaces:
		return s.namespaces()
	case system.Tables:
		return s.tables()
	case system.ColumnDefs:
		return s.columns()
	case system.Indexes:
		return s.indexes()
	case system.Schemas:
		return s.schemas()
	case system.Users:
		return s.users()
	case system.Partitions:
		return s.partitions()
	case system.Settings:
		return call(s.r.x.Settings), nil
	case system.Stats:
		return call(s.r.x.Figures), nil
	case system.Storages:
		return s.storages()
	case system.LiveQueries:
		return s.liveQueries()
	case system.Jobs:
		return s.jobs()
	case system.Manifest:
		return s.manifest(ctx)
	case system.Streams:
		return s.streams()
	case system.Nodes:
		return s.nodes()
	case system.Shards:
		return s.shards()
	case system.Transactions:
		return s.transactions(), nil
	case system.Statements:
		return statementRows(), nil
	case system.ErrorCodes:
		return errorCodeRows(), nil
	case system.DataTypes:
		return dataTypeRows(), nil
	}
	return nil, fault.New(fault.TableNotFound, "table system.%s does not exist", t)
}

func call(f func() [][]value.Value) [][]value.Value {
	if f == nil {
		return nil
	}
	return f()
}

func text[T ~string](s T) value.Value { return value.NewText(string(s)) }

func timeOf(t time.Time) value.Value {
	if t.IsZero() {
		return value.NullValue
	}
	return value.NewTimestamp(t)
}

func textOrNull[T ~string](s T) value.Value {
	if s == "" {
		return value.NullValue
	}
	return text(s)
}

func (s *systemRows) namespaces() ([][]value.Value, error) {
	var rows [][]value.Value
	for _, n := range s.cat.Namespaces() {
		options := value.NullValue
		if len(n.Options) > 0 {
			doc, err := json.Marshal(n.Options)
			if err != nil {
				return nil, fault.Wrap(fault.Internal, err, "encode the options of namespace %s", n.Name)
			}
			options = value.NewString(value.JSON, string(doc))
		}
		rows = append(rows, []value.Value{
			text(n.Name), options, timeOf(n.Created), textOrNull(n.CreatedBy),
		})
	}
	return rows, nil
}

// visible calls f with every table that the caller may know of.
func (s *systemRows) visible(f func(t *ddl.Table) error) error {
	rights := s.r.rights(s.cat)
	for _, n := range s.cat.Namespaces() {
		for _, t := range s.cat.Tables(n.Name) {
			if !rights.MaySee(t) {
				continue
			}
			if err := f(t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *systemRows) tables() (rows [][]value.Value, err error) {
	err = s.visible(func(t *ddl.Table) error {
		codec, err := serde.ByID(t.Codec)
		if err != nil {
			return err
		}
		row := []value.Value{
			text(t.Namespace), text(t.Name), text(t.Kind), value.NewBigInt(int64(t.ID)),
			value.NewBigInt(int64(t.Version)), text(keyNames(t)),
			textOrNull(t.Access), text(codec.Name()),
		}
		row = append(row, tierValues(t)...)
		rows = append(rows, append(row,
			textOrNull(t.Comment), timeOf(t.Created), textOrNull(t.CreatedBy)))
		return nil
	})
	return rows, err
}

func keyNames(t *ddl.Table) string {
	var key []string
	for _, i := range t.PrimaryKey {
		key = append(key, t.Columns[i].Name)
	}
	return strings.Join(key, ", ")
}

func (s *systemRows) indexes() (rows [][]value.Value, err error) {
	err = s.visible(func(t *ddl.Table) error {
		add := func(name string, unique bool, columns, state string) {
			rows = append(rows, []value.Value{
				text(t.Namespace), text(t.Name), text(name), value.NewBool(unique), text(columns), text(state),
			})
		}
		add("PRIMARY", true, keyNames(t), "ready")
		for i := range t.Indexes {
			x, state := &t.Indexes[i], "ready"
			if x.Building {
				state = "building"
			}
			add(x.Name, x.Unique, strings.Join(t.IndexColumns(x), ", "), state)
		}
		return nil
	})
	return rows, err
}

func (s *systemRows) columns() (rows [][]value.Value, err error) {
	err = s.visible(func(t *ddl.Table) error {
		for i := range t.Columns {
			c := &t.Columns[i]
			rows = append(rows, []value.Value{
				text(t.Namespace), text(t.Name), value.NewInt(value.Int32, int64(i+1)),
				text(c.Name), text(c.Type.SQL()), value.NewBool(!c.NotNull),
				defaultText(c), keyPosition(t, i), textOrNull(c.Comment),
			})
		}
		return nil
	})
	return rows, err
}

func (s *systemRows) schemas() (rows [][]value.Value, err error) {
	err = s.visible(func(t *ddl.Table) error {
		if t.Kind == ddl.SystemTable {
			return nil
		}
		history, err := ddl.History(t)
		for _, v := range history {
			rows = append(rows, append([]value.Value{text(t.Namespace), text(t.Name)}, v...))
		}
		return err
	})
	return rows, err
}

func (s *systemRows) users() (rows [][]value.Value, err error) {
	all := mayManage(s.r.id.Role)
	err = catalog.KeptUsers.Each(s.r.x.DB, s.view, func(decode func(any) error) error {
		var u ddl.User
		if err := decode(&u); err != nil {
			return err
		}
		if !all && u.ID != s.r.id.Caller {
			return nil
		}
		deleted := value.NullValue
		if u.Deleted != nil {
			deleted = timeOf(*u.Deleted)
		}
		rows = append(rows, []value.Value{
			text(u.ID), text(u.Role), textOrNull(u.Email), textOrNull(u.Storage),
			timeOf(u.Created), deleted,
		})
		return nil
	})
	return rows, err
}

func (s *systemRows) partitions() (rows [][]value.Value, err error) {
	db := s.r.x.DB
	for _, t := range s.cat.All() {
		for _, shard := range t.Shards(db.Shards()) {
			p, ok := db.Partition(t.Partition(shard))
			if !ok {
				continue // of a table that is being made or dropped
			}
			n, size, err := s.r.x.held(s.view, p)
			if err != nil {
				return nil, err
			}
			rows = append(rows, []value.Value{
				text(p.Name), text(t.Namespace), text(t.Name), value.NewInt(value.Int32, int64(shard)),
				value.NewBigInt(n), value.NewBigInt(size),
			})
		}
	}
	return rows, nil
}

func (s *systemRows) streams() (rows [][]value.Value, err error) {
	followers := make(map[ident.TableID]int64)
	for _, q := range s.r.x.Hub.List() {
		if mayManage(s.r.id.Role) || q.Owner == s.r.id.Caller {
			followers[q.Table]++
		}
	}
	err = s.visible(func(t *ddl.Table) error {
		if t.Kind != ddl.StreamTable {
			return nil
		}
		count := value.NullValue
		if s.r.id.Role != ident.RoleUser {
			n, err := s.stored(t)
			if err != nil {
				return err
			}
			count = value.NewBigInt(n)
		}
		rows = append(rows, []value.Value{
			text(t.Namespace), text(t.Name), text(t.Scope), text(ddl.FormatTTL(t.TTL)), count,
			value.NewBigInt(followers[t.ID]), timeOf(t.Created), textOrNull(t.CreatedBy),
		})
		return nil
	})
	return rows, err
}

// stored counts the rows of a table on all shards.
func (s *systemRows) stored(t *ddl.Table) (sum int64, err error) {
	db := s.r.x.DB
	for _, shard := range t.Shards(db.Shards()) {
		p, ok := db.Partition(t.Partition(shard))
		if !ok {
			continue // of a table that is being truncated
		}
		n, err := table.Table{Part: p}.Count(s.view)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (s *systemRows) liveQueries() ([][]value.Value, error) {
	var rows [][]value.Value
	all := mayManage(s.r.id.Role)
	for _, q := range s.r.x.Hub.List() {
		if !all && q.Owner != s.r.id.Caller {
			continue
		}
		namespace, name := value.NullValue, value.NullValue
		if t, ok := s.cat.TableByID(q.Table); ok {
			namespace, name = text(t.Namespace), text(t.Name)
		}
		number := func(n int64) value.Value { return value.NewBigInt(n) }
		rows = append(rows, []value.Value{
			text(q.ID), text(q.Owner), textOrNull(q.User), namespace, name, text(q.Query),
			text(q.State), text(q.Policy), number(int64(q.Cursor)), number(q.Lag.Milliseconds()),
			number(int64(q.Queued)), number(int64(q.QueuedBytes)), number(int64(q.Delivered)),
			number(int64(q.Conflated)), textOrNull(q.Peer), timeOf(q.Created),
		})
	}
	return rows, nil
}

func (s *systemRows) transactions() (rows [][]value.Value) {
	all := mayManage(s.r.id.Role)
	s.r.x.transactions.Range(func(k, _ any) bool {
		tx := k.(*transaction)
		if all || tx.caller == s.r.id.Caller {
			rows = append(rows, []value.Value{
				text(tx.id), text(tx.caller), timeOf(tx.started),
				value.NewBigInt(tx.rows.Load()), value.NewBigInt(tx.bytes.Load()),
			})
		}
		return true
	})
	slices.SortFunc(rows, func(a, b []value.Value) int { return value.Compare(a[0], b[0]) })
	return rows
}

func statementRows() (rows [][]value.Value) {
	for _, k := range dialect.Kinds() {
		rows = append(rows, []value.Value{text(k.Text), text(k.Area), text(k.Form), text(k.Who)})
	}
	return rows
}

func errorCodeRows() (rows [][]value.Value) {
	for _, i := range fault.Table() {
		rows = append(rows, []value.Value{
			text(i.Code), value.NewInt(value.Int32, int64(i.HTTP)),
			value.NewInt(value.Int32, int64(i.Close)), value.NewBool(i.Retryable), text(i.Summary),
		})
	}
	return rows
}

func dataTypeRows() (rows [][]value.Value) {
	for _, k := range value.Kinds() {
		if k.Column {
			rows = append(rows, []value.Value{
				text(k.Name), text(k.SQL), textOrNull(strings.Join(k.Alias, ", ")), value.NewBool(k.Key),
				text(k.Limits),
			})
		}
	}
	return rows
}
