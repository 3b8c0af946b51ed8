package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
)

// sharedSecret is a document of the system group: a secret that all nodes need.
type sharedSecret struct {
	Sealed []byte `json:"sealed"`
}

// secret returns a secret that is kept: by a server alone in a file of its data
// directory, by a cluster in the system group. The first leader puts it there from
// its own file, so a data directory that is moved to a cluster keeps what was made
// with it; the other nodes wait for it.
func (e *Engine) secret(ctx context.Context, keeper *exec.Keeper, name string) (string, error) {
	if e.opts.Cluster == nil {
		return keptSecret(e.db.Dir(), name)
	}
	sealer := e.opts.Cluster.Sealer
	if sealer == nil {
		return "", fault.New(fault.InvalidParameter, "without cluster.secret the secret %s can't be "+
			"shared; configure it on every node", name)
	}
	for {
		var doc sharedSecret
		seq, err := keeper.Get(catalog.KeptSecrets, name, &doc)
		if err != nil {
			return "", err
		}
		if seq > 0 {
			return sealer.Open(name, doc.Sealed)
		}
		if !e.Leads(ident.SystemShard) {
			pauseStart(ctx)
		} else if err := e.putSecret(ctx, keeper, name); again(err) {
			pauseStart(ctx)
		} else if err != nil {
			return "", err
		}
		if ctx.Err() != nil {
			return "", fault.New(fault.NoQuorum, "no leader has given the cluster its %s within "+
				"cluster.start_timeout; start more nodes", name)
		}
	}
}

// again reports whether what failed is to be tried again: another node was faster, or
// leads now.
func again(err error) bool {
	for _, code := range []fault.Code{
		fault.TransactionConflict, fault.DuplicateKey, fault.NoQuorum, fault.NotLeader,
	} {
		if fault.Is(err, code) {
			return true
		}
	}
	return false
}

func (e *Engine) putSecret(ctx context.Context, keeper *exec.Keeper, name string) error {
	text, err := keptSecret(e.db.Dir(), name)
	if err != nil {
		return err
	}
	sealed, err := e.opts.Cluster.Sealer.Seal(name, text)
	if err != nil {
		return err
	}
	w, err := catalog.KeptSecrets.Put(name, sharedSecret{Sealed: sealed}, 0)
	if err != nil {
		return err
	}
	return keeper.Write(ctx, w)
}

// ensureRoot gives root a password, as the options and the data directory say. In a
// cluster the leader generates one if there is none, and the others wait for that.
func (e *Engine) ensureRoot(ctx context.Context, s *auth.Service, password string) error {
	for {
		err := s.EnsureRoot(ctx, password)
		if e.opts.Cluster == nil || !again(err) {
			return err
		}
		pauseStart(ctx)
		if ctx.Err() != nil {
			return err
		}
		needs, err := s.NeedsSetup()
		if err != nil {
			return err
		}
		if !needs && e.opts.RootPassword == "" { // another node gave it one
			path := filepath.Join(e.db.Dir(), fileRootPassword)
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fault.Wrap(fault.Internal, err, "remove the generated password")
			}
			return nil
		}
	}
}

// awaitRoot returns once root has a password or this node is to give it one.
func (e *Engine) awaitRoot(ctx context.Context, accounts auth.Accounts) error {
	if e.opts.Cluster == nil || e.opts.RootPassword != "" {
		return nil
	}
	for {
		root, _, err := accounts.Account(system.RootUser)
		switch {
		case err != nil:
			return err
		case root != nil && root.Secret != "", e.Leads(ident.SystemShard):
			return nil
		case ctx.Err() != nil:
			return fault.New(fault.NoQuorum, "no leader has given root a password within "+
				"cluster.start_timeout; start more nodes")
		}
		pauseStart(ctx)
	}
}
