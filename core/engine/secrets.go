package engine

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/core/exec"
)

// Files of generated secrets in the data directory, readable by its owner
// only.
const (
	fileRootPassword = "root_password"
	fileJWTSecret    = "jwt_secret"
)

// openAuth starts the service that checks credentials, with the secrets of the
// options, else those that are kept, else new ones.
func (e *Engine) openAuth(ctx context.Context, keeper *exec.Keeper) (err error) {
	o := &e.opts
	secret := o.JWTSecret
	if secret == "" {
		if secret, err = e.secret(ctx, keeper, fileJWTSecret); err != nil {
			return err
		}
	}
	if err := e.awaitRoot(ctx, keeper); err != nil {
		return err
	}
	password, file, err := rootPassword(e.db.Dir(), keeper, o.RootPassword)
	if err != nil {
		return err
	}
	options := auth.Options{
		Secret: []byte(secret), AccessTTL: o.AccessTTL, RefreshTTL: o.RefreshTTL,
		Now: o.Now, RootPasswordFile: file,
	}
	if !e.single() {
		options.CatchUp = func(ctx context.Context) error {
			return e.log.Barrier(ctx, ident.SystemShard)
		}
	}
	e.auth, err = auth.New(keeper, options)
	if err != nil {
		return err
	}
	return e.ensureRoot(ctx, e.auth, password)
}

// rootPassword returns the password to give to root at this start, "" to leave
// it, and the file where a generated one stands. A generated password stays
// until another is configured or set, when its file no longer tells the truth
// and goes.
func rootPassword(dir string, accounts auth.Accounts, configured string) (
	password, file string, err error,
) {
	if dir == "" {
		return configured, "", nil
	}
	path := filepath.Join(dir, fileRootPassword)
	if configured != "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", "", fault.Wrap(fault.Internal, err, "remove the generated password")
		}
		return configured, "", nil
	}
	root, _, err := accounts.Account("root")
	switch {
	case err != nil:
		return "", "", err
	case root == nil || root.Secret == "":
		password, err = keptSecret(dir, fileRootPassword)
		return password, path, err
	}
	if _, err := os.Stat(path); err != nil {
		return "", "", nil // it was configured or set by a statement
	}
	return "", path, nil
}

// keptSecret reads a secret from a file of dir, and makes it when it is not
// there. Without a directory it lasts as long as the process.
func keptSecret(dir, name string) (string, error) {
	random := make([]byte, 24)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	fresh := base64.RawURLEncoding.EncodeToString(random)
	if dir == "" {
		return fresh, nil
	}
	path := filepath.Join(dir, name)
	held, err := os.ReadFile(path)
	switch {
	case err == nil && len(strings.TrimSpace(string(held))) > 0:
		return strings.TrimSpace(string(held)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fault.Wrap(fault.Internal, err, "read %s", path)
	}
	if err := writeDurably(path, fresh+"\n"); err != nil {
		return "", fault.Wrap(fault.Internal, err, "write %s", path)
	}
	return fresh, nil
}

// writeDurably writes a file that only its owner reads, so that it is there
// whole or not at all.
func writeDurably(path, content string) (err error) {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
