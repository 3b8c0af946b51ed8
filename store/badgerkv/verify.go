package badgerkv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
)

// verify reads every table that the database in dir has and checks its
// checksums. Badger's own check runs in goroutines of its own, where a damaged
// length ends the process.
func verify(dir string, o badger.Options) error {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new database
	}
	if err != nil {
		return err
	}
	manifest, _, err := badger.ReplayManifestFile(f, o.ExternalMagicVersion, o)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	for id, t := range manifest.Tables {
		name := table.NewFilename(id, dir)
		if err := verifyTable(name, id, t.Compression); err != nil {
			return fmt.Errorf("table %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// errTable is the mark of what verifyTable finds.
var errTable = fmt.Errorf("badgerkv: a table is damaged: %w", y.ErrChecksumMismatch)

func verifyTable(name string, id uint64, c options.CompressionType) (err error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it is missing", errTable)
	}
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil { // badger trusts lengths before checksums
			err = fmt.Errorf("%w: %v", errTable, r)
		}
	}()
	t, err := table.OpenInMemoryTable(data, id, &table.Options{
		Compression: c, BlockSize: blockSize, ChkMode: options.OnBlockRead,
	})
	if err == nil {
		err = t.VerifyChecksum()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errTable, err)
	}
	return nil
}
