package replica

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/statemachine"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// ReplicaID names a replica of a group: the node in the lower 16 bits, above them how
// often the node had been a member of the group before. A group never takes back a
// replica that was removed, but it takes the node under the next number.
type ReplicaID uint64

// FirstReplica is the replica of a node that was no member before.
func FirstReplica(n ident.NodeID) ReplicaID { return ReplicaID(n) }

// Node returns the node of a replica.
func (i ReplicaID) Node() ident.NodeID { return ident.NodeID(i & 0xFFFF) }

func (i ReplicaID) next() ReplicaID { return i + 1<<16 }

func nodeOf(replica uint64) ident.NodeID { return ReplicaID(replica).Node() }

// Elections and heartbeats, in units of RaftOptions.RTT.
const (
	electionRTT  = 8
	heartbeatRTT = 1
)

// unapplied bounds the bytes of a group's log that wait in memory to be applied. When
// it is full, proposals are refused for now.
const unapplied = 64 << 20

// startGroups starts the replicas that were here before, and those of
// RaftOptions.Groups that are new.
func (r *Raft) startGroups(ctx context.Context) error {
	known := make(map[ident.ShardID]bool)
	for _, info := range r.host.GetNodeHostInfo(dragonboat.NodeHostInfoOption{}).LogInfo {
		s := ident.ShardID(info.ShardID - 1)
		known[s] = true
		if err := r.start(s, ReplicaID(info.ReplicaID), nil, false); err != nil {
			return err
		}
	}
	for s, members := range r.opts.Groups {
		if known[s] {
			continue
		}
		if err := r.startNew(s, members); err != nil {
			return err
		}
	}
	for _, g := range r.groups {
		if err := r.finishInherited(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// start starts a replica, with the members of a group that is new, and returns once
// what the store has of it can be read.
func (r *Raft) start(s ident.ShardID, id ReplicaID, members Members, join bool) error {
	g := r.group(s)
	if g == nil {
		return fault.New(fault.InvalidParameter, "shard %d does not exist in this cluster", s)
	}
	first := make(map[uint64]string)
	for n, addr := range members {
		first[uint64(FirstReplica(n))] = addr
	}
	nonVoting, err := r.isNonVoting(s, id)
	if err != nil {
		return err
	}
	if err := r.isReadable(g); err != nil {
		return err
	}
	ready := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-r.stalled: // it never gets ready: have the library give up
			_ = r.host.StopReplica(raftShard(s), uint64(id))
		case <-ready:
		}
	})
	err = r.host.StartOnDiskReplica(first, join,
		func(uint64, uint64) statemachine.IOnDiskStateMachine { return stateMachine{g} },
		groupConfig(s, id, nonVoting))
	close(ready)
	watch.Wait()
	if f := r.failed.Load(); f != nil {
		return f
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "start the replica of shard %d", s)
	}
	g.replica.Store(uint64(id))
	g.held.Store(true)
	return nil
}

// isReadable tells what is wrong with the state machine before the library opens it.
func (r *Raft) isReadable(g *group) error {
	v := r.db.View()
	defer v.Release()
	_, _, err := appliedIndex(v, g.part)
	return err
}

func groupConfig(s ident.ShardID, id ReplicaID, nonVoting bool) config.Config {
	return config.Config{
		ReplicaID: uint64(id), ShardID: raftShard(s), IsNonVoting: nonVoting,
		CheckQuorum: true, PreVote: true, ElectionRTT: electionRTT, HeartbeatRTT: heartbeatRTT,
		MaxInMemLogSize: unapplied, WaitReady: true,
	}
}

// startNew starts the replica of a new group. What the store has of the shard from a
// time without a cluster is where the group begins, so it has this member only, and
// the others are added later.
func (r *Raft) startNew(s ident.ShardID, members Members) error {
	g := r.group(s)
	if g == nil || members[r.opts.Node] == "" {
		return fault.New(fault.InvalidParameter,
			"node %d is no member of the group of shard %d", r.opts.Node, s)
	}
	v := r.db.View()
	defer v.Release()
	seq, err := apply.AppliedSeq(v, g.part)
	if err != nil {
		return err
	}
	if seq > 0 {
		if len(members) > 1 {
			return fault.New(fault.InvalidParameter,
				"this node has data of shard %d already: start a cluster of this node alone, "+
					"and have the others join it", s)
		}
		var b store.Batch
		b.Put(r.node, shardKey(keyInherited, s), nil)
		if err := r.db.Commit(&b, true); err != nil {
			return err
		}
	}
	return r.start(s, FirstReplica(r.opts.Node), members, false)
}

// Keys of the node's partition for one shard. See docs/format/shard.md.
const (
	keyInherited = "inherited" // shard -> nothing: the log does not have all from its begin
	keyNonVoting = "nonvoting" // shard, replica -> nothing: it was started without a vote
)

func shardKey(key string, s ident.ShardID) []byte {
	return binary.BigEndian.AppendUint16([]byte(key), uint16(s))
}

func nonVotingKey(s ident.ShardID, id ReplicaID) []byte {
	return binary.BigEndian.AppendUint64(shardKey(keyNonVoting, s), uint64(id))
}

func (r *Raft) isNonVoting(s ident.ShardID, id ReplicaID) (bool, error) {
	v := r.db.View()
	defer v.Release()
	_, found, err := v.Get(r.node, nonVotingKey(s, id))
	return found, err
}

// finishInherited cuts the log of a group that began with data, so that a replica that
// is added has to begin with a snapshot.
func (r *Raft) finishInherited(ctx context.Context, g *group) error {
	v := r.db.View()
	_, inherited, err := v.Get(r.node, shardKey(keyInherited, g.shard))
	v.Release()
	if err != nil || !inherited {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*r.opts.Timeout)
	defer cancel()
	for begun := false; !begun; {
		out, err := r.Propose(ctx, &command.Command{Shard: g.shard, Clock: r.clock.Now()})
		if err != nil && !fault.Is(err, fault.NoQuorum) || ctx.Err() != nil {
			return err
		}
		begun = err == nil && out.Err == nil
	}
	if err := g.cutAll(ctx); err != nil {
		return err
	}
	var b store.Batch
	b.Delete(r.node, shardKey(keyInherited, g.shard))
	return r.db.Commit(&b, true)
}

// cutAll takes a snapshot and returns once the log has nothing from before.
func (g *group) cutAll(ctx context.Context) error {
	_, err := g.r.host.SyncRequestSnapshot(ctx, raftShard(g.shard), dragonboat.SnapshotOption{
		OverrideCompactionOverhead: true,
	})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "take a snapshot of shard %d", g.shard)
	}
	log, err := g.r.host.GetLogReader(raftShard(g.shard))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "read the log of shard %d", g.shard)
	}
	tick := time.NewTicker(retryPause)
	defer tick.Stop()
	for {
		if first, _ := log.GetRange(); first > 1 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fault.Wrap(fault.Internal, ctx.Err(), "cut the log of shard %d", g.shard)
		}
	}
}

// handOver gives the groups that this node leads to others, so that they need not find
// out that it is gone. It is not waited for long.
func (r *Raft) handOver() {
	asked := false
	for _, g := range r.groups {
		if leader, _ := r.Leader(g.shard); leader != r.opts.Node || !g.held.Load() {
			continue
		}
		for id := range g.members() {
			if id.Node() != r.opts.Node {
				// When it is refused, the group elects another leader by itself.
				_ = r.host.RequestLeaderTransfer(raftShard(g.shard), uint64(id))
				asked = true
				break
			}
		}
	}
	if !asked {
		return
	}
	end := time.NewTimer(3 * r.opts.RTT)
	defer end.Stop()
	<-end.C
}

// members returns the voting members of a group as this node knows them, with their
// addresses.
func (g *group) members() map[ReplicaID]string {
	all := make(map[ReplicaID]string)
	info := g.r.host.GetNodeHostInfo(dragonboat.NodeHostInfoOption{SkipLogInfo: true})
	for _, s := range info.ShardInfoList {
		if s.ShardID == raftShard(g.shard) {
			for id, addr := range s.Replicas {
				all[ReplicaID(id)] = addr
			}
		}
	}
	return all
}

// String implements fmt.Stringer.
func (i ReplicaID) String() string { return fmt.Sprintf("%d.%d", i.Node(), uint64(i)>>16) }
