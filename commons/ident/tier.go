package ident

import (
	"fmt"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// SegmentID is the number of a file of cold rows, given once. Ids sort by the
// time at which they were given; 0 is none.
type SegmentID uint64

// String returns the decimal form in 20 digits, as the names of segments have it.
func (s SegmentID) String() string { return fmt.Sprintf("%020d", uint64(s)) }

// StorageID names a storage of the cold tier, such as "local".
type StorageID string

// LocalStorage is the storage that is there from the start.
const LocalStorage StorageID = "local"

// ParseStorageID validates the name of a storage: letters, digits, underscores
// and hyphens, a letter first, at most MaxName bytes. Names are folded to lower
// case.
func ParseStorageID(s string) (StorageID, error) {
	name := strings.ReplaceAll(s, "-", "_")
	if _, err := parseName("storage", name); err != nil {
		return "", fault.New(fault.InvalidParameter, "storage id %q must be a letter followed by "+
			"letters, digits, _ and -, at most %d of them", clip(s), MaxName)
	}
	return StorageID(strings.ToLower(s)), nil
}
