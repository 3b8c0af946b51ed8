package replica

import (
	"context"
	"errors"
	"time"

	"github.com/lni/dragonboat/v4"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/store"
)

// Membership is who has a replica of a group, with the addresses.
type Membership struct {
	Voting, NonVoting map[ReplicaID]string
	Removed           map[ReplicaID]bool
}

// Replica returns the replica of a node, 0 for none.
func (m Membership) Replica(n ident.NodeID) ReplicaID {
	for _, list := range []map[ReplicaID]string{m.Voting, m.NonVoting} {
		for id := range list {
			if id.Node() == n {
				return id
			}
		}
	}
	return 0
}

// next returns the replica that a node gets when it becomes a member.
func (m Membership) next(n ident.NodeID) ReplicaID {
	id := FirstReplica(n)
	for old := range m.Removed {
		if old.Node() == n && old >= id {
			id = old.next()
		}
	}
	return id
}

// Members returns the members of a group, as the group has them now.
func (r *Raft) Members(ctx context.Context, s ident.ShardID) (m Membership, err error) {
	err = r.change(ctx, s, func(ctx context.Context) error {
		got, err := r.host.SyncGetShardMembership(ctx, raftShard(s))
		if err != nil {
			return err
		}
		m = Membership{
			Voting: map[ReplicaID]string{}, NonVoting: map[ReplicaID]string{},
			Removed: map[ReplicaID]bool{},
		}
		for id, addr := range got.Nodes {
			m.Voting[ReplicaID(id)] = addr
		}
		for id, addr := range got.NonVotings {
			m.NonVoting[ReplicaID(id)] = addr
		}
		for id := range got.Removed {
			m.Removed[ReplicaID(id)] = true
		}
		return nil
	})
	return m, err
}

// AddReplica makes a node a voting member of a group and returns its replica, which
// the node starts with StartGroup. It changes nothing for a node that is a voting
// member. A node that has no vote yet gets one.
func (r *Raft) AddReplica(ctx context.Context, s ident.ShardID, n ident.NodeID, addr string) (
	ReplicaID, error,
) {
	return r.add(ctx, s, n, addr, true)
}

// AddNonVoting makes a node a member that follows the group and has no vote yet, so
// that it can catch up before the group depends on it.
func (r *Raft) AddNonVoting(ctx context.Context, s ident.ShardID, n ident.NodeID, addr string) (
	ReplicaID, error,
) {
	return r.add(ctx, s, n, addr, false)
}

func (r *Raft) add(
	ctx context.Context, s ident.ShardID, n ident.NodeID, addr string, votes bool,
) (id ReplicaID, err error) {
	err = r.change(ctx, s, func(ctx context.Context) error {
		m, err := r.Members(ctx, s)
		if err != nil {
			return err
		}
		id = m.Replica(n)
		switch {
		case id == 0:
			id = m.next(n)
		case !votes, m.Voting[id] != "":
			return nil
		}
		if votes {
			return r.host.SyncRequestAddReplica(ctx, raftShard(s), uint64(id), addr, 0)
		}
		return r.host.SyncRequestAddNonVoting(ctx, raftShard(s), uint64(id), addr, 0)
	})
	return id, err
}

// RemoveReplica ends the membership of a node. The node then calls StopGroup. It
// changes nothing for a node that is no member.
func (r *Raft) RemoveReplica(ctx context.Context, s ident.ShardID, n ident.NodeID) error {
	return r.change(ctx, s, func(ctx context.Context) error {
		m, err := r.Members(ctx, s)
		if err != nil {
			return err
		}
		id := m.Replica(n)
		if id == 0 {
			return nil
		}
		if len(m.Voting) == 1 && m.Voting[id] != "" {
			return fault.New(fault.InvalidParameter,
				"node %d has the only replica of shard %d; add another one first", n, s)
		}
		return r.host.SyncRequestDeleteReplica(ctx, raftShard(s), uint64(id), 0)
	})
}

// TransferLeader asks a node to lead a group and returns once it does.
func (r *Raft) TransferLeader(ctx context.Context, s ident.ShardID, n ident.NodeID) error {
	return r.change(ctx, s, func(ctx context.Context) error {
		m, err := r.Members(ctx, s)
		if err != nil {
			return err
		}
		id := m.Replica(n)
		if m.Voting[id] == "" {
			return fault.New(fault.InvalidParameter, "node %d has no vote in shard %d", n, s)
		}
		changed := r.groups[s].changed()
		if leader, _ := r.Leader(s); leader == n {
			return nil
		}
		if err := r.host.RequestLeaderTransfer(raftShard(s), uint64(id)); err != nil {
			return err
		}
		wait := time.NewTimer(electionRTT * r.opts.RTT)
		defer wait.Stop()
		select {
		case <-changed:
		case <-wait.C:
		case <-ctx.Done():
		}
		if leader, _ := r.Leader(s); leader == n {
			return nil
		}
		return dragonboat.ErrShardNotReady // asked again
	})
}

// StartGroup starts a replica that AddReplica or AddNonVoting has given to this node.
// It returns before the replica has caught up.
func (r *Raft) StartGroup(s ident.ShardID, id ReplicaID, votes bool) error {
	r.moving.RLock()
	defer r.moving.RUnlock()
	if r.still {
		return errClosing
	}
	g := r.group(s)
	if g == nil || id.Node() != r.opts.Node {
		return fault.New(fault.InvalidParameter, "replica %v of shard %d is not of this node", id, s)
	}
	if g.replica.Load() == uint64(id) {
		return nil
	}
	v := r.db.View()
	seq, err := apply.AppliedSeq(v, g.part)
	v.Release()
	if err != nil {
		return err
	}
	if seq > 0 {
		return fault.New(fault.NotEmpty, "this node has data of shard %d that is not of the cluster; "+
			"start it with an empty data directory", s)
	}
	if !votes {
		var b store.Batch
		b.Put(r.node, nonVotingKey(s, id), nil)
		if err := r.db.Commit(&b, true); err != nil {
			return err
		}
	}
	return r.start(s, id, nil, true)
}

// StopGroup stops the replica that this node has of a shard and removes its data. The
// node must not be a member any more: else the group may lose what it has answered.
func (r *Raft) StopGroup(ctx context.Context, s ident.ShardID) error {
	r.moving.RLock()
	defer r.moving.RUnlock()
	if r.still {
		return errClosing
	}
	g := r.group(s)
	if g == nil {
		return nil
	}
	id := g.replica.Load()
	if id == 0 {
		return nil
	}
	g.held.Store(false)
	err := r.host.StopReplica(raftShard(s), id)
	if err != nil && !errors.Is(err, dragonboat.ErrShardNotFound) {
		return fault.Wrap(fault.Internal, err, "stop the replica of shard %d", s)
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	if err := r.host.SyncRemoveData(ctx, raftShard(s), id); err != nil {
		return fault.Wrap(fault.Internal, err, "remove the log of shard %d", s)
	}
	if err := r.leave(s); err != nil {
		return err
	}
	g.replica.Store(0)
	return nil
}

// change runs f, with a deadline, until it succeeds or fails for good.
func (r *Raft) change(
	ctx context.Context, s ident.ShardID, f func(context.Context) error,
) error {
	if r.group(s) == nil || !r.groups[s].held.Load() {
		return &Elsewhere{Shard: s}
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	for {
		err := f(ctx)
		var ours *fault.Error
		var elsewhere *Elsewhere
		switch {
		case err == nil:
			return nil
		case errors.As(err, &ours), errors.As(err, &elsewhere):
			return err
		case ctx.Err() != nil:
			return fault.New(fault.NoQuorum,
				"too few nodes of shard %d answer; the change may still happen, look before it is repeated", s)
		case errors.Is(err, dragonboat.ErrShardNotFound):
			return &Elsewhere{Shard: s}
		case errors.Is(err, dragonboat.ErrClosed):
			return errClosing
		case !dragonboat.IsTempError(err) && !errors.Is(err, dragonboat.ErrRejected):
			return fault.Wrap(fault.Internal, err, "change the group of shard %d", s)
		}
		again := time.NewTimer(retryPause)
		select {
		case <-again.C:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// GroupFigures are of one group, as this node sees it.
type GroupFigures struct {
	Replica  ReplicaID // 0 when this node has none
	Leader   ident.NodeID
	Term     uint64
	Applied  uint64 // index of the log
	Entries  uint64 // that the log has
	LogBytes int64  // of those that were applied since the log was cut or the node started
	Reads    bool   // readers may read it
}

// Figures returns the figures of a shard's group.
func (r *Raft) Figures(s ident.ShardID) (f GroupFigures) {
	g := r.group(s)
	if g == nil {
		return f
	}
	f = GroupFigures{
		Replica: ReplicaID(g.replica.Load()), Applied: g.applied.Load(), LogBytes: g.size.Load(),
		Reads: g.held.Load(),
	}
	f.Leader, f.Term = r.Leader(s)
	r.using.RLock()
	defer r.using.RUnlock()
	if r.closed {
		return f
	}
	if log, err := r.host.GetLogReader(raftShard(s)); err == nil {
		if first, last := log.GetRange(); last >= first {
			f.Entries = last - first + 1
		}
	}
	return f
}
