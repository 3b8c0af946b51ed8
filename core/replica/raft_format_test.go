package replica_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/store/row"
)

func TestEntry_ReadsAsItWasWritten(t *testing.T) {
	ticket := apply.Ticket{Node: 7, Run: 3, Number: 1 << 40}
	list := []*command.Command{
		on(1, write(row.Insert, "a", "1", "x", 0)), on(1, write(row.Delete, "a", "2", "", 9)),
	}
	b := replica.AppendEntry(nil, ticket, list)
	got, commands, err := replica.ParseEntry(b)
	check(t, err)
	if got != ticket || len(commands) != 2 || string(commands[1].Writes[0].PK) != "2" {
		t.Fatalf("%+v with %d commands", got, len(commands))
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x10
		if _, _, err := replica.ParseEntry(bad); !fault.Is(err, fault.Corruption) {
			t.Fatalf("with byte %d changed: %v", i, err)
		}
		if _, _, err := replica.ParseEntry(b[:i]); !fault.Is(err, fault.Corruption) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(replica.AppendEntry(nil, apply.Ticket{Node: 1, Run: 1, Number: 1}, nil))
	f.Add(replica.AppendEntry(nil, apply.Ticket{Node: 1023, Run: 9, Number: 300},
		[]*command.Command{on(1, write(row.Insert, "a", "1", "x", 0))}))
	f.Fuzz(func(t *testing.T, b []byte) {
		sealed := binary.BigEndian.AppendUint32(bytes.Clone(b), crc(b)) // past the checksum
		for _, in := range [][]byte{b, sealed} {
			ticket, commands, err := replica.ParseEntry(in)
			if err != nil {
				if !fault.Is(err, fault.Corruption) && !fault.Is(err, fault.Unsupported) {
					t.Fatal(err)
				}
				continue
			}
			again := replica.AppendEntry(nil, ticket, commands)
			got, _, err := replica.ParseEntry(again)
			if err != nil || got != ticket {
				t.Fatalf("%+v was written as %+v: %v", ticket, got, err)
			}
		}
	})
}

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// sink is what was read of a snapshot.
type sink struct {
	names []keyspace.Name
	pairs map[keyspace.Name]map[string]string
}

func (s *sink) Partition(n keyspace.Name) error {
	if s.pairs == nil {
		s.pairs = map[keyspace.Name]map[string]string{}
	}
	s.names = append(s.names, n)
	s.pairs[n] = map[string]string{}
	return nil
}

func (s *sink) Pair(key, value []byte) error {
	s.pairs[s.names[len(s.names)-1]][string(key)] = string(value)
	return nil
}

func snapshotOf(t testing.TB, pairs map[string]string) []byte {
	var out bytes.Buffer
	check(t, replica.WriteSnapshot(&out, shard, partition, pairs))
	return out.Bytes()
}

func TestSnapshot_ReadsAsItWasWritten(t *testing.T) {
	want := map[string]string{"a": "1", "b": "", "large": string(make([]byte, 600_000)), "z": "2"}
	b := snapshotOf(t, want)
	var got sink
	check(t, replica.ReadSnapshot(bytes.NewReader(b), shard, &got))
	if len(got.names) != 1 || len(got.pairs[partition]) != len(want) {
		t.Fatalf("%d partitions", len(got.names))
	}
	for k, v := range want {
		if got.pairs[partition][k] != v {
			t.Errorf("key %s has %d bytes", k, len(got.pairs[partition][k]))
		}
	}
	err := replica.ReadSnapshot(bytes.NewReader(b), shard+1, new(sink))
	if !fault.Is(err, fault.Corruption) {
		t.Errorf("another shard's: %v", err)
	}
	small := snapshotOf(t, map[string]string{"a": "1", "b": "2"})
	for i := range small {
		bad := bytes.Clone(small)
		bad[i] ^= 0x20
		for _, in := range [][]byte{bad, small[:i]} {
			if err := replica.ReadSnapshot(bytes.NewReader(in), shard, new(sink)); !fault.Is(
				err, fault.Corruption) {
				t.Fatalf("damaged at %d: %v", i, err)
			}
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add(snapshotOf(f, map[string]string{"a": "1"}), byte(2), []byte("\x01k\x01v"))
	f.Fuzz(func(t *testing.T, b []byte, kind byte, payload []byte) {
		// One frame more, whose checksum is right.
		frame := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload)))
		frame = append(frame, payload...)
		frame = binary.BigEndian.AppendUint32(frame, crc(frame))
		for _, in := range []io.Reader{
			bytes.NewReader(b), io.MultiReader(bytes.NewReader(b[:min(len(b), 11)]), bytes.NewReader(frame)),
		} {
			err := replica.ReadSnapshot(in, shard, new(sink))
			if err != nil && !fault.Is(err, fault.Corruption) {
				t.Fatal(err)
			}
		}
	})
}
