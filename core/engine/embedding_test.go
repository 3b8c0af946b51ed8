package engine_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

func TestEmbedding_AsParameters(t *testing.T) {
	for _, codec := range []string{"row", "json", "msgpack", "cbor"} {
		b := inMemory(t)
		b.run(root, "CREATE NAMESPACE app")
		b.run(root, "CREATE TABLE app.notes (id INT PRIMARY KEY, e EMBEDDING(3), "+
			"state ENUM('open', 'done')) WITH (CODEC = '"+codec+"')")
		for i, e := range []any{[]float32{1, 0, 0.5}, json.RawMessage("[0, 1, 0]"), "[1, 1, 1]",
			[]any{json.Number("0.25"), json.Number("0"), json.Number("-1")}, nil} {
			b.run(alice, "INSERT INTO app.notes VALUES ($1, $2, $3)", i, e, []string{"done", "open"}[i%2])
		}
		b.want(alice, "0 [1,0,0.5] done\n1 [0,1,0] open\n2 [1,1,1] done\n3 [0.25,0,-1] open\n4  done",
			"SELECT * FROM app.notes ORDER BY id")
		b.want(alice, "1\n2", "SELECT id FROM app.notes WHERE e IS NOT NULL "+
			"ORDER BY COSINE_DISTANCE(e, $1) LIMIT 2", json.RawMessage("[0, 3, 0]"))
		b.want(alice, "2\n1", "SELECT id FROM app.notes WHERE e IS NOT NULL "+
			"ORDER BY L2_DISTANCE($1, e) LIMIT 2", []float32{0.5, 1, 0.75})
		b.want(alice, "1\n3\n0\n2\n4", "SELECT id FROM app.notes ORDER BY state, id")
		b.run(alice, "UPDATE app.notes SET e = ?, state = ? WHERE id = 4", []float32{7, 8, 9}, "open")
		b.want(alice, "4 [7,8,9] open", "SELECT * FROM app.notes WHERE id = ? AND state = ?", 4, "open")
		b.fails(alice, fault.ValueOutOfRange, "UPDATE app.notes SET e = ?", []float32{7})
		b.fails(alice, fault.ValueOutOfRange, "UPDATE app.notes SET state = ?", "closed")
		b.fails(alice, fault.TypeMismatch, "UPDATE app.notes SET e = ?", 7)
		b.fails(alice, fault.TypeMismatch, "SELECT L2_DISTANCE(e, ?) FROM app.notes", 7)
		b.fails(alice, fault.ValueOutOfRange, "SELECT L2_DISTANCE(e, ?) FROM app.notes", []float32{7})
	}
}

// dimensions and notes are those of a small collection of texts.
const dimensions, notes = 384, 10_000

// TestEmbedding_FindsTheNearest compares an ORDER BY with distances that are
// computed here.
func TestEmbedding_FindsTheNearest(t *testing.T) {
	b := inMemory(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.notes (id INT PRIMARY KEY, e EMBEDDING(8) NOT NULL)")
	all := make([][]float32, 200)
	for i := range all {
		all[i] = randomVector(r, 8)
		b.run(alice, "INSERT INTO app.notes VALUES (?, ?)", i, all[i])
	}
	for range 20 {
		q := randomVector(r, 8)
		want := make([]int, len(all))
		for i := range want {
			want[i] = i
		}
		slices.SortFunc(want, func(i, j int) int {
			if squares(all[i], q) < squares(all[j], q) {
				return -1
			}
			return 1
		})
		out := b.run(alice, "SELECT id, L2_DISTANCE(e, $1) AS d FROM app.notes ORDER BY d LIMIT 5 OFFSET 2", q)
		for n, row := range out.Rows {
			if got := int(row[0].Int()); got != want[n+2] {
				t.Fatalf("number %d is %d, want %d", n+2, got, want[n+2])
			}
		}
		if len(out.Rows) != 5 {
			t.Fatalf("%d rows", len(out.Rows))
		}
	}
}

func squares(a, b []float32) (sum float64) {
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return sum
}

func randomVector(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// BenchmarkNearest finds the 10 nearest of 10,000 embeddings of 384 numbers.
func BenchmarkNearest(b *testing.B) {
	db, err := engine.Open(b.TempDir(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	r := rand.New(rand.NewPCG(1, 1))
	run(b, db, root, "CREATE NAMESPACE app")
	run(b, db, root, "CREATE TABLE app.notes (id INT PRIMARY KEY, e EMBEDDING("+
		strconv.Itoa(dimensions)+") NOT NULL)")
	for i := 0; i < notes; {
		sql, params := "INSERT INTO app.notes VALUES (?, ?)", []any{}
		for n := range 100 {
			if n > 0 {
				sql += ", (?, ?)"
			}
			params = append(params, i, randomVector(r, dimensions))
			i++
		}
		if _, err := db.Query(b.Context(), alice, sql, params...); err != nil {
			b.Fatal(err)
		}
	}
	for _, metric := range []string{"COSINE_DISTANCE", "L2_DISTANCE"} {
		b.Run(metric, func(b *testing.B) {
			for b.Loop() {
				out, err := db.Query(b.Context(), alice, "SELECT id FROM app.notes ORDER BY "+metric+
					"(e, $1) LIMIT 10", randomVector(r, dimensions))
				if err != nil || len(out.Rows) != 10 || out.Columns[0].Kind != value.Int32 {
					b.Fatal(len(out.Rows), err)
				}
			}
		})
	}
}
