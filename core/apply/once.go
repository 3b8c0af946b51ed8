package apply

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
)

// A replicated log may deliver what was proposed twice: who proposes it again
// after a timeout can't know that the first one is on its way. So each entry of such
// a log has a ticket, and a shard remembers the last ones of each node.

// Ticket names an entry of a log: the number that a run of a node gave to it. Runs of
// a node go up, and so do the numbers of a run, from 1, for each shard by itself.
type Ticket struct {
	Node   ident.NodeID
	Run    uint64
	Number uint64
}

// Verdict is what Once says of a ticket.
type Verdict uint8

// The verdicts.
const (
	First  Verdict = iota // apply the entry
	Again                 // it was applied before: skip it
	Behind                // too late to tell: skip it, and tell who waits that it was not applied
)

// ticketWindow is how far behind the highest number of its run an entry is still
// recognised. A node has far fewer on their way to one shard.
const ticketWindow = 1024

// window is what a shard remembers of a node's entries.
type window struct {
	run, highest uint64
	seen         [ticketWindow / 64]uint64 // bits, by number modulo ticketWindow
	dirty        bool                      // not in a batch yet
}

// take notes a number of a run.
func (w *window) take(run, number uint64) Verdict {
	if run < w.run || run == w.run && number+ticketWindow <= w.highest {
		return Behind
	}
	if run > w.run {
		*w = window{run: run}
	}
	for n := w.highest + 1; n < number && n <= w.highest+ticketWindow; n++ {
		w.clear(n)
	}
	word, bit := &w.seen[number%ticketWindow/64], uint64(1)<<(number%64)
	if number <= w.highest && *word&bit != 0 {
		return Again
	}
	*word |= bit
	w.highest, w.dirty = max(w.highest, number), true
	return First
}

func (w *window) clear(n uint64) { w.seen[n%ticketWindow/64] &^= 1 << (n % 64) }

// Once notes that an entry of a shard's log is applied in the open batch, and tells
// whether it is to be. It is called before the entry's commands are applied, for
// every entry that has a ticket and in the order of the log. An entry of an earlier
// run comes from a process that is gone, and nobody waits for it.
func (m *Machine) Once(id ident.ShardID, t Ticket) (Verdict, error) {
	s, err := m.shard(id)
	if err != nil {
		return 0, err
	}
	w := s.windows[t.Node]
	if w == nil {
		w = new(window)
		s.windows[t.Node] = w
	}
	verdict := w.take(t.Run, t.Number)
	s.dirty = s.dirty || verdict == First
	return verdict, nil
}

const (
	windowFormat = 1
	windowSize   = 1 + 8 + 8 + ticketWindow/8
)

// sealWindows adds to b which entries its commands came from.
func (s *shard) sealWindows(b *store.Batch) {
	for node, w := range s.windows {
		if !w.dirty {
			continue
		}
		w.dirty = false
		val := append(make([]byte, 0, windowSize), windowFormat)
		val = binary.BigEndian.AppendUint64(val, w.run)
		val = binary.BigEndian.AppendUint64(val, w.highest)
		for _, word := range w.seen {
			val = binary.BigEndian.AppendUint64(val, word)
		}
		b.Put(s.part, binary.BigEndian.AppendUint16([]byte(keyWindow), uint16(node)), val)
	}
}

func (s *shard) loadWindows(v *store.View) error {
	s.windows = make(map[ident.NodeID]*window)
	return each(v, s.part, keyWindow, func(key, val []byte) error {
		if len(key) != 3 || len(val) != windowSize || val[0] != windowFormat {
			return fault.New(fault.Corruption,
				"the entries known of a node are damaged or of a newer format")
		}
		w := &window{
			run: binary.BigEndian.Uint64(val[1:]), highest: binary.BigEndian.Uint64(val[9:]),
		}
		for i := range w.seen {
			w.seen[i] = binary.BigEndian.Uint64(val[17+8*i:])
		}
		s.windows[ident.NodeID(binary.BigEndian.Uint16(key[1:]))] = w
		return nil
	})
}
