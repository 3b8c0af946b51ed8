package segment

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// ListingName is the name of the file beside segments that says what they are.
const ListingName = "manifest.json"

// Suffix is what the names of segments end with.
const Suffix = ".parquet"

// MaxListing bounds a Listing that ReadListing reads, in bytes.
const MaxListing = 64 << 20

const listingFormat = 1

// Listing is what stands beside the segments of a user of a table, or of a shared
// table, for other programs and for whoever has lost the store. The store
// reads it only to check it.
type Listing struct {
	Table ident.TableID
	Name  string       // of the table when it was written, with its namespace
	User  ident.UserID // "" for a shared table
	Files []Listed
}

// Listed is a segment beside its Listing.
type Listed struct {
	File   string // its name in the folder
	Schema ident.SchemaVersion
	Info
}

type listingJSON struct {
	Format int           `json:"format"`
	Table  ident.TableID `json:"table_id"`
	Name   string        `json:"table"`
	User   ident.UserID  `json:"user"`
	Files  []listedJSON  `json:"segments"`
}

// listedJSON has numbers that JavaScript would round as strings.
type listedJSON struct {
	File     string              `json:"file"`
	Schema   ident.SchemaVersion `json:"schema_version"`
	Rows     int64               `json:"rows"`
	Bytes    int64               `json:"bytes"`
	MinKey   []byte              `json:"min_key"`
	MaxKey   []byte              `json:"max_key"`
	MinSeq   string              `json:"min_seq"`
	MaxSeq   string              `json:"max_seq"`
	Checksum string              `json:"sha256"`
}

// Write writes l, with its files in the order of their names.
func (l *Listing) Write(to io.Writer) error {
	files := slices.SortedFunc(slices.Values(l.Files),
		func(a, b Listed) int { return strings.Compare(a.File, b.File) })
	w, err := NewListing(to, l)
	if err != nil {
		return err
	}
	for i := range files {
		if err := w.Append(&files[i]); err != nil {
			return err
		}
	}
	return w.Close()
}

// ListingWriter writes a Listing file by file, however many there are.
type ListingWriter struct {
	to   io.Writer
	last string // name of a file
}

// NewListing begins a Listing of what is appended; the files of l are let alone.
func NewListing(to io.Writer, l *Listing) (*ListingWriter, error) {
	b, err := json.MarshalIndent(listingJSON{Format: listingFormat, Table: l.Table, Name: l.Name,
		User: l.User, Files: []listedJSON{}}, "", "  ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write %s", ListingName)
	}
	_, err = to.Write(bytes.TrimSuffix(b, []byte("]\n}")))
	return &ListingWriter{to: to}, err
}

// Append writes a file, whose name is to be behind those before.
func (w *ListingWriter) Append(f *Listed) error {
	if !plainName(f.File) || f.File <= w.last {
		return fault.New(fault.Internal, "%q is no name of a segment in a folder, behind %q",
			f.File, w.last)
	}
	const indent = "    "
	b, err := json.MarshalIndent(listedJSON{File: f.File, Schema: f.Schema, Rows: f.Rows,
		Bytes: f.Bytes, MinKey: f.MinKey, MaxKey: f.MaxKey, MinSeq: f.MinSeq.String(),
		MaxSeq: f.MaxSeq.String(), Checksum: hex.EncodeToString(f.Checksum[:])}, indent, "  ")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write %s", ListingName)
	}
	before := ",\n" + indent
	if w.last == "" {
		before = "\n" + indent
	}
	w.last = f.File
	_, err = w.to.Write(append([]byte(before), b...))
	return err
}

// Close writes the end. What was written without it does not read.
func (w *ListingWriter) Close() error {
	end := "\n  ]\n}\n"
	if w.last == "" {
		end = "]\n}\n"
	}
	_, err := io.WriteString(w.to, end)
	return err
}

// plainName reports whether a segment of that name is in the folder itself.
func plainName(s string) bool {
	return s == path.Base(s) && !strings.Contains(s, `\`) && strings.HasSuffix(s, Suffix) &&
		s != Suffix
}

// ReadListing reads what Write wrote. Anything else is a fault.Corruption.
func ReadListing(from io.Reader) (*Listing, error) {
	b, err := io.ReadAll(io.LimitReader(from, MaxListing+1))
	if err != nil {
		return nil, fault.Wrap(fault.StorageUnavailable, err, "read %s; try again", ListingName)
	}
	bad := func(format string, args ...any) (*Listing, error) {
		args = append([]any{ListingName}, args...)
		return nil, fault.New(fault.Corruption, "%s is damaged: "+format, args...)
	}
	var in listingJSON
	if len(b) > MaxListing {
		return bad("it is larger than %d bytes", MaxListing)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return bad("it is not the JSON it should be")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("something stands behind its end")
	}
	if in.Format != listingFormat {
		return bad("format %d, and this program reads %d", in.Format, listingFormat)
	}
	l := &Listing{Table: in.Table, Name: in.Name, User: in.User}
	for _, f := range in.Files {
		sum, err := hex.DecodeString(f.Checksum)
		lo, errLo := clock.ParseSeq(f.MinSeq)
		hi, errHi := clock.ParseSeq(f.MaxSeq)
		if err != nil || errLo != nil || errHi != nil || len(sum) != 32 || lo > hi ||
			!plainName(f.File) || f.Rows < 1 || f.Rows > MaxRows || f.Bytes < 1 ||
			len(f.MinKey) == 0 || bytes.Compare(f.MinKey, f.MaxKey) > 0 {
			return bad("its segment %q", f.File)
		}
		if n := len(l.Files); n > 0 && l.Files[n-1].File >= f.File {
			return bad("its segments are not in order")
		}
		l.Files = append(l.Files, Listed{File: f.File, Schema: f.Schema, Info: Info{Rows: f.Rows,
			Bytes: f.Bytes, MinKey: f.MinKey, MaxKey: f.MaxKey, MinSeq: lo, MaxSeq: hi,
			Checksum: [32]byte(sum)}})
	}
	return l, nil
}

// Folder is where segments and their Listing are.
type Folder interface {
	// Names returns the names of what is in the folder, in no order.
	Names(ctx context.Context) ([]string, error)
	// Open returns a file and its size; a fault.FileNotFound when it is not there.
	Open(ctx context.Context, name string) (io.ReaderAt, int64, error)
}

// Problem is a file that is not as its Listing says, and how.
type Problem struct {
	File string
	Err  error
}

// Check reads every segment of a folder and returns those that are damaged,
// missing, not listed, or of another table, user or schema version than is said.
// An error is of the folder: what was found until then is returned too.
func (l *Listing) Check(ctx context.Context, in Folder) ([]Problem, error) {
	names, err := in.Names(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var found []Problem
	listed := make(map[string]bool, len(l.Files))
	for i := range l.Files {
		f := &l.Files[i]
		listed[f.File] = true
		switch err := l.checkFile(ctx, in, f); {
		case err == nil:
		case fault.Is(err, fault.Corruption), fault.Is(err, fault.FileNotFound):
			found = append(found, Problem{File: f.File, Err: err})
		default:
			return found, err
		}
	}
	for _, name := range names {
		if strings.HasSuffix(name, Suffix) && !listed[name] {
			found = append(found, Problem{File: name, Err: fault.New(fault.Corruption,
				"the file %s is not in %s", name, ListingName)})
		}
	}
	return found, nil
}

func (l *Listing) checkFile(ctx context.Context, in Folder, f *Listed) error {
	from, size, err := in.Open(ctx, f.File)
	if err != nil {
		return err
	}
	s, err := Open(ctx, from, size, f.File)
	if err != nil {
		return err
	}
	if is := s.Layout(); is.Table != l.Table || is.User != l.User || is.Schema.Version != f.Schema {
		return s.damage("it is of table %d, user %q, schema version %d",
			is.Table, is.User, is.Schema.Version)
	}
	return s.Check(ctx, f.Info)
}
