package main

import (
	"cmp"
	"math"
	"slices"
)

// load is what a cluster is to hold and how it is set.
type load struct {
	users, subscribers, nodes, shards, replicas float64
	writes, reads                               float64 // a second, at the busiest
	average                                     float64 // of the busiest, over a day
	years                                       float64 // that rows are kept
	shared                                      float64 // writes of shared tables a second
	acts                                        float64 // share of requests for another user
	auditApart                                  bool    // the audit log is in groups of three
	auditDays                                   float64
	connections                                 float64 // limits.connections
	// one socket for the live queries between two nodes, not one for each
	muxed    bool
	direct   bool    // clients go to a node with their shard
	jobsEach bool    // each node flushes the shards it leads
	minRows  float64 // flush.min_rows
}

// base is the task, with the defaults of the settings.
func base() load {
	return load{users: 10e6, subscribers: 1e6, nodes: 100, shards: 1000, replicas: 3,
		writes: 50_000, reads: 100_000, average: 0.2, years: 1, shared: 1000,
		acts: 1, auditDays: 90, connections: 10_000, minRows: 1000}
}

// need is a resource: what is asked of it on the node that is asked most.
type need struct {
	what      string
	need, has float64
	unit      string
}

// Two of them by name.
const (
	processor = "processor of a node"
	files     = "open files and sockets"
)

func (n need) share() float64 { return n.need / n.has }

// perNode is a rate of the cluster's on one node.
func (l load) perNode(rate float64) float64 { return rate / l.nodes }

// elsewhere is the share of requests that come to a node without their shard.
func (l load) elsewhere() float64 {
	if l.direct {
		return 0
	}
	return 1 - min(1, l.replicas/l.nodes)
}

// actsTo is how many acts for others a second a node writes as a follower or leader of
// the audit log.
func (l load) actsTo(rate float64) float64 {
	acts := rate * l.acts
	if l.auditApart {
		return acts * l.replicas / l.nodes
	}
	return acts
}

// groups is the number of replicas of a node; two groups are on every node.
func (l load) groups() float64 { return l.shards*l.replicas/l.nodes + 2 }

// needs of the node that is asked most, the scarcest first.
func (l load) needs() []need {
	list := slices.Concat(l.processor(), l.bytes(), l.counts(), l.single())
	slices.SortStableFunc(list, func(a, b need) int { return cmp.Compare(b.share(), a.share()) })
	return list
}

// heartbeats are messages a second of the leader of a group on every node.
func (l load) heartbeats() float64 { return 10 * (l.nodes - 1) }

// systemEntries is how often a second the system group's leader sends: each node hands in
// its acts once a second, 512 in a command.
func (l load) systemEntries() float64 {
	if l.auditApart || l.acts == 0 {
		return 1
	}
	return l.nodes * math.Ceil(l.perNode((l.writes+l.reads)*l.acts)/512)
}

func (l load) processor() []need {
	requests := l.perNode(l.writes + l.reads)
	µs := l.perNode(l.writes)*writeCPU.value*l.replicas/3 + l.perNode(l.reads)*readCPU.value +
		requests*l.elsewhere()*forwardCPU.value +
		l.perNode(l.writes)*notifyCPU.value*(1+l.elsewhere()) +
		l.groups()*groupCPU.value + l.actsTo(l.writes+l.reads)*actCPU.value +
		l.shared*writeCPU.value/3
	leader := (2*l.heartbeats() + l.systemEntries()*(l.nodes-1)) * messageCPU.value
	return []need{
		{processor, µs / 1e6, node.cores, "cores"},
		{"processor of the system group's leader, for its messages", leader / 1e6, node.cores, "cores"},
	}
}

func (l load) bytes() []need {
	requests := l.perNode(l.writes + l.reads)
	data := l.perNode(l.writes)*writeBytes.value*(l.replicas-1)/2 +
		l.perNode(l.reads)*readBytes.value + requests*l.elsewhere()*forwardSize.value
	audit := (l.writes + l.reads) * l.acts * actBytes.value * (l.nodes - 1)
	if l.auditApart {
		audit = l.perNode((l.writes+l.reads)*l.acts) * actBytes.value * (l.replicas - 1)
	}
	rows := l.rows()
	hot := min(rows, l.users*l.minRows/2)
	disk := (rows*keyDisk.value + hot*rowDisk.value) * l.replicas / l.nodes
	acts := l.actsTo((l.writes+l.reads)*l.average) * l.auditDays * 86400 * actBytes.value
	ram := busyNode.value*1e6 + l.groups()*groupMemory.value*1e6 +
		l.perNode(l.subscribers)*(1+l.elsewhere())*subscriber.value*1e3 +
		l.users*l.replicas/l.nodes*userRAM.value
	written := (l.perNode(l.writes*l.replicas)+l.shared)*writeDisk.value +
		2*l.actsTo(l.writes+l.reads)*actBytes.value
	return []need{
		{"network out of a node, data", data / 1e6, node.network / 1e6, "MB/s"},
		{"network out of the node that leads the audit log", audit / 1e6, node.network / 1e6, "MB/s"},
		{"network out of the leader of shared tables", l.shared * writeBytes.value / 2 *
			(l.nodes - 1) / 1e6, node.network / 1e6, "MB/s"},
		{"disk: keys of cold rows, and hot rows", disk / 1e9, node.disk / 1e9, "GB"},
		{"disk: the audit log", acts / 1e9, node.disk / 1e9, "GB"},
		{"disk: accounts", l.users * accountDisk.value / 1e9, node.disk / 1e9, "GB"},
		{"disk: bytes written", written / 1e6, node.diskRate / 1e6, "MB/s"},
		{"memory", ram / 1e9, node.memory / 1e9, "GB"},
	}
}

// rows are all that are kept.
func (l load) rows() float64 { return l.writes * l.average * 365 * 86400 * l.years }

// away is how many seconds a node may be away before the leader of a group has cut the
// log behind it: 65,536 entries or 64 MiB, of which at least half is kept.
func away(entries, bytes float64) float64 {
	return min(65536/entries, 64<<20/bytes) / 2
}

func (l load) counts() []need {
	own := l.perNode(l.subscribers)
	proxied := 2 * own * l.elsewhere() // asked for here, and asked for by others
	if l.muxed {
		proxied = 2 * (l.nodes - 1) * min(1, l.elsewhere())
	}
	open := own + proxied + (l.nodes-1)*peerSockets.value + nodeFiles.value
	syncs := (l.perNode(l.writes*l.replicas) + l.shared + l.systemEntries()) * sync.value / 1e3
	return []need{
		{"connections, by the limit, when a node has died", l.subscribers / (l.nodes - 1),
			l.connections, "sockets"},
		{files, open, node.files, ""},
		{"syncs of the log, each write by itself", syncs, 1, "s/s"},
	}
}

// files written to the object store a second, on average.
func (l load) segments() float64 { return l.writes * l.average / l.minRows }

// requests to the object store a second: a file and the manifest beside it, and again,
// with a read of each, when eight are merged.
func (l load) puts() float64 { return l.segments() * (2 + 2.0/8) }

// single is what one node, or one job, does for the whole cluster.
func (l load) single() []need {
	jobs, running, keys := 1.0, 2.0, l.rows()
	if l.jobsEach {
		jobs = l.nodes
	}
	put := l.puts() * putTime.value / 1e3 / jobs
	write := l.segments() * smallFile.value / 1e3 / jobs
	walk := keys / keyWalk.value / jobs
	const every = 720 / 8 * 3600 // an eighth of flush.max_age
	if l.writes > 0 {
		walk *= 2 // it rests as long as it works while others write
	}
	return []need{
		{"flush: uploads one after another, of two jobs", put + write, running, "jobs"},
		{"flush: a walk over all keys, within an eighth of flush.max_age", walk / 3600,
			every / 3600, "h"},
		{"accounts: all made within 30 days", l.users / 30 / 86400 * account.value / 1e3,
			node.cores, "cores"},
	}
}
