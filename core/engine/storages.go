package engine

import (
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/storage"
)

// fileStorageKey holds the key that encrypts the credentials of storages.
const fileStorageKey = "storage_key"

// openStorages opens the storages of the cold tier.
func (e *Engine) openStorages(keeper *exec.Keeper) (err error) {
	key := e.opts.CredentialsKey
	if key == "" {
		if key, err = keptSecret(e.db.Dir(), fileStorageKey); err != nil {
			return err
		}
	}
	e.storages, err = storage.Open(storage.Parts{
		DB: e.db, Write: keeper.Write, Account: keeper.Account, Catalog: e.catalog, Key: key,
		Objects: e.opts.Objects, Logger: e.opts.Logger, Now: e.opts.Now,
	})
	return err
}

// Alarms returns what an operator should look at now.
func (e *Engine) Alarms() []storage.Alarm { return e.storages.Alarms() }

// storageFigures are the figures about storages: what was done with each since the
// start.
func (e *Engine) storageFigures() (all []figure) {
	failing := int64(0)
	for _, f := range e.storages.Figures() {
		of := "." + string(f.Storage)
		all = append(all,
			figure{"storage_bytes_read" + of, f.BytesRead, "bytes"},
			figure{"storage_bytes_written" + of, f.BytesWritten, "bytes"},
			figure{"storage_errors" + of, f.Errors, "calls"},
			figure{"storage_reads" + of, f.Reads, "calls"},
			figure{"storage_retries" + of, f.Retries, "requests"},
			figure{"storage_writes" + of, f.Writes, "calls"})
		if f.Failing {
			failing++
		}
	}
	return append(all, figure{"storages_failing", failing, "storages"})
}
