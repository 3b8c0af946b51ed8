// Package clock tells time to a replicated store: Seq, the sequence number of
// a row's version, the hybrid logical clock that gives them out, and the
// generator of ids that sort by time.
//
// It keeps no goroutines and reads the wall clock only through a function it
// is given. Clock and Generator are safe for concurrent use and never give the
// same value twice, also when the wall clock jumps back.
package clock
