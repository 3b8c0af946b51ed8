package folder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// ReadByDuckDB is Read by DuckDB: it runs the Node program of the
// folder duckdb, which prints the rows of a query as a JSON array.
func ReadByDuckDB(
	ctx context.Context, program, folder string, columns []Column, key ...string,
) (Rows, error) {
	cmd := exec.CommandContext(ctx, "node", program)
	cmd.Stdin = strings.NewReader(duckQuery(folder, columns, key))
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr(err))
	}
	var rows [][]*string
	if err := json.Unmarshal(out, &rows); err != nil {
		return nil, fmt.Errorf("the answer of DuckDB: %w", err)
	}
	found := Rows{}
	for _, row := range rows {
		id := *row[0]
		if _, twice := found[id]; twice {
			return nil, fmt.Errorf("DuckDB has row %s twice", id)
		}
		found[id], err = duckRow(row[1:], columns)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func stderr(err error) []byte {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.Stderr
	}
	return nil
}

// duckQuery is what docs/cold-tier.md says of reading a folder, with each column
// as text.
func duckQuery(folder string, columns []Column, key []string) string {
	keys := strings.Join(key, ", ")
	list := []string{"concat_ws(' ', " + keys + ")"}
	for _, c := range columns {
		list = append(list, c.duckText())
	}
	files := strings.ReplaceAll(filepath.Join(folder, "*.parquet"), "'", "''")
	return "SELECT " + strings.Join(list, ", ") +
		" FROM read_parquet('" + files + "', union_by_name = true)" +
		" QUALIFY row_number() OVER (PARTITION BY " + keys + " ORDER BY _seq DESC) = 1" +
		" AND NOT _deleted"
}

func (c Column) duckText() string {
	switch c.kind() {
	case "TIMESTAMP", "DATETIME":
		return "CAST(epoch_us(" + c.Name + ") AS VARCHAR)"
	case "BYTES":
		return "base64(" + c.Name + ")"
	case "EMBEDDING", "FLOAT", "DOUBLE":
		return "CAST(to_json(" + c.Name + ") AS VARCHAR)"
	}
	return "CAST(" + c.Name + " AS VARCHAR)"
}

// duckRow brings texts of DuckDB into the form of Text.
func duckRow(cells []*string, columns []Column) ([]string, error) {
	out := make([]string, len(columns))
	for i, c := range columns {
		if cells[i] == nil {
			out[i] = null
			continue
		}
		out[i] = *cells[i]
		switch c.kind() {
		case "FLOAT", "DOUBLE", "JSON", "EMBEDDING":
			text, err := c.Text(out[i])
			if err != nil {
				return nil, fmt.Errorf("column %s of DuckDB, %q: %w", c.Name, out[i], err)
			}
			out[i] = text
		}
	}
	return out, nil
}
