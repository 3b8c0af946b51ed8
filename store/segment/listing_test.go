package segment_test

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// folder is one in memory.
type folder map[string][]byte

func (f folder) Names(context.Context) (names []string, err error) {
	for n := range f {
		names = append(names, n)
	}
	return names, nil
}

func (f folder) Open(_ context.Context, name string) (io.ReaderAt, int64, error) {
	b, ok := f[name]
	if !ok {
		return nil, 0, fault.New(fault.FileNotFound, "there is no %s", name)
	}
	return bytes.NewReader(b), int64(len(b)), nil
}

// listed returns a folder of two segments with its listing.
func listed(t *testing.T) (folder, *segment.Listing) {
	t.Helper()
	r := seeded(t)
	in, l := folder{"other.txt": nil}, &segment.Listing{Name: "chat.messages"}
	for _, name := range []string{"00000000000000000002.parquet", "00000000000000000001.parquet"} {
		s := write(t, r, everything(), 500, 5)
		in[name] = s.bytes
		l.Table, l.User = s.layout.Table, s.layout.User
		l.Files = append(l.Files, segment.Listed{File: name, Schema: 3, Info: s.info})
	}
	var b bytes.Buffer
	if err := l.Write(&b); err != nil {
		t.Fatal(err)
	}
	in[segment.ListingName] = b.Bytes()
	l.Files[0], l.Files[1] = l.Files[1], l.Files[0]
	return in, l
}

func TestListing_ReadsBackAndChecks(t *testing.T) {
	in, want := listed(t)
	got, err := segment.ReadListing(bytes.NewReader(in[segment.ListingName]))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
	if found, err := got.Check(t.Context(), in); err != nil || len(found) > 0 {
		t.Fatalf("a whole folder: %v, %v", found, err)
	}
	first, second := got.Files[0].File, got.Files[1].File
	for name, c := range map[string]struct {
		change func(in folder, l *segment.Listing)
		file   string
		code   fault.Code
	}{
		"missing": {func(in folder, _ *segment.Listing) { delete(in, first) }, first,
			fault.FileNotFound},
		"damaged": {func(in folder, _ *segment.Listing) {
			in[second] = bytes.Clone(in[second])
			in[second][len(in[second])/2] ^= 1
		}, second, fault.Corruption},
		"exchanged": {func(in folder, _ *segment.Listing) { in[second] = in[first] }, second,
			fault.Corruption},
		"not listed": {func(in folder, _ *segment.Listing) { in["9.parquet"] = in[first] },
			"9.parquet", fault.Corruption},
		"another schema version": {func(_ folder, l *segment.Listing) { l.Files[0].Schema++ },
			first, fault.Corruption},
		"another checksum": {func(_ folder, l *segment.Listing) { l.Files[0].Checksum[0]++ },
			first, fault.Corruption},
	} {
		in, l := listed(t)
		c.change(in, l)
		found, err := l.Check(t.Context(), in)
		if err != nil || len(found) != 1 || found[0].File != c.file || !fault.Is(found[0].Err, c.code) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	in, l := listed(t)
	l.User = "bob"
	if found, err := l.Check(t.Context(), in); err != nil || len(found) != 2 {
		t.Errorf("of another user: %v, %v", found, err)
	}
}

func TestListing_RefusesWhatItIsNot(t *testing.T) {
	in, l := listed(t)
	whole := string(in[segment.ListingName])
	for name, text := range map[string]string{
		"nothing": "", "another format": strings.Replace(whole, `"format": 1`, `"format": 2`, 1),
		"half":              whole[:len(whole)/2],
		"an unknown key":    strings.Replace(whole, `"format"`, `"x": 1, "format"`, 1),
		"a path":            strings.Replace(whole, "00000000000000000001", "../1", 1),
		"out of order":      strings.Replace(whole, "00000000000000000001", "3", 1),
		"a short checksum":  strings.Replace(whole, `"sha256": "`, `"sha256": "0`, 1),
		"no rows":           strings.Replace(whole, `"rows": 500`, `"rows": 0`, 1),
		"more behind it":    whole + "{}",
		"a brace behind it": whole + "}",
		"a negative seq":    strings.Replace(whole, `"min_seq": "`, `"min_seq": "-`, 1),
	} {
		if _, err := segment.ReadListing(strings.NewReader(text)); !fault.Is(err, fault.Corruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Files[0].File = l.Files[1].File
	if err := l.Write(io.Discard); !fault.Is(err, fault.Internal) {
		t.Errorf("a file twice: %v", err)
	}
	l.Files[0].File = "a/b.parquet"
	if err := l.Write(io.Discard); !fault.Is(err, fault.Internal) {
		t.Errorf("a file of another folder: %v", err)
	}
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"format": 1, "table_id": 7, "table": "a.b", "user": "u", "segments": []}`))
	f.Add([]byte(`{"format":1,"segments":[{"file":"1.parquet","rows":1,"bytes":1,"min_key":"AA==",` +
		`"max_key":"AA==","min_seq":"0","max_seq":"0","sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := segment.ReadListing(bytes.NewReader(b))
		if err != nil {
			if !fault.Is(err, fault.Corruption) {
				t.Fatal(err)
			}
			return
		}
		var out bytes.Buffer
		if err := l.Write(&out); err != nil {
			t.Fatal(err)
		}
		again, err := segment.ReadListing(&out)
		if err != nil || !reflect.DeepEqual(l, again) {
			t.Fatalf("%+v reads back as %+v, %v", l, again, err)
		}
	})
}
