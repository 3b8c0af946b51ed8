package cluster

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Node is a server of a cluster and where the others reach it.
type Node struct {
	ID   ident.NodeID
	Raft string // host:port of the log
	API  string // host:port of the requests that nodes send each other
}

// ParseNodes reads nodes of the form "number=host:port", or
// "number=host:port/port" where the second port is that of the nodes' API, which
// else is the first plus one. They are returned by number.
func ParseNodes(list []string) ([]Node, error) {
	nodes := make([]Node, 0, len(list))
	taken := make(map[string]ident.NodeID)
	for _, text := range list {
		n, err := parseNode(text)
		if err != nil {
			return nil, err
		}
		if _, twice := Find(nodes, n.ID); twice {
			return nil, fault.New(fault.InvalidParameter,
				"node %d stands twice among the nodes; give each its own number", n.ID)
		}
		for _, addr := range []string{n.Raft, n.API} {
			if other, ok := taken[addr]; ok {
				return nil, fault.New(fault.InvalidParameter,
					"nodes %d and %d share the address %s; a node takes its port and the next one",
					other, n.ID, addr)
			}
			taken[addr] = n.ID
		}
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b Node) int { return int(a.ID) - int(b.ID) })
	return nodes, nil
}

// Find returns the node of a number.
func Find(nodes []Node, id ident.NodeID) (Node, bool) {
	for _, n := range nodes {
		if n.ID == id {
			return n, true
		}
	}
	return Node{}, false
}

func parseNode(text string) (Node, error) {
	bad := func(why string) (Node, error) {
		return Node{}, fault.New(fault.InvalidParameter,
			"%.80q %s; write a node as 1=host:port", text, why)
	}
	number, addr, ok := strings.Cut(text, "=")
	if !ok {
		return bad("has no number")
	}
	id, err := strconv.ParseUint(strings.TrimSpace(number), 10, 16)
	if err != nil || id == 0 || ident.NodeID(id) > ident.MaxNode {
		return bad("has no number from 1 to " + strconv.Itoa(int(ident.MaxNode)))
	}
	addr, apiPort, named := strings.Cut(strings.TrimSpace(addr), "/")
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil || host == "":
		return bad("has no host and port")
	case strings.Contains(host, ":"):
		return bad("has an IPv6 address, which the log can't use; give it a name")
	}
	raft, ok := portOf(port)
	if !ok {
		return bad("has no port from 1 to 65535")
	}
	api := raft + 1
	if named {
		if api, ok = portOf(apiPort); !ok {
			return bad("has no second port from 1 to 65535")
		}
	}
	if api > maxPort {
		return bad("leaves no port behind it for requests")
	}
	return Node{
		ID:   ident.NodeID(id),
		Raft: net.JoinHostPort(host, strconv.Itoa(raft)),
		API:  net.JoinHostPort(host, strconv.Itoa(api)),
	}, nil
}

const maxPort = 65535

func portOf(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0 && n <= maxPort
}
