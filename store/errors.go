package store

import (
	"errors"
	"syscall"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// EngineFault turns an error of a backend into a fault: STORAGE_FULL when the
// disk is full, CORRUPTION when corrupt is set, else INTERNAL. what says what
// was being done. A nil err gives nil.
func EngineFault(err error, corrupt bool, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(fault.StorageFull, err, "%s: the disk is full; free space and restart", what)
	case corrupt:
		return fault.Wrap(fault.Corruption, err,
			"%s: stored data is damaged; restore it from a backup", what)
	}
	return fault.Wrap(fault.Internal, err, "%s: the storage engine failed", what)
}

var (
	errClosed   = fault.New(fault.ShuttingDown, "the store is closed; open it again")
	errReleased = fault.New(fault.Internal, "a view was read after its release; retain it first")
)

// ErrorIterator returns an Iterator that is empty and reports err.
func ErrorIterator(err error) Iterator { return errorIterator{err} }

type errorIterator struct{ err error }

func (errorIterator) Next() bool     { return false }
func (errorIterator) Key() []byte    { return nil }
func (errorIterator) Value() []byte  { return nil }
func (e errorIterator) Err() error   { return e.err }
func (e errorIterator) Close() error { return e.err }
