package engine

import (
	"context"

	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/storage"
)

// fileStorageKey holds the key that encrypts the credentials of storages.
const fileStorageKey = "storage_key"

// openStorages opens the storages of the cold tier.
func (e *Engine) openStorages(ctx context.Context, keeper *exec.Keeper) (err error) {
	key := e.opts.CredentialsKey
	if key == "" {
		if key, err = e.secret(ctx, keeper, fileStorageKey); err != nil {
			return err
		}
	}
	e.storages, err = storage.Open(storage.Parts{
		DB: e.db, Write: keeper.Write, Account: keeper.Account, Catalog: e.catalog, Key: key,
		Cluster: e.ClusterID(), Objects: e.opts.Objects, Logger: e.opts.Logger, Now: e.opts.Now,
	})
	return err
}

// Alarms returns what an operator should look at now.
func (e *Engine) Alarms() []storage.Alarm { return e.storages.Alarms() }

// storageFigures are the figures about storages: what was done with each since the
// start.
func storageFigures(storages []storage.Figures) (all []Figure) {
	failing := int64(0)
	for _, f := range storages {
		count := func(name string, n int64, unit string) {
			all = append(all, Figure{
				Name: "storage_" + name, Value: n, Unit: unit, Counter: true, Storage: string(f.Storage),
			})
		}
		count("bytes_read", f.BytesRead, "bytes")
		count("bytes_written", f.BytesWritten, "bytes")
		count("errors", f.Errors, "calls")
		count("reads", f.Reads, "calls")
		count("retries", f.Retries, "requests")
		count("writes", f.Writes, "calls")
		if f.Failing {
			failing++
		}
	}
	return append(all, Figure{Name: "storages_failing", Value: failing, Unit: "storages"})
}

// ProbeStorages looks whether the storages that fail work again. It is done from
// time to time without being asked.
func (e *Engine) ProbeStorages(ctx context.Context) { e.storages.Probe(ctx) }
