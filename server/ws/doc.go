// Package ws is the WebSocket interface: live queries and SQL over one
// connection, as JSON text frames.
//
// An idle connection costs one goroutine with the smallest stack, which waits
// for the client, and a read buffer of a quarter of a kilobyte; two more
// goroutines exist only while there is something to do:
//
//   - The reader takes frames apart, answers pings and puts messages into the
//     inbox. When it has taken what came, a new one waits in its place.
//   - The worker handles the inbox, one message after the other, and ends when
//     it is empty. So queries are answered in order, and a connection that is
//     lost while a statement runs cancels it.
//   - The writer sends what is in the outbox and then polls the subscriptions
//     that have something to tell; it ends when there is nothing left. A
//     notifier only puts the subscription into a list and starts the writer,
//     so publishing never waits for a socket.
//
// Every queue is bounded. A full inbox stops the reader, a full outbox stops
// the worker, and subscriptions are polled only after what was polled before
// has been written: what waits for them stays in their own bounded queue of
// package live. A socket that takes nothing for the write timeout is told
// SLOW_CONSUMER, should it ever read again, and closed.
//
// The Server owns the readers and one keeper goroutine that pings, moves
// cursors and ends what has expired. A reader owns its worker and its writer.
// Close waits for all of them.
package ws
