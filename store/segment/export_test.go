package segment

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
)

// Reseal gives a damaged file checksums that prove it, so that tests can see what
// is behind them. It reports whether there was a place for them.
func Reseal(b []byte) bool {
	at := bytes.LastIndex(b, []byte(sealPrefix))
	if at < 0 || at+sealLength > len(b) {
		return false
	}
	where := b[at : at+sealLength]
	copy(where[len(where)-crcDigits:], "00000000")
	body, _, _ := parseSeal(string(where))
	if body < 4 || body > int64(len(b)) {
		return false
	}
	var sums []byte
	for off := int64(0); off < body; off += blockBytes {
		crc := crc32.Checksum(b[off:min(off+blockBytes, body)], castagnoli)
		sums = binary.LittleEndian.AppendUint32(sums, crc)
	}
	if i := bytes.LastIndex(b, []byte("16384:")); i > 0 {
		copy(b[i+len("16384:"):at], base64.StdEncoding.EncodeToString(sums))
	}
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(b[body:], castagnoli))
	hex.Encode(where[len(where)-crcDigits:], sum[:])
	return true
}
