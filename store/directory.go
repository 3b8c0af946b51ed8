package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
)

// The directory is partition 0: it maps names to ids, and holds the next id,
// so that an id is never given twice. See docs/format/datadir.md.
var root = Partition{ID: 0}

const dirEntry = 'n' // name -> id, four big-endian bytes

var dirNext = []byte{'i'} // -> the next id, four big-endian bytes

// directory is the directory partition in memory. It changes only under
// DB.write, after the change is durable.
type directory struct {
	mu     sync.RWMutex
	byName map[keyspace.Name]Partition
	next   PartitionID
}

func entryKey(n keyspace.Name) []byte { return append([]byte{dirEntry}, n...) }

func (d *directory) load(r Reader) error {
	d.byName = make(map[keyspace.Name]Partition)
	d.next = 1
	it := r.Scan(root.physical(nil), root.end(), false)
	defer func() { _ = it.Close() }() // Err is what the walk ended with
	for it.Next() {
		key, value := it.Key()[prefixLen:], it.Value()
		if len(value) != 4 || len(key) == 0 {
			return errDirectory
		}
		id := PartitionID(binary.BigEndian.Uint32(value))
		switch {
		case key[0] == dirEntry:
			name := keyspace.Name(key[1:])
			d.byName[name] = Partition{ID: id, Name: name}
		case string(key) == string(dirNext):
			d.next = id
		default:
			return errDirectory
		}
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("read the partition directory: %w", err)
	}
	for _, p := range d.byName {
		if p.ID == 0 || p.ID >= d.next {
			return errDirectory
		}
	}
	return nil
}

var errDirectory = fault.New(fault.Corruption,
	"the partition directory is damaged or of a newer format; restore the data directory")

func (d *directory) get(n keyspace.Name) (Partition, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, ok := d.byName[n]
	return p, ok
}

// Partition returns the partition called name, and whether there is one.
func (d *DB) Partition(name keyspace.Name) (Partition, bool) { return d.parts.get(name) }

// Partitions returns all partitions, sorted by name.
func (d *DB) Partitions() []Partition {
	d.parts.mu.RLock()
	defer d.parts.mu.RUnlock()
	names := slices.Sorted(maps.Keys(d.parts.byName))
	all := make([]Partition, len(names))
	for i, n := range names {
		all[i] = d.parts.byName[n]
	}
	return all
}

// CreatePartition returns the partition called name, and makes it when it is
// missing; that is durable when it returns.
func (d *DB) CreatePartition(name keyspace.Name) (Partition, error) {
	if name == "" {
		return Partition{}, fault.New(fault.InvalidParameter, "a partition needs a name")
	}
	if p, ok := d.parts.get(name); ok {
		return p, nil
	}
	d.write.Lock()
	defer d.write.Unlock()
	if p, ok := d.parts.get(name); ok {
		return p, nil
	}
	p := Partition{ID: d.parts.next, Name: name}
	if p.ID > maxPartition {
		return Partition{}, fault.New(fault.Unsupported,
			"all partition numbers are used up; move the data to a new directory")
	}
	var b Batch
	b.Put(root, entryKey(name), binary.BigEndian.AppendUint32(nil, uint32(p.ID)))
	b.Put(root, dirNext, binary.BigEndian.AppendUint32(nil, uint32(p.ID)+1))
	if err := d.commit(&b, true); err != nil {
		return Partition{}, err
	}
	d.parts.mu.Lock()
	defer d.parts.mu.Unlock()
	d.parts.byName[name] = p
	d.parts.next++
	return p, nil
}

// DropPartition removes the partition called name and all that is in it; that
// is durable when it returns. A missing one is no error. Whoever still holds
// the Partition reads nothing from views taken later, and must not write to
// it: what is written is never seen again and takes space.
func (d *DB) DropPartition(name keyspace.Name) error {
	d.write.Lock()
	defer d.write.Unlock()
	p, ok := d.parts.get(name)
	if !ok {
		return nil
	}
	var b Batch
	b.DeleteRange(p, nil, nil)
	b.Delete(root, entryKey(name))
	if err := d.commit(&b, true); err != nil {
		return err
	}
	d.parts.mu.Lock()
	defer d.parts.mu.Unlock()
	delete(d.parts.byName, name)
	return nil
}
