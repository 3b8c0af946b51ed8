package replica

import (
	"sync"

	"github.com/lni/dragonboat/v4/raftio"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// leadership is what a node knows of who leads a group.
type leadership struct {
	leaderMu sync.Mutex
	leader   ident.NodeID // 0 for unknown
	term     uint64
	told     bool // OnLeader was told; false makes the leader loop tell it
	installs bool // OnInstalled is to be told
	turn     news // of another leader
}

// leaders tells hooks, in a goroutine of its own.
type leaders struct{ wake chan struct{} }

func newLeaders() leaders { return leaders{wake: make(chan struct{}, 1)} }

// changed is closed when another node leads the group, or a node does again.
func (g *group) changed() <-chan struct{} { return g.turn.wait() }

// Leader implements Log.
func (r *Raft) Leader(s ident.ShardID) (ident.NodeID, uint64) {
	g := r.group(s)
	if g == nil {
		return 0, 0
	}
	g.leaderMu.Lock()
	defer g.leaderMu.Unlock()
	return g.leader, g.term
}

// listener is a Raft as the library tells it of leaders, from one goroutine that must
// not be held up.
type listener Raft

// LeaderUpdated implements raftio.IRaftEventListener.
func (l *listener) LeaderUpdated(info raftio.LeaderInfo) {
	r := (*Raft)(l)
	g := r.group(ident.ShardID(info.ShardID - 1))
	if g == nil {
		return
	}
	g.leaderMu.Lock()
	g.leader, g.term, g.told = nodeOf(info.LeaderID), info.Term, false
	g.leaderMu.Unlock()
	if info.LeaderID != raftio.NoLeader {
		g.turn.tell()
	}
	r.wakeLeaders()
}

func (r *Raft) wakeLeaders() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Raft) leaderLoop() {
	for {
		select {
		case <-r.wake:
		case <-r.closing:
			return
		}
		for _, g := range r.groups {
			g.leaderMu.Lock()
			leader, term, installed, tell := g.leader, g.term, g.installs, !g.told
			g.told, g.installs = true, false
			g.leaderMu.Unlock()
			if installed {
				r.opts.OnInstalled(g.shard)
			}
			if tell {
				r.opts.OnLeader(g.shard, leader, term)
			}
		}
	}
}
