package blackbox

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
)

// WebSocket frame types (RFC 6455, section 5.2).
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xA
)

const (
	finBit  = 0x80
	maskBit = 0x80
)

// writeFrame writes one masked frame, as a client must.
func writeFrame(w io.Writer, op byte, payload []byte) error {
	frame := make([]byte, 0, 14+len(payload))
	frame = append(frame, finBit|op)
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, maskBit|byte(n))
	case n < 1<<16:
		frame = append(frame, maskBit|126)
		frame = binary.BigEndian.AppendUint16(frame, uint16(n))
	default:
		frame = append(frame, maskBit|127)
		frame = binary.BigEndian.AppendUint64(frame, uint64(n))
	}
	var mask [4]byte
	if _, err := rand.Read(mask[:]); err != nil {
		return err
	}
	frame = append(frame, mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	_, err := w.Write(frame)
	return err
}

// readFrame reads one frame of a server, which is never masked.
func readFrame(r *bufio.Reader, limit uint64) (op byte, fin bool, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, false, nil, err
	}
	n := uint64(head[1] &^ maskBit)
	switch {
	case head[1]&maskBit != 0:
		return 0, false, nil, fmt.Errorf("blackbox: the server masked a frame")
	case n == 126:
		var b [2]byte
		_, err = io.ReadFull(r, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case n == 127:
		var b [8]byte
		_, err = io.ReadFull(r, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, false, nil, err
	}
	if n > limit {
		return 0, false, nil, fmt.Errorf("blackbox: frame of %d bytes is over %d", n, limit)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0] & 0x0F, head[0]&finBit != 0, payload, err
}
