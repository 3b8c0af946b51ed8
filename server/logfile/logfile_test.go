package logfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/server/logfile"
)

func mustOpen(t *testing.T, path string, maxBytes int64, maxFiles int) *logfile.File {
	t.Helper()
	f, err := logfile.Open(path, maxBytes, maxFiles)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFile_SetsFullFilesAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "server.log")
	f := mustOpen(t, path, 10, 2)
	for _, line := range []string{"one....\n", "two....\n", "three..\n", "four...\n"} {
		if _, err := f.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"": "four...\n", ".1": "three..\n", ".2": "two....\n"} {
		if got := mustRead(t, path+name); got != want {
			t.Errorf("server.log%s = %q, want %q", name, got, want)
		}
	}
	if _, err := os.Stat(path + ".3"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a third file was kept: %v", err)
	}
}

func TestFile_GoesOnWithTheFileItFinds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	for range 2 {
		f := mustOpen(t, path, 100, 1)
		if _, err := f.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("late\n")); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("write after close = %v", err)
		}
	}
	if got := mustRead(t, path); got != "line\nline\n" {
		t.Errorf("file = %q", got)
	}
}

func TestFile_KeepsLinesOfManyWritersWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	f := mustOpen(t, path, 1000, 100)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := f.Write([]byte("a line of the log\n")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, name := range files {
		text := mustRead(t, name)
		if len(text) > 1000 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
		n := strings.Count(text, "a line of the log\n")
		if n*len("a line of the log\n") != len(text) {
			t.Errorf("%s has a broken line", name)
		}
		lines += n
	}
	if lines != 400 {
		t.Errorf("%d lines in %d files, want 400", lines, len(files))
	}
}
