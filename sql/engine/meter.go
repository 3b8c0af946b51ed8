package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// charge counts bytes that the statement holds.
func (run *execution) charge(n int64) error {
	if run.used.Add(n) > run.engine.opts.MaxMemoryBytes {
		return fault.New(fault.ResultTooLarge,
			"the statement needs more than %d bytes of memory; add a LIMIT or narrow the WHERE",
			run.engine.opts.MaxMemoryBytes)
	}
	return nil
}

func (run *execution) meter(_ *gms.Context, n gms.Node) (gms.Node, error) { return n, nil }
