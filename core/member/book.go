package member

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
)

// Book reads and changes the documents.
type Book struct {
	DB *store.DB
	// Write commits writes of the system tables, all or none. A refusal is an error.
	Write func(ctx context.Context, writes ...writeset.Write) error
	// Replicas is how many nodes have a shard of users, where there are as many.
	Replicas int
	Now      func() time.Time
}

func nodeKey(n ident.NodeID) string   { return fmt.Sprintf("%05d", n) }
func shardKey(s ident.ShardID) string { return fmt.Sprintf("%05d", s) }

// state is all that is stored, with the seqs of the documents.
type state struct {
	nodes     []Node
	shards    []Shard
	nodeSeqs  map[ident.NodeID]clock.Seq
	shardSeqs map[ident.ShardID]clock.Seq
}

func (b *Book) read() (*state, error) {
	v := b.DB.View()
	defer v.Release()
	st := &state{nodeSeqs: map[ident.NodeID]clock.Seq{}, shardSeqs: map[ident.ShardID]clock.Seq{}}
	err := catalog.KeptNodes.Each(b.DB, v, func(decode func(any) error) error {
		var n Node
		err := decode(&n)
		st.nodes = append(st.nodes, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = catalog.KeptShards.Each(b.DB, v, func(decode func(any) error) error {
		var s Shard
		err := decode(&s)
		st.shards = append(st.shards, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, n := range st.nodes {
		if st.nodeSeqs[n.ID], err = catalog.KeptNodes.Seq(b.DB, v, nodeKey(n.ID)); err != nil {
			return nil, err
		}
	}
	for _, s := range st.shards {
		if st.shardSeqs[s.ID], err = catalog.KeptShards.Seq(b.DB, v, shardKey(s.ID)); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// Nodes returns all nodes by number, those that are gone among them.
func (b *Book) Nodes() ([]Node, error) {
	st, err := b.read()
	if err != nil {
		return nil, err
	}
	return st.nodes, nil
}

// Shards returns all shards by number.
func (b *Book) Shards() ([]Shard, error) {
	st, err := b.read()
	if err != nil {
		return nil, err
	}
	return st.shards, nil
}

// Holders returns the nodes that have a replica of a shard with a vote, as far as this
// node has heard.
func (b *Book) Holders(id ident.ShardID) (list []Node, err error) {
	st, err := b.read()
	if err != nil {
		return nil, err
	}
	for i := range st.shards {
		if st.shards[i].ID != id {
			continue
		}
		for _, n := range st.nodes {
			if st.shards[i].has(n.ID) {
				list = append(list, n)
			}
		}
	}
	return list, nil
}

// change stores what f makes of the documents, on the condition that they have not
// changed meanwhile.
func (b *Book) change(ctx context.Context, f func(*state) error) error {
	st, err := b.read()
	if err != nil {
		return err
	}
	before := &state{nodes: slices.Clone(st.nodes), shards: slices.Clone(st.shards)}
	if err := f(st); err != nil {
		return err
	}
	var writes []writeset.Write
	for i, n := range st.nodes {
		if i < len(before.nodes) && reflect.DeepEqual(n, before.nodes[i]) {
			continue
		}
		w, err := catalog.KeptNodes.Put(nodeKey(n.ID), n, st.nodeSeqs[n.ID])
		if err != nil {
			return err
		}
		writes = append(writes, w)
	}
	for i, s := range st.shards {
		if i < len(before.shards) && reflect.DeepEqual(s, before.shards[i]) {
			continue
		}
		w, err := catalog.KeptShards.Put(shardKey(s.ID), s, st.shardSeqs[s.ID])
		if err != nil {
			return err
		}
		writes = append(writes, w)
	}
	if len(writes) == 0 {
		return nil
	}
	return b.Write(ctx, writes...)
}

// Found stores the first nodes and shards, where there are none yet.
func (b *Book) Found(ctx context.Context, nodes []Node) error {
	return b.change(ctx, func(st *state) error {
		if len(st.nodes) > 0 {
			return nil
		}
		for _, n := range nodes {
			n.State, n.Since = Present, b.Now().UTC()
			st.nodes = append(st.nodes, n)
		}
		for s := ident.SystemShard; s <= keyspace.SharedShard(b.DB.Shards()); s++ {
			st.shards = append(st.shards, Shard{ID: s})
		}
		replan(st.nodes, st.shards, b.Replicas)
		return nil
	})
}

func (st *state) node(id ident.NodeID) (*Node, error) {
	for i := range st.nodes {
		if st.nodes[i].ID == id {
			return &st.nodes[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "the cluster has no node %d; see SHOW CLUSTER", id)
}

// add appends a node that is new.
func (st *state) add(n Node) error {
	for _, o := range st.nodes {
		switch {
		case o.ID == n.ID:
			return fault.New(fault.AlreadyExists,
				"node %d is or was a member; a node that comes again needs a new number", n.ID)
		case o.State != Gone && (o.Raft == n.Raft || o.API == n.API):
			return fault.New(fault.AlreadyExists, "node %d has that address", o.ID)
		}
	}
	if len(st.shards) == 0 {
		return errNoMembers
	}
	st.nodes = append(st.nodes, n)
	return nil
}

var errNoMembers = fault.New(fault.NotLeader, "the cluster is being begun; try again")

// Join makes a node a member, which gets its share of the shards.
func (b *Book) Join(ctx context.Context, n Node) error {
	return b.change(ctx, func(st *state) error {
		n.State, n.Since = Present, b.Now().UTC()
		if err := st.add(n); err != nil {
			return err
		}
		replan(st.nodes, st.shards, b.Replicas)
		return nil
	})
}

// Leave has the replicas of a node move to others. It is gone once it has none.
func (b *Book) Leave(ctx context.Context, id ident.NodeID) error {
	return b.change(ctx, func(st *state) error {
		if err := st.leave(id, b.Now()); err != nil {
			return err
		}
		replan(st.nodes, st.shards, b.Replicas)
		return nil
	})
}

func (st *state) leave(id ident.NodeID, now time.Time) error {
	n, err := st.node(id)
	switch {
	case err != nil:
		return err
	case n.State == Gone:
		return fault.New(fault.InvalidParameter, "node %d is gone", id)
	case n.State == Leaving:
		return nil
	}
	n.State, n.Since = Leaving, now.UTC()
	for _, o := range st.nodes {
		if o.State == Present {
			return nil
		}
	}
	return fault.New(fault.InvalidParameter, "node %d is the last one; it can't leave", id)
}

// Replace has a new node take over the shards of another, which may be dead.
func (b *Book) Replace(ctx context.Context, old ident.NodeID, n Node) error {
	return b.change(ctx, func(st *state) error {
		if n.Replaces, n.State, n.Since = old, Present, b.Now().UTC(); n.ID == old {
			return fault.New(fault.InvalidParameter,
				"node %d can't replace itself; its successor needs a new number", old)
		}
		if _, err := st.node(old); err != nil {
			return err
		}
		if err := st.add(n); err != nil {
			return err
		}
		if err := st.leave(old, b.Now()); err != nil {
			return err
		}
		for i := range st.shards {
			s := &st.shards[i]
			s.Wanted = slices.Clone(s.Wanted)
			for j := range s.Wanted {
				if s.Wanted[j] == old {
					s.Wanted[j] = n.ID
				}
			}
		}
		replan(st.nodes, st.shards, b.Replicas)
		return nil
	})
}

// Transfer has a node lead a shard that it has.
func (b *Book) Transfer(ctx context.Context, shard ident.ShardID, to ident.NodeID) error {
	return b.change(ctx, func(st *state) error {
		if _, err := st.node(to); err != nil {
			return err
		}
		for i := range st.shards {
			s := &st.shards[i]
			if s.ID != shard {
				continue
			}
			if !s.wants(to) {
				return fault.New(fault.InvalidParameter,
					"node %d has no replica of shard %d; see system.shards", to, shard)
			}
			s.Leader = to
			return nil
		}
		return fault.New(fault.NotFound, "there is no shard %d; see system.shards", shard)
	})
}

// Rebalance spreads replicas and leaders over the nodes.
func (b *Book) Rebalance(ctx context.Context) error {
	return b.change(ctx, func(st *state) error {
		replan(st.nodes, st.shards, b.Replicas)
		return nil
	})
}

// edit changes the document of one shard.
func (b *Book) edit(ctx context.Context, id ident.ShardID, f func(*Shard)) error {
	return b.change(ctx, func(st *state) error {
		for i := range st.shards {
			if st.shards[i].ID == id {
				f(&st.shards[i])
			}
		}
		return nil
	})
}
