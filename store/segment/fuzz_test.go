package segment_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// FuzzFile damages a file in ways that its checksums do not see: what is read is
// rows or a fault.Corruption, never a panic. changes are positions and bytes: what
// fuzzing changes by itself would be the file, and of that it takes a minute to
// make each find small.
func FuzzFile(f *testing.F) {
	s := write(f, rand.New(rand.NewPCG(1, 1)), everything(), 40, 4)
	f.Add([]byte{}, 0)
	f.Add([]byte{0, 4, 7, 1, 0, 1}, 0)
	f.Add([]byte{0, 0, 0}, 100)
	f.Fuzz(func(t *testing.T, changes []byte, cut int) {
		b := bytes.Clone(s.bytes)
		if cut > 0 && cut < len(b) {
			b = append(b[:len(b)/2], b[min(len(b), len(b)/2+cut):]...)
		}
		for ; len(changes) >= 3; changes = changes[3:] {
			b[int(binary.BigEndian.Uint16(changes))%len(b)] ^= changes[2]
		}
		segment.Reseal(b)
		err := read(t.Context(), b, func(*segment.Batch) {})
		if err != nil && !fault.Is(err, fault.Corruption) {
			t.Fatal(err)
		}
		if f, err := segment.Open(t.Context(), bytes.NewReader(b), int64(len(b)), "a"); err == nil {
			if err = f.Check(t.Context(), s.info); err == nil && !bytes.Equal(b, s.bytes) {
				t.Fatal("a changed file passes its check")
			}
		}
	})
}

// Many random changes behind right checksums, as the fuzzer makes them.
func TestFile_SurvivesDamageBehindItsChecksums(t *testing.T) {
	r := seeded(t)
	s := write(t, r, everything(), 30, 4)
	read1, refused := 0, 0
	for range 700 {
		b := bytes.Clone(s.bytes)
		for range 1 + r.IntN(3) {
			at := r.IntN(len(b))
			if r.IntN(2) == 0 {
				at = len(b) - 1 - r.IntN(len(b)/3)
			}
			b[at] = byte(r.Uint32())
		}
		segment.Reseal(b)
		switch err := read(t.Context(), b, func(*segment.Batch) {}); {
		case err == nil:
			read1++
		case fault.Is(err, fault.Corruption):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if read1 == 0 || refused == 0 {
		t.Errorf("%d read, %d refused: the checksums were not mended", read1, refused)
	}
}
