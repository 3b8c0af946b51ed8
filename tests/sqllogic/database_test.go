package sqllogic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/tests/sqllogic"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// app is the user of scripts who has the role service; root has dba, and all
// others user.
const app = "app"

// inProcess is an engine without a server.
type inProcess struct{ db *engine.Engine }

func newInProcess(t *testing.T) inProcess {
	db, err := engine.Open("", engine.Options{Storage: engine.Memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return inProcess{db}
}

type call struct {
	db  *engine.Engine
	id  engine.Identity
	req engine.Request
}

// As implements sqllogic.Database.
func (p inProcess) As(user, acting, namespace string) sqllogic.Conn {
	role := ident.RoleUser
	switch user {
	case sqllogic.Root:
		role = ident.RoleDBA
	case app:
		role = ident.RoleService
	}
	return &call{
		db: p.db, id: engine.Identity{
			Caller: ident.UserID(user), Role: role, As: ident.UserID(acting),
		},
		req: engine.Request{Namespace: ident.NamespaceID(namespace)},
	}
}

// Run implements sqllogic.Conn.
func (c *call) Run(ctx context.Context, sql string) (*sqllogic.Answer, error) {
	c.req.SQL = sql
	var out *sqllogic.Answer
	err := c.db.Execute(ctx, c.id, c.req, func(r *engine.Result) error {
		out = &sqllogic.Answer{Affected: r.Affected}
		for _, col := range r.Columns {
			out.Types = append(out.Types, col.Kind.String())
		}
		var wire blackbox.Result
		for r.Rows != nil {
			row, err := r.Rows.Next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			cells, err := onTheWire(row)
			if err != nil {
				return err
			}
			wire.Rows = append(wire.Rows, cells)
		}
		out.Rows = wire.Strings()
		return nil
	})
	if err != nil {
		f := fault.From(err)
		return nil, &sqllogic.Failure{
			Code: string(f.Code), Message: f.Message,
			At: sqllogic.Place{Statement: f.Statement, Position: f.Position},
		}
	}
	return out, nil
}

// onTheWire returns values as a client reads them.
func onTheWire(row []value.Value) ([]any, error) {
	cells := make([]any, len(row))
	for i, v := range row {
		b, err := value.AppendJSON(nil, v)
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&cells[i]); err != nil {
			return nil, err
		}
	}
	return cells, nil
}

// overHTTP is a server.
type overHTTP struct {
	t      *testing.T
	server *testkit.Server
	users  map[string]*blackbox.Client
}

func newOverHTTP(t *testing.T) *overHTTP {
	s := testkit.Start(t)
	testkit.Must(t, s.Root(), "CREATE USER IF NOT EXISTS '"+app+
		"' WITH PASSWORD 'a-password-of-tests' ROLE service")
	return &overHTTP{t: t, server: s, users: map[string]*blackbox.Client{sqllogic.Root: s.Root()}}
}

type httpCall struct{ client blackbox.Client }

// As implements sqllogic.Database.
func (h *overHTTP) As(user, acting, namespace string) sqllogic.Conn {
	c, ok := h.users[user]
	if !ok {
		c = h.server.User(h.t, user)
		h.users[user] = c
	}
	copied := *c
	copied.As, copied.Namespace = acting, namespace
	return &httpCall{client: copied}
}

// Run implements sqllogic.Conn.
func (c *httpCall) Run(ctx context.Context, sql string) (*sqllogic.Answer, error) {
	r, err := c.client.SQL(ctx, sql)
	var e *blackbox.Error
	if errors.As(err, &e) {
		return nil, &sqllogic.Failure{
			Code: e.Code, Message: e.Message,
			At: sqllogic.Place{Statement: e.Statement, Position: e.Position},
		}
	}
	if err != nil {
		return nil, err
	}
	out := &sqllogic.Answer{Affected: int64(r.RowCount), Rows: r.Strings()}
	for _, col := range r.Schema {
		out.Types = append(out.Types, col.DataType)
	}
	return out, nil
}
