package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// write changes and reads the rows of a realm, one statement after another,
// until the server is gone. A statement that gets no answer leaves the realm
// unsure of it.
func (r *run) write(ctx context.Context, m *realm, random *rand.Rand) {
	for ctx.Err() == nil {
		if random.IntN(5) == 0 {
			if !r.readBeside(ctx, m, random) {
				return
			}
			continue
		}
		sql, c, refused := m.statement(random)
		_, err := m.client.SQL(context.WithoutCancel(ctx), sql)
		var e *blackbox.Error
		switch {
		case err == nil && refused == "":
			m.apply(c)
			r.acknowledged()
		case err == nil:
			r.fault("%s: %s was done, want %s", m.name, clip(sql), refused)
			return
		case !errors.As(err, &e):
			m.unsure = c
			return
		case e.Code == refused:
			r.acknowledged()
		case e.Code == "TRANSACTION_CONFLICT": // nothing was done
		default:
			r.fault("%s: %s: %v", m.name, clip(sql), e)
			return
		}
	}
}

func (r *run) acknowledged() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Statements++
}

// statement returns a statement, what it does, and the code with which it has
// to be refused, "" for not at all.
func (m *realm) statement(random *rand.Rand) (sql string, c change, refused string) {
	at := m.lo + random.Int64N(m.hi-m.lo)
	there := m.keys()
	if len(there) == 0 {
		return m.insert(random, at)
	}
	some := there[random.IntN(len(there))]
	switch random.IntN(12) {
	case 0, 1, 2, 3:
		return m.insert(random, at)
	case 4:
		return m.upsert(random, at)
	case 5, 6:
		return m.update(random, some)
	case 7:
		return m.updateRange(random, at)
	case 8:
		to := m.rows[some]
		to.body += "+" + word(random)
		return fmt.Sprintf("UPDATE %s SET body = CONCAT(body, '%s') WHERE id = %d", m.table,
			to.body[len(m.rows[some].body):], some), change{some: &to}, ""
	case 9:
		return m.transaction(random, some)
	case 10:
		return m.deleteRange(at)
	}
	return fmt.Sprintf("DELETE FROM %s WHERE id = %d", m.table, some), change{some: nil}, ""
}

func (m *realm) insert(random *rand.Rand, at int64) (string, change, string) {
	c, refused := change{}, ""
	var rows []string
	for id := at; id < min(at+1+random.Int64N(8), m.hi); id++ {
		if _, ok := m.rows[id]; ok {
			refused = "DUPLICATE_KEY"
		}
		v := made(random)
		c[id] = &v
		rows = append(rows, v.values(id))
	}
	return "INSERT INTO " + m.table + " (id, n, body) VALUES " + strings.Join(rows, ", "), c, refused
}

func (m *realm) upsert(random *rand.Rand, at int64) (string, change, string) {
	v := made(random)
	return "INSERT INTO " + m.table + " (id, n, body) VALUES " + v.values(at) +
			" ON DUPLICATE KEY UPDATE n = VALUES(n), body = VALUES(body)",
		change{at: &v}, ""
}

func (m *realm) update(random *rand.Rand, id int64) (string, change, string) {
	v := made(random)
	return fmt.Sprintf("UPDATE %s SET n = %d, body = '%s' WHERE id = %d", m.table, v.n, v.body, id),
		change{id: &v}, ""
}

func (m *realm) updateRange(random *rand.Rand, at int64) (string, change, string) {
	to, by, c := min(at+10, m.hi), 1+random.Int64N(5), change{}
	for id := at; id < to; id++ {
		if v, ok := m.rows[id]; ok {
			v.n += by
			c[id] = &v
		}
	}
	return fmt.Sprintf("UPDATE %s SET n = n + %d WHERE id >= %d AND id < %d", m.table, by, at, to),
		c, ""
}

func (m *realm) deleteRange(at int64) (string, change, string) {
	to, c := min(at+4, m.hi), change{}
	for id := at; id < to; id++ {
		if _, ok := m.rows[id]; ok {
			c[id] = nil
		}
	}
	return fmt.Sprintf("DELETE FROM %s WHERE id >= %d AND id < %d", m.table, at, to), c, ""
}

// transaction deletes a row, writes it again and changes another.
func (m *realm) transaction(random *rand.Rand, id int64) (string, change, string) {
	v := made(random)
	c := change{id: &v}
	text := fmt.Sprintf("BEGIN; DELETE FROM %s WHERE id = %d; "+
		"INSERT INTO %s (id, n, body) VALUES %s; ", m.table, id, m.table, v.values(id))
	there := m.keys()
	if i := slices.Index(there, id); i > 0 {
		w := m.rows[there[i-1]]
		w.n = -w.n
		c[there[i-1]] = &w
		text += fmt.Sprintf("UPDATE %s SET n = -n WHERE id = %d; ", m.table, there[i-1])
	}
	return text + "COMMIT", c, ""
}

// made returns what a row may hold.
func made(random *rand.Rand) content {
	return content{random.Int64N(40), strings.Repeat(word(random)+" ", 1+random.IntN(30))}
}

// word is nothing that reads as a number: the gate refuses texts with great
// exponents.
func word(random *rand.Rand) string { return fmt.Sprintf("w%x", random.Uint32()) }

func (c *content) values(id int64) string {
	return fmt.Sprintf("(%d, %d, '%s')", id, c.n, c.body)
}

func clip(sql string) string { return sql[:min(len(sql), 200)] }
