// Package cluster is what the servers of a cluster must agree on before they
// share any data: their numbers and addresses, the certificates by which they
// know one another, the key of the secrets they share, and the greeting in which
// one finds out whether another belongs to it.
//
// It sends nothing itself and knows neither HTTP nor Raft: the server carries
// greetings, core/replica the log. It owns no goroutine.
package cluster
