package sqllogic

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// names are what ${name} stands for in a script: what only the server knows,
// such as the id of a job, and what only the machine knows, such as a folder.
type names struct{ values map[string]string }

func newNames(given map[string]string) *names {
	n := &names{values: make(map[string]string)}
	maps.Copy(n.values, given)
	return n
}

// fill puts values in place of names.
func (n *names) fill(sql string) string { return n.replace(sql, true) }

// clear puts names in place of values, so that answers are the same every time.
func (n *names) clear(got *Answer, err error) {
	var f *Failure
	if errors.As(err, &f) {
		f.Message = n.replace(f.Message, false)
	}
	if got == nil {
		return
	}
	for _, row := range got.Rows {
		for i := range row {
			row[i] = n.replace(row[i], false)
		}
	}
}

func (n *names) replace(s string, fill bool) string {
	for name, v := range n.values {
		from, to := "${"+name+"}", v
		if !fill {
			from, to = to, from
		}
		s = strings.ReplaceAll(s, from, to)
	}
	return s
}

// let names the first value of an answer.
func (n *names) let(name string, got *Answer, err error) error {
	switch {
	case err != nil:
		return err
	case len(got.Rows) == 0 || len(got.Rows[0]) == 0 || got.Rows[0][0] == "":
		return fmt.Errorf("there is no value to name %s", name)
	}
	n.values[name] = got.Rows[0][0]
	return nil
}
