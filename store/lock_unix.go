//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package store

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// lockDir makes dir when it is missing, and takes its lock, which the system
// gives back when the process ends in whatever way. It does not wait.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.InvalidParameter, err, "the data directory %s can't be made", dir)
	}
	name := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidParameter, err, "the data directory %s can't be locked", dir)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	holder := lockHolder(name)
	if err := errors.Join(err, f.Close()); !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fault.Wrap(fault.Internal, err, "the data directory %s can't be locked", dir)
	}
	return nil, fault.New(fault.InUse,
		"the data directory %s is in use by %s; stop it or name another folder", dir, holder)
}

// lockHolder names the process that wrote the lock file.
func lockHolder(name string) string {
	raw, err := os.ReadFile(name)
	if pid, bad := strconv.Atoi(strings.TrimSpace(string(raw))); err == nil && bad == nil {
		return "process " + strconv.Itoa(pid)
	}
	return "another process"
}

// writePID leaves the number of this process in its lock file.
func writePID(f *os.File) error {
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return EngineFault(err, false, "write the lock file")
}
