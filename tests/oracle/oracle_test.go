package oracle_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the other engine

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/tests/oracle"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Environment variables of the test.
const (
	envTime = "ORACLE_TIME" // go on so long, from a new seed
	envSeed = "ORACLE_SEED" // the seed of a run before
)

// A run stops at this many differences: the later ones are mostly the same.
const maxDifferences = 10

var (
	root  = engine.Identity{Caller: "root", Role: ident.RoleDBA}
	alice = engine.Identity{Caller: "alice", Role: ident.RoleUser}
)

// answer is what an engine says to a statement.
type answer struct {
	rows     []string
	affected int64
	err      error
}

// trial holds the engines: with the direct paths, with the query engine alone,
// and SQLite.
type trial struct {
	t             *testing.T
	direct, plain *engine.Engine
	other         *sql.DB

	queries, writes, refused, slow, differences int
}

func newTrial(t *testing.T) *trial {
	open := func(o sqlengine.Options) *engine.Engine {
		db, err := engine.Open("", engine.Options{Storage: engine.Memory, SQL: o})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	}
	other, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	other.SetMaxOpenConns(1) // a second one would have a memory of its own
	t.Cleanup(func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := other.Exec("PRAGMA case_sensitive_like = ON"); err != nil {
		t.Fatal(err)
	}
	return &trial{
		t: t, direct: open(sqlengine.Options{}), plain: open(sqlengine.Options{PlanAll: true}),
		other: other,
	}
}

// TestAnswers_AreThoseOfSQLite runs random statements about random tables on
// three engines that hold the same rows.
func TestAnswers_AreThoseOfSQLite(t *testing.T) {
	rounds, end := 35, time.Time{}
	seed := uint64(1)
	if s := os.Getenv(envTime); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		rounds, end, seed = math.MaxInt, time.Now().Add(d), uint64(time.Now().UnixNano())
	} else if testing.Short() {
		rounds = 10
	}
	if s := os.Getenv(envSeed); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("%s=%d", envSeed, seed)
	tr := newTrial(t)
	round := 0
	for ; round < rounds && tr.differences < maxDifferences; round++ {
		if !end.IsZero() && time.Now().After(end) {
			break
		}
		tr.round(oracle.New(rand.New(rand.NewPCG(seed, uint64(round)))), round)
	}
	t.Logf("%d tables, %d queries, %d writes, %d statements refused as unsupported, %d slow",
		round, tr.queries, tr.writes, tr.refused, tr.slow)
	if tr.slow*50 > tr.queries {
		t.Errorf("%d of %d queries are too slow to compare", tr.slow, tr.queries)
	}
	if tr.refused*100 > tr.queries {
		t.Errorf("%d of %d queries are refused", tr.refused, tr.queries)
	}
}

func (tr *trial) setUp(statement string) {
	tr.t.Helper()
	for _, db := range []*engine.Engine{tr.direct, tr.plain} {
		if _, err := db.Query(tr.t.Context(), root, statement); err != nil {
			tr.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// round compares statements about one set of tables.
func (tr *trial) round(g *oracle.Generator, round int) {
	tr.setUp("DROP NAMESPACE IF EXISTS o CASCADE")
	tr.setUp("CREATE NAMESPACE o")
	for _, t := range g.Tables {
		create := t.Create()
		tr.setUp(strings.Replace(create, t.Name, "o."+t.Name, 1))
		for _, s := range []string{"DROP TABLE IF EXISTS " + t.Name, create} {
			if _, err := tr.other.Exec(s); err != nil {
				tr.t.Fatal(s, err)
			}
		}
	}
	for _, t := range g.Tables {
		for n := range 4 {
			tr.write(g, g.Insert(t, 1+g.IntN(3)), round)
			if n == 1 { // over some rows
				tr.index(t)
			}
		}
	}
	for range 60 {
		if tr.differences >= maxDifferences {
			return
		}
		if g.IntN(4) == 0 {
			tr.write(g, g.Write(), round)
		} else {
			tr.query(g, g.Query(), round)
		}
	}
}

// index makes the indexes of a table. One that can't be unique is made by none.
func (tr *trial) index(t *oracle.Table) {
	for _, create := range t.CreateIndexes() {
		_, err := tr.other.Exec(create)
		for _, db := range []*engine.Engine{tr.direct, tr.plain} {
			sql := strings.Replace(create, " ON ", " ON o.", 1)
			if _, own := db.Query(tr.t.Context(), root, sql); (own == nil) != (err == nil) {
				tr.t.Errorf("%s: %v, SQLite %v", create, own, err)
			}
		}
	}
}

// patience is how long any engine may take for a query: joins of joins inside of
// subqueries can take hours in all of them.
const patience = 5 * time.Second

func (tr *trial) query(g *oracle.Generator, s oracle.Statement, round int) {
	tr.queries++
	ctx, cancel := context.WithTimeout(tr.t.Context(), 3*patience)
	defer cancel()
	want := tr.ask(s)
	if want.slow() {
		tr.slow++
		return
	}
	for i, db := range []*engine.Engine{tr.direct, tr.plain} {
		got := run(ctx, db, s)
		switch {
		case got.slow():
			tr.slow++
			continue
		case fault.Is(got.err, fault.Unsupported):
			tr.refused++
			continue
		case (got.err == nil) != (want.err == nil):
		case got.err != nil, slices.Equal(got.rows, want.rows):
			continue
		}
		tr.differ(g, s, round, i, got, want)
		return
	}
}

func (tr *trial) write(g *oracle.Generator, s oracle.Statement, round int) {
	tr.writes++
	got := []answer{run(tr.t.Context(), tr.direct, s), run(tr.t.Context(), tr.plain, s)}
	if fault.Is(got[0].err, fault.Unsupported) && fault.Is(got[1].err, fault.Unsupported) {
		tr.refused++
		return
	}
	want := answer{}
	res, err := tr.other.Exec(s.SQLite)
	if want.err = err; err == nil {
		want.affected, _ = res.RowsAffected() // SQLite always knows
	}
	for i, a := range got {
		if (a.err == nil) != (want.err == nil) || a.affected != want.affected {
			tr.differ(g, s, round, i, a, want)
		}
	}
	for _, t := range g.Tables {
		tr.query(g, oracle.Statement{SQL: "SELECT * FROM " + t.Name, SQLite: "SELECT * FROM " + t.Name}, round)
	}
}

func (tr *trial) differ(g *oracle.Generator, s oracle.Statement, round, which int, got, want answer) {
	tr.differences++
	tr.t.Errorf("round %d, %s:\n%s;\ngot %s\nSQLite %s\nof\n%s", round,
		[]string{"direct", "planned"}[which], s.SQL, got, want, tr.dump(g))
}

// dump writes the tables as statements.
func (tr *trial) dump(g *oracle.Generator) string {
	var b strings.Builder
	for _, t := range g.Tables {
		b.WriteString(t.Create() + ";\n")
		for _, create := range t.CreateIndexes() {
			b.WriteString(create + ";\n")
		}
		a := tr.ask(oracle.Statement{SQLite: "SELECT * FROM " + t.Name})
		for _, r := range a.rows {
			fmt.Fprintf(&b, "INSERT INTO %s VALUES (%s);\n", t.Name, r)
		}
	}
	return b.String()
}

// String writes an answer for a message.
func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	rows := a.rows
	if len(rows) > 12 {
		rows = append(slices.Clone(rows[:12]), "...")
	}
	return fmt.Sprintf("%d rows, %d affected\n\t%s", len(a.rows), a.affected, strings.Join(rows, "\n\t"))
}

// slow reports whether a query was cut off.
func (a answer) slow() bool {
	return errors.Is(a.err, context.DeadlineExceeded) || fault.Is(a.err, fault.StatementTimeout)
}

func run(ctx context.Context, db *engine.Engine, s oracle.Statement) answer {
	var a answer
	err := db.Execute(ctx, alice, engine.Request{SQL: s.SQL, Namespace: "o"}, func(r *engine.Result) error {
		a.affected = r.Affected
		for r.Rows != nil {
			row, err := r.Rows.Next(ctx)
			if err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			cells := make([]string, len(row))
			for i, v := range row {
				cells[i] = cell(v)
			}
			a.rows = append(a.rows, strings.Join(cells, ", "))
		}
		return nil
	})
	a.err = err
	a.sort(s)
	return a
}

func (a *answer) sort(s oracle.Statement) {
	if !s.Ordered {
		slices.Sort(a.rows)
	}
}

// cell writes a value so that both engines' compare: numbers of all types with
// nine digits, texts in quotes.
func cell(v value.Value) string {
	switch v.Kind() {
	case value.Null:
		return "NULL"
	case value.Text:
		return "'" + v.Text() + "'"
	case value.Bool:
		if v.Bool() {
			return "1"
		}
		return "0"
	}
	return number(v.Text())
}

func number(s string) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return "no number: " + s
	}
	return strconv.FormatFloat(f, 'g', 9, 64)
}

// ask has SQLite answer.
func (tr *trial) ask(s oracle.Statement) (a answer) {
	ctx, cancel := context.WithTimeout(tr.t.Context(), patience)
	defer cancel()
	rows, err := tr.other.QueryContext(ctx, s.SQLite)
	if err != nil {
		return answer{err: err}
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return answer{err: err}
	}
	for rows.Next() {
		raw, into := make([]any, len(names)), make([]any, len(names))
		for i := range raw {
			into[i] = &raw[i]
		}
		if err := rows.Scan(into...); err != nil {
			return answer{err: err}
		}
		cells := make([]string, len(raw))
		for i, v := range raw {
			switch v := v.(type) {
			case nil:
				cells[i] = "NULL"
			case string:
				cells[i] = "'" + v + "'"
			default:
				cells[i] = number(fmt.Sprint(v))
			}
		}
		a.rows = append(a.rows, strings.Join(cells, ", "))
	}
	if a.err = rows.Err(); a.err != nil && ctx.Err() != nil {
		a.err = ctx.Err() // SQLite says only that it was interrupted
	}
	a.sort(s)
	return a
}
