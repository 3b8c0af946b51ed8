// Package failpoint lets tests end the process at named steps of work that must
// survive its end at any of them. A binary built with the tag failpoint kills
// itself (SIGKILL, as a crash would) when the variable FAILPOINT names the step
// it is at: FAILPOINT=segment_uploaded:3 is the third time. Its clock is ahead by
// what FAILPOINT_CLOCK says, such as 90s, so that what has to be old is so in the
// next of its lives. In any other binary Here does nothing and costs nothing, and
// Now is time.Now.
package failpoint

// Point is a step at which the process may be ended.
type Point string

// The steps of moving rows to a segment, of a flush or a compaction.
const (
	SegmentPending  Point = "segment_pending"  // its entry is in the log, its file is not begun
	SegmentWriting  Point = "segment_writing"  // some rows are in its file
	SegmentUploaded Point = "segment_uploaded" // its file is whole, its entry still pending
	SegmentThere    Point = "segment_there"    // its entry says so, nothing points to it
	SegmentSwapped  Point = "segment_swapped"  // some rows point to it
)

// The steps of taking away what nothing points to.
const (
	SweepDying   Point = "sweep_dying"   // a file is about to be deleted, its entry is there
	SweepDeleted Point = "sweep_deleted" // the file is gone, its entry is still there
	RetainPurged Point = "retain_purged" // some expired history and tombstones are gone
	UserErased   Point = "user_erased"   // some keys of a dropped user are gone
)

// All returns every step.
func All() []Point {
	return []Point{
		SegmentPending, SegmentWriting, SegmentUploaded, SegmentThere, SegmentSwapped,
		SweepDying, SweepDeleted, RetainPurged, UserErased,
	}
}
