// Package logfile is a file that the log is written to: when it grows over a
// size it is set aside under a number and a new one begun, and the oldest of
// those set aside are removed.
//
// It formats nothing, starts no goroutines and is safe for concurrent use.
package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// File is an open log file. The newest lines are in path, older ones in
// path.1, path.2 and so on.
type File struct {
	path     string
	maxBytes int64
	maxFiles int

	mu   sync.Mutex
	file *os.File
	size int64
}

// Open opens or makes the file at path, and its folder. It is set aside when a
// write would make it larger than maxBytes; maxFiles of those are kept.
func Open(path string, maxBytes int64, maxFiles int) (*File, error) {
	f := &File{path: path, maxBytes: maxBytes, maxFiles: maxFiles}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the log: %w", err)
	}
	if err := f.openLocked(); err != nil {
		return nil, err
	}
	return f, nil
}

// openLocked opens path for appending.
func (f *File) openLocked() error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open the log: %w", err), file.Close())
	}
	f.file, f.size = file, info.Size()
	return nil
}

// Write appends p, which is never cut: a line stays in one file.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return 0, fs.ErrClosed
	}
	if f.size > 0 && f.size+int64(len(p)) > f.maxBytes {
		if err := f.rotateLocked(); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(p)
	f.size += int64(n)
	return n, err
}

// rotateLocked moves path to path.1 and those before one number up.
func (f *File) rotateLocked() error {
	if err := f.file.Close(); err != nil {
		return fmt.Errorf("close the full log: %w", err)
	}
	f.file = nil
	for n := f.maxFiles; n > 0; n-- {
		err := os.Rename(f.numbered(n-1), f.numbered(n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("set the full log aside: %w", err), f.openLocked())
		}
	}
	return f.openLocked()
}

func (f *File) numbered(n int) string {
	if n == 0 {
		return f.path
	}
	return f.path + "." + strconv.Itoa(n)
}

// Close closes the file; later writes fail.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
