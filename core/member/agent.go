package member

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/replica"
)

// Groups are the Raft groups as a node sees and changes them; see replica.Raft.
type Groups interface {
	Node() ident.NodeID
	Holds(s ident.ShardID) bool
	Leader(s ident.ShardID) (ident.NodeID, uint64)
	Barrier(ctx context.Context, shards ...ident.ShardID) error
	Members(ctx context.Context, s ident.ShardID) (replica.Membership, error)
	AddReplica(ctx context.Context, s ident.ShardID, n ident.NodeID, addr string) (
		replica.ReplicaID, error)
	AddNonVoting(ctx context.Context, s ident.ShardID, n ident.NodeID, addr string) (
		replica.ReplicaID, error)
	RemoveReplica(ctx context.Context, s ident.ShardID, n ident.NodeID) error
	TransferLeader(ctx context.Context, s ident.ShardID, n ident.NodeID) error
	StartGroup(s ident.ShardID, id replica.ReplicaID, votes bool) error
	StopGroup(ctx context.Context, s ident.ShardID) error
	Figures(s ident.ShardID) replica.GroupFigures
}

// Agent has the groups of its node come to be as the documents say. Its fields are
// required, but for Founders where the cluster has been founded.
type Agent struct {
	*Book
	Groups   Groups
	Founders []Node
	Every    time.Duration // how often it looks; 0 means 1 second
	Logger   *slog.Logger

	moved map[ident.ShardID]time.Time // when it last asked another to lead
}

// Pace of an Agent.
const (
	lookEvery = time.Second
	// transferEvery is how often a node is asked to lead that does not.
	transferEvery = 10 * time.Second
)

// Serve looks again and again until ctx ends.
func (a *Agent) Serve(ctx context.Context) {
	every := a.Every
	if every == 0 {
		every = lookEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := a.Look(ctx); err != nil && ctx.Err() == nil {
			a.Logger.Debug("members of the groups; it is tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Look does the next steps, as far as they can be done now, and returns the first
// error. It is not for concurrent use.
func (a *Agent) Look(ctx context.Context) (first error) {
	me := a.Groups.Node()
	if !a.Groups.Holds(ident.SystemShard) && a.Groups.Figures(ident.SystemShard).Replica == 0 {
		return a.Groups.StartGroup(ident.SystemShard, replica.FirstReplica(me), false)
	}
	nodes, err := a.Nodes()
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		if a.leads(ident.SystemShard) && len(a.Founders) > 0 {
			return a.Found(ctx, a.Founders)
		}
		return nil
	}
	shards, err := a.Shards()
	if err != nil {
		return err
	}
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	for i := range shards {
		s := &shards[i]
		switch {
		case a.leads(s.ID):
			keep(a.direct(ctx, nodes, shards, s))
		case s.wants(me):
			keep(a.catchUp(ctx, s))
		case len(s.Has) > 0 && !s.has(me) && s.ID != ident.SystemShard &&
			a.Groups.Figures(s.ID).Replica != 0: // its leader has seen that it is no member
			keep(a.Groups.StopGroup(ctx, s.ID))
		}
	}
	if a.leads(ident.SystemShard) {
		keep(a.retire(ctx, nodes, shards))
	}
	return first
}

func (a *Agent) leads(s ident.ShardID) bool {
	node, _ := a.Groups.Leader(s)
	return node == a.Groups.Node()
}

// direct is the next step of who leads a group.
func (a *Agent) direct(ctx context.Context, nodes []Node, shards []Shard, s *Shard) error {
	m, err := a.Groups.Members(ctx, s.ID)
	if err != nil {
		return err
	}
	if err := a.note(ctx, s, m); err != nil {
		return err
	}
	complete := true
	for _, n := range s.Wanted {
		id := m.Replica(n)
		if m.Voting[id] != "" {
			continue
		}
		complete = false
		if err := a.add(ctx, nodes, s, n, id); err != nil {
			return err
		}
	}
	if !complete {
		return nil
	}
	return a.remove(ctx, shards, s, m)
}

// note stores who has a vote now.
func (a *Agent) note(ctx context.Context, s *Shard, m replica.Membership) error {
	var has []ident.NodeID
	for id := range m.Voting {
		has = append(has, id.Node())
	}
	slices.Sort(has)
	if slices.Equal(has, s.Has) {
		return nil
	}
	return a.edit(ctx, s.ID, func(d *Shard) {
		d.Has = has
		d.Ready = slices.DeleteFunc(slices.Clone(d.Ready), func(n ident.NodeID) bool {
			return slices.Contains(has, n)
		})
		d.Replicas = maps.Clone(d.Replicas)
		maps.DeleteFunc(d.Replicas, func(n ident.NodeID, _ uint64) bool {
			return slices.Contains(has, n)
		})
	})
}

// add takes a node up without a vote, and gives it one once it has caught up.
func (a *Agent) add(
	ctx context.Context, nodes []Node, s *Shard, n ident.NodeID, id replica.ReplicaID,
) error {
	at := slices.IndexFunc(nodes, func(o Node) bool { return o.ID == n })
	if at < 0 {
		return fault.New(fault.Internal, "shard %d is wanted on node %d, which is none", s.ID, n)
	}
	if id != 0 && slices.Contains(s.Ready, n) {
		_, err := a.Groups.AddReplica(ctx, s.ID, n, nodes[at].Raft)
		return err
	}
	if id == 0 {
		var err error
		if id, err = a.Groups.AddNonVoting(ctx, s.ID, n, nodes[at].Raft); err != nil {
			return err
		}
	}
	if s.Replicas[n] == uint64(id) {
		return nil // it catches up
	}
	return a.edit(ctx, s.ID, func(d *Shard) {
		if d.Replicas = maps.Clone(d.Replicas); d.Replicas == nil {
			d.Replicas = make(map[ident.NodeID]uint64)
		}
		d.Replicas[n] = uint64(id)
	})
}

// remove ends the membership of nodes that are not wanted, one at a time, and gives the
// group the leader that is.
func (a *Agent) remove(
	ctx context.Context, shards []Shard, s *Shard, m replica.Membership,
) error {
	me := a.Groups.Node()
	for _, list := range []map[replica.ReplicaID]string{m.NonVoting, m.Voting} {
		for id := range list {
			n := id.Node()
			if s.wants(n) || n == me || s.ID == ident.SystemShard && holdsOther(shards, n) {
				continue
			}
			return a.Groups.RemoveReplica(ctx, s.ID, n)
		}
	}
	if s.Leader == me || s.Leader == 0 || !s.wants(s.Leader) {
		return nil
	}
	if now := a.Now(); now.Sub(a.moved[s.ID]) < transferEvery {
		return nil
	} else if a.moved == nil {
		a.moved = map[ident.ShardID]time.Time{s.ID: now}
	} else {
		a.moved[s.ID] = now
	}
	return a.Groups.TransferLeader(ctx, s.ID, s.Leader)
}

// holdsOther reports whether a node has a shard beside the system tables, by which it
// knows what it is to do with it.
func holdsOther(shards []Shard, n ident.NodeID) bool {
	return slices.ContainsFunc(shards, func(s Shard) bool {
		return s.ID != ident.SystemShard && s.has(n)
	})
}

// catchUp starts the replica that the group has given to this node, and says when it
// has all that the group had answered.
func (a *Agent) catchUp(ctx context.Context, s *Shard) error {
	me := a.Groups.Node()
	if s.has(me) || slices.Contains(s.Ready, me) {
		return nil
	}
	if a.Groups.Figures(s.ID).Replica == 0 {
		id := replica.ReplicaID(s.Replicas[me])
		if id == 0 {
			return nil // not taken up yet
		}
		return a.Groups.StartGroup(s.ID, id, false)
	}
	if err := a.Groups.Barrier(ctx, s.ID); err != nil {
		return err
	}
	return a.edit(ctx, s.ID, func(d *Shard) { d.Ready = append(slices.Clone(d.Ready), me) })
}

// retire notes the nodes that have left all groups.
func (a *Agent) retire(ctx context.Context, nodes []Node, shards []Shard) error {
	for _, n := range nodes {
		left := n.State == Leaving && !slices.ContainsFunc(shards, func(s Shard) bool {
			return s.has(n.ID) || s.wants(n.ID)
		})
		if !left {
			continue
		}
		err := a.change(ctx, func(st *state) error {
			d, err := st.node(n.ID)
			if err == nil {
				d.State, d.Since = Gone, a.Now().UTC()
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
