package exec

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/member"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// changeCluster changes the documents that say which nodes there are and what they
// have. The agents of the nodes do the rest; system.shards tells how far they are.
func (r *run) changeCluster(ctx context.Context) (string, error) {
	book := r.x.Members
	if book == nil {
		return "", fault.New(fault.Unsupported, "this server is no node of a cluster; "+
			"give it a number and the nodes in the section cluster of its configuration")
	}
	switch n := r.st.Node.(type) {
	case *ast.ClusterJoin:
		node, err := newNode(n.Address)
		if err == nil {
			err = book.Join(ctx, node)
		}
		return fmt.Sprintf("node %d joins; see system.shards", node.ID), err
	case *ast.ClusterLeave:
		return fmt.Sprintf("node %d leaves; see system.shards, and stop it when it is gone", n.Node),
			book.Leave(ctx, n.Node)
	case *ast.ClusterReplace:
		node, err := newNode(n.Address)
		if err == nil {
			err = book.Replace(ctx, n.Node, node)
		}
		return fmt.Sprintf("node %d replaces node %d; see system.shards", node.ID, n.Node), err
	case *ast.ClusterTransfer:
		return fmt.Sprintf("node %d is to lead shard %d", n.To, n.Shard),
			book.Transfer(ctx, n.Shard, n.To)
	case *ast.ClusterRebalance:
		return "replicas and leaders move where they are few; see system.shards", book.Rebalance(ctx)
	}
	return "", fault.New(fault.Unsupported, "%s is not supported", r.st.Kind)
}

func newNode(address string) (member.Node, error) {
	list, err := cluster.ParseNodes([]string{address})
	if err != nil {
		return member.Node{}, err
	}
	return member.Node{ID: list[0].ID, Raft: list[0].Raft, API: list[0].API}, nil
}

func integer(n int) value.Value { return value.NewInt(value.Int32, int64(n)) }

// nodes are the rows of system.nodes, as this node has them: they are there without a
// majority too.
func (s *systemRows) nodes() (rows [][]value.Value, err error) {
	log := s.r.x.Log
	nodes, shards, err := s.members()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		has, leads := 0, 0
		for _, sh := range shards {
			if slices.Contains(sh.Has, n.ID) {
				has++
			}
			if leader, _ := log.Leader(sh.ID); leader == n.ID {
				leads++
			}
		}
		rows = append(rows, []value.Value{
			integer(int(n.ID)), textOrNull(n.Raft), textOrNull(n.API), text(n.State), integer(has),
			integer(leads), value.NewBool(n.ID == log.Node()), timeOf(n.Since),
		})
	}
	return rows, nil
}

// shards are the rows of system.shards, as this node has them.
func (s *systemRows) shards() (rows [][]value.Value, err error) {
	log := s.r.x.Log
	_, shards, err := s.members()
	if err != nil {
		return nil, err
	}
	last := keyspace.SharedShard(s.r.x.DB.Shards())
	for _, sh := range shards {
		holds := "users"
		switch sh.ID {
		case ident.SystemShard:
			holds = "system tables"
		case last:
			holds = "shared tables"
		}
		leader, term := log.Leader(sh.ID)
		now := value.NullValue
		if leader != 0 {
			now = integer(int(leader))
		}
		state := "ready"
		if !slices.Equal(sh.Has, sh.Wanted) {
			state = "moving"
		}
		rows = append(rows, []value.Value{
			integer(int(sh.ID)), text(holds), now, value.NewBigInt(int64(term)),
			text(numbers(sh.Has)), text(numbers(sh.Wanted)), integer(int(sh.Leader)), text(state),
			value.NewBool(log.Holds(sh.ID)),
		})
	}
	return rows, nil
}

// members are the documents; for a server alone what they would say.
func (s *systemRows) members() (nodes []member.Node, shards []member.Shard, err error) {
	if book := s.r.x.Members; book != nil {
		if nodes, err = book.Nodes(); err == nil {
			shards, err = book.Shards()
		}
		return nodes, shards, err
	}
	self := []ident.NodeID{s.r.x.Log.Node()}
	for id := ident.SystemShard; id <= keyspace.SharedShard(s.r.x.DB.Shards()); id++ {
		shards = append(shards, member.Shard{ID: id, Wanted: self, Has: self, Leader: self[0]})
	}
	return []member.Node{{ID: self[0], State: member.Present}}, shards, nil
}

func numbers(nodes []ident.NodeID) string {
	var list []string
	for _, n := range nodes {
		list = append(list, fmt.Sprint(n))
	}
	return strings.Join(list, ", ")
}

// setStaleness says how old what the session reads may be, from the next statement
// on.
func (r *run) setStaleness(n *ast.SetStaleness, emit Sink) error {
	r.session.staleness = n.Age
	if n.Age == 0 {
		return emit(&Result{Message: "reads see all that was answered before"})
	}
	return emit(&Result{Message: fmt.Sprintf("reads may be up to %s old", n.Age)})
}
