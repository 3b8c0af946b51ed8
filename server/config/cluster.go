package config

import (
	"errors"
	"net"
	"strconv"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cluster"
)

// validateCluster checks the section cluster. Its settings say nothing to a server
// alone, but that somebody forgot its number.
func (l *Loaded) validateCluster() error {
	c := &l.Cluster
	if !c.On() {
		return l.refuse([]check{
			{len(c.Nodes) > 0, "cluster.nodes is set and cluster.node is not; give this server its number"},
			{c.Secret != "", "cluster.secret is set and cluster.node is not; give this server its number"},
			{c.Join, "cluster.join is set and cluster.node is not; give this server its number"},
		})
	}
	files := 0
	for _, name := range []string{c.CAFile, c.CertFile, c.KeyFile} {
		if name != "" {
			files++
		}
	}
	err := l.refuse([]check{
		{len(c.Nodes) == 0, "cluster.node is set and cluster.nodes is not; name all nodes, this " +
			"one among them"},
		{files > 0 && files < 3, "cluster.ca_file, cert_file and key_file go together; set all three"},
		{c.Secret == "" && files == 0, "cluster.node is set and cluster.secret is not; give all nodes " +
			"the same 32 random bytes"},
		{c.Secret != "" && len(c.Secret) < cluster.MinSecret, "cluster.secret is shorter than 16 " +
			"bytes; use 32 random ones, the same on every node"},
		{c.Secret == "" && (l.Auth.JWTSecret == "" || l.Storage.CredentialsKey == ""),
			"cluster.cert_file without cluster.secret leaves nothing to encrypt shared secrets with; set " +
				"cluster.secret too, or auth.jwt_secret and storage.credentials_key on every node"},
		{l.Storage.Engine == EngineMemory, "storage.engine is memory, which a node of a cluster can't " +
			"keep its part in; use pebble or badger"},
		{l.Storage.Durability == DurabilityInterval, "storage.durability is interval, and the log of a " +
			"cluster is always synced; leave it at sync"},
	})
	if err != nil {
		return err
	}
	return l.checkNodes()
}

func (l *Loaded) checkNodes() error {
	c := &l.Cluster
	bad := func(name, message string) error {
		return fault.New(fault.InvalidParameter, "%s%s: %s", l.where(name), name, message)
	}
	nodes, err := cluster.ParseNodes(c.Nodes)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return bad("cluster.nodes", f.Message)
		}
		return err
	}
	if _, ok := cluster.Find(nodes, ident.NodeID(c.Node)); !ok {
		return bad("cluster.nodes", "node "+strconv.Itoa(c.Node)+", which is this one, is not among them")
	}
	if c.Join && len(nodes) == 1 {
		return bad("cluster.nodes", "a node that joins must name another one besides itself")
	}
	for name, addr := range map[string]string{"cluster.listen": c.Listen, "cluster.api": c.API} {
		if addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return bad(name, strconv.Quote(addr)+" is no host:port")
		}
	}
	return nil
}
