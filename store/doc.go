// Package store keeps bytes at rest: partitions, which are named ordered key
// spaces, with atomic batches across them, published views and sizes, over any
// Engine.
//
// What a reader sees is decided by the DB, not by the engine: Commit publishes
// a new View only after the batch is durable (or at once, when the caller does
// not ask for that), and every read goes through a View. So nothing is ever
// shown that a crash could take back.
//
// It knows nothing of SQL text, replication or users' rights.
package store
