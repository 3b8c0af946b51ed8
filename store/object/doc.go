// Package object keeps whole files, by path, in a folder, in S3, in Google Cloud
// Storage, in Azure or in memory. It knows nothing of what is in them.
//
// An object appears whole or not at all: what is uploaded is seen when Put
// returns, and a Put that fails, or a process that dies in it, leaves nothing at
// the path. What an interrupted upload leaves elsewhere, Sweep removes. Objects
// are not changed, they are replaced.
//
// Every call ends: by its context, or by the time limits of Options. Errors are
// faults: STORAGE_UNAVAILABLE (try again), STORAGE_FULL, NOT_FOUND for an object
// that is not there while the storage answers, INVALID_PARAMETER for a path or a
// location that can't be. None of them holds credentials.
//
// Buckets are safe for concurrent use. A call waits for the goroutine that it
// starts; no other is left.
package object
