package crash

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// The tables that are written.
const (
	userTable   = "app.messages"
	sharedTable = "app.board"
	columns     = "(id BIGINT PRIMARY KEY, n BIGINT NOT NULL, body TEXT NOT NULL, INDEX by_n (n))"
	sharedParts = 4 // of the shared table, each written by one writer
)

// content is what a row holds behind its key.
type content struct {
	n    int64
	body string
}

// change is what a statement does: nil deletes.
type change map[int64]*content

// realm is what one writer writes, alone: the rows of a user, or a range of the
// keys of a shared table. So what has to be there is known between any two of
// its statements.
type realm struct {
	name   string
	table  string
	client *blackbox.Client
	lo, hi int64 // its keys
	rows   map[int64]content
	unsure change // of a statement that was cut off; nil when there is none
}

func (r *run) addRealms() {
	keys := int64(r.Keys)
	for i := range r.Users {
		user := fmt.Sprintf("user%d", i)
		r.realms = append(r.realms, &realm{
			name: user, table: userTable, hi: keys, rows: map[int64]content{},
			client: &blackbox.Client{URL: r.process.URL,
				Authorization: blackbox.Bearer(user, time.Now())},
		})
	}
	for i := range int64(sharedParts) {
		r.realms = append(r.realms, &realm{
			name: fmt.Sprintf("board from %d", i*keys), table: sharedTable, client: r.root,
			lo: i * keys, hi: (i + 1) * keys, rows: map[int64]content{},
		})
	}
}

// where names the realm's rows in its table.
func (m *realm) where() string {
	if m.table == userTable {
		return "TRUE"
	}
	return fmt.Sprintf("id >= %d AND id < %d", m.lo, m.hi)
}

func (m *realm) apply(c change) { applyTo(m.rows, c) }

func applyTo(rows map[int64]content, c change) {
	for id, to := range c {
		if to == nil {
			delete(rows, id)
		} else {
			rows[id] = *to
		}
	}
}

// keys returns those that are there, in order.
func (m *realm) keys() []int64 { return slices.Sorted(maps.Keys(m.rows)) }

// parse reads rows of (id, n, body). A key that is there twice is an error.
func parse(rows [][]string) (map[int64]content, error) {
	found := make(map[int64]content, len(rows))
	for _, cells := range rows {
		if len(cells) != 3 {
			return nil, fmt.Errorf("a row of %d columns: %q", len(cells), cells)
		}
		id, err := strconv.ParseInt(cells[0], 10, 64)
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(cells[1], 10, 64)
		if err != nil {
			return nil, err
		}
		if _, twice := found[id]; twice {
			return nil, fmt.Errorf("row %d is there twice", id)
		}
		found[id] = content{n, cells[2]}
	}
	return found, nil
}

// differences tells in what got is not want, at most a few of them; "" for in
// nothing.
func differences(got, want map[int64]content) string {
	const most = 5
	var told []string
	tell := func(format string, args ...any) {
		if len(told) < most {
			told = append(told, fmt.Sprintf(format, args...))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		g, ok := got[id]
		if w := want[id]; !ok {
			tell("row %d is missing, it is %s", id, w)
		} else if g != w {
			tell("row %d is %s and not %s", id, g, w)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[id]; !ok {
			tell("row %d is there, it is %s", id, got[id])
		}
	}
	if len(told) == 0 {
		return ""
	}
	return fmt.Sprintf("%q", told)
}

// String shortens long bodies.
func (c content) String() string {
	body := c.body
	if len(body) > 40 {
		body = fmt.Sprintf("%s...(%d bytes)", body[:40], len(body))
	}
	return fmt.Sprintf("(%d, %s)", c.n, body)
}
