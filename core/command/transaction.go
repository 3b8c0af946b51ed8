package command

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Tx names a transaction over several shards. No two are the same.
type Tx struct {
	Began clock.Seq // the coordinator's clock; see apply for how old one may be
	Salt  uint64    // random
}

// Key returns 16 bytes that sort by the age of transactions.
func (t Tx) Key() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(t.Began))
	return binary.BigEndian.AppendUint64(b, t.Salt)
}

// ParseTx reads Key.
func ParseTx(b []byte) (tx Tx, ok bool) {
	if len(b) != 16 || b[0] > 0x7F {
		return Tx{}, false
	}
	return Tx{clock.Seq(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}, true
}

// Part is a shard's part of a transaction, and the seq at which it was prepared.
type Part struct {
	Shard ident.ShardID
	Seq   clock.Seq
}

// Prepare makes its command's writes and request an intent: they are checked and
// kept, and what they touch is locked, until the transaction is resolved.
type Prepare struct{ Tx Tx }

// Decide is for the system shard: it decides the transaction, unless that was
// done. The outcome tells what stands.
type Decide struct {
	Tx     Tx
	Commit bool
	Parts  []Part // of a commit
	// Resolved are transactions whose parts have all been resolved, so that their
	// decisions are needed no more.
	Resolved []Tx
}

// Resolve applies the intent of a decided transaction or forgets it.
type Resolve struct {
	Tx     Tx
	Commit bool
	Parts  []Part // as they were decided, of a commit
}

// The kinds of step, as they are encoded.
const (
	stepNone byte = iota
	stepPrepare
	stepDecide
	stepResolve
)

func (c *Command) appendCluster(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, c.Epoch)
	dst = append(dst, byte(c.Barrier))
	switch {
	case c.Prepare != nil:
		dst = append(append(dst, stepPrepare), c.Prepare.Tx.Key()...)
	case c.Decide != nil:
		dst = append(append(dst, stepDecide), c.Decide.Tx.Key()...)
		dst = AppendParts(appendBool(dst, c.Decide.Commit), c.Decide.Parts)
		dst = binary.AppendUvarint(dst, uint64(len(c.Decide.Resolved)))
		for _, tx := range c.Decide.Resolved {
			dst = append(dst, tx.Key()...)
		}
	case c.Resolve != nil:
		dst = append(append(dst, stepResolve), c.Resolve.Tx.Key()...)
		dst = AppendParts(appendBool(dst, c.Resolve.Commit), c.Resolve.Parts)
	default:
		dst = append(dst, stepNone)
	}
	return dst
}

// AppendParts appends the encoding of parts, for commands and for who keeps them.
func AppendParts(dst []byte, parts []Part) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(parts)))
	for _, p := range parts {
		dst = binary.AppendUvarint(dst, uint64(p.Shard))
		dst = binary.AppendUvarint(dst, uint64(p.Seq))
	}
	return dst
}

// ParseParts reads AppendParts.
func ParseParts(b []byte) (parts []Part, ok bool) {
	r := &reader{b: b}
	parts = r.parts()
	return parts, !r.bad && len(r.b) == 0
}

func (r *reader) cluster(c *Command) {
	c.Epoch = r.uint(1<<64 - 1)
	c.Barrier = Version(r.byte())
	switch r.byte() {
	case stepNone:
	case stepPrepare:
		c.Prepare = &Prepare{Tx: r.tx()}
	case stepDecide:
		c.Decide = &Decide{Tx: r.tx(), Commit: r.bool(), Parts: r.parts()}
		for range r.count() {
			c.Decide.Resolved = append(c.Decide.Resolved, r.tx())
		}
	case stepResolve:
		c.Resolve = &Resolve{Tx: r.tx(), Commit: r.bool(), Parts: r.parts()}
	default:
		r.fail()
	}
}

func (r *reader) tx() Tx {
	const size = 16
	if len(r.b) < size {
		r.fail()
		return Tx{}
	}
	tx, ok := ParseTx(r.b[:size])
	if !ok {
		r.fail()
		return Tx{}
	}
	r.b = r.b[size:]
	return tx
}

func (r *reader) parts() (parts []Part) {
	for range r.count() {
		parts = append(parts, Part{
			Shard: ident.ShardID(r.uint(1<<16 - 1)), Seq: clock.Seq(r.uint(uint64(clock.MaxSeq))),
		})
	}
	return parts
}
