package live_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into the scenarios")

// TestScenarios runs the files of testdata/scenarios. A scenario is a list of
// blocks: lines of commands, a line ----, and what they print. README.md there
// describes the commands. Seqs are printed as they come after the start.
//
//	go test ./live -run Scenarios -rewrite
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := (&scenario{t: t}).run(string(text))
			switch {
			case got == string(text):
			case *rewrite:
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s differs; run it with -rewrite and look at the difference:\n%s",
					file, firstDifference(string(text), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d is\n  %s\nwant\n  %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

const scenarioStart = 1000 // the seq before the first commit of a world

// scenario runs one file.
type scenario struct {
	t       *testing.T
	w       *world
	subs    map[string]*scripted
	budgets map[string]*live.Budget
	out     strings.Builder
}

// scripted is a subscription with a name.
type scripted struct {
	*live.Subscription
	f     follow
	woken bool
}

// run returns the text with what happens in the place of what was expected.
func (s *scenario) run(text string) string {
	var whole strings.Builder
	s.subs, s.budgets = map[string]*scripted{}, map[string]*live.Budget{}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		whole.WriteString(line + "\n")
		if line != "----" {
			if line != "" && !strings.HasPrefix(line, "#") {
				s.command(line)
			}
			continue
		}
		whole.WriteString(s.out.String())
		s.out.Reset()
		for i+1 < len(lines) && lines[i+1] != "" {
			i++ // what was expected
		}
	}
	if s.out.Len() > 0 {
		s.t.Errorf("the commands at the end have no ----, but print\n%s", s.out.String())
	}
	return whole.String()
}

func (s *scenario) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// words are the arguments of a command, and its name=value pairs.
type words struct {
	list  []string
	pairs map[string]string
}

func (w words) number(name string, otherwise int) int {
	n, err := strconv.Atoi(w.pairs[name])
	if err != nil {
		return otherwise
	}
	return n
}

func (s *scenario) command(line string) {
	name, rest, _ := strings.Cut(line, " ")
	args := words{pairs: map[string]string{}}
	for _, word := range strings.Fields(rest) {
		if k, v, ok := strings.Cut(word, "="); ok {
			args.pairs[k] = v
		} else {
			args.list = append(args.list, word)
		}
	}
	if s.w == nil && name != "hub" {
		s.hub(words{})
	}
	switch name {
	case "hub":
		s.hub(args)
	case "commit":
		s.commit(rest)
	case "subscribe":
		s.subscribe(args)
	case "restart":
		s.w.restart()
	case "trim":
		s.w.trim(s.w.applied)
	case "gap":
		s.w.gap = [2]clock.Seq{s.w.applied, s.w.applied + 100}
		s.w.applied += 100
	case "drop":
		s.w.dropped = true
	case "list":
		s.list()
	default:
		s.ofSubscription(name, args)
	}
}

func (s *scenario) hub(args words) {
	s.w = newWorld(s.t, memkv.Name, live.Options{
		QueueEvents: args.number("queue", 0), QueueBytes: args.number("bytes", 0),
		ScanRows: args.number("scan", 0), MaxPerUser: args.number("per_user", 0),
		Total: live.NewBudget(args.number("total", 1<<20)),
	})
	s.w.applied = scenarioStart
}

// commit reads "user: put id topic body; del id ...".
func (s *scenario) commit(text string) {
	user, writes, ok := strings.Cut(text, ": ")
	c := commit{user: ident.UserID(user)}
	for write := range strings.SplitSeq(writes, "; ") {
		f := strings.Fields(write)
		if !ok || len(f) < 2 || f[0] == "put" && len(f) != 4 {
			s.t.Fatalf("commit user: put id topic body; del id: got %q", text)
		}
		id, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		if f[0] == "del" {
			c.ops = append(c.ops, del(id))
		} else {
			c.ops = append(c.ops, put(id, f[2], f[3]))
		}
	}
	s.w.apply(c)
}

func (s *scenario) subscribe(args words) {
	user := ident.UserID(args.list[1])
	sub := &scripted{f: follow{topic: args.pairs["topic"]}}
	for _, flag := range args.list[2:] {
		sub.f.blind, sub.f.seq = sub.f.blind || flag == "blind", sub.f.seq || flag == "seq"
	}
	o := live.SubscribeOptions{
		BatchSize: args.number("batch", 0), Policy: live.Policy(args.pairs["policy"]),
	}
	if _, ok := args.pairs["last_rows"]; ok {
		n := args.number("last_rows", 0)
		o.LastRows = &n
	}
	if from, ok := args.pairs["from"]; ok {
		seq := clock.Seq(args.number("from", 0) + scenarioStart)
		if old := s.subs[from]; old != nil {
			seq = old.Info().Cursor
		}
		o.From = &seq
	}
	spec := live.Spec{ID: ident.LiveID(args.list[0]), Owner: user, User: user, Query: sub.f.query(),
		Options: o, Notify: func() { sub.woken = true }}
	if name := args.pairs["socket"]; name != "" {
		if s.budgets[name] == nil {
			s.budgets[name] = live.NewBudget(args.number("budget", 1<<20))
		}
		spec.Budget = s.budgets[name]
	}
	var err error
	if sub.Subscription, err = s.w.hub.Subscribe(spec); err != nil {
		s.printf("%v", err)
		return
	}
	s.subs[args.list[0]] = sub
}

func (s *scenario) ofSubscription(name string, args words) {
	if len(args.list) == 0 || s.subs[args.list[0]] == nil {
		s.t.Fatalf("%s %v: no such command or subscription", name, args.list)
	}
	sub := s.subs[args.list[0]]
	switch name {
	case "poll":
		s.poll(sub, args.number("most", 1000), false)
	case "drain":
		s.poll(sub, 1000, true)
	case "next":
		sub.NextBatch()
	case "progress":
		if p, ok := sub.Progress(); ok {
			s.printf("progress %d", p.Seq-scenarioStart)
		} else {
			s.printf("no progress")
		}
	case "woken":
		s.printf("woken %v", sub.woken)
		sub.woken = false
	case "close":
		sub.Close(live.Unsubscribed)
	case "kill":
		if err := s.w.hub.Kill(sub.ID()); err != nil {
			s.printf("%v", err)
		}
	case "revoke":
		s.w.hub.EndUser(sub.Info().Owner, live.Revoked, isRoot)
	case "trace":
		s.trace(sub, args)
	default:
		s.t.Fatalf("no command %q", name)
	}
}

func (s *scenario) poll(sub *scripted, most int, all bool) {
	for more := true; more; more = more && all {
		var msgs []live.Message
		var err error
		if msgs, more, err = sub.Poll(s.t.Context(), most); err != nil {
			s.t.Fatal(err)
		}
		for _, m := range msgs {
			s.told(sub, m)
		}
	}
}

func (s *scenario) told(sub *scripted, m live.Message) {
	switch m := m.(type) {
	case live.Batch:
		line := fmt.Sprintf("batch %d %s", m.Num, m.Status)
		if m.LastSeq > 0 {
			line += fmt.Sprintf(" at %d", m.LastSeq-scenarioStart)
		}
		s.printf("%s", line)
		for _, vals := range m.Rows {
			s.printf("  %s", show(sub.Columns(), vals))
		}
	case live.Changed:
		e := tell(m.Event)
		line := fmt.Sprintf("%s at %d", strings.TrimSpace(fmt.Sprintln(e.kind, e.reason)),
			e.seq-scenarioStart)
		if e.row != "" {
			line += " " + e.row
		}
		if e.old != "" {
			line += " was " + e.old
		}
		if e.commit {
			line += " commit"
		}
		s.printf("%s", line)
	case live.Resync:
		s.printf("resync %s", m.Reason)
	case live.Ended:
		line := fmt.Sprintf("ended %s", m.Reason)
		if m.Cursor > 0 {
			line += fmt.Sprintf(" at %d", m.Cursor-scenarioStart)
		}
		if m.Err != nil {
			line += " " + m.Err.Error()
		}
		s.printf("%s", line)
	default:
		s.printf("%s", strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", m), "live.")))
	}
}

func (s *scenario) list() {
	for _, i := range s.w.hub.List() {
		s.printf("%s of %s: %s %s cursor %d queued %d delivered %d conflated %d", i.ID, i.Owner,
			i.Policy, i.State, max(i.Cursor-scenarioStart, 0), i.Queued, i.Delivered, i.Conflated)
	}
	s.printf("%d bytes wait", s.w.hub.Total().Used())
}

func (s *scenario) trace(sub *scripted, args words) {
	id, err := strconv.ParseInt(args.list[1], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	steps, err := s.w.hub.Trace(s.t.Context(), sub.ID(),
		value.AppendKey(nil, value.NewBigInt(id)), 100)
	if err != nil {
		s.printf("%v", err)
	}
	for _, step := range steps {
		s.printf("%s", strings.TrimSpace(fmt.Sprintln(step.Op, "at", int64(step.Seq-scenarioStart),
			"is", step.Outcome, step.Type, step.Reason)))
	}
}
