package storetest

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
)

// Files tells RunDamage which of an engine's files to damage, by their names'
// endings.
type Files struct {
	// Table files hold sorted data. Damage in one is reported or harmless.
	Table string
	// Log files hold the latest batches. Damage in one is reported, or reads
	// as an end of the log: no engine tells all damage from a cut by a crash.
	Log string
}

const (
	damageBatches = 60
	logBatches    = 15 // fit a memtable, so that all are in the log
	damageRows    = 40
	damageTrials  = 15
)

// RunDamage flips a bit in a file of an engine, or cuts its end off, and
// checks that the engine then refuses to open, or reports an error in reading,
// or shows what was written: for a log, a beginning of it. o opens the engine
// with memtables of 1 MiB, so that there are tables.
func RunDamage(t *testing.T, o Opener, f Files) {
	t.Run("tables", func(t *testing.T) {
		dir := t.TempDir()
		check(t, fill(t, o, dir, damageBatches).Close())
		damage(t, o, dir, f.Table, damageBatches, false)
	})
	t.Run("logs", func(t *testing.T) {
		dir := t.TempDir()
		e := fill(t, o, dir, logBatches)
		crashed := filepath.Join(t.TempDir(), "crashed")
		copyFolder(t, crashed, dir) // as a crash would leave it
		check(t, e.Close())
		damage(t, o, crashed, f.Log, logBatches, true)
	})
}

func fill(t *testing.T, o Opener, dir string, batches int) store.Engine {
	t.Helper()
	e := open(t, o, dir)
	for i := range batches {
		var b store.Batch
		for k := range damageRows {
			b.Put(part, fmt.Appendf(nil, "%04d.%02d", i, k), damageValue(i, k))
		}
		check(t, e.Apply(&b, true))
	}
	return e
}

// damageValue is different for each row and does not compress.
func damageValue(batch, row int) []byte {
	r := rand.New(rand.NewPCG(uint64(batch), uint64(row)))
	v := make([]byte, 900)
	for i := range v {
		v[i] = byte(r.Uint32())
	}
	return v
}

func damage(t *testing.T, o Opener, from, ending string, all int, isLog bool) {
	r := Seed(t)
	reported := 0
	for trial := range damageTrials {
		dir := filepath.Join(t.TempDir(), "copy")
		copyFolder(t, dir, from)
		cut := trial%5 == 4
		what := harm(t, r, dir, ending, cut)
		batches, err := readDamaged(o, dir)
		switch {
		case err != nil:
			reported++
			if !isLog && !fault.Is(err, fault.Corruption) {
				t.Fatalf("%s: %v, want %s", what, err, fault.Corruption)
			}
		case batches < all && !isLog:
			t.Fatalf("%s: %d of %d batches were read, without an error",
				what, batches, all)
		}
	}
	t.Logf("%d of %d were reported", reported, damageTrials)
	if reported == 0 && !isLog {
		t.Fatal("no damage was reported")
	}
}

// harm damages one file, in the first part that holds data.
func harm(t *testing.T, r *rand.Rand, dir, ending string, cut bool) string {
	t.Helper()
	var names []string
	check(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ending) && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	}))
	names = slices.DeleteFunc(names, func(n string) bool { return used(t, n) == 0 })
	if len(names) == 0 {
		t.Fatalf("there is no file *%s to damage", ending)
	}
	name := names[r.IntN(len(names))]
	at := r.Int64N(used(t, name))
	what := fmt.Sprintf("%s at %d of %d (cut %v)", filepath.Base(name), at, used(t, name), cut)
	if cut {
		check(t, os.Truncate(name, at))
		return what
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	one := make([]byte, 1)
	_, err = f.ReadAt(one, at)
	check(t, err)
	one[0] ^= 1 << r.IntN(8)
	_, err = f.WriteAt(one, at)
	check(t, err)
	return what
}

// used returns the length of a file without the zeros at its end.
func used(t *testing.T, name string) int64 {
	t.Helper()
	raw, err := os.ReadFile(name)
	check(t, err)
	n := len(raw)
	for n > 0 && raw[n-1] == 0 {
		n--
	}
	return int64(n)
}

// readDamaged returns how many batches there are, which must be the first
// ones, whole and right; anything else is an error without a code.
func readDamaged(o Opener, dir string) (batches int, err error) {
	e, err := o(dir)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	it := e.Scan(physical(""), []byte{0, 0, 0, 8}, false)
	defer it.Close()
	n := 0
	for ; it.Next(); n++ {
		i, k := n/damageRows, n%damageRows
		key, value := string(it.Key()[prefixLen:]), string(it.Value())
		if it.Err() != nil {
			return 0, it.Err()
		}
		if key != fmt.Sprintf("%04d.%02d", i, k) || value != string(damageValue(i, k)) {
			panic(fmt.Sprintf("pair %d is wrong: %q", n, key))
		}
	}
	if err := it.Err(); err != nil {
		return 0, err
	}
	if n%damageRows != 0 {
		panic(fmt.Sprintf("batch %d is there in part", n/damageRows))
	}
	return n / damageRows, nil
}

func copyFolder(t *testing.T, to, from string) {
	t.Helper()
	check(t, filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		return copyFile(filepath.Join(to, rel), name)
	}))
}

// copyFile leaves out blocks of zeros: some engines map large empty files.
func copyFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	buf, zeros := make([]byte, 1<<16), make([]byte, 1<<16)
	for at := int64(0); ; at += int64(len(buf)) {
		n, err := io.ReadFull(src, buf)
		if n > 0 && !slices.Equal(buf[:n], zeros[:n]) {
			if _, err := dst.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return dst.Truncate(at + int64(n))
		}
		if err != nil {
			return err
		}
	}
}
