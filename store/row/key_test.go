package row_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// users are ids that could mix if keys were joined carelessly.
var users = []ident.UserID{
	"", "a", "ab", "a\x00", "a\x00\x01", "a\x00\xff", "a\x01", "A", "b", "\x00", "\x00\x00",
	"\x00\x01", "\xff", "auth0|1", "auth0|12", "ü", ident.UserID(strings.Repeat("x", 256)),
}

var keys = [][]byte{{}, {0}, {0, 1}, {0, 0xFF}, {1}, []byte("a"), {0xFF}, {0xFF, 0xFF, 0xFF}}

func TestKey_RoundTrip(t *testing.T) {
	for _, u := range users {
		for _, pk := range keys {
			gotUser, gotPK, err := row.SplitKey(row.Key(u, pk))
			if err != nil || gotUser != u || !bytes.Equal(gotPK, pk) {
				t.Fatalf("%q %x: got %q %x %v", u, pk, gotUser, gotPK, err)
			}
		}
		for _, seq := range []clock.Seq{0, 1, 255, 1 << 40, clock.MaxSeq} {
			gotUser, got, err := row.SplitChangeKey(row.ChangeKey(u, seq))
			if err != nil || gotUser != u || got != seq {
				t.Fatalf("change %q %d: got %q %d %v", u, seq, gotUser, got, err)
			}
		}
	}
}

func TestKey_UsersNeverMix(t *testing.T) {
	for _, u := range users {
		lo := row.UserPrefix(u, 0)
		hi := row.PrefixEnd(lo)
		changeLo, changeHi := row.ChangeKey(u, 0), row.ChangeEnd(u)
		for _, other := range users {
			for _, pk := range keys {
				k := row.Key(other, pk)
				in := bytes.Compare(lo, k) <= 0 && bytes.Compare(k, hi) < 0
				if in != (u == other) {
					t.Fatalf("key %x of %q among the rows of %q: %v", pk, other, u, in)
				}
			}
			for _, seq := range []clock.Seq{0, 1, clock.MaxSeq} {
				k := row.ChangeKey(other, seq)
				in := bytes.Compare(changeLo, k) <= 0 && bytes.Compare(k, changeHi) < 0
				if in != (u == other) {
					t.Fatalf("change %d of %q among those of %q: %v", seq, other, u, in)
				}
			}
		}
	}
}

func TestKey_Order(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	random := func() []byte {
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = []byte{0, 1, 'a', 0xFE, 0xFF}[r.IntN(5)]
		}
		return b
	}
	for range 20_000 {
		u1, u2, pk1, pk2 := random(), random(), random(), random()
		if r.IntN(2) == 0 {
			u2 = slices.Clone(u1)
		}
		want := bytes.Compare(u1, u2)
		if want == 0 {
			want = bytes.Compare(pk1, pk2)
		}
		got := bytes.Compare(row.Key(ident.UserID(u1), pk1), row.Key(ident.UserID(u2), pk2))
		if got != want {
			t.Fatalf("%x %x against %x %x: %d, want %d", u1, pk1, u2, pk2, got, want)
		}
	}
}

func TestKey_SpacesNeverMix(t *testing.T) {
	rowLo, rowHi := row.RowSpace()
	changeLo, changeHi := row.ChangeSpace()
	in := func(k, lo, hi []byte) bool {
		return bytes.Compare(lo, k) <= 0 && bytes.Compare(k, hi) < 0
	}
	for _, u := range users {
		for name, k := range map[string][]byte{
			"row": row.Key(u, keys[7]), "change": row.ChangeKey(u, clock.MaxSeq),
			"version": row.VersionKey(u, keys[7], 1), "meta": row.MetaKey(string(u)),
		} {
			inRows, inChanges := in(k, rowLo, rowHi), in(k, changeLo, changeHi)
			if inRows != (name == "row") || inChanges != (name == "change") {
				t.Fatalf("%s key of %q is in the wrong space", name, u)
			}
		}
	}
}

func TestSplitKey_Damaged(t *testing.T) {
	for _, k := range []string{
		"", "r", "r\x00", "ra", "ra\x00", "ra\x00\x02", "c\x00\x01", "ra\x00\xff",
	} {
		if _, _, err := row.SplitKey([]byte(k)); !fault.Is(err, fault.Corruption) {
			t.Errorf("row key %q: %v", k, err)
		}
	}
	for _, k := range []string{
		"", "c", "ca\x00\x01", "ca\x00\x011234567", "ca\x00\x01123456789", "r\x00\x0112345678",
	} {
		if _, _, err := row.SplitChangeKey([]byte(k)); !fault.Is(err, fault.Corruption) {
			t.Errorf("change key %q: %v", k, err)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{
		"a": "b", "a\xff": "b", "a\xfe": "a\xff", "\xff\xff": "", "": "",
	} {
		if got := row.PrefixEnd([]byte(prefix)); string(got) != want {
			t.Errorf("%q: got %q, want %q", prefix, got, want)
		}
	}
}

func FuzzSplitKey(f *testing.F) {
	for _, u := range users {
		f.Add(row.Key(u, []byte{1, 2}))
		f.Add(row.ChangeKey(u, 77))
	}
	f.Fuzz(func(t *testing.T, k []byte) {
		if u, pk, err := row.SplitKey(k); err == nil && !bytes.Equal(row.Key(u, pk), k) {
			t.Fatalf("%x reads as %q %x, which is written otherwise", k, u, pk)
		}
		if u, seq, err := row.SplitChangeKey(k); err == nil && !bytes.Equal(row.ChangeKey(u, seq), k) {
			t.Fatalf("%x reads as %q %d, which is written otherwise", k, u, seq)
		}
	})
}

func TestTombstoneKey(t *testing.T) {
	lo, hi := row.TombstonesBelow(7)
	var last []byte
	for _, seq := range []clock.Seq{0, 6, 7, clock.MaxSeq} {
		for _, u := range []ident.UserID{"", "a", "a\x00b"} {
			key := row.TombstoneKey(seq, u, []byte("k\x00"))
			gotSeq, gotUser, pk, err := row.SplitTombstoneKey(key)
			if err != nil || gotSeq != seq || gotUser != u || string(pk) != "k\x00" {
				t.Errorf("%x reads as %d %q %q %v", key, gotSeq, gotUser, pk, err)
			}
			if bytes.Compare(key, last) <= 0 {
				t.Errorf("%x does not stand behind %x", key, last)
			}
			below := bytes.Compare(key, lo) >= 0 && bytes.Compare(key, hi) < 0
			if last = key; below != (seq < 7) {
				t.Errorf("the tombstone of %d is below 7: %v", seq, below)
			}
		}
	}
	for _, key := range []string{"", "t", "r12345678a\x00\x01", "t12345678", "t12345678a\x00\x02"} {
		if _, _, _, err := row.SplitTombstoneKey([]byte(key)); !fault.Is(err, fault.Corruption) {
			t.Errorf("%q: %v", key, err)
		}
	}
}
