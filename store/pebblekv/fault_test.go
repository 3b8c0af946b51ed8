package pebblekv

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
)

// In the package itself, to replace the file system.

var part = store.Partition{ID: 1}

func batch(i int) *store.Batch {
	b := &store.Batch{}
	b.Put(part, fmt.Appendf(nil, "%04d", i), []byte("value"))
	return b
}

func mustOpen(t *testing.T, fs vfs.FS) *Engine {
	t.Helper()
	e, err := Open("data", Options{fs: fs})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func count(t *testing.T, e *Engine) (n int) {
	t.Helper()
	it := e.Scan([]byte{0}, nil, false)
	for it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEngine_SyncedSurvivesPowerLoss drops everything that was not synced.
func TestEngine_SyncedSurvivesPowerLoss(t *testing.T) {
	fs := vfs.NewCrashableMem()
	e := mustOpen(t, fs)
	for i := range 100 {
		if err := e.Apply(batch(i), true); err != nil {
			t.Fatal(err)
		}
		if i%20 != 0 {
			continue
		}
		after := mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}))
		if n := count(t, after); n != i+1 {
			t.Fatalf("%d of %d synced batches survived", n, i+1)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Apply(batch(100), false); err != nil {
		t.Fatal(err)
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(batch(101), false); err != nil {
		t.Fatal(err)
	}
	after := mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	if n := count(t, after); n != 101 {
		t.Fatalf("%d batches survived, want 101: one was never synced", n)
	}
	for _, e := range []*Engine{after, e} {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fullDisk fails writes to the log once it is full.
type fullDisk struct {
	vfs.FS
	full atomic.Bool
}

func (d *fullDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (
	vfs.File, error,
) {
	f, err := d.FS.OpenReadWrite(name, c, opts...)
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &fullFile{f, d}, nil
}

type fullFile struct {
	vfs.File
	disk *fullDisk
}

func (f *fullFile) Write(p []byte) (int, error) {
	if f.disk.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func (f *fullFile) WriteAt(p []byte, at int64) (int, error) {
	if f.disk.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.WriteAt(p, at)
}

func TestEngine_FullDisk(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem()}
	e := mustOpen(t, disk)
	if err := e.Apply(batch(0), true); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	for i := range 3 {
		if err := e.Apply(batch(i+1), true); !fault.Is(err, fault.StorageFull) {
			t.Fatalf("write %d on a full disk: %v", i, err)
		}
	}
	if _, found, err := e.Get([]byte("\x00\x00\x00\x010000")); !found || err != nil {
		t.Fatalf("read on a full disk: %v %v", found, err)
	}
	if err := e.Sync(); !fault.Is(err, fault.StorageFull) {
		t.Fatalf("sync on a full disk: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustApplyAsync(t *testing.T, e *Engine, i int) (wait func() error) {
	t.Helper()
	wait, err := e.ApplyAsync(batch(i))
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

// TestEngine_ApplyAsyncSurvivesPowerLoss waits for every second batch only, which
// makes those before it durable too.
func TestEngine_ApplyAsyncSurvivesPowerLoss(t *testing.T) {
	fs := vfs.NewCrashableMem()
	e := mustOpen(t, fs)
	var waits []func() error
	for i := range 40 {
		waits = append(waits, mustApplyAsync(t, e, i))
		if n := count(t, e); n != i+1 {
			t.Fatalf("%d of %d batches are visible", n, i+1)
		}
		if i%2 == 0 {
			continue
		}
		if err := waits[i](); err != nil {
			t.Fatal(err)
		}
		after := mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}))
		if n := count(t, after); n != i+1 {
			t.Fatalf("%d of %d batches survived", n, i+1)
		}
		if err := errors.Join(after.Close(), waits[i-1]()); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEngine_ApplyAsyncOnAFullDisk(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem()}
	e := mustOpen(t, disk)
	if err := mustApplyAsync(t, e, 0)(); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	first := mustApplyAsync(t, e, 1)
	second, err := e.ApplyAsync(batch(2)) // before or after the first is known to fail
	if err == nil {
		err = second()
	}
	if !fault.Is(err, fault.StorageFull) {
		t.Errorf("the batch behind: %v", err)
	}
	if err := first(); !fault.Is(err, fault.StorageFull) {
		t.Errorf("the batch on a full disk: %v", err)
	}
	if _, err := e.ApplyAsync(batch(3)); !fault.Is(err, fault.StorageFull) {
		t.Errorf("a batch after that: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEngine_LogGrowsAhead checks that most syncs find the log as long as it
// has to be, and that what is behind its records disturbs nobody: neither
// after a crash, nor in a log that is used again.
func TestEngine_LogGrowsAhead(t *testing.T) {
	fs := vfs.NewCrashableMem()
	e, err := Open("data", Options{fs: fs, MemTableBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	sizes, logs, last := map[int64]bool{}, map[string]bool{}, ""
	const batches = 6000
	for i := range batches {
		b := batch(i)
		b.Put(part, fmt.Appendf(nil, "%04d+", i), make([]byte, 300))
		if err := e.Apply(b, true); err != nil {
			t.Fatal(err)
		}
		names, err := fs.List("data")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".log") && name >= last {
				last = name
			}
		}
		info, err := fs.Stat("data/" + last)
		if err != nil {
			t.Fatal(err)
		}
		sizes[info.Size()], logs[last] = true, true
		if i%1000 != 999 {
			continue
		}
		after := mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}))
		if n := count(t, after); n != 2*(i+1) {
			t.Fatalf("%d of %d synced pairs survived", n, 2*(i+1))
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(logs) < 5 || len(sizes) > batches/20 {
		t.Errorf("%d logs had %d sizes", len(logs), len(sizes))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, fs)
	defer again.Close()
	if n := count(t, again); n != 2*batches {
		t.Errorf("%d of %d pairs are there", n, 2*batches)
	}
}
