package replica

import (
	"bytes"
	"crypto/md5" // the library's own check of its label, against damage only
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lni/dragonboat/v4/raftpb"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// The library keeps its files in a folder with the name of the machine and refuses
// them under another name. A container has a new name with each start, and a node is
// told apart by its number and address, so the log follows the name.

// raftLabel is the file that says whose log a folder is: 8 bytes of a checksum and a
// protobuf message.
const (
	raftLabel = "dragonboat.ds"
	labelSum  = 8
)

// renameHost makes the log in dir the one of the machine called host. A folder without
// a log is left alone.
func renameHost(dir, host string) error {
	path := filepath.Join(dir, raftLabel)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "read the label of the Raft log")
	}
	var label raftpb.RaftDataStatus
	if len(raw) < labelSum || !bytes.Equal(raw[:labelSum], sumOfLabel(raw[labelSum:])) ||
		label.Unmarshal(raw[labelSum:]) != nil {
		return fault.New(fault.Corruption,
			"the label of the Raft log, %s, is damaged; restore it, or replace the node", path)
	}
	if label.Hostname == host || label.Hostname == "" {
		return nil
	}
	old, now := filepath.Join(dir, label.Hostname), filepath.Join(dir, host)
	err = os.Rename(old, now)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(now) // it was renamed before, and the label was not written
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "rename the folder of the Raft log")
	}
	label.Hostname = host
	body, err := label.Marshal()
	if err == nil {
		err = replaceFile(path, append(sumOfLabel(body), body...))
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write the label of the Raft log")
	}
	return nil
}

func sumOfLabel(b []byte) []byte {
	sum := md5.Sum(b)
	return append([]byte(nil), sum[labelSum:]...)
}

// replaceFile writes a file so that a crash leaves the old one or the new one.
func replaceFile(path string, b []byte) error {
	draft := path + ".new"
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(draft, path)
}
