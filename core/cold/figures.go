package cold

import "sync/atomic"

// meter counts what a Tier does.
type meter struct {
	fetches, rows, hits, read, bytes, opened atomic.Int64
	segments, written, swapped, deleted      atomic.Int64
	restored                                 atomic.Int64

	scans, scanned, prunedByKey        atomic.Int64
	groups, prunedByStats, rowsScanned atomic.Int64
}

// Figures are what a Tier has done since it was made, and what it holds.
type Figures struct {
	Fetches      int64 // from one segment each
	RowsFetched  int64 // that were asked for
	RowsCached   int64 // of these, those that were in memory
	RowsRead     int64 // out of files, neighbours included
	BytesRead    int64 // of files
	FilesOpened  int64
	OpenFiles    int64
	CacheBytes   int64
	Segments     int64 // written
	RowsWritten  int64
	RowsSwapped  int64
	FilesDeleted int64
	// FilesRestored came from another node, in place of what was missing or damaged.
	FilesRestored int64

	Scans          int64 // reads that went over to scanning
	SegmentsRead   int64 // by scans; one counts once for each
	SegmentsPruned int64 // of users of scans, that have no key in their range
	GroupsRead     int64 // row groups that scans came to
	GroupsPruned   int64 // of these, those whose statistics met no condition
	RowsScanned    int64
}

// Figures returns what t has done.
func (t *Tier) Figures() Figures {
	open, held := t.files.size()
	_, rows := t.blocks.size()
	return Figures{
		Fetches: t.meter.fetches.Load(), RowsFetched: t.meter.rows.Load(),
		RowsCached: t.meter.hits.Load(), RowsRead: t.meter.read.Load(),
		BytesRead: t.meter.bytes.Load(), FilesOpened: t.meter.opened.Load(),
		OpenFiles: int64(open), CacheBytes: held + rows,
		Segments: t.meter.segments.Load(), RowsWritten: t.meter.written.Load(),
		RowsSwapped: t.meter.swapped.Load(), FilesDeleted: t.meter.deleted.Load(),
		FilesRestored: t.meter.restored.Load(),
		Scans:         t.meter.scans.Load(), SegmentsRead: t.meter.scanned.Load(),
		SegmentsPruned: t.meter.prunedByKey.Load(), GroupsRead: t.meter.groups.Load(),
		GroupsPruned: t.meter.prunedByStats.Load(), RowsScanned: t.meter.rowsScanned.Load(),
	}
}
