package cluster

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// RecordFile is the file of a data directory that says to which cluster it belongs.
const RecordFile = "CLUSTER"

// recordVersion is the version of the file that this package writes.
const recordVersion = 1

// Record is what a data directory remembers of its cluster. See
// docs/format/datadir.md.
type Record struct {
	Format  int          `json:"format"`
	Cluster string       `json:"cluster,omitempty"` // id; "" until it is known
	Node    ident.NodeID `json:"node"`
	// Peers are the data directories of the other nodes it has met, by number.
	Peers map[ident.NodeID]string `json:"peers,omitempty"`
}

// ReadRecord reads the record of a data directory; the zero Record when it has
// none.
func ReadRecord(dir string) (Record, error) {
	name := filepath.Join(dir, RecordFile)
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, fault.Wrap(fault.Internal, err, "read %s", name)
	}
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil || r.Format < 1 || r.Node == 0 {
		return Record{}, fault.New(fault.Corruption, "%s is damaged; restore it from a backup", name)
	}
	if r.Format > recordVersion {
		return Record{}, fault.New(fault.InvalidParameter,
			"%s has format %d and this program reads up to %d; use a newer one",
			name, r.Format, recordVersion)
	}
	return r, nil
}

func (r Record) write(dir string) error {
	r.Format = recordVersion
	raw, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = replaceFile(filepath.Join(dir, RecordFile), append(raw, '\n'))
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write %s", filepath.Join(dir, RecordFile))
	}
	return nil
}

func (r Record) clone() Record {
	r.Peers = maps.Clone(r.Peers)
	if r.Peers == nil {
		r.Peers = make(map[ident.NodeID]string)
	}
	return r
}
