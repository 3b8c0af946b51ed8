package main

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestPage_HasTheTablesOfTheProgram(t *testing.T) {
	if err := run(true, false); err != nil {
		t.Fatal(err)
	}
}

func TestFill_RefusesAPageWithoutMarks(t *testing.T) {
	list := []table{{"a", "| new |\n"}}
	for name, page := range map[string]string{
		"no mark": "text\n", "no end": "<!-- a -->\n| old |\n",
	} {
		if got, err := fill(page, list); err == nil {
			t.Errorf("%s: filled to %q", name, got)
		}
	}
	got, err := fill("x\n<!-- a -->\n| old |\n<!-- end -->\ny\n", list)
	if want := "x\n<!-- a -->\n| new |\n<!-- end -->\ny\n"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// A row of the benchmarks that is renamed or dropped is no source any more.
func TestCosts_SayWhereTheyAreFrom(t *testing.T) {
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range costs {
		switch {
		case c.value <= 0:
			t.Errorf("%q costs %v", c.what, c.value)
		case c.figure == "" && c.source == "":
			t.Errorf("%q has no source", c.what)
		case !strings.Contains(string(page), c.figure):
			t.Errorf("%q: docs/benchmarks.md has no %q", c.what, c.figure)
		}
	}
}

func ofName(t *testing.T, l load, what string) need {
	t.Helper()
	list := l.needs()
	i := slices.IndexFunc(list, func(n need) bool { return n.what == what })
	if i < 0 {
		t.Fatalf("no need %q", what)
	}
	return list[i]
}

func TestNeeds_AreSortedAndFollowTheLoad(t *testing.T) {
	list := base().needs()
	if !slices.IsSortedFunc(list, func(a, b need) int {
		return int(math.Copysign(1, b.share()-a.share()))
	}) {
		t.Errorf("not sorted: %v", list)
	}
	for _, n := range list {
		if !(n.need > 0 && n.has > 0) || math.IsInf(n.share(), 0) {
			t.Errorf("%s: %v of %v", n.what, n.need, n.has)
		}
	}
	quiet := base()
	quiet.acts = 0
	if n := ofName(t, quiet, "disk: the audit log"); n.need != 0 {
		t.Errorf("an audit log of %v GB without acts", n.need)
	}
	// 0.2 * 150,000 acts a second * 290 bytes for 90 days, on each node.
	if n := ofName(t, base(), "disk: the audit log"); math.Abs(n.need-67651) > 1 {
		t.Errorf("an audit log of %v GB, not 67,651", n.need)
	}
	near := base()
	near.direct = true
	if far, near := ofName(t, base(), files), ofName(t, near, files); near.need >= far.need-19_000 {
		t.Errorf("%v files where clients go to their shard, %v elsewhere", near.need, far.need)
	}
}

func TestAway_IsBoundByEntriesOrBytes(t *testing.T) {
	if got := away(65536, 1); got != 0.5 {
		t.Errorf("by entries: %v", got)
	}
	if got := away(1, 32<<20); got != 1 {
		t.Errorf("by bytes: %v", got)
	}
}

func TestCluster_KeepsItsCopiesAsNodesDie(t *testing.T) {
	c := found(20, 100, 3)
	r := rand.New(rand.NewPCG(1, 2))
	for len(c.nodes) > 5 {
		node := c.nodes[r.IntN(len(c.nodes))]
		had, leads := c.replicas()[node], c.leads()[node]
		l := c.lose(node)
		if l.copied < had || l.led != leads || l.from < 2 || l.to < 1 {
			t.Fatalf("node %d with %d replicas and %d leaders: %+v", node, had, leads, l)
		}
		for _, s := range c.shards {
			if len(slices.Compact(slices.Sorted(slices.Values(s.Replicas)))) != 3 ||
				slices.Contains(s.Replicas, node) || !slices.Contains(s.Replicas, s.Leader) {
				t.Fatalf("shard %v without node %d", s, node)
			}
		}
		if low, high := c.span(c.replicas()); high-low > 1 {
			t.Fatalf("%d to %d replicas", low, high)
		}
	}
}

func TestCluster_WithoutAMajority(t *testing.T) {
	c := found(6, 2, 3) // on 1, 2, 3 and on 4, 5, 6
	for _, g := range []struct{ a, b, want int }{{0, 1, 1}, {4, 5, 1}, {0, 5, 0}} {
		gone := slices.Clone(c.nodes[:0:0])
		gone = append(gone, c.nodes[g.a], c.nodes[g.b])
		if got := c.without(gone); got != g.want {
			t.Errorf("without %v: %d shards, want %d", gone, got, g.want)
		}
	}
	if often, shards := c.together(6, 10); often != 100 || shards != 2 {
		t.Errorf("without all: %v %%, %v shards", often, shards)
	}
}

func TestStorm_ServesInTurnAndMindsTheLimit(t *testing.T) {
	s := storm{nodes: 2, dead: 1, each: 10, limit: 20, groups: 1, resumes: 10}
	if o := s.run(); math.Abs(o.worst-1) > 1e-9 || o.queue != 10 || o.refused != 0 {
		t.Errorf("10 at once, 10 a second: %+v", o)
	}
	s.limit = 14
	if o := s.run(); math.Abs(o.worst-0.4) > 1e-9 || o.refused != 6 {
		t.Errorf("room for 4: %+v", o)
	}
	s.led, s.detect, s.failover = 1, 5, 5
	if o := s.run(); math.Abs(o.worst-5.4) > 1e-9 {
		t.Errorf("a leader after 5 s: %+v", o)
	}
	s = storm{nodes: 4, dead: 1, each: 30, limit: 1000, groups: 1, resumes: 10, unevenly: true}
	if o := s.run(); o.queue != 30 {
		t.Errorf("all to one node: %+v", o)
	}
}

func TestElection_SplitsWhereMessagesAreSlow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		seconds, rounds := election{voters: 5}.once(r)
		if rounds != 1 || seconds < 0.8 || seconds > 1.6 {
			t.Fatalf("without delays: %v s, %d rounds", seconds, rounds)
		}
	}
	_, _, few := election{5, 0.01, 0.04}.run(300)
	_, _, many := election{100, 0.01, 0.04}.run(300)
	if few < 1 || many < 1.3*few {
		t.Errorf("%v rounds of 5 voters, %v of 100", few, many)
	}
}
