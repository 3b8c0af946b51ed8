package folder

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Read returns the newest rows of all files of a folder, read with
// parquet-go. A column that a file lacks is NULL in its rows.
func Read(folder string, columns []Column, key ...string) (Rows, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.parquet"))
	if err != nil {
		return nil, err
	}
	newest := versions{key: key, seqs: map[string]int64{}, rows: Rows{}}
	for _, path := range paths {
		if err := newest.readFile(path, columns); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	for k, cells := range newest.rows {
		if cells == nil {
			delete(newest.rows, k)
		}
	}
	return newest.rows, nil
}

// versions are the newest rows so far; nil is one that is deleted.
type versions struct {
	key  []string
	seqs map[string]int64
	rows Rows
}

func (v *versions) readFile(path string, columns []Column) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		return err
	}
	for _, group := range file.RowGroups() {
		if err := v.readGroup(file.Schema(), group, columns); err != nil {
			return err
		}
	}
	return nil
}

func (v *versions) readGroup(
	schema *parquet.Schema, group parquet.RowGroup, columns []Column,
) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	buffer := make([]parquet.Row, 64)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			if err := v.add(schema, row, columns); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (v *versions) add(schema *parquet.Schema, row parquet.Row, columns []Column) error {
	cells, err := texts(schema, row)
	if err != nil {
		return err
	}
	var key []string
	for _, k := range v.key {
		key = append(key, cells[k])
	}
	id := strings.Join(key, " ")
	seq, err := strconv.ParseInt(cells["_seq"], 10, 64)
	if err != nil {
		return err
	}
	if seq <= v.seqs[id] {
		return nil
	}
	v.seqs[id] = seq
	if cells["_deleted"] == "true" {
		v.rows[id] = nil
		return nil
	}
	out := make([]string, len(columns))
	for i, c := range columns {
		text, ok := cells[c.Name]
		if !ok {
			text = null
		}
		if c.kind() == "JSON" && text != null {
			if text, err = jsonText([]byte(text)); err != nil {
				return err
			}
		}
		if c.kind() == "BYTES" && text != null {
			text = bytesText([]byte(text))
		}
		out[i] = text
	}
	v.rows[id] = out
	return nil
}

// texts returns the values of a row by the names of their columns.
func texts(schema *parquet.Schema, row parquet.Row) (map[string]string, error) {
	cells := map[string]string{}
	paths := schema.Columns()
	var err error
	row.Range(func(at int, values []parquet.Value) bool {
		path := paths[at]
		leaf, _ := schema.Lookup(path...)
		switch {
		case len(path) > 1: // a list
			numbers := make([]float32, 0, len(values))
			for _, v := range values {
				if v.IsNull() {
					cells[path[0]] = null
					return true
				}
				numbers = append(numbers, v.Float())
			}
			cells[path[0]] = arrayText(numbers)
		case len(values) != 1:
			err = fmt.Errorf("column %v has %d values", path, len(values))
		case values[0].IsNull():
			cells[path[0]] = null
		default:
			cells[path[0]], err = scalarText(leaf.Node.Type(), values[0])
		}
		return err == nil
	})
	return cells, err
}

func scalarText(t parquet.Type, v parquet.Value) (string, error) {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.DecimalType:
		return decimalText(unscaled(v), int(l.Scale)), nil
	case *format.UUIDType:
		id, err := uuid.FromBytes(v.ByteArray())
		return id.String(), err
	case *format.DateType:
		return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly), nil
	case *format.IntType:
		switch {
		case l.IsSigned: // as below
		case v.Kind() == parquet.Int64:
			return strconv.FormatUint(uint64(v.Int64()), 10), nil
		default:
			return strconv.FormatUint(uint64(uint32(v.Int32())), 10), nil
		}
	}
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean()), nil
	case parquet.Int32:
		return strconv.FormatInt(int64(v.Int32()), 10), nil
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10), nil
	case parquet.Float:
		return floatText(float64(v.Float()), 32), nil
	case parquet.Double:
		return floatText(v.Double(), 64), nil
	}
	return string(v.ByteArray()), nil
}

// unscaled reads the digits of a decimal.
func unscaled(v parquet.Value) *big.Int {
	switch v.Kind() {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		return big.NewInt(v.Int64())
	}
	b := v.ByteArray()
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}
