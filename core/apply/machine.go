// Package apply turns commands into store batches: it is the state machine
// behind every log. Given the same commands in the same order it makes the same
// changes, whatever the machine, the time and the batching.
//
// A Machine reads the shard's hot tier and its own state, never the catalogue
// and never a clock. It is used by one goroutine at a time, the log's.
package apply

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Outcome is what became of one command. Err is a *fault.Error when it was
// refused; a refused command leaves nothing.
type Outcome struct {
	Err     error
	Stale   bool          // refused because it was planned on an older schema: plan again
	Reread  bool          // refused because the row has to be read: plan an update that has it
	Locked  bool          // refused because an intent stands in the way: try again a little later
	Seq     clock.Seq     // of the last row written, or of the first run for a repeat
	Repeat  bool          // an earlier command of the same request was applied; this one was not
	Result  []byte        // what the first run recorded, for a repeat
	Changes []live.Change // the command's rows, in order
	Trim    Trimmed       // how far a trim or an erasure came
	Edited  int           // segments that took the next step of their life
	Swapped int           // rows that point to another place
	// Violated is the unique index that the command would have broken, with the
	// DUPLICATE_KEY in Err; nil otherwise.
	Violated *Violation
	// Decision is what stands of the transaction of a Decide.
	Decision *Decision
	// Emptied are partitions that hold nothing from now on. The log drops their names
	// once the batch is visible; see DropEmptied.
	Emptied []keyspace.Name
}

// Trimmed tells how far a trim or an erasure came.
type Trimmed struct {
	Cursor  []byte // for the next chunk, when not Done
	Done    bool
	Removed int
	Rows    int // live ones among them, of an erasure
}

// Machine holds the state of all shards of one store.
type Machine struct {
	db      *store.DB
	shards  []*shard // by ShardID: system, users 1 to N, shared; fixed after Open
	barrier atomic.Uint32
}

// shard is one shard's state, a cache of its partition.
type shard struct {
	id     ident.ShardID
	part   store.Partition
	last   clock.Seq
	tables map[ident.TableID]*tableState

	epoch   uint64
	windows map[ident.NodeID]*window
	intents map[command.Tx]*intent
	locks   locks                       // of the intents
	deps    map[ident.ShardID]clock.Seq // see books

	// What the open batch has still to say; see Seal.
	dirty    bool
	bookkept bool // the books are in the batch or stored
	touched  map[*tableState]struct{}
}

type tableState struct {
	fence command.Fence
	table table.Table
	delta int // of live rows, not in the batch yet
	// count is the number of live rows that the last sealed batch has, once it was
	// read: a dropped batch is followed by Reload.
	count   int64
	counted bool
}

// Keys in a shard's own partition. See docs/format/shard.md.
const (
	keyApplied  = "a" // -> last applied seq
	keyFence    = "f" // table id -> fence
	keyGap      = "g" // end of a gap, exclusive -> last seq before it
	keyRequest  = "q" // request id -> seq, hash, result
	keyExpiry   = "e" // seq, request id -> nothing
	keyWindow   = "h" // node -> its last entries
	keyEpoch    = "p" // -> highest epoch
	keyBarrier  = "v" // -> newest format of commands, on the system shard
	keyIntent   = "t" // transaction -> seq of its prepare, command
	keyResolved = "r" // transaction -> seq of its end
	keyDecision = "d" // transaction -> decision, on the system shard
	keyBooks    = "w" // -> number of intents, seqs of other shards
)

// Open loads the state of all shards and makes what a new store lacks.
func Open(db *store.DB) (*Machine, error) {
	m := &Machine{db: db}
	for id := ident.SystemShard; id <= keyspace.SharedShard(db.Shards()); id++ {
		part, err := db.CreatePartition(keyspace.Shard(id))
		if err != nil {
			return nil, err
		}
		m.shards = append(m.shards, &shard{id: id, part: part})
	}
	v := db.View()
	err := m.Reload(v)
	v.Release()
	if err == nil {
		err = m.dropLeft()
	}
	return m, err
}

// Reload reads the state as of v, as after a batch that is not to be committed;
// v is the state before it.
func (m *Machine) Reload(v *store.View) error {
	for _, s := range m.shards {
		if err := m.ReloadShard(s.id, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *shard) load(db *store.DB, v *store.View) error {
	last, err := AppliedSeq(v, s.part)
	if err != nil {
		return err
	}
	s.last, s.dirty = last, false
	s.tables = make(map[ident.TableID]*tableState)
	s.touched = make(map[*tableState]struct{})
	if err := s.loadWindows(v); err != nil {
		return err
	}
	if err := s.loadIntents(v); err != nil {
		return err
	}
	return each(v, s.part, keyFence, func(_, val []byte) error {
		f, err := parseFence(val)
		if err != nil {
			return err
		}
		return s.addTable(db, f)
	})
}

// ReloadShard is Reload for one shard, whose partitions were replaced by what
// another replica has.
func (m *Machine) ReloadShard(id ident.ShardID, v *store.View) error {
	s, err := m.shard(id)
	if err != nil {
		return err
	}
	if err = s.load(m.db, v); err == nil {
		err = m.loadEpoch(v, s)
	}
	if err != nil {
		return fault.Wrap(fault.Corruption, err, "load shard %d", id)
	}
	return nil
}

func (s *shard) addTable(db *store.DB, f command.Fence) error {
	t := &tableState{fence: f}
	s.tables[f.Table] = t
	if f.Dropped {
		return nil
	}
	part, err := db.CreatePartition(f.Partition)
	if err != nil {
		return err
	}
	t.table = table.Table{Part: part}
	return nil
}

func each(v *store.View, p store.Partition, prefix string, f func(k, val []byte) error) error {
	lo := []byte(prefix)
	it := v.Scan(p, store.Range{Lo: lo, Hi: []byte{lo[0] + 1}})
	defer it.Close()
	for it.Next() {
		if err := f(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return it.Err()
}

// AppliedSeq reads a shard's last applied seq as of a view.
func AppliedSeq(v *store.View, p store.Partition) (clock.Seq, error) {
	val, found, err := v.Get(p, []byte(keyApplied))
	if err != nil || !found {
		return 0, err
	}
	if len(val) != 8 {
		return 0, fault.New(fault.Corruption, "the applied seq of partition %s is damaged", p.Name)
	}
	return clock.Seq(binary.BigEndian.Uint64(val)), nil
}

// Partition returns the partition with a shard's own state.
func (m *Machine) Partition(id ident.ShardID) (store.Partition, error) {
	s, err := m.shard(id)
	if err != nil {
		return store.Partition{}, err
	}
	return s.part, nil
}

func (m *Machine) shard(id ident.ShardID) (*shard, error) {
	if int(id) >= len(m.shards) {
		return nil, fault.New(fault.Internal, "shard %d does not exist", id)
	}
	return m.shards[id], nil
}

// Last returns the highest seq that any shard has applied.
func (m *Machine) Last() clock.Seq {
	var most clock.Seq
	for _, s := range m.shards {
		most = max(most, s.last)
	}
	return most
}

// SkipTo moves every shard above ceiling after an unclean stop: seqs up to
// there may have been given and lost. The gaps are recorded in b.
func (m *Machine) SkipTo(b *store.Batch, v *store.View, ceiling clock.Seq) error {
	for _, s := range m.shards {
		if ceiling <= s.last {
			continue
		}
		key := binary.BigEndian.AppendUint64([]byte(keyGap), uint64(ceiling))
		b.Put(s.part, key, binary.BigEndian.AppendUint64(nil, uint64(s.last)))
		s.last = ceiling
		s.dirty = true
	}
	return m.Seal(b, v)
}

// InGap reports whether seq was skipped by an unclean stop, so that nobody can
// say what a reader holding it has seen.
func InGap(v *store.View, p store.Partition, seq clock.Seq) (bool, error) {
	in := false
	err := each(v, p, keyGap, func(key, val []byte) error {
		if len(key) != 9 || len(val) != 8 {
			return fault.New(fault.Corruption, "a recorded gap of partition %s is damaged", p.Name)
		}
		after := clock.Seq(binary.BigEndian.Uint64(val))
		upTo := clock.Seq(binary.BigEndian.Uint64(key[1:]))
		in = in || seq > after && seq < upTo
		return nil
	})
	return in, err
}

// Seal adds to b what the batch's commands left to be written once: each
// touched shard's applied seq and each touched table's row count. v is the
// state before b.
func (m *Machine) Seal(b *store.Batch, v *store.View) error {
	for _, s := range m.shards {
		if !s.dirty {
			continue
		}
		s.dirty = false
		b.Put(s.part, []byte(keyApplied), binary.BigEndian.AppendUint64(nil, uint64(s.last)))
		s.sealWindows(b)
		s.sealBooks(b)
		for t := range s.touched {
			if err := t.seal(b, v); err != nil {
				return err
			}
		}
		clear(s.touched)
	}
	return nil
}

// seal adds the number of live rows to b, if it has changed.
func (t *tableState) seal(b *store.Batch, v *store.View) (err error) {
	if t.delta == 0 {
		return nil
	}
	if !t.counted {
		if t.count, err = t.table.Count(v); err != nil {
			return err
		}
		t.counted = true
	}
	t.count, t.delta = t.count+int64(t.delta), 0
	return t.table.PutCount(b, t.count)
}
