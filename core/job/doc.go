// Package job runs work in the background: flushes, compactions and the like.
// Each job is an actor of its own under a supervisor. It has a mailbox, a state
// and a row in system.jobs, which is written through the log when the state
// changes, and from time to time while it makes progress. What a kind of job
// does is given by whoever registers the Kind.
//
// The states and what leads from one to another:
//
//	new ─► queued ─► running ─► completed | failed | skipped
//	         ▲          │
//	         │          ├─► retrying (an error that may pass) ─► queued
//	         │          └─► cancelled (KILL JOB, in any of the three)
//	         └── a restart, for kinds that can be taken up again
//
// Guarantees:
//
//  1. Of one kind at most one job of a table runs at a time. One that is asked
//     for while another waits that does the same is that other one; one that is
//     asked for while another runs waits behind it.
//  2. At most Options.Running jobs run at once, and at most Options.Queue wait.
//     What is asked for beyond is refused with RATE_LIMIT_EXCEEDED.
//  3. A job that was told to the caller is found after a restart: taken up
//     again, or failed with the reason.
//
// A job is not the statement that asked for it: the client may go, the job goes
// on. The package knows nothing of tables' rows and of rights.
package job
