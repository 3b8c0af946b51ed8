// Package wire holds the messages of the HTTP and WebSocket interfaces, as
// server and clients share them, and reads them strictly.
//
// It does no I/O. A server encodes large results itself, row by row; the
// structs here say what the outcome looks like and are what a client reads
// into. JSON numbers inside any fields are read as json.Number.
package wire
