package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/server/config"
	"github.com/kalamdb/kalamdb-go/server/peer"
)

// node is what a server has beside the rest when it is one of several: the listener
// for the others, and the connections to them. Methods do nothing on nil.
type node struct {
	self        cluster.Node
	nodes       []cluster.Node
	credentials *cluster.Credentials
	sealer      *cluster.Sealer
	clients     *peer.Clients
	listener    net.Listener
	http        *http.Server
	member      atomic.Pointer[cluster.Member] // nil until the data directory is open
	files       atomic.Pointer[engine.Engine]  // nil until it has files
	served      chan error
	failed      chan error // gets why this node can't go on
}

// openNode takes the address for other nodes and serves them; nil for a server alone.
// Requests wait for nothing: until api serves they are told that it starts.
func openNode(
	ctx context.Context, c *config.Config, requests context.Context, api http.Handler,
	log *slog.Logger,
) (*node, error) {
	if !c.Cluster.On() {
		return nil, nil
	}
	n := &node{served: make(chan error, 1), failed: make(chan error, 1)}
	if err := n.identify(&c.Cluster); err != nil {
		return nil, err
	}
	addr := c.Cluster.API
	if addr == "" {
		addr = n.self.API
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fault.Wrap(fault.InUse, err, "can't listen on %s for other nodes; stop what uses "+
			"the port, or set cluster.api: %v", addr, err)
	}
	n.listener = tls.NewListener(l, n.credentials.Server())
	n.clients = peer.NewClients(n.credentials)
	n.http = &http.Server{
		Handler:           peer.WithFiles(n.holder, peer.Handler(n.answerer, api)),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() { n.served <- n.http.Serve(n.listener) }() // ended by stop
	return n, nil
}

// identify finds out who this node is, and by what the others know it.
func (n *node) identify(c *config.Cluster) (err error) {
	if n.nodes, err = cluster.ParseNodes(c.Nodes); err != nil {
		return err
	}
	id := ident.NodeID(c.Node)
	n.self, _ = cluster.Find(n.nodes, id) // checked by package config
	if c.Secret != "" {
		if n.sealer, err = cluster.NewSealer(c.Secret); err != nil {
			return err
		}
	}
	if c.CertFile != "" {
		n.credentials, err = cluster.FromFiles(c.CAFile, c.CertFile, c.KeyFile, id)
		return err
	}
	host, _, err := net.SplitHostPort(n.self.Raft)
	if err != nil {
		return err
	}
	n.credentials, err = cluster.FromSecret(c.Secret, id, host, time.Now())
	return err
}

func (n *node) answerer() peer.Member {
	if m := n.member.Load(); m != nil {
		return m
	}
	return nil
}

func (n *node) holder() peer.Files {
	if db := n.files.Load(); db != nil {
		return db
	}
	return nil
}

// opened has the others get and send files.
func (n *node) opened(db *engine.Engine) {
	if n != nil {
		n.files.Store(db)
	}
}

// engine returns what the engine is told of the cluster.
func (n *node) engine(c *config.Cluster, release string, stop <-chan struct{}) *engine.Cluster {
	if n == nil {
		return nil
	}
	return &engine.Cluster{
		Node: n.self.ID, Nodes: n.nodes, Join: c.Join, Listen: c.Listen,
		Credentials: n.credentials, Sealer: n.sealer, Release: release,
		Replicas:       c.Replicas,
		MaxClockOffset: c.MaxClockOffset, QuorumTimeout: c.QuorumTimeout,
		StartTimeout: c.StartTimeout, Stop: stop,
		Files: n.clients,
		Greet: n.clients.Greet, Met: func(m *cluster.Member) { n.member.Store(m) },
		Failed: func(err error) { n.failed <- err }, // once
	}
}

// failure gets why the process is to end: what this node would answer is not what
// the others do. It never does for a server alone.
func (n *node) failure() <-chan error {
	if n == nil {
		return nil
	}
	return n.failed
}

// stop takes no more requests of other nodes and waits for those that run until ctx
// ends.
func (n *node) stop(ctx context.Context) error {
	if n == nil {
		return nil
	}
	err := n.http.Shutdown(ctx)
	if err != nil {
		err = n.http.Close()
	}
	n.clients.Close()
	return errors.Join(err, ignoreClosed(<-n.served))
}

// clusterHealth tells how the node sees its cluster.
func clusterHealth(db *engine.Engine) wire.ClusterHealth {
	h := wire.ClusterHealth{
		Status: wire.Healthy, Cluster: db.ClusterID(), Node: uint16(db.NodeID()),
	}
	leads := make(map[ident.NodeID]int)
	for s := ident.SystemShard; s <= db.LastShard(); s++ {
		leader, term := db.Leader(s)
		if leader == 0 {
			h.Status = wire.Degraded
		}
		leads[leader]++
		h.Shards = append(h.Shards, wire.ClusterShard{
			Shard: uint16(s), Leader: uint16(leader), Term: term, Held: db.Holds(s),
		})
	}
	for _, n := range db.Holders(ident.SystemShard) {
		h.Nodes = append(h.Nodes, wire.ClusterNode{Node: uint16(n.ID), Leads: leads[n.ID]})
	}
	return h
}
