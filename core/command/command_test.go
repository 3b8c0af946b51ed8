package command_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

func random(r *rand.Rand) *command.Command {
	some := func(n int) []byte {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if len(b) == 0 {
			return nil
		}
		return b
	}
	seq := func() clock.Seq { return clock.Seq(r.Int64()) }
	c := &command.Command{Shard: ident.ShardID(r.Uint32()), Clock: seq()}
	if r.IntN(2) == 0 {
		c.Request = &command.Request{ID: string(some(40)), Hash: r.Uint64(), Result: some(90)}
	}
	for range r.IntN(3) {
		c.Fences = append(c.Fences, command.Fence{
			Table: ident.TableID(r.Uint32()), Partition: keyspace.Name(some(30)),
			Min: ident.SchemaVersion(r.Uint32()), Dropped: r.IntN(2) == 0,
			TTL: time.Duration(r.IntN(1<<40)) * time.Millisecond,
		})
	}
	for range r.IntN(3) {
		c.Indexes = append(c.Indexes, command.Index{
			Table: ident.TableID(r.Uint32()), Index: ident.IndexID(r.Uint32()), Gone: r.IntN(2) == 0,
		})
	}
	entries := func() (list []row.Entry) {
		for range r.IntN(3) {
			list = append(list, row.Entry{
				Index: ident.IndexID(r.Uint32()), Unique: r.IntN(2) == 0, Columns: some(30),
			})
		}
		return list
	}
	for range r.IntN(4) {
		c.Writes = append(c.Writes, command.Write{
			Table: ident.TableID(r.Uint32()), Schema: ident.SchemaVersion(r.Uint32()),
			Codec: serde.ID(r.IntN(256)), Op: row.Op(r.IntN(256)), User: ident.UserID(some(20)),
			Expect: seq(), PK: some(20), Payload: some(300),
			Remove: entries(), Add: entries(),
		})
		w := &c.Writes[len(c.Writes)-1]
		if r.IntN(3) == 0 {
			w.Old = &row.Record{Schema: ident.SchemaVersion(r.Uint32()),
				Codec: serde.ID(r.IntN(256)), Payload: some(100)}
		}
		if r.IntN(3) == 0 {
			w.Op = row.Append
		}
		if w.Op == row.Append {
			w.Tail = appendTo(r)
		}
	}
	if r.IntN(3) == 0 {
		c.Trim = &command.Trim{
			Table: ident.TableID(r.Uint32()), Cursor: some(20), Below: seq(), Keep: seq(),
			Limit: r.IntN(1 << 30),
		}
	}
	for range r.IntN(3) {
		c.Segments = append(c.Segments, command.Segment{Table: ident.TableID(r.Uint32()),
			User: ident.UserID(some(20)), Entry: entry(r, some, seq)})
	}
	for range r.IntN(3) {
		s := command.Swap{Table: ident.TableID(r.Uint32()), Swap: table.Swap{
			User: ident.UserID(some(20)), Segment: ident.SegmentID(r.Uint64())}}
		for range r.IntN(3) {
			s.Rows = append(s.Rows, table.Moved{PK: some(20), Seq: seq(),
				From: ident.SegmentID(r.Uint64()), Ordinal: r.Uint32()})
		}
		c.Swaps = append(c.Swaps, s)
	}
	if r.IntN(2) == 0 {
		inCluster(r, c)
	}
	return c
}

// inCluster gives a command what only those of a cluster have.
func inCluster(r *rand.Rand, c *command.Command) {
	tx := func() command.Tx { return command.Tx{Began: clock.Seq(r.Int64()), Salt: r.Uint64()} }
	var parts []command.Part
	for range r.IntN(4) {
		parts = append(parts, command.Part{
			Shard: ident.ShardID(r.Uint32()), Seq: clock.Seq(r.Int64())})
	}
	c.Epoch, c.Barrier = r.Uint64()>>r.IntN(64), command.Version(r.IntN(256))
	for i := range c.Fences {
		c.Fences[i].Emptied = c.Fences[i].Dropped && r.IntN(2) == 0
	}
	switch r.IntN(4) {
	case 0:
		c.Prepare = &command.Prepare{Tx: tx()}
	case 1:
		c.Decide = &command.Decide{Tx: tx(), Commit: r.IntN(2) == 0, Parts: parts}
		for range r.IntN(3) {
			c.Decide.Resolved = append(c.Decide.Resolved, tx())
		}
	case 2:
		c.Resolve = &command.Resolve{Tx: tx(), Commit: r.IntN(2) == 0, Parts: parts}
	}
}

func entry(r *rand.Rand, some func(int) []byte, seq func() clock.Seq) manifest.Entry {
	e := manifest.Entry{ID: ident.SegmentID(r.Uint64()), State: manifest.State(r.IntN(4))}
	if e.State == manifest.Pending || e.State == manifest.There {
		e.Storage, e.Path, e.Created = ident.StorageID(some(20)), string(some(90)), seq()
		e.Schema, e.Rows, e.Bytes = ident.SchemaVersion(r.Uint32()), r.Uint32(), r.Int64()
		e.MinKey, e.MaxKey, e.MinSeq, e.MaxSeq = some(20), some(20), seq(), seq()
		e.Live, e.DeadSince = r.Uint32(), seq()
		copy(e.Checksum[:], some(60))
	}
	return e
}

func appendTo(r *rand.Rand) *row.Tail {
	a := &row.Tail{Column: ident.ColumnID(r.Uint32()), Most: r.IntN(1 << 30)}
	for range r.IntN(3) {
		l := row.Layout{Schema: ident.SchemaVersion(r.Uint32())}
		for range 1 + r.IntN(5) {
			l.Kinds = append(l.Kinds, value.Kind(r.IntN(256)))
		}
		l.At = r.IntN(len(l.Kinds))
		a.Layouts = append(a.Layouts, l)
	}
	return a
}

func TestCommand_RoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		c := random(r)
		b := c.Append(nil)
		got, err := command.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, c) {
			t.Fatalf("got  %+v\nwant %+v", got, c)
		}
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		if _, err := command.Parse(b); !fault.Is(err, fault.Corruption) {
			t.Fatalf("a flipped bit gave %v", err)
		}
		b = c.Append(nil)
		if _, err := command.Parse(b[:r.IntN(len(b))]); !fault.Is(err, fault.Corruption) {
			t.Fatalf("a cut command gave %v", err)
		}
	}
}

// TestParse_FencesWithoutTTL reads the bytes of format 1.
func TestParse_FencesWithoutTTL(t *testing.T) {
	b := []byte{1, 3, 9, 0, 1, 7, 1, 'p', 2, 1, 0, 0}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	want := &command.Command{Shard: 3, Clock: 9, Fences: []command.Fence{
		{Table: 7, Partition: "p", Min: 2, Dropped: true},
	}}
	if got, err := command.Parse(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v", got, err)
	}
}

// TestParse_TrimThatKeepsNothing reads the bytes of format 4.
func TestParse_TrimThatKeepsNothing(t *testing.T) {
	b := []byte{4, 3, 9, 0, 0, 0, 0, 1, 7, 1, 'c', 6, 5, 0, 0}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	want := &command.Command{Shard: 3, Clock: 9,
		Trim: &command.Trim{Table: 7, Cursor: []byte("c"), Below: 6, Limit: 5}}
	if got, err := command.Parse(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v", got, err)
	}
}

// TestParse_WithoutCold reads the bytes of format 3.
func TestParse_WithoutCold(t *testing.T) {
	b := []byte{3, 3, 9, 0, 0, 0, 1, 7, 2, 1, 2, 1, 'u', 5, 1, 'k', 1, 'p', 0, 0, 0}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	want := &command.Command{Shard: 3, Clock: 9, Writes: []command.Write{{
		Table: 7, Schema: 2, Codec: 1, Op: row.Update, User: "u", Expect: 5,
		PK: []byte("k"), Payload: []byte("p"),
	}}}
	if got, err := command.Parse(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v", got, err)
	}
}

// TestParse_WithoutEntries reads the bytes of format 2.
func TestParse_WithoutEntries(t *testing.T) {
	b := []byte{2, 3, 9, 0, 0, 1, 7, 2, 1, 1, 1, 'u', 5, 1, 'k', 1, 'p', 0}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	want := &command.Command{Shard: 3, Clock: 9, Writes: []command.Write{{
		Table: 7, Schema: 2, Codec: 1, Op: row.Insert, User: "u", Expect: 5,
		PK: []byte("k"), Payload: []byte("p"),
	}}}
	if got, err := command.Parse(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v", got, err)
	}
}

// TestParse_AppendOfAnOlderFormat refuses what that format can't say.
func TestParse_AppendOfAnOlderFormat(t *testing.T) {
	b := []byte{2, 3, 9, 0, 0, 1, 7, 2, 1, 5, 1, 'u', 5, 1, 'k', 1, 'p', 0}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	if got, err := command.Parse(b); !fault.Is(err, fault.Corruption) {
		t.Errorf("got %+v %v", got, err)
	}
}

// TestParse_Versions reads each command in the oldest format that holds it, and
// tells a newer one from a damaged one.
func TestParse_Versions(t *testing.T) {
	c := &command.Command{Shard: 3, Clock: 9, Fences: []command.Fence{
		{Table: 7, Partition: "p", Min: 2, Dropped: true},
	}}
	if b := c.Append(nil); b[0] != 5 || c.Version() != 5 {
		t.Errorf("an ordinary command has format %d", b[0])
	}
	for name, change := range map[string]func(*command.Command){
		"epoch":   func(c *command.Command) { c.Epoch = 1 },
		"barrier": func(c *command.Command) { c.Barrier = 7 },
		"prepare": func(c *command.Command) { c.Prepare = new(command.Prepare) },
		"decide":  func(c *command.Command) { c.Decide = new(command.Decide) },
		"resolve": func(c *command.Command) { c.Resolve = new(command.Resolve) },
		"emptied": func(c *command.Command) {
			c.Fences = []command.Fence{{Table: 7, Dropped: true, Emptied: true}}
		},
	} {
		next := *c
		change(&next)
		got, err := command.Parse(next.Append(nil))
		if err != nil || !reflect.DeepEqual(got, &next) {
			t.Errorf("%s: got %+v %v", name, got, err)
		}
		if err := command.Version(5).Allow(&next); !fault.Is(err, fault.Unsupported) {
			t.Errorf("%s: behind the barrier gave %v", name, err)
		}
		if err := command.Newest.Allow(&next); err != nil {
			t.Errorf("%s: at the barrier gave %v", name, err)
		}
	}
	b := []byte{byte(command.Newest) + 1, 'w', 'h', 'a', 't'}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	if _, err := command.Parse(b); !fault.Is(err, fault.Unsupported) {
		t.Errorf("a newer command gave %v", err)
	}
	b[2]++
	if _, err := command.Parse(b); !fault.Is(err, fault.Corruption) {
		t.Errorf("a damaged newer command gave %v", err)
	}
}

func FuzzParse(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		f.Add(random(r).Append(nil))
	}
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := command.Parse(b)
		if err != nil {
			return
		}
		again, err := command.Parse(c.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Append(nil), c.Append(nil)) {
			t.Fatalf("%+v is not read back as it was written", c)
		}
	})
}

// TestCommand_Erase reads what was written.
func TestCommand_Erase(t *testing.T) {
	for _, want := range []*command.Erase{
		{Table: 7, Erasure: table.Erasure{User: "a\x00", UpTo: 9, Cursor: []byte("c"), Limit: 5}},
		{Table: 7, Erasure: table.Erasure{User: "a", UpTo: 9, Limit: 5, Entries: true,
			Indexes: []ident.IndexID{1, 300}}},
	} {
		b := (&command.Command{Shard: 2, Clock: 3, Erase: want}).Append(nil)
		if got, err := command.Parse(b); err != nil || !reflect.DeepEqual(got.Erase, want) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func FuzzParseParts(f *testing.F) {
	f.Add(command.AppendParts(nil, nil))
	f.Add(command.AppendParts(nil, []command.Part{{Shard: 1, Seq: 9}, {Shard: 300, Seq: 1 << 40}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, ok := command.ParseParts(b)
		if !ok {
			return
		}
		again, ok := command.ParseParts(command.AppendParts(nil, parts))
		if !ok || !reflect.DeepEqual(again, parts) {
			t.Fatalf("%v is read as %v", parts, again)
		}
	})
}
