package segment

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

const (
	magic        = "PAR1"
	trailerBytes = 4 + len(magic) // the length of the footer, and the magic
	firstRead    = 64 << 10       // of the end of a file, where its size is not known
	maxTail      = 256 << 20
)

// read fills b from off on.
func (f *File) read(b []byte, off int64) error {
	n, err := f.from.ReadAt(b, off)
	var told *fault.Error
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return f.damage("it ends at byte %d of %d", off+int64(n), f.size)
	case errors.As(err, &told):
		return fault.Wrap(told.Code, err, "read the file %s", f.name)
	}
	return fault.Wrap(fault.StorageUnavailable, err, "read the file %s; try again", f.name)
}

// readTail reads the tail and proves its seal.
func (f *File) readTail() error {
	if f.size < int64(2*len(magic)+trailerBytes+sealLength) {
		return f.damage("it has %d bytes", f.size)
	}
	end := make([]byte, min(f.size, firstRead))
	if err := f.read(end, f.size-int64(len(end))); err != nil {
		return err
	}
	footer := end[:len(end)-trailerBytes]
	length := int64(binary.LittleEndian.Uint32(end[len(footer):]))
	if string(end[len(footer)+4:]) != magic || length > f.size-int64(trailerBytes+len(magic)) {
		return f.damage("it has no footer")
	}
	at := bytes.LastIndex(footer, []byte(sealPrefix))
	if at < 0 || at+sealLength > len(footer) {
		return f.damage("it has no seal")
	}
	seal := string(footer[at : at+sealLength])
	body, sum, ok := parseSeal(seal)
	if !ok || body < int64(len(magic)) || body > f.size-int64(trailerBytes)-length ||
		f.size-body > maxTail {
		return f.damage("its seal is broken")
	}
	f.body, f.tail = body, make([]byte, f.size-body)
	if missing := len(f.tail) - len(end); missing > 0 {
		copy(f.tail[missing:], end)
		if err := f.read(f.tail[:missing], body); err != nil {
			return err
		}
	} else {
		copy(f.tail, end[-missing:])
	}
	// The position of the seal in the tail, counted from the end of both.
	digits := f.tail[len(f.tail)-len(end)+at+sealLength-crcDigits:][:crcDigits]
	copy(digits, "00000000")
	if crc32.Checksum(f.tail, castagnoli) != sum {
		return f.damage("its end does not have the checksum %08x", sum)
	}
	return nil
}

func parseSeal(s string) (body int64, sum uint32, ok bool) {
	where, crc, ok := strings.Cut(strings.TrimPrefix(s, sealPrefix), ",crc=")
	if !ok {
		return 0, 0, false
	}
	body, err := strconv.ParseInt(where, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	b, err := hex.DecodeString(crc)
	if err != nil || len(b) != 4 {
		return 0, 0, false
	}
	sum = binary.BigEndian.Uint32(b)
	return body, sum, s == fmt.Sprintf(sealText, body)+fmt.Sprintf("%08x", sum)
}
