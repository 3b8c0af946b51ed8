package badgerkv

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

const statBlock = 512 // bytes per unit of Stat_t.Blocks

// Size returns the bytes that the folder's files take on disk. Badger maps
// large empty files, so allocated blocks are counted, not lengths.
func (e *Engine) Size() (size int64, err error) {
	err = filepath.WalkDir(e.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return gone(err)
		}
		info, err := d.Info()
		if err != nil {
			return gone(err)
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			size += s.Blocks * statBlock
		}
		return nil
	})
	return size, mapError(err, "measure the folder")
}

// gone drops the error of a file that was removed during the walk.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RangeSize estimates the bytes of [lo, hi) in tables: all of a table inside,
// half of one that reaches over a border. Memtables are left out.
func (e *Engine) RangeSize(lo, hi []byte) (size int64, err error) {
	if hi == nil {
		hi = engineKeys
	}
	for _, t := range e.db.Tables() {
		if bytes.Compare(t.Right, lo) < 0 || bytes.Compare(t.Left, hi) >= 0 {
			continue
		}
		n := int64(t.OnDiskSize)
		if bytes.Compare(t.Left, lo) < 0 || bytes.Compare(t.Right, hi) >= 0 {
			n /= 2
		}
		size += n
	}
	return size, nil
}
