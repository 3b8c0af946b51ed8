package engine_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/engine"
)

// FuzzRun runs any text that the dialect lets through. Nothing may panic, take
// long, or leave the engine as another type of error.
func FuzzRun(f *testing.F) {
	for _, s := range []string{
		"SELECT * FROM messages WHERE conversation_id = 1 ORDER BY id DESC LIMIT 5",
		"SELECT m.*, _seq::text FROM chat.user.messages m NATURAL JOIN rooms",
		"INSERT INTO messages VALUES (1, -2, UPPER('x'), DEFAULT)",
		"INSERT INTO messages VALUES (1, 1, 'a', 'b') AS n ON DUPLICATE KEY UPDATE body = n.body RETURNING *, _seq",
		"INSERT INTO messages VALUES (1, 1, 'a', 'b') ON CONFLICT (conversation_id, id) " +
			"DO UPDATE SET body = EXCLUDED.body WHERE messages.id > 1 RETURNING id + 1",
		"DELETE m FROM messages m JOIN rooms r ON r.id = m.id RETURNING m.*",
		"UPDATE messages SET id = id + 1, body = CONCAT(author, body) WHERE id IN (1, 2)",
		"DELETE FROM messages WHERE body ILIKE '%x%' AND NOT _deleted",
		"WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT SUM(n) FROM r",
		"SELECT author, COUNT(DISTINCT id) OVER (PARTITION BY body) FROM messages GROUP BY 1 HAVING 1",
		"SELECT JSON_ARRAYAGG(id), CAST('1e5' AS DECIMAL(5, 2)), x'00' FROM messages",
	} {
		f.Add(s)
	}
	w := newWorldWith(f, engine.Options{MaxMemoryBytes: 8 << 20, MaxStringBytes: 1 << 20})
	w.fill(5)
	f.Fuzz(func(t *testing.T, sql string) {
		list, err := dialect.Parse(sql, dialect.Limits{MaxBytes: 2000})
		if err != nil || len(list) != 1 || list[0].Node != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		start := time.Now()
		err = w.drain(ctx, &list[0])
		var known *fault.Error
		if err != nil && (!errors.As(err, &known) || known.Code == fault.Internal) {
			t.Errorf("%q: %v", sql, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q took %v", sql, took)
		}
		env := w.env
		if _, _, err := w.engine.CompileLive(ctx, sql, &env); fault.Is(err, fault.Internal) {
			t.Errorf("live %q: %v", sql, err)
		}
	})
}

// drain runs a statement and drops its rows.
func (w *world) drain(ctx context.Context, st *dialect.Statement) error {
	env := w.env
	env.View = w.db.View()
	defer env.View.Release()
	res, err := w.engine.Run(ctx, st, &env)
	if err != nil {
		return err
	}
	for {
		if _, err := res.Rows.Next(ctx); err == io.EOF {
			return res.Rows.Close()
		} else if err != nil {
			return errors.Join(err, res.Rows.Close())
		}
	}
}

// namespaceRows answers for the table system.namespaces.
type namespaceRows struct{ width int }

func (n namespaceRows) SystemRows(_ context.Context, t system.Table) ([][]value.Value, error) {
	if t != system.Namespaces {
		return nil, fault.New(fault.Internal, "not asked for")
	}
	rows := [][]value.Value{make([]value.Value, n.width), make([]value.Value, n.width)}
	rows[0][0], rows[1][0] = value.NewText("chat"), value.NewText("app")
	return rows, nil
}

func TestRun_ReadsSystemTables(t *testing.T) {
	w := newWorld(t)
	def, err := w.snap.Table(system.Namespace, string(system.Namespaces))
	if err != nil {
		t.Fatal(err)
	}
	w.env.System = namespaceRows{len(def.Columns)}
	name := def.Columns[0].Name
	w.want("app; chat", "SELECT "+name+" FROM system.namespaces ORDER BY "+name)
	w.want("chat", "SELECT n."+name+" FROM system.namespaces n WHERE "+name+" = 'chat'")
	w.want("2", "SELECT COUNT(*) FROM system.namespaces")
	if got := len(w.run("SELECT * FROM system.namespaces").Columns); got != len(def.Columns) {
		t.Errorf("%d columns, want %d", got, len(def.Columns))
	}
	w.fails(fault.TableNotFound, "SELECT * FROM system.nothing")
}
