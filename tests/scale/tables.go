package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

func tables() []table {
	return []table{
		{"costs", costTable()}, {"needs", needTable()}, {"changes", changeTable()},
		{"placement", placementTable()}, {"together", togetherTable()}, {"resumes", resumeTable()},
		{"shards", shardTable()}, {"away", awayTable()}, {"elections", electionTable()},
		{"store", storeTable()},
	}
}

// rows writes a table whose columns behind the first `left` are numbers.
func rows(left int, head string, lines ...string) string {
	var b strings.Builder
	names := strings.Split(head, "|")
	fmt.Fprintf(&b, "| %s |\n|", strings.Join(names, " | "))
	for i := range names {
		if i < left {
			b.WriteString(" --- |")
		} else {
			b.WriteString(" ---: |")
		}
	}
	b.WriteByte('\n')
	for _, l := range lines {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(strings.Split(l, "|"), " | "))
	}
	return b.String()
}

// number has three figures at most, and no exponent.
func number(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	default:
		return fmt.Sprintf("%.2f", f)
	}
}

func percent(share float64) string {
	if share < 0.01 {
		return "below 1 %"
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

func costTable() string {
	var lines []string
	for _, c := range costs {
		source := c.source
		if c.figure != "" {
			source = strings.Trim("benchmarks.md, `"+c.figure+"`; "+source, "; ")
		}
		value := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", c.value), "0"), ".")
		lines = append(lines, c.what+"|"+source+"|"+strings.TrimSpace(value+" "+c.unit))
	}
	return rows(2, "what|from|value", lines...)
}

func needTable() string {
	var lines []string
	for _, n := range base().needs() {
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s", n.what,
			strings.TrimSpace(number(n.need)+" "+n.unit), number(n.has), percent(n.share())))
	}
	return rows(1, "on the node that is asked most|asked|there|of it", lines...)
}

// change is one step further from the task's settings.
type change struct {
	what string
	do   func(*load)
}

var changes = []change{
	{"as it is", func(*load) {}},
	{"users act for themselves, no backend for them", func(l *load) { l.acts = 0 }},
	{"or the audit log in the shards of who is acted for", func(l *load) {
		l.acts, l.auditApart = 1, true
	}},
	{"and kept for 7 days", func(l *load) { l.auditDays = 7 }},
	{"and limits.connections = 20000", func(l *load) { l.connections = 20_000 }},
	{"and one socket for the live queries between two nodes", func(l *load) { l.muxed = true }},
	{"and each node flushes what it leads", func(l *load) { l.jobsEach = true }},
	{"and clients go to a node that has their shard", func(l *load) { l.direct = true }},
	{"but 5 replicas", func(l *load) { l.replicas = 5 }},
	{"but 3 replicas and 10 years of rows", func(l *load) { l.replicas, l.years = 3, 10 }},
}

func changeTable() string {
	var lines []string
	l := base()
	for _, c := range changes {
		c.do(&l)
		list := l.needs()
		line := c.what
		for _, n := range list[:2] {
			line += "|" + n.what + ": " + percent(n.share())
		}
		for _, what := range []string{processor, files} {
			i := slices.IndexFunc(list, func(n need) bool { return n.what == what })
			line += "|" + percent(list[i].share())
		}
		lines = append(lines, line)
	}
	return rows(3, "each line on top of the one before|scarcest|then|processor|files", lines...)
}

func placementTable() string {
	var lines []string
	c := found(100, 1000, 3)
	r := rand.New(rand.NewPCG(5, 6))
	var all, last loss
	for dead := 0; dead <= 50; dead++ {
		if dead > 0 {
			last = c.lose(c.nodes[r.IntN(len(c.nodes))])
			all.copied, all.led, all.moved = all.copied+last.copied, all.led+last.led, all.moved+last.moved
		}
		switch dead {
		case 0, 1, 2, 5, 10, 20, 50:
			few, many := c.span(c.replicas())
			low, high := c.span(c.leads())
			often, shards := c.together(2, 500)
			lines = append(lines, fmt.Sprintf("%d|%d|%d|%d|%d, %d|%d to %d|%d to %d|%.1f %%: %.1f", dead,
				all.copied, all.led, all.moved, last.from, last.to, few, many, low, high, often, shards))
		}
	}
	return rows(0, "nodes dead|replicas copied|shards without leader|leaders moved besides|"+
		"nodes copied from and to, the last time|replicas of a node|leaders of a node|"+
		"two more at once", lines...)
}

func togetherTable() string {
	list := []*cluster{found(100, 1000, 3), scattered(100, 1000, 3), found(100, 1000, 5)}
	var lines []string
	for _, k := range []int{2, 3, 5} {
		line := fmt.Sprint(k)
		for _, c := range list {
			often, shards := c.together(k, 500)
			line += fmt.Sprintf("|%.1f %%: %.1f", often, shards)
		}
		lines = append(lines, line)
	}
	return rows(0, "nodes gone at once|3 replicas, as founded|3 replicas at random|"+
		"5 replicas, as founded", lines...)
}

func resumeTable() string {
	l := base()
	each := int(l.perNode(l.subscribers))
	one := storm{nodes: int(l.nodes), dead: 1, each: each, limit: 2 * each,
		proxied: int(float64(each) * l.elsewhere()), groups: int(l.shards),
		led: int(l.perNode(l.shards)), spread: 1,
		resumes: resumes.value, detect: 0.8, failover: failover.value}
	list := []struct {
		what string
		do   func(*storm)
	}{
		{"one node, back within a second", func(*storm) {}},
		{"all at once", func(s *storm) { s.spread = 0 }},
		{"all clients to the same node", func(s *storm) { s.unevenly = true }},
		{"limits.connections as it is, 10,000", func(s *storm) { s.limit = 10_000 }},
		{"limit 10,200", func(s *storm) { s.limit = 10_200 }},
		{"10 nodes", func(s *storm) { s.dead = 10 }},
		{"33 nodes, a third of all", func(s *storm) { s.dead = 33 }},
		{"33 nodes, within 10 seconds", func(s *storm) { s.dead, s.spread = 33, 10 }},
	}
	var lines []string
	for _, c := range list {
		s := one
		c.do(&s)
		o := s.run()
		lines = append(lines, fmt.Sprintf("%s|%.2f|%.2f|%.2f|%d|%d", c.what, o.p50, o.p99, o.worst,
			o.queue, o.refused))
	}
	return rows(1, "what dies|p50, s|p99, s|worst, s|longest queue|not accepted", lines...)
}

func storeTable() string {
	var lines []string
	for _, m := range []float64{100, 1000, 10_000} {
		l := base()
		l.minRows = m
		all := l.writes * l.average * 365 * 86400
		hot := l.users * m / 2 * rowDisk.value * l.replicas / l.nodes
		lines = append(lines, fmt.Sprintf("%.0f|%s|%s|%s|%s|%s", m, number(l.segments()),
			number(l.puts()), number(l.puts()*86400*30/1e6*putPrice.value),
			number(all*coldRow.value/1e12*storePrice.value), number(hot/1e9)))
	}
	return rows(0, "flush.min_rows|files a second|PUTs a second|USD a month for them|"+
		"USD a month for a year of rows|GB of hot rows of a node", lines...)
}

func shardTable() string {
	var lines []string
	for _, shards := range []float64{100, 300, 1000, 3000, 10_000} {
		l := base()
		l.shards = shards
		of := l.rows() / shards
		lines = append(lines, fmt.Sprintf("%.0f|%.0f|%s|%s|%s|%.1f|%s", shards, l.groups(),
			percent(l.groups()*groupCPU.value/1e6), number(l.groups()*groupMemory.value),
			number(l.writes/shards), of/1e6, number(of/snapshot.value/60)))
	}
	return rows(0, "shards|groups of a node|of a core, idle|MB, idle|writes a second of one|"+
		"million rows of one, a year|minutes to copy one", lines...)
}

func awayTable() string {
	l := base()
	acts := l.writes + l.reads
	shard := l.writes / l.shards
	list := []struct {
		what           string
		entries, bytes float64
	}{
		{"system tables, busiest, with all acts", l.systemEntries(), acts * actLog.value},
		{"system tables, on average, with all acts", l.systemEntries() * l.average,
			acts * l.average * actLog.value},
		{"system tables, without acts, one account a second", 1, logDisk.value},
		{"a shard, busiest", shard, shard * logDisk.value},
		{"a shard, on average", shard * l.average, shard * l.average * logDisk.value},
		{"shared tables", l.shared, l.shared * logDisk.value},
	}
	var lines []string
	for _, g := range list {
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s", g.what, number(g.entries),
			number(g.bytes/1e6), number(away(g.entries, g.bytes))))
	}
	return rows(1, "group|entries a second|MB of log a second|seconds that a node may be away",
		lines...)
}

func electionTable() string {
	var lines []string
	for _, voters := range []int{3, 5, 7, 25, 100} {
		line := fmt.Sprint(voters)
		for _, e := range []election{{voters, 0.001, 0.004}, {voters, 0.01, 0.04}, {voters, 0.02, 0.08}} {
			p50, p99, rounds := e.run(1000)
			line += fmt.Sprintf("|%.2f, %.2f s, %.1f", p50, p99, rounds)
		}
		lines = append(lines, line)
	}
	return rows(0, "voters|a message takes 1 to 5 ms|10 to 50 ms|20 to 100 ms", lines...)
}
