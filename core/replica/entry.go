package replica

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
)

// entry is what the Raft log of a group carries: commands that are applied one
// after another, and who proposed them. Its bytes are in docs/format/raft.md.
type entry struct {
	apply.Ticket
	commands []*command.Command
}

const entryFormat = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e *entry) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, entryFormat)
	dst = binary.AppendUvarint(dst, uint64(e.Node))
	dst = binary.AppendUvarint(dst, e.Run)
	dst = binary.AppendUvarint(dst, e.Number)
	dst = binary.AppendUvarint(dst, uint64(len(e.commands)))
	for _, c := range e.commands {
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0) // its length, known after it is written
		dst = c.Append(dst)
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseEntry reads an entry. Its commands alias b.
func parseEntry(b []byte) (*entry, error) {
	if len(b) < 5 || b[0] != entryFormat {
		return nil, fault.New(fault.Corruption,
			"an entry of the Raft log is of an unknown format; update this node")
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fault.New(fault.Corruption, "an entry of the Raft log fails its checksum")
	}
	e := new(entry)
	var fields [4]uint64
	rest := body[1:]
	for i := range fields {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			return nil, errEntryCut
		}
		fields[i], rest = n, rest[size:]
	}
	if fields[0] > uint64(ident.MaxNode) || fields[3] > uint64(len(rest)) {
		return nil, errEntryCut
	}
	e.Ticket = apply.Ticket{Node: ident.NodeID(fields[0]), Run: fields[1], Number: fields[2]}
	for range fields[3] {
		if len(rest) < 4 || uint64(binary.BigEndian.Uint32(rest)) > uint64(len(rest)-4) {
			return nil, errEntryCut
		}
		end := 4 + int(binary.BigEndian.Uint32(rest))
		c, err := command.Parse(rest[4:end:end])
		if err != nil {
			return nil, err
		}
		e.commands, rest = append(e.commands, c), rest[end:]
	}
	if len(rest) > 0 {
		return nil, errEntryCut
	}
	return e, nil
}

var errEntryCut = fault.New(fault.Corruption, "an entry of the Raft log does not read to its end")
