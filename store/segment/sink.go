package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// The last key of the file's metadata seals what follows the row groups: where
// that begins, and the CRC-32C of it all, read with zeros for the CRC itself.
// The reader finds it in the bytes before it trusts any of them.
const (
	metaSeal   = "kalamdb.seal"
	sealText   = "kalamdb:tail=%016x,crc=" // and eight hex digits
	sealPrefix = "kalamdb:tail="
	sealLength = len(sealPrefix) + 16 + len(",crc=") + crcDigits
	crcDigits  = 8
)

// metaBlocks is the key of the CRC-32Cs of the blocks of row groups.
const metaBlocks = "kalamdb.blocks"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sink is what the library writes to. It takes the checksums: SHA-256 of the
// file, one of each block of the row groups, and that of the tail, which it
// holds back until it can be sealed.
type sink struct {
	to   io.Writer
	err  error // the first of to
	sum  hash.Hash
	size int64

	blocks []byte // CRCs of full blocks, little-endian
	crc    uint32 // of the open block
	open   int    // bytes in it
	tail   *bytes.Buffer
}

func newSink(to io.Writer) *sink { return &sink{to: to, sum: sha256.New()} }

func (s *sink) Write(b []byte) (int, error) {
	if s.tail != nil {
		return s.tail.Write(b)
	}
	for rest := b; len(rest) > 0; {
		n := min(len(rest), blockBytes-s.open)
		s.crc = crc32.Update(s.crc, castagnoli, rest[:n])
		s.open += n
		if rest = rest[n:]; s.open == blockBytes {
			s.endBlock()
		}
	}
	return s.write(b)
}

func (s *sink) write(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.to.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	s.sum.Write(b[:n])
	s.size += int64(n)
	s.err = err
	return n, err
}

func (s *sink) endBlock() {
	s.blocks = binary.LittleEndian.AppendUint32(s.blocks, s.crc)
	s.crc, s.open = 0, 0
}

// hold begins the tail, and returns the metadata of what stands before it.
func (s *sink) hold() (blocks, seal string) {
	if s.open > 0 {
		s.endBlock()
	}
	s.tail = new(bytes.Buffer)
	blocks = fmt.Sprintf("%d:%s", blockBytes, base64.StdEncoding.EncodeToString(s.blocks))
	return blocks, fmt.Sprintf(sealText, s.size) + "00000000"
}

// release seals the tail and writes it.
func (s *sink) release() error {
	b := s.tail.Bytes()
	at := bytes.LastIndex(b, []byte(sealPrefix))
	if at < 0 || at+sealLength > len(b) {
		return fmt.Errorf("the seal is not in the tail")
	}
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(b, castagnoli))
	hex.Encode(b[at+sealLength-crcDigits:], sum[:])
	s.tail = nil
	_, err := s.write(b)
	return err
}
