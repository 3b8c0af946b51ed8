package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// readBeside compares one way of reading a realm with what has to be there,
// while its rows move. It returns false when the server is gone.
func (r *run) readBeside(ctx context.Context, m *realm, random *rand.Rand) bool {
	reads := m.reads(random)
	one := reads[random.IntN(len(reads))]
	err := r.compare(context.WithoutCancel(ctx), m, one)
	var e *blackbox.Error
	if err != nil && !errors.As(err, &e) {
		return false
	}
	if err != nil {
		r.fault("%s: %s: %v", m.name, one.sql, err)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Reads++
	return true
}

// read is a query of (id, n, body) and what it has to give.
type read struct {
	sql  string
	want map[int64]content
}

// reads returns one query of each kind: by key, by range, the last of them, by
// a secondary index, by a filter, and all.
func (m *realm) reads(random *rand.Rand) []read {
	const list = "SELECT id, n, body FROM "
	id, n := m.lo+random.Int64N(m.hi-m.lo), random.Int64N(40)
	to := id + random.Int64N(m.hi-m.lo)
	only := func(keep func(int64, content) bool) map[int64]content {
		rows := maps.Clone(m.rows)
		maps.DeleteFunc(rows, func(id int64, c content) bool { return !keep(id, c) })
		return rows
	}
	last := map[int64]content{}
	there := m.keys()
	for _, id := range there[max(0, len(there)-10):] {
		last[id] = m.rows[id]
	}
	return []read{
		{list + m.table + " WHERE " + m.where(), m.rows},
		{fmt.Sprintf("%s%s WHERE id = %d", list, m.table, id),
			only(func(k int64, _ content) bool { return k == id })},
		{fmt.Sprintf("%s%s WHERE id >= %d AND id < %d AND %s", list, m.table, id, to, m.where()),
			only(func(k int64, _ content) bool { return k >= id && k < to })},
		{list + m.table + " WHERE " + m.where() + " ORDER BY id DESC LIMIT 10", last},
		{fmt.Sprintf("%s%s WHERE n = %d AND %s", list, m.table, n, m.where()),
			only(func(_ int64, c content) bool { return c.n == n })},
		{fmt.Sprintf("%s%s WHERE LENGTH(body) > 100 AND n < %d AND %s", list, m.table, n, m.where()),
			only(func(_ int64, c content) bool { return len(c.body) > 100 && c.n < n })},
	}
}

// compare runs a query. A difference is a fault, not an error.
func (r *run) compare(ctx context.Context, m *realm, q read) error {
	a, err := m.client.SQL(ctx, q.sql)
	if err != nil {
		return err
	}
	got, err := parse(a.Strings())
	if err != nil {
		r.fault("%s: %s: %v", m.name, q.sql, err)
		return nil
	}
	if d := differences(got, q.want); d != "" {
		r.fault("%s: %s: %s", m.name, q.sql, d)
	}
	return nil
}

// count compares COUNT(*) with the number of rows.
func (r *run) count(ctx context.Context, m *realm) error {
	a, err := m.client.SQL(ctx, "SELECT COUNT(*) FROM "+m.table+" WHERE "+m.where())
	if err != nil {
		return err
	}
	if got := a.Strings()[0][0]; got != strconv.Itoa(len(m.rows)) {
		r.fault("%s: COUNT(*) is %s and not %d", m.name, got, len(m.rows))
	}
	return nil
}

// snapshot compares the snapshot of a live query, which a SHARED table has not.
func (r *run) snapshot(ctx context.Context, m *realm) error {
	if m.table != userTable {
		return nil
	}
	socket, err := blackbox.Dial(ctx, m.client.URL, m.client.Header())
	if err != nil {
		return err
	}
	defer socket.Close()
	err = socket.Send(map[string]any{"type": "subscribe", "subscription": map[string]any{
		"id": "s", "sql": "SELECT id, n, body FROM " + m.table,
		"options": map[string]any{"batch_size": 40}}})
	if err != nil {
		return err
	}
	var rows [][]string
	for {
		b, err := socket.Read(ctx)
		switch {
		case err != nil:
			return err
		case b.Type == "auth_success" || b.Type == "subscription_ack" || b.Type == "progress":
			continue
		case b.Type != "initial_data_batch":
			return fmt.Errorf("in place of a batch: %s", b.Raw)
		}
		for _, row := range b.Rows {
			rows = append(rows, []string{fmt.Sprint(row["id"]), fmt.Sprint(row["n"]),
				fmt.Sprint(row["body"])})
		}
		if b.BatchControl.Status == "ready" {
			break
		}
		err = socket.Send(map[string]any{"type": "next_batch", "subscription_id": "s"})
		if err != nil {
			return err
		}
	}
	got, err := parse(rows)
	if err != nil {
		r.fault("%s: live snapshot: %v", m.name, err)
	} else if d := differences(got, m.rows); d != "" {
		r.fault("%s: live snapshot: %s", m.name, d)
	}
	return nil
}

// settle finds out whether the statement that was cut off was done, which is
// whole or not at all, and compares all rows.
func (r *run) settle(ctx context.Context, m *realm) error {
	a, err := m.client.SQL(ctx, "SELECT id, n, body FROM "+m.table+" WHERE "+m.where())
	if err != nil {
		return err
	}
	got, err := parse(a.Strings())
	if err != nil {
		r.fault("%s: after the crash: %v", m.name, err)
		return nil
	}
	d := differences(got, m.rows)
	if m.unsure == nil {
		if d != "" {
			r.fault("%s: after the crash: %s", m.name, d)
		}
		return nil
	}
	r.report.Unsure++
	if d != "" {
		after := maps.Clone(m.rows)
		applyTo(after, m.unsure)
		if e := differences(got, after); e != "" {
			r.fault("%s: after the crash: as before the statement %v but for %s; as after it but for %s",
				m.name, slices.Sorted(maps.Keys(m.unsure)), d, e)
		}
		r.report.Applied++
		m.rows = after
	}
	m.unsure = nil
	return nil
}
