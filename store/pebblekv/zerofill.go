package pebblekv

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logCategory is what pebble calls the files of its log.
const logCategory vfs.DiskWriteCategory = "pebble-wal"

// zeroFill is a file system that writes zeros into a log ahead of what pebble
// appends. A sync of data that makes a file longer writes the file's metadata
// too, in a second trip to the disk; where zeros stood before it does not.
// Pebble uses old logs again for the same reason, which helps from the third
// log on. Its reader takes zeros behind the last record as the log's end, as it
// does with what an old log has there.
type zeroFill struct{ vfs.FS }

// Unwrap implements vfs.FS.
func (fs zeroFill) Unwrap() vfs.FS { return fs.FS }

// Create implements vfs.FS.
func (fs zeroFill) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	if err != nil || c != logCategory {
		return f, err
	}
	return fs.reopen(f, name, c)
}

// ReuseForWrite implements vfs.FS.
func (fs zeroFill) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(old, name, c)
	if err != nil || c != logCategory {
		return f, err
	}
	return fs.reopen(f, name, c)
}

// reopen opens a file once more, since what Create gives need not take writes
// at other places than its end.
func (fs zeroFill) reopen(f vfs.File, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Close(); err != nil {
		return nil, err
	}
	f, err := fs.OpenReadWrite(name, c)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &logFile{File: f, filled: info.Size()}, nil
}

// logFile is a log that is being written, from its begin on and by one
// goroutine.
type logFile struct {
	vfs.File
	written int64 // bytes that pebble wrote
	filled  int64 // the length of the file
	full    bool  // zeros could not be written; the log does without
}

// The steps in which a log grows: large enough that few syncs have to write
// metadata, small enough that a store with little data stays small.
const (
	firstStep = 64 << 10
	lastStep  = 1 << 20
)

var zeros [lastStep]byte

// Write implements vfs.File.
func (f *logFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.written += int64(n)
	if err != nil || f.written <= f.filled || f.full {
		return n, err
	}
	step := min(max(f.written, firstStep), lastStep)
	more, err := f.WriteAt(zeros[:step], f.written)
	f.filled = f.written + int64(more)
	f.full = err != nil // a full disk is told by the write that needs it
	return n, nil
}
