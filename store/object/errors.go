package object

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// ended returns the fault of a context that has ended, else nil.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fault.From(context.Cause(ctx))
}

// fileFault makes a fault of an error of the operating system.
func fileFault(err error, format string, args ...any) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return err
	case full(err):
		return fault.Wrap(fault.StorageFull, err, format+": the disk is full; make room", args...)
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.StorageUnavailable, err,
			format+": no permission; give it to the user of the server", args...)
	}
	return fault.Wrap(fault.StorageUnavailable, err, format, args...)
}

// full reports whether an error means that there is no room.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
