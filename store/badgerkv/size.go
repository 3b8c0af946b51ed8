package badgerkv

import (
	"bytes"

	"github.com/kalamdb/kalamdb-go/store"
)

// Size returns the bytes that the folder takes on disk.
func (e *Engine) Size() (int64, error) { return store.FolderSize(e.dir) }

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
