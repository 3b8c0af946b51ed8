package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// How the registers are used. Keys are left behind after an epoch, so that no history
// grows too long to be judged, and what is unknown does not stay open for ever.
const (
	registerUsers   = 4
	registerWorkers = 6
	registerEpoch   = 10 * time.Second
	registerPause   = 5 * time.Millisecond
	judgeLimit      = time.Minute
)

// absent is the value of a register whose row is not there.
const absent = -1

type action int

const (
	read action = iota
	swap
	insert
	remove
)

// request is the input of an operation on a register.
type request struct {
	key    string
	action action
	from   int64 // of a swap
	to     int64 // of a swap or an insert
}

// reply is its output.
type reply struct {
	unknown bool
	done    bool  // whether a write took place
	value   int64 // that was read
}

// registerModel is one row with one value.
var registerModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[string]int{}
		var parts [][]porcupine.Operation
		for _, o := range history {
			key := o.Input.(request).key
			at, ok := keys[key]
			if !ok {
				at = len(parts)
				keys[key] = at
				parts = append(parts, nil)
			}
			parts[at] = append(parts[at], o)
		}
		return parts
	},
	Init: func() any { return int64(absent) },
	Step: func(state, input, output any) (bool, any) {
		return step(state.(int64), input.(request), output.(reply))
	},
	DescribeOperation: func(input, output any) string {
		return describe(input.(request), output.(reply))
	},
}

// step reports whether a register with a value can answer so, and its value behind. An
// operation with an unknown outcome takes place in full or has no effect; when it never
// did, it takes place behind all others.
func step(value int64, in request, out reply) (bool, int64) {
	next, can := value, false
	switch in.action {
	case read:
		return out.unknown || out.value == value, value
	case swap:
		can, next = value != absent && value == in.from, in.to
	case insert:
		can, next = value == absent, in.to
	case remove:
		can, next = value != absent, absent
	}
	if !can {
		next = value
	}
	return out.unknown || out.done == can, next
}

func describe(in request, out reply) string {
	names := []string{"read", "swap", "insert", "remove"}
	text := fmt.Sprintf("%s %s", in.key, names[in.action])
	switch in.action {
	case read:
		return fmt.Sprintf("%s -> %d", text, out.value)
	case swap:
		text += fmt.Sprintf(" %d for %d", in.from, in.to)
	case insert:
		text += fmt.Sprintf(" %d", in.to)
	}
	if out.unknown {
		return text + " -> unknown"
	}
	return fmt.Sprintf("%s -> %t", text, out.done)
}

// registers is the load of operations on single keys.
type registers struct {
	run    *run
	values atomic.Int64 // each value is written by one operation only
	client atomic.Int64

	mu      sync.Mutex
	history []porcupine.Operation
	seen    map[string]int64 // a value that a key had lately
}

func newRegisters(r *run) *registers { return &registers{run: r, seen: map[string]int64{}} }

func (g *registers) setUp(ctx context.Context) error {
	c := g.run.caller("registers", "")
	for _, sql := range []string{
		"CREATE NAMESPACE IF NOT EXISTS nemesis",
		"CREATE USER TABLE IF NOT EXISTS nemesis.registers (id BIGINT PRIMARY KEY, v BIGINT NOT NULL)",
	} {
		if _, err := c.ask(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func (g *registers) work(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range registerWorkers {
		wg.Go(func() {
			var callers []*caller
			for u := range registerUsers {
				callers = append(callers, g.run.caller(fmt.Sprintf("register-%d-%d", i, u),
					fmt.Sprintf("register%d", u)))
			}
			id := int(g.client.Add(1))
			for !g.run.over(ctx) {
				if !g.operate(ctx, callers[callers[0].rand.IntN(len(callers))], id) {
					id = int(g.client.Add(1))
				}
				wait(ctx, registerPause)
			}
		})
	}
	wg.Wait()
}

// operate does one operation, and reports whether its outcome is known.
func (g *registers) operate(ctx context.Context, c *caller, client int) bool {
	epoch := int64(time.Since(g.run.began) / registerEpoch)
	in := request{key: fmt.Sprintf("%s/%d", c.user, epoch), action: read}
	g.mu.Lock()
	in.from = g.seen[in.key]
	g.mu.Unlock()
	switch n := c.rand.IntN(10); {
	case n < 3:
		in.action, in.to = swap, g.values.Add(1)
	case n < 5:
		in.action, in.to = insert, g.values.Add(1)
	case n < 6:
		in.action = remove
	}
	call := time.Since(g.run.began)
	answer, err := g.send(ctx, c, in.statement(epoch))
	out, err := in.reply(answer, err)
	back := int64(time.Since(g.run.began))
	if err != nil {
		g.run.unexpected("registers: "+in.statement(epoch), err)
		out.unknown = true
	}
	if out.unknown {
		back = math.MaxInt64
		g.run.unknown()
		if in.action == read {
			return true // it says nothing
		}
	}
	g.run.count("registers")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.history = append(g.history, porcupine.Operation{
		ClientId: client, Input: in, Call: int64(call), Output: out, Return: back})
	switch {
	case in.action == read && out.value != absent:
		g.seen[in.key] = out.value
	case out.done && in.action != remove:
		g.seen[in.key] = in.to
	}
	return !out.unknown
}

// send asks until there is an answer, or now and then once only: so that there are
// outcomes that nobody knows.
func (g *registers) send(ctx context.Context, c *caller, sql string) (*blackbox.Answer, error) {
	if c.rand.IntN(8) == 0 {
		return c.once(ctx, c.any(), blackbox.Request{SQL: sql})
	}
	return c.ask(ctx, sql)
}

func (in request) statement(id int64) string {
	switch in.action {
	case swap:
		return fmt.Sprintf("UPDATE nemesis.registers SET v = %d WHERE id = %d AND v = %d",
			in.to, id, in.from)
	case insert:
		return fmt.Sprintf("INSERT INTO nemesis.registers (id, v) VALUES (%d, %d)", id, in.to)
	case remove:
		return fmt.Sprintf("DELETE FROM nemesis.registers WHERE id = %d", id)
	}
	return fmt.Sprintf("SELECT v FROM nemesis.registers WHERE id = %d", id)
}

// reply reads an answer.
func (in request) reply(a *blackbox.Answer, err error) (reply, error) {
	switch {
	case errors.Is(err, errUnknown):
		return reply{unknown: true}, nil
	case in.action == insert && is(err, "DUPLICATE_KEY"):
		return reply{}, nil
	case err != nil:
		return reply{}, err
	case len(a.Results) != 1:
		return reply{}, fmt.Errorf("%d results", len(a.Results))
	}
	rows := a.Results[0].Strings()
	if in.action != read {
		return reply{done: a.Results[0].RowCount == 1}, nil
	}
	if len(rows) == 0 {
		return reply{value: absent}, nil
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return reply{}, fmt.Errorf("one key has rows %q", rows)
	}
	v, err := strconv.ParseInt(rows[0][0], 10, 64)
	return reply{value: v}, err
}

func (g *registers) check(context.Context) error {
	for _, part := range registerModel.Partition(g.history) {
		key := part[0].Input.(request).key
		result, info := porcupine.CheckOperationsVerbose(registerModel, part, judgeLimit)
		switch result {
		case porcupine.Ok:
			continue
		case porcupine.Unknown:
			g.run.leaveOut("linearizability of "+key,
				fmt.Errorf("%d operations were not judged within %v", len(part), judgeLimit))
			continue
		}
		path := filepath.Join(g.run.Dir, fmt.Sprintf("history-%s.html", filepath.Base(filepath.Dir(key))+
			"-"+filepath.Base(key)))
		if err := visualize(info, path); err != nil {
			return err
		}
		g.run.violation("registers", "the %d operations on %s are not linearizable; see %s",
			len(part), key, path)
	}
	return nil
}

func visualize(info porcupine.LinearizationInfo, path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return porcupine.Visualize(registerModel, info, f)
}
