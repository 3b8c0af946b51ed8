package ident

// JobID names a job: its rows in system.jobs sort by it in the order in which
// they were made.
type JobID string
