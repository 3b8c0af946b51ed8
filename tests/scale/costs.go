package main

// cost is what one thing takes. Where figure is set it names the row of
// docs/benchmarks.md that says so; source tells how else it was found, or that it is
// assumed.
type cost struct {
	what   string
	value  float64
	unit   string
	figure string
	source string
}

const (
	three   = "three processes, 12 groups"
	assumed = "assumed"
)

// What was measured. "Three processes" is told of in docs/scale.md.
var (
	idleNode = cost{"memory of an idle node of 12 groups, with the binary", 101, "MB", "",
		three + ", 93 to 117 MB"}
	busyNode = cost{"memory of a node behind 36,000 requests", 385, "MB", "",
		"three processes, 102 groups"}
	groupMemory = cost{"memory of one more group", 0.82, "MB", "",
		"three processes: 302 groups 271 MB, 12 groups 33 MB, without the binary"}
	groupCPU = cost{"processor of one more group of three, a node, idle", 280, "µs/s", "",
		"three processes: 302 groups 9.6 %, 12 groups 1.6 % of a core"}
	messageCPU = cost{"processor of a heartbeat, sent or answered, to a node that gets no other", 100,
		"µs", "", three + ", idle: 1.6 % of a core for 160 a second"}
	messageBytes = cost{"bytes of such a heartbeat or its answer", 148, "B", "",
		three + ", idle: 71 KB/s for 480 a second"}
	peerSockets = cost{"sockets between two nodes, both directions of the log and requests", 10,
		"", "", three + ": 20 to 22 for two peers"}
	nodeFiles = cost{"open files of a node besides", 27, "", "", three + ", and 25 with 302 groups"}

	writeCPU = cost{"processor of a write, on all three nodes", 2560, "µs", "",
		three + ", 3 clients: nothing to pack; 709 with 48 clients"}
	writeBytes = cost{"bytes between nodes for a write of 200 bytes, in all", 2981, "B", "",
		three + ", 3 clients; 1,821 with 48"}
	writeDisk = cost{"bytes written by one node for a write, log and store", 2500, "B", "",
		three + ", 48 clients: (9,320 - 1,821) / 3; files of both and their compaction"}
	rowDisk = cost{"disk of a hot row of 200 bytes with its history, not compacted", 1067, "B", "",
		"three processes, 102 groups: 17 MB of store behind 16,000 rows"}
	readCPU = cost{"processor of a read by key with ReadIndex, on all three nodes", 521, "µs", "",
		"three processes, 102 groups, 48 clients; 328 with 12 groups"}
	readBytes = cost{"bytes between nodes for it, in all", 971, "B", "",
		"the same; 752 with 12 groups"}
	actBytes = cost{"bytes to one follower for an act for another user, in the audit log", 290,
		"B", "", "three processes: reads for 20,000 users 1,551, for 200 users 971 bytes; half of it"}
	actCPU  = cost{"processor of it, a node", 9, "µs", "", "the same: 548 and 521 µs, a third of it"}
	account = cost{"processor of CREATE USER with a password, where it runs", 35, "ms", "",
		"three processes: 60 one after another"}
	sync = cost{"fdatasync of 4,000 bytes where zeros stood", 0.136, "ms",
		"fdatasync of 4,000 bytes", ""}
	subscriber = cost{"memory of a subscriber with its socket", 9.912, "KB",
		"memory_per_idle_subscriber", ""}
	notifyCPU = cost{"processor of telling a subscriber: notify less insert, of 16 clients", 65, "µs",
		"notify_cpu_server", ""}
	resumes   = cost{"resumes a second, of 10,000 at once", 5618, "/s", "resume_all", ""}
	resumeCPU = cost{"processor of a resume", 233, "µs", "resume_all_cpu_server", ""}
	userRAM   = cost{"memory of an idle user with a row", 266, "B", "1,000,000 users with a row each",
		"366 less 100 MB; 58 at a start"}
	coldRow   = cost{"a cold row in its file", 37.3, "B", "bytes a row", ""}
	smallFile = cost{"writing a file of 1,000 rows", 2.2, "ms", "a file of 1000 rows", ""}
	logDisk   = cost{"bytes of the Raft log of a write, a node", 1072, "B", "",
		"three processes, 102 groups: 17.2 MB behind 16,000 writes"}
	actLog = cost{"bytes of the Raft log of an act", 679, "B", "",
		"the same: 13.6 MB behind 20,000 acts"}
	snapshot = cost{"rows a second of a shard's snapshot, sent and installed", 110_000, "/s",
		"110,000 rows a second", ""}
	catchUp = cost{"rows a second of a node that catches up by the log", 31_000, "/s",
		"31,000 and", ""}
	failover = cost{"failover of a shard, longest", 2.9, "s", "",
		"benchmarks.md, the log of a cluster"}
)

// What nobody measured.
var (
	keyDisk = cost{"what stays hot of a cold row", 60, "B", "",
		assumed + `; cold-tier.md says "some tens of bytes"`}
	accountDisk = cost{"an account in the system group", 300, "B", "", assumed}
	forwardCPU  = cost{"processor of forwarding, both nodes", 200, "µs", "", assumed}
	forwardSize = cost{"bytes of a forwarded request and its answer", 1500, "B", "", assumed}
	keyWalk     = cost{"keys a second of a flush that looks who is due", 1e6, "/s", "", assumed}
	putTime     = cost{"a PUT of the object store", 50, "ms", "", assumed}
	putPrice    = cost{"price of 1,000,000 PUTs", 5, "USD", "", assumed + ", a public price"}
	storePrice  = cost{"price of a TB for a month", 23, "USD", "", assumed + ", a public price"}
)

var costs = []cost{
	idleNode, busyNode, groupMemory, groupCPU, messageCPU, messageBytes, peerSockets, nodeFiles,
	writeCPU, writeBytes, writeDisk, rowDisk, readCPU, readBytes, actBytes, actCPU, account, sync,
	subscriber, notifyCPU, resumes, resumeCPU, userRAM, coldRow, smallFile, logDisk, actLog,
	snapshot, catchUp, failover,
	keyDisk, accountDisk, forwardCPU, forwardSize, keyWalk, putTime, putPrice, storePrice,
}

// machine is a node, assumed.
type machine struct {
	cores, memory, disk, diskRate, network, files float64 // network each direction, bytes a second
}

var node = machine{cores: 16, memory: 64e9, disk: 2e12, diskRate: 500e6, network: 1.25e9,
	files: 65536}
