package object

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// draftPrefix begins the names of files that are being written. They lie in the
// root, where one rename puts them into their place, and are no objects.
const draftPrefix = ".kalamdb-draft-"

// ownDrafts begins the names of this process's drafts, which are none that were
// left behind: their times, by the file system's clock, may be before its start.
var ownDrafts = draftPrefix + strconv.Itoa(os.Getpid()) + "-" + rand.Text() + "-"

// folder is a Bucket of files in a folder. Nothing outside of the folder is
// reached, by symbolic links neither.
//
// The folder is opened for each call: a disk may be mounted there, or taken away,
// at any time.
type folder struct {
	dir  string
	next atomic.Uint64 // number of the next draft
	// sync makes a file or folder durable; a test counts it.
	sync func(*os.File) error
}

var _ Bucket = (*folder)(nil)

// OpenFolder returns the bucket of the files below dir, which is made when it is
// missing.
func OpenFolder(dir string) (Bucket, error) {
	f, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fileFault(err, "make the folder %s", dir)
	}
	f := newFolder(dir)
	return f, f.in(func(*os.Root) error { return nil })
}

func newFolder(dir string) *folder { return &folder{dir: dir, sync: (*os.File).Sync} }

// in calls do with the folder.
func (f *folder) in(do func(root *os.Root) error) error {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return fileFault(err, "open the folder %s", f.dir)
	}
	err = do(root)
	if closing := root.Close(); err == nil && closing != nil {
		err = f.fault(closing, "close the folder %s", f.dir)
	}
	return err
}

// Put implements Bucket: a draft is written, synced and renamed, and the folders
// that then hold something new are synced.
func (f *folder) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	if err := errors.Join(checkPath(name, false), ended(ctx)); err != nil {
		return fault.From(err)
	}
	draft := ownDrafts + strconv.FormatUint(f.next.Add(1), 10)
	return f.in(func(root *os.Root) error {
		err := f.draft(ctx, root, draft, write)
		if err == nil {
			err = f.place(root, draft, name)
		}
		if err == nil {
			return nil
		}
		if rest := root.Remove(draft); rest != nil && !errors.Is(rest, fs.ErrNotExist) {
			err = errors.Join(err, rest)
		}
		return err
	})
}

// draft writes a file whole.
func (f *folder) draft(ctx context.Context, root *os.Root, draft string,
	write func(io.Writer) error,
) (err error) {
	file, err := root.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return f.fault(err, "make a file in %s", f.dir)
	}
	w := &fileWriter{ctx: ctx, file: file}
	err = write(w)
	switch {
	case w.err != nil:
		err = f.fault(w.err, "write a file in %s", f.dir)
	case err == nil:
		if err = f.sync(file); err != nil {
			err = f.fault(err, "sync a file in %s", f.dir)
		}
	}
	if closing := file.Close(); err == nil && closing != nil {
		err = f.fault(closing, "close a file in %s", f.dir)
	}
	return err
}

// fileWriter tells errors of the file from those of whoever writes to it.
type fileWriter struct {
	ctx  context.Context
	file *os.File
	err  error
}

// Write implements io.Writer.
func (w *fileWriter) Write(p []byte) (n int, err error) {
	if w.err == nil {
		w.err = ended(w.ctx)
	}
	if w.err == nil {
		n, w.err = w.file.Write(p)
	}
	return n, w.err
}

// place renames a draft into its place and makes that durable. All folders above
// are synced, since another Put may have made one of them and not be done; a
// folder that did not change costs nothing.
func (f *folder) place(root *os.Root, draft, name string) error {
	err := fs.ErrNotExist
	for try := 0; errors.Is(err, fs.ErrNotExist) && try < 10; try++ { // Delete may remove the folder
		if err := root.MkdirAll(path.Dir(name), 0o750); err != nil {
			return f.fault(err, "make the folder of %s", clip(name))
		}
		err = root.Rename(draft, name)
	}
	if err != nil {
		return f.fault(err, "put %s into its place", clip(name))
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if err := f.syncFolder(root, dir); err != nil {
			return f.fault(err, "sync the folder of %s", clip(name))
		}
		if dir == "." {
			return nil
		}
	}
}

func (f *folder) syncFolder(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.sync(d), d.Close())
}

// Open implements Bucket.
func (f *folder) Open(ctx context.Context, name string) (Reader, error) {
	if err := errors.Join(checkPath(name, false), ended(ctx)); err != nil {
		return nil, fault.From(err)
	}
	var info fs.FileInfo
	err := f.in(func(root *os.Root) (err error) {
		info, err = root.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && !info.Mode().IsRegular():
			return missing(name)
		case err != nil:
			return f.fault(err, "open %s", clip(name))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &reader{
		ctx: context.WithoutCancel(ctx), path: name, size: info.Size(),
		read: func(ctx context.Context, p []byte, off int64) (int, error) {
			return f.readAt(ctx, name, p, off)
		},
	}, nil
}

// readAt opens the file for each read: that costs some microseconds, and a
// thousand readers hold no thousand files open.
func (f *folder) readAt(ctx context.Context, name string, p []byte, off int64) (n int, err error) {
	if err := ended(ctx); err != nil {
		return 0, err
	}
	err = f.in(func(root *os.Root) error {
		file, err := root.Open(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return missing(name)
		case err != nil:
			return f.fault(err, "open %s", clip(name))
		}
		if n, err = file.ReadAt(p, off); err != nil && !errors.Is(err, io.EOF) {
			err = f.fault(err, "read %s", clip(name))
		}
		if closing := file.Close(); err == nil && closing != nil {
			err = f.fault(closing, "close %s", clip(name))
		}
		return err
	})
	return n, err
}

// List implements Bucket.
func (f *folder) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := checkPath(prefix, true); err != nil {
			yield(Info{}, err)
			return
		}
		start := "."
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			start = prefix[:i]
		}
		err := f.in(func(root *os.Root) error {
			return fs.WalkDir(root.FS(), start, func(name string, d fs.DirEntry, err error) error {
				if end := ended(ctx); end != nil {
					return end
				}
				return f.visit(name, prefix, d, err, yield)
			})
		})
		if err != nil && !errors.Is(err, fs.SkipAll) {
			yield(Info{}, f.fault(err, "list %s", f.dir))
		}
	}
}

// visit yields a file that List walks over.
func (f *folder) visit(name, prefix string, d fs.DirEntry, err error,
	yield func(Info, error) bool,
) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // it went while we walked
	case err != nil:
		return err
	case d.IsDir():
		if name != "." && !strings.HasPrefix(name+"/", prefix) && !strings.HasPrefix(prefix, name+"/") {
			return fs.SkipDir
		}
		return nil
	case !d.Type().IsRegular(), strings.HasPrefix(name, draftPrefix), !strings.HasPrefix(name, prefix):
		return nil
	}
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !yield(Info{Path: name, Size: info.Size(), Modified: info.ModTime()}, nil) {
		return fs.SkipAll
	}
	return nil
}

// Delete implements Bucket. Folders that hold nothing any more go as well.
func (f *folder) Delete(ctx context.Context, name string) error {
	if err := errors.Join(checkPath(name, false), ended(ctx)); err != nil {
		return fault.From(err)
	}
	return f.in(func(root *os.Root) error { return f.remove(root, name) })
}

func (f *folder) remove(root *os.Root, name string) error {
	if info, err := root.Lstat(name); err == nil && info.IsDir() {
		return nil // no object
	}
	err := root.Remove(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return f.fault(err, "delete %s", clip(name))
	}
	dir := path.Dir(name)
	for ; dir != "."; dir = path.Dir(dir) {
		if root.Remove(dir) != nil {
			break // it holds something, or the next one tells what is wrong
		}
	}
	if err := f.syncFolder(root, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.fault(err, "sync the folder of %s", clip(name))
	}
	return nil
}

// Sweep implements Bucket.
func (f *folder) Sweep(ctx context.Context, before time.Time) (n int, err error) {
	err = f.in(func(root *os.Root) error {
		entries, err := fs.ReadDir(root.FS(), ".")
		if err != nil {
			return f.fault(err, "list %s", f.dir)
		}
		for _, e := range entries {
			if err := ended(ctx); err != nil {
				return err
			}
			if name := e.Name(); !strings.HasPrefix(name, draftPrefix) ||
				strings.HasPrefix(name, ownDrafts) {
				continue
			}
			info, err := e.Info()
			if err != nil || !info.ModTime().Before(before) {
				continue
			}
			if err := root.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return f.fault(err, "delete %s", e.Name())
			}
			n++
		}
		return nil
	})
	return n, err
}

// Close implements Bucket.
func (f *folder) Close() error { return nil }

func (f *folder) fault(err error, format string, args ...any) error {
	return fileFault(err, "%s", fmt.Sprintf(format, args...))
}
