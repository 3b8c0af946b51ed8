package manifest_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

func random(r *rand.Rand) manifest.Entry {
	text := func() string { return strings.Repeat("x", r.IntN(200)) }
	e := manifest.Entry{
		State: manifest.State(1 + r.IntN(3)), Storage: ident.StorageID(text()), Path: text(),
		Created: clock.Seq(r.Int64()), Schema: ident.SchemaVersion(r.Uint32()),
		Rows: r.Uint32(), Bytes: r.Int64(), MinSeq: clock.Seq(r.Int64()), MaxSeq: clock.Seq(r.Int64()),
		Live: r.Uint32(), DeadSince: clock.Seq(r.Int64()), MinKey: []byte{byte(r.Uint32())},
	}
	for i := range e.Checksum {
		e.Checksum[i] = byte(r.Uint32())
	}
	return e
}

func TestEntry_RoundTrip(t *testing.T) {
	r := storetest.Seed(t)
	for range 300 {
		e := random(r)
		b := e.Append(nil)
		got, err := manifest.Parse(b)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("got %+v %v, want %+v", got, err, e)
		}
		if _, err := manifest.Parse(b[:r.IntN(len(b))]); !fault.Is(err, fault.Corruption) {
			t.Fatalf("a cut entry: %v", err)
		}
		if _, err := manifest.Parse(append(b, 0)); !fault.Is(err, fault.Corruption) {
			t.Fatalf("bytes behind an entry: %v", err)
		}
	}
	e := random(r)
	for name, edit := range map[string]func([]byte){
		"a newer format":   func(b []byte) { b[0] = 2 },
		"no state":         func(b []byte) { b[1] = 0 },
		"an unknown state": func(b []byte) { b[1] = 4 },
	} {
		b := e.Append(nil)
		edit(b)
		if _, err := manifest.Parse(b); !fault.Is(err, fault.Corruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	e := manifest.Entry{State: manifest.There, Storage: "local", Path: "a/b", Rows: 3, Live: 300,
		MinKey: []byte("a"), MaxKey: []byte("z")}
	f.Add(e.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := manifest.Parse(b)
		if err != nil {
			if !fault.Is(err, fault.Corruption) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got := e.Append(nil); !slices.Equal(got, b) {
			t.Fatalf("%x reads as %+v, which is %x", b, e, got)
		}
	})
}

// TestManifest_ListsWhatIsThere reads entries of users that are next to each
// other.
func TestManifest_ListsWhatIsThere(t *testing.T) {
	db := storetest.OpenDB(t, store.Options{Engine: memkv.Name, OpenEngine: memkv.Open})
	p, err := db.CreatePartition("user.chat.messages.1.1")
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	put := func(u ident.UserID, id ident.SegmentID, s manifest.State) {
		manifest.Put(&b, p, u, &manifest.Entry{ID: id, State: s, Path: string(u), Live: 1})
	}
	put("a", 9, manifest.There)
	put("a", 300, manifest.Pending)
	put("a\x00", 7, manifest.Dying)
	put("b", 1, manifest.There)
	put("", 2, manifest.Pending)
	put("", 2, manifest.There)
	put("b", 5, manifest.Dying)
	manifest.Remove(&b, p, "b", 5)
	if err := db.Commit(&b, false); err != nil {
		t.Fatal(err)
	}
	v := db.View()
	defer v.Release()
	var got []string
	note := func(u ident.UserID, e *manifest.Entry) error {
		got = append(got, fmt.Sprintf("%q %d %s", u, e.ID, e.State))
		return nil
	}
	check := func(what string, err error, want ...string) {
		t.Helper()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v %v, want %v", what, got, err, want)
		}
		got = nil
	}
	a, a0, b1 := `"a" 9 there`, `"a\x00" 7 dying`, `"b" 1 there`
	pending := `"a" 300 pending`
	check("all", manifest.All(v, p, "", note), `"" 2 there`, a, pending, a0, b1)
	check("from a user on", manifest.All(v, p, "a\x00", note), a0, b1)
	check("unsettled", manifest.Unsettled(v, p, note), pending, a0)
	err = manifest.Of(v, p, "a", func(e *manifest.Entry) error { return note("a", e) })
	check("of one user", err, a, pending)
	if _, found, err := manifest.Get(v, nil, p, "b", 5); found || err != nil {
		t.Errorf("a removed entry is found: %v", err)
	}
	stop := fault.New(fault.Cancelled, "enough")
	err = manifest.All(v, p, "", func(ident.UserID, *manifest.Entry) error { return stop })
	if !fault.Is(err, fault.Cancelled) {
		t.Errorf("a visit that stops gives %v", err)
	}
	for _, key := range [][]byte{nil, {'s'}, row.SegmentKey("a", 1)[:9], row.Key("a", []byte("12345678"))} {
		if _, _, err := row.SplitSegmentKey(key); !fault.Is(err, fault.Corruption) {
			t.Errorf("key %x: %v", key, err)
		}
		if _, _, err := row.SplitUnsettledKey(key); !fault.Is(err, fault.Corruption) {
			t.Errorf("key %x: %v", key, err)
		}
	}
}
