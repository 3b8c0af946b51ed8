// Package peer is how the nodes of a cluster talk to each other about requests: the
// greeting by which they find out whether they belong together, and requests that
// are to run on another node. All of it goes over mutual TLS between two nodes, to
// the API that clients have.
//
// A request goes with the identity that the first node has verified: the listener
// lets in nodes only, which hold the secrets that identities are made with. It is
// sent to the other node once, and never on from there.
//
// The package owns no goroutine beyond its calls, but for the connections that
// net/http keeps; Close lets go of them.
package peer
