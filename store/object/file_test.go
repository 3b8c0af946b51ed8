package object

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// These tests are inside of the package, for the syncs that nobody outside sees.

func write(content string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}
}

func madeFolder(t *testing.T) (*folder, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "not", "there")
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, dir
}

// A file that Put has stored outlives a crash: it was synced before it was put
// into its place, and the folders that lead to it after.
func TestFolder_syncsFilesAndFolders(t *testing.T) {
	f, dir := madeFolder(t)
	var synced []string
	f.sync = func(file *os.File) error {
		name := filepath.Base(file.Name())
		if strings.HasPrefix(name, draftPrefix) {
			name = "draft"
			if _, err := os.Stat(filepath.Join(dir, "a/b/x")); err == nil {
				t.Error("the file was in its place before it was synced")
			}
		} else if _, err := os.Stat(filepath.Join(dir, "a/b/x")); err != nil {
			t.Errorf("folder %s was synced before the file was in its place", name)
		}
		synced = append(synced, name)
		return file.Sync()
	}
	if err := f.Put(t.Context(), "a/b/x", write("x")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"draft", "b", "a", "there"}; !slices.Equal(synced, want) &&
		!slices.Equal(synced, []string{"draft", "b", "a", "."}) {
		t.Errorf("synced are %v, want %v", synced, want)
	}
}

func TestFolder_errorsOfTheDisk(t *testing.T) {
	f, dir := madeFolder(t)
	for err, code := range map[error]fault.Code{
		syscall.ENOSPC: fault.StorageFull, syscall.EDQUOT: fault.StorageFull,
		syscall.EIO: fault.StorageUnavailable, os.ErrPermission: fault.StorageUnavailable,
	} {
		f.sync = func(*os.File) error { return &os.PathError{Op: "sync", Path: "x", Err: err} }
		got := f.Put(t.Context(), "x", write("x"))
		if !fault.Is(got, code) || !fault.CodeOf(got).Info().Retryable {
			t.Errorf("%v is told as %v", err, got)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("%v were left, %v", entries, err)
		}
	}
}

func TestFolder_reachesNothingOutside(t *testing.T) {
	f, dir := madeFolder(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := os.MkdirAll(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(t.Context(), "link/secret"); err == nil {
		t.Error("a file outside was opened")
	}
	if err := f.Put(t.Context(), "link/new", write("x")); err == nil {
		t.Error("a file outside was made")
	}
	if err := f.Delete(t.Context(), "link/secret"); err == nil {
		t.Error("a file outside was deleted")
	}
	for info := range f.List(t.Context(), "") {
		t.Errorf("%s is listed", info.Path)
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error(err)
	}
}

// A folder that is gone, as of a disk that was not mounted, is not taken for one
// without files.
func TestFolder_gone(t *testing.T) {
	f, dir := madeFolder(t)
	if err := f.Put(t.Context(), "a/x", write("x")); err != nil {
		t.Fatal(err)
	}
	r, err := f.Open(t.Context(), "a/x")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, openErr := f.Open(t.Context(), "a/x")
	_, readErr := r.ReadAt(make([]byte, 1), 0)
	var listErr error
	for _, err := range f.List(t.Context(), "a/") {
		listErr = err
	}
	for what, err := range map[string]error{
		"open": openErr, "read": readErr, "list": listErr, "delete": f.Delete(t.Context(), "a/x"),
		"put": f.Put(t.Context(), "a/y", write("y")),
	} {
		if !fault.Is(err, fault.StorageUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The disk is mounted.
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a/x"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 1), 0); err != nil {
		t.Error(err)
	}
}

// A file that lost its end is damage, not the end of the file.
func TestFolder_cutFile(t *testing.T) {
	f, dir := madeFolder(t)
	if err := f.Put(t.Context(), "x", write("0123456789")); err != nil {
		t.Fatal(err)
	}
	r, err := f.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "x"), 4); err != nil {
		t.Fatal(err)
	}
	if n, err := r.ReadAt(make([]byte, 5), 2); n != 2 || !fault.Is(err, fault.Corruption) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestFolder_Sweep(t *testing.T) {
	f, dir := madeFolder(t)
	entered, leave, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- f.Put(context.Background(), "going/on", func(w io.Writer) error {
			close(entered)
			<-leave
			return nil
		})
	}()
	<-entered
	old := filepath.Join(dir, draftPrefix+"1-1")
	if err := os.WriteFile(old, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(old, hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Sweep(t.Context(), hourAgo.Add(time.Minute)); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Errorf("an upload that goes on: %v", err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestFolder_SweepsNoDraftOfItsOwn has a draft be swept while it is written: the
// clock of the file system may be behind the one that the sweep goes by.
func TestFolder_SweepsNoDraftOfItsOwn(t *testing.T) {
	f := newFolder(t.TempDir())
	err := f.Put(t.Context(), "a", func(w io.Writer) error {
		if n, err := f.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
			t.Errorf("%d files were swept, %v", n, err)
		}
		_, err := io.WriteString(w, "x")
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
