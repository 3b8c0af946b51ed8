package ast

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// ShowCluster is SHOW CLUSTER.
type ShowCluster struct{}

// ClusterJoin is CLUSTER JOIN 'n=host:port'.
type ClusterJoin struct{ Address string }

// ClusterLeave is CLUSTER LEAVE n.
type ClusterLeave struct{ Node ident.NodeID }

// ClusterReplace is CLUSTER REPLACE n WITH 'm=host:port'.
type ClusterReplace struct {
	Node    ident.NodeID
	Address string
}

// ClusterTransfer is CLUSTER TRANSFER LEADER OF s TO n.
type ClusterTransfer struct {
	Shard ident.ShardID
	To    ident.NodeID
}

// ClusterRebalance is CLUSTER REBALANCE.
type ClusterRebalance struct{}

// SetStaleness is SET READ STALENESS.
type SetStaleness struct {
	Age time.Duration // 0 for OFF
}

func (*ShowCluster) node()      {}
func (*ClusterJoin) node()      {}
func (*ClusterLeave) node()     {}
func (*ClusterReplace) node()   {}
func (*ClusterTransfer) node()  {}
func (*ClusterRebalance) node() {}
func (*SetStaleness) node()     {}
