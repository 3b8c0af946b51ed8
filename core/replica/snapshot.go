package replica

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/lni/dragonboat/v4/statemachine"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/store"
)

// A snapshot is all that a store has of a shard: the shard's partition and those of its
// tables, as frames. See docs/format/raft.md.
const (
	snapshotMagic  = "KALAMSHD"
	snapshotFormat = 1
)

// Kinds of frames.
const (
	framePartition = 1 // the name of the partition of the pairs that follow
	framePairs     = 2
	frameEnd       = 3 // how many pairs there were
)

const (
	frameBytes = 256 << 10 // from which on a frame of pairs ends
	frameMost  = 1 << 30   // what a reader takes
	frameHead  = 5         // kind, length
)

// writeSnapshot writes what a view has of the shard. An error of w means that the
// replica it is for has gone, which is not ours.
func (g *group) writeSnapshot(v *store.View, w io.Writer, stop <-chan struct{}) error {
	names, err := apply.Partitions(v, g.part)
	if err != nil {
		g.r.fail(err)
		return statemachine.ErrSnapshotAborted
	}
	s := &snapshotWriter{w: w, stop: stop}
	s.begin(g.shard)
	for _, name := range append(names, g.part.Name) {
		if p, ok := g.r.db.Partition(name); ok && s.err == nil {
			s.partition(v, p)
		}
	}
	s.end()
	switch {
	case s.err == nil, errors.Is(s.err, statemachine.ErrSnapshotStopped):
		return s.err
	case s.read:
		g.r.fail(s.err)
	}
	return statemachine.ErrSnapshotAborted
}

type snapshotWriter struct {
	w     io.Writer
	stop  <-chan struct{}
	buf   []byte
	pairs uint64
	err   error
	read  bool // err is of reading the store
}

func (s *snapshotWriter) write(b []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
}

func (s *snapshotWriter) frame(kind byte, payload []byte) {
	select {
	case <-s.stop:
		if s.err == nil {
			s.err = statemachine.ErrSnapshotStopped
		}
	default:
	}
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload)))
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, payload)
	s.write(head)
	s.write(payload)
	s.write(binary.BigEndian.AppendUint32(nil, sum))
}

func (s *snapshotWriter) begin(shard ident.ShardID) {
	head := append([]byte(snapshotMagic), snapshotFormat)
	s.write(binary.BigEndian.AppendUint16(head, uint16(shard)))
}

func (s *snapshotWriter) end() {
	s.frame(frameEnd, binary.BigEndian.AppendUint64(nil, s.pairs))
}

func (s *snapshotWriter) partition(v *store.View, p store.Partition) {
	s.frame(framePartition, []byte(p.Name))
	it := v.Scan(p, store.Range{})
	for s.err == nil && it.Next() {
		s.pair(it.Key(), it.Value())
	}
	s.flush()
	if err := it.Close(); err != nil && s.err == nil {
		s.err, s.read = err, true
	}
}

func (s *snapshotWriter) pair(key, value []byte) {
	s.buf = appendBytes(appendBytes(s.buf, key), value)
	s.pairs++
	if len(s.buf) >= frameBytes {
		s.flush()
	}
}

func (s *snapshotWriter) flush() {
	if len(s.buf) > 0 {
		s.frame(framePairs, s.buf)
	}
	s.buf = s.buf[:0]
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// snapshotSink takes what a snapshot has, in its order.
type snapshotSink interface {
	partition(keyspace.Name) error
	pair(key, value []byte) error // the slices are the sink's
}

// readSnapshot reads the snapshot of a shard to its end.
func readSnapshot(r io.Reader, shard ident.ShardID, sink snapshotSink) error {
	head := make([]byte, len(snapshotMagic)+3)
	if _, err := io.ReadFull(r, head); err != nil {
		return cut(err)
	}
	at := len(snapshotMagic)
	switch {
	case string(head[:at]) != snapshotMagic || head[at] != snapshotFormat:
		return fault.New(fault.Corruption, "a snapshot is of an unknown format; update this node")
	case ident.ShardID(binary.BigEndian.Uint16(head[at+1:])) != shard:
		return fault.New(fault.Corruption, "a snapshot is of another shard than %d", shard)
	}
	named, pairs := false, uint64(0)
	for {
		kind, payload, err := readFrame(r)
		if err != nil {
			return err
		}
		switch {
		case kind == framePartition && len(payload) > 0:
			named = true
			err = sink.partition(keyspace.Name(payload))
		case kind == framePairs && named:
			pairs, err = readPairs(payload, pairs, sink)
		case kind == frameEnd && len(payload) == 8:
			if binary.BigEndian.Uint64(payload) != pairs {
				return fault.New(fault.Corruption, "a snapshot has not all that it is to have")
			}
			return nil
		default:
			err = fault.New(fault.Corruption, "a snapshot has a frame that is out of place")
		}
		if err != nil {
			return err
		}
	}
}

func readFrame(r io.Reader) (kind byte, payload []byte, err error) {
	var head [frameHead]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, nil, cut(err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > frameMost {
		return 0, nil, fault.New(fault.Corruption, "a snapshot has a frame that is too large")
	}
	// It grows with what is there, so that a damaged length takes no memory.
	body, err := io.ReadAll(io.LimitReader(r, int64(n)+4))
	if err != nil || len(body) < int(n)+4 {
		return 0, nil, cut(err)
	}
	payload = body[:n]
	sum := crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, payload)
	if binary.BigEndian.Uint32(body[n:]) != sum {
		return 0, nil, fault.New(fault.Corruption, "a snapshot fails its checksum")
	}
	return head[0], payload, nil
}

func cut(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.Corruption, "a snapshot is cut off")
	}
	return fault.Wrap(fault.Internal, err, "read a snapshot")
}

func readPairs(b []byte, pairs uint64, sink snapshotSink) (uint64, error) {
	for len(b) > 0 {
		var fields [2][]byte
		for i := range fields {
			n, size := binary.Uvarint(b)
			if size <= 0 || n > uint64(len(b)-size) {
				return 0, fault.New(fault.Corruption, "a pair of a snapshot does not read to its end")
			}
			end := size + int(n)
			fields[i], b = b[size:end:end], b[end:]
		}
		if err := sink.pair(fields[0], fields[1]); err != nil {
			return 0, err
		}
		pairs++
	}
	return pairs, nil
}
