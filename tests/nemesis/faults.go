package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Fault is a kind of fault.
type Fault string

// The kinds of faults.
const (
	Kill      Fault = "kill"      // a node ends as by a crash, and starts again
	KillAll   Fault = "kill-all"  // all nodes at once
	Pause     Fault = "pause"     // a node stands still, its connections open
	Restart   Fault = "restart"   // a node is asked to end, and starts again
	Partition Fault = "partition" // a node is cut off from the others, not from clients
	Isolate   Fault = "isolate"   // a node is cut off from all
	OneWay    Fault = "one-way"   // others hear a node that does not hear them, or the reverse
	Delay     Fault = "delay"     // links between nodes are late
	Loss      Fault = "loss"      // links between nodes lose packets
	FullDisk  Fault = "full-disk" // a node can't write
	Clock     Fault = "clock"     // a node starts again with its clock ahead
)

// Faults returns all kinds.
func Faults() []Fault {
	return []Fault{Kill, KillAll, Pause, Restart, Partition, Isolate, OneWay, Delay, Loss,
		FullDisk, Clock}
}

// ofNetwork are the faults that need links of our own.
var ofNetwork = []Fault{Partition, Isolate, OneWay, Delay, Loss}

// diskBytes is the size of the small disk of the last node.
const diskBytes = 1 << 30

// maxAhead is less than what the nodes let one another's clocks differ by.
const maxAhead = 400 * time.Millisecond

// prepare makes what the faults need, and leaves out those that can't be had here.
func (r *run) prepare() error {
	wanted := func(kinds ...Fault) bool {
		return slices.ContainsFunc(r.Faults, func(f Fault) bool { return slices.Contains(kinds, f) })
	}
	drop := func(why error, kinds ...Fault) {
		for _, k := range kinds {
			if slices.Contains(r.Faults, k) {
				r.leaveOut("fault "+string(k), why)
			}
		}
		r.Faults = slices.DeleteFunc(slices.Clone(r.Faults),
			func(f Fault) bool { return slices.Contains(kinds, f) })
	}
	var err error
	if wanted(ofNetwork...) {
		if r.net, err = newNetwork(r.Nodes, r.Seed); err != nil {
			drop(err, ofNetwork...)
		}
	}
	if err := r.plan(); err != nil {
		return err
	}
	if wanted(FullDisk) {
		n := r.nodes[len(r.nodes)-1]
		if err := smallDisk(n.dataDir(), diskBytes); err != nil {
			drop(err, FullDisk)
		} else {
			n.small = true
		}
	}
	return nil
}

// cause causes faults one after another, each healed before the next, until the time is
// over.
func (r *run) cause(ctx context.Context) error {
	random := rand.New(rand.NewPCG(r.Seed, 2))
	end := time.Now().Add(r.Duration)
	var order []Fault // all kinds in turn, in an order of chance
	for {
		wait(ctx, time.Duration(1000+random.IntN(3000))*time.Millisecond)
		if ctx.Err() != nil || !time.Now().Before(end) || len(r.Faults) == 0 {
			break
		}
		if len(order) == 0 {
			order = slices.Clone(r.Faults)
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		f := order[0]
		order = order[1:]
		n := r.nodes[random.IntN(len(r.nodes))]
		r.Logger.Info("fault", "kind", f, "node", n.id, "at", time.Since(r.began).Round(time.Millisecond))
		if err := r.strike(ctx, f, n, random); err != nil {
			return fmt.Errorf("%s at node %d: %w", f, n.id, err)
		}
		r.mu.Lock()
		r.report.Faults[f]++
		r.mu.Unlock()
		if err := r.mend(ctx, f); err != nil {
			return fmt.Errorf("after %s at node %d: %w", f, n.id, err)
		}
	}
	for left := time.Until(end); left > 0 && ctx.Err() == nil; left = time.Until(end) {
		wait(ctx, left)
	}
	return nil
}

// strike causes one fault for some time and heals it.
func (r *run) strike(ctx context.Context, f Fault, n *node, random *rand.Rand) error {
	last := func() { wait(ctx, time.Duration(500+random.IntN(5500))*time.Millisecond) }
	switch f {
	case Kill:
		n.kill()
		last()
	case KillAll:
		for _, n := range r.nodes {
			n.kill()
		}
	case Restart:
		if err := n.stop(); err != nil {
			r.violation("processes", "%v", err)
		}
	case Clock:
		n.kill()
		n.ahead = time.Duration(random.Int64N(int64(maxAhead)))
	case Pause:
		if err := n.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		last()
		return n.signal(syscall.SIGCONT)
	case FullDisk:
		return r.fill(r.nodes[len(r.nodes)-1], last)
	default:
		r.damage(f, n, random)
		last()
		r.net.heal()
	}
	return nil
}

// damage changes links.
func (r *run) damage(f Fault, n *node, random *rand.Rand) {
	hears := random.IntN(2) == 0
	for _, other := range r.nodes {
		if other == n {
			continue
		}
		c := condition{cut: true}
		switch f {
		case Delay:
			c = condition{delay: time.Duration(20+random.IntN(300)) * time.Millisecond}
		case Loss:
			c = condition{loss: 0.05 + 0.25*random.Float64()}
		case OneWay:
			if hears {
				r.net.set(n.id, other.id, c)
			} else {
				r.net.set(other.id, n.id, c)
			}
			continue
		}
		r.net.set(n.id, other.id, c)
		r.net.set(other.id, n.id, c)
	}
	if f == Isolate {
		r.net.set(n.id, hostPort, condition{cut: true})
		r.net.set(hostPort, n.id, condition{cut: true})
	}
}

// fill takes all room of a node's disk for some time.
func (r *run) fill(n *node, last func()) error {
	path := filepath.Join(n.dataDir(), "filler")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	last()
	return errors.Join(err, f.Close(), os.Remove(path))
}

// mend has all nodes serve again. A node that ended though nobody asked it to is a
// violation, unless it could not write.
func (r *run) mend(ctx context.Context, f Fault) error {
	for _, n := range r.nodes {
		if n.alive() || n.awaited {
			continue
		}
		if f != FullDisk {
			r.violation("processes", "node %d ended by itself: %v\n%s", n.id, n.err, n.tail())
		}
		r.count("ended on a full disk")
	}
	return r.launchAll(ctx)
}
