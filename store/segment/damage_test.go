package segment_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// read opens a file and reads all of it in both ways. ok is called with every
// batch.
func read(ctx context.Context, b []byte, ok func(*segment.Batch)) error {
	f, err := segment.Open(ctx, bytes.NewReader(b), int64(len(b)), "dir/00042.parquet")
	if err != nil {
		return err
	}
	var all []uint32
	s := f.Scan(nil, segment.Prune{})
	for s.Next(ctx) {
		ok(s.Batch())
		all = append(all, s.Batch().Ordinals...)
	}
	if s.Err() != nil {
		return s.Err()
	}
	rows, err := f.Rows(ctx, all, nil)
	if err == nil {
		ok(rows)
	}
	return err
}

// mustBeDamage reads a damaged file: it is a fault.Corruption that names the
// file.
func mustBeDamage(t *testing.T, what string, at int, b []byte) {
	t.Helper()
	err := read(t.Context(), b, func(*segment.Batch) {})
	if !fault.Is(err, fault.Corruption) || !strings.Contains(err.Error(), "dir/00042.parquet") {
		t.Fatalf("%s at byte %d of %d: %v", what, at, len(b), err)
	}
}

func TestFile_EveryFlippedByteIsDamage(t *testing.T) {
	r := seeded(t)
	s := write(t, r, everything(), 20, 5)
	for i := r.IntN(4); i < len(s.bytes); i += 4 {
		b := bytes.Clone(s.bytes)
		b[i] ^= byte(1 << r.IntN(8))
		mustBeDamage(t, "a flipped bit", i, b)
	}
}

func TestFile_CutIsDamage(t *testing.T) {
	s := write(t, seeded(t), everything(), 300, 5)
	for n := 0; n < len(s.bytes); n += 1 + n/50 {
		mustBeDamage(t, "a cut", n, s.bytes[:n])
		mustBeDamage(t, "a missing beginning", n, s.bytes[len(s.bytes)-n:])
	}
	mustBeDamage(t, "a byte more", 0, append(bytes.Clone(s.bytes), 0))
	mustBeDamage(t, "nothing but zeros", 0, make([]byte, 4096))
	mustBeDamage(t, "something else", 0, bytes.Repeat([]byte("PAR1"), 1000))
}

// faulty fails after so many bytes have been read.
type faulty struct {
	io.ReaderAt
	left int
	err  error
}

func (f *faulty) ReadAt(b []byte, off int64) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(b, off)
}

func TestFile_TellsWhatTheStorageSays(t *testing.T) {
	s := write(t, seeded(t), everything(), 5000, 5)
	for _, c := range []struct {
		err  error
		code fault.Code
	}{
		{errors.New("connection reset"), fault.StorageUnavailable},
		{fault.New(fault.FileNotFound, "gone"), fault.FileNotFound},
		{io.ErrUnexpectedEOF, fault.Corruption},
	} {
		for _, left := range []int{0, 200_000} {
			from := &faulty{ReaderAt: bytes.NewReader(s.bytes), left: left, err: c.err}
			f, err := segment.Open(t.Context(), from, int64(len(s.bytes)), "a")
			if (err == nil) != (left > 0) {
				t.Fatalf("Open: %v", err)
			}
			if err == nil {
				from.left = 0
				_, err = f.Rows(t.Context(), []uint32{1}, nil)
			}
			if !fault.Is(err, c.code) {
				t.Errorf("%v reads as %v", c.err, err)
			}
		}
	}
	f := s.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Rows(ctx, []uint32{1}, nil); !fault.Is(err, fault.Cancelled) {
		t.Errorf("Rows of a context that ended: %v", err)
	}
	if sc := f.Scan(nil, segment.Prune{}); sc.Next(ctx) || !fault.Is(sc.Err(), fault.Cancelled) {
		t.Errorf("Scan of a context that ended: %v", sc.Err())
	}
	if _, err := f.Rows(t.Context(), []uint32{5000}, nil); !fault.Is(err, fault.Corruption) {
		t.Errorf("a row behind the last: %v", err)
	}
	if _, err := f.Rows(t.Context(), []uint32{2, 1}, nil); !fault.Is(err, fault.Internal) {
		t.Errorf("rows out of order: %v", err)
	}
}

type full struct{ left int }

var errFull = fault.New(fault.StorageFull, "no space")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWriter_Refuses(t *testing.T) {
	r := seeded(t)
	s := write(t, r, everything(), 3000, 5)
	for _, left := range []int{0, 3, 1000, len(s.bytes) - 1} {
		w, err := segment.NewWriter(&full{left: left}, s.layout)
		for i := 0; err == nil && i < len(s.rows); i++ {
			err = w.Append(s.keys[i], s.seqs[i], s.rows[i])
		}
		if err == nil {
			_, err = w.Close()
		}
		if !fault.Is(err, fault.StorageFull) {
			t.Errorf("full after %d bytes: %v", left, err)
		}
		if w == nil {
			continue
		}
		if err := w.Settle(); err != nil && !fault.Is(err, fault.StorageFull) {
			t.Errorf("what is encoded of a segment that is full after %d bytes: %v", left, err)
		}
	}
	w, err := segment.NewWriter(io.Discard, s.layout)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); !fault.Is(err, fault.Internal) {
		t.Errorf("a segment without rows: %v", err)
	}
	for name, add := range map[string]func(w *segment.Writer) error{
		"few values": func(w *segment.Writer) error { return w.Append(s.keys[1], 1, s.rows[1][:3]) },
		"no key":     func(w *segment.Writer) error { return w.Append(nil, 1, s.rows[1]) },
		"same key":   func(w *segment.Writer) error { return w.Append(s.keys[0], 1, s.rows[1]) },
		"a negative seq": func(w *segment.Writer) error {
			return w.Append(s.keys[1], -1, s.rows[1])
		},
		"another kind": func(w *segment.Writer) error {
			vals := append([]value.Value(nil), s.rows[1]...)
			vals[4] = value.NewText("x")
			return w.Append(s.keys[1], 1, vals)
		},
	} {
		w, err := segment.NewWriter(io.Discard, s.layout)
		if err == nil {
			err = w.Append(s.keys[0], 1, s.rows[0])
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := add(w); !fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheck_FindsWhatIsNotAsItWasWritten(t *testing.T) {
	s := write(t, seeded(t), everything(), 3000, 5)
	f := s.open(t)
	if err := f.Check(t.Context(), s.info); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(i *segment.Info){
		"rows":     func(i *segment.Info) { i.Rows++ },
		"bytes":    func(i *segment.Info) { i.Bytes-- },
		"min key":  func(i *segment.Info) { i.MinKey = append(bytes.Clone(i.MinKey), 1) },
		"max key":  func(i *segment.Info) { i.MaxKey = i.MinKey },
		"min seq":  func(i *segment.Info) { i.MinSeq++ },
		"max seq":  func(i *segment.Info) { i.MaxSeq-- },
		"checksum": func(i *segment.Info) { i.Checksum[31] ^= 1 },
	} {
		info := s.info
		if change(&info); !fault.Is(f.Check(t.Context(), info), fault.Corruption) {
			t.Errorf("another %s passes", name)
		}
	}
	// A first row whose key is not the one that it was written under.
	other := *s
	other.keys = append([][]byte(nil), s.keys...)
	other.keys[0] = s.keys[0][:1]
	other.write(t)
	if err := other.open(t).Check(t.Context(), other.info); !fault.Is(err, fault.Corruption) {
		t.Errorf("a first key that is not the row's: %v", err)
	}
}
