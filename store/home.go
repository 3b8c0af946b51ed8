package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// The files of a data directory. See docs/format/datadir.md.
const (
	labelFile = "KALAMDB"
	draftFile = labelFile + ".new" // a label whose directory is not finished
	lockFile  = "LOCK"
)

// FormatVersion is the version of the data directory that this package makes.
const FormatVersion = 1

// label is the content of the file KALAMDB.
type label struct {
	Format  int       `json:"format"`
	Engine  string    `json:"engine"`
	Shards  int       `json:"shards"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
}

// home is a data directory that is locked for this process. Its methods do
// nothing on a nil home, which stands for none.
//
// A new directory is made in this order: draft label, engine folder with an
// engine that opens, rename of the draft. A crash in between leaves the draft,
// by which the next Open knows that it may start over.
type home struct {
	dir   string
	label label
	fresh bool
	lock  *os.File
}

// openHome checks and locks dir, and fills in what opts leaves open.
func openHome(dir string, opts Options) (*home, Options, error) {
	if opts.CloseWait == 0 {
		opts.CloseWait = closeWait
	}
	if opts.Engine == "" || strings.ContainsAny(opts.Engine, `/\.`) || opts.OpenEngine == nil {
		return nil, opts, fault.New(fault.InvalidParameter, "name a storage engine for the store")
	}
	if opts.Shards < 0 || opts.Shards > MaxShards {
		return nil, opts, fault.New(fault.InvalidParameter,
			"%d shards: choose 1 to %d", opts.Shards, MaxShards)
	}
	if dir == "" {
		if opts.Engine != Memory {
			return nil, opts, fault.New(fault.InvalidParameter,
				"engine %q needs a data directory; name one", opts.Engine)
		}
		if opts.Shards == 0 {
			opts.Shards = DefaultShards
		}
		return nil, opts, nil
	}
	h, err := lockHome(dir, opts)
	if err != nil {
		return nil, opts, err
	}
	opts.Shards = h.label.Shards
	return h, opts, nil
}

func lockHome(dir string, opts Options) (*home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, EngineFault(err, false, "find the data directory")
	}
	h := &home{dir: dir}
	if err := h.inspect(); err != nil { // before the lock file is made
		return nil, err
	}
	if h.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	err = h.inspect()
	if err == nil && h.fresh {
		err = h.draft(opts)
	} else if err == nil {
		err = h.match(opts)
	}
	if err == nil {
		err = writePID(h.lock)
	}
	if err != nil {
		return nil, errors.Join(err, h.unlock())
	}
	return h, nil
}

// inspect reads the label, and finds out whether the directory is new. It
// changes nothing.
func (h *home) inspect() error {
	h.fresh = false
	raw, err := os.ReadFile(filepath.Join(h.dir, labelFile))
	if err == nil {
		return h.read(raw)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.InvalidParameter, err, "the data directory %s can't be read", h.dir)
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.InvalidParameter, err, "the data directory %s can't be read", h.dir)
	}
	foreign := ""
	for _, e := range entries {
		switch e.Name() {
		case draftFile:
			h.fresh = true
			return nil
		case lockFile, "lost+found":
		default:
			foreign = e.Name()
		}
	}
	if foreign != "" {
		return fault.New(fault.InvalidParameter,
			"%s is no data directory: it has no file %s but holds %q; name an empty folder",
			h.dir, labelFile, foreign)
	}
	h.fresh = true
	return nil
}

func (h *home) read(raw []byte) error {
	if err := json.Unmarshal(raw, &h.label); err != nil || h.label.Format < 1 {
		return fault.New(fault.Corruption,
			"%s is damaged; restore it from a backup", filepath.Join(h.dir, labelFile))
	}
	if h.label.Format > FormatVersion {
		return fault.New(fault.InvalidParameter,
			"the data directory %s has format %d and this program reads up to %d; use a newer one",
			h.dir, h.label.Format, FormatVersion)
	}
	return nil
}

// match compares a directory that is there with what is asked for.
func (h *home) match(opts Options) error {
	l := h.label
	if l.Engine != opts.Engine {
		return fault.New(fault.InvalidParameter,
			"the data directory %s was made with engine %q, not %q; "+
				"set storage.engine to %q or name another folder", h.dir, l.Engine, opts.Engine, l.Engine)
	}
	if opts.Shards != 0 && opts.Shards != l.Shards {
		return fault.New(fault.InvalidParameter,
			"the data directory %s was made with %d shards, not %d; "+
				"set storage.shards to %d or name another folder", h.dir, l.Shards, opts.Shards, l.Shards)
	}
	if l.Shards < 1 || l.Shards > MaxShards {
		return fault.New(fault.Corruption, "%s is damaged: %d shards; restore it from a backup",
			filepath.Join(h.dir, labelFile), l.Shards)
	}
	if _, err := os.Stat(h.engineDir()); err != nil {
		return fault.Wrap(fault.Corruption, err,
			"the data directory %s has lost its folder %s; restore it from a backup", h.dir, l.Engine)
	}
	return nil
}

// draft begins a new directory.
func (h *home) draft(opts Options) error {
	id, err := uuid.NewRandom()
	if err != nil {
		return EngineFault(err, false, "make an id for the data directory")
	}
	h.label = label{
		Format: FormatVersion, Engine: opts.Engine, Shards: opts.Shards,
		ID: id.String(), Created: time.Now().UTC().Truncate(time.Second),
	}
	if h.label.Shards == 0 {
		h.label.Shards = DefaultShards
	}
	raw, err := json.MarshalIndent(h.label, "", "  ")
	if err != nil {
		return EngineFault(err, false, "write the label of the data directory")
	}
	if err := writeSynced(filepath.Join(h.dir, draftFile), append(raw, '\n')); err != nil {
		return EngineFault(err, false, "write the label of the data directory")
	}
	// What an unfinished start left holds nothing.
	err = os.RemoveAll(h.engineDir())
	if err == nil {
		err = os.Mkdir(h.engineDir(), 0o700)
	}
	if err == nil {
		err = syncDir(h.dir)
	}
	return EngineFault(err, false, "make the data directory")
}

// finish makes a new directory a complete one.
func (h *home) finish() error {
	if h == nil || !h.fresh {
		return nil
	}
	err := os.Rename(filepath.Join(h.dir, draftFile), filepath.Join(h.dir, labelFile))
	if err == nil {
		err = syncDir(h.dir)
	}
	return EngineFault(err, false, "finish the data directory")
}

func (h *home) engineDir() string {
	if h == nil {
		return ""
	}
	return filepath.Join(h.dir, h.label.Engine)
}

func (h *home) unlock() error {
	if h == nil {
		return nil
	}
	return EngineFault(h.lock.Close(), false, "unlock the data directory")
}

func writeSynced(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
