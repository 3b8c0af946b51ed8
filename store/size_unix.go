//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package store

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

const statBlock = 512 // bytes per unit of Stat_t.Blocks

// FolderSize returns the bytes that the files under dir take on disk, for
// engines. Allocated blocks are counted, not lengths: engines map large empty
// files and keep old logs to write over. Files that are removed meanwhile
// count or not.
func FolderSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return unlessGone(err)
		}
		info, err := d.Info()
		if err != nil {
			return unlessGone(err)
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			size += int64(s.Blocks) * statBlock
		}
		return nil
	})
	return size, EngineFault(err, false, "measure the folder of the storage engine")
}

func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
