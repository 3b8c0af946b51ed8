package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kalamdb/kalamdb-go/cli/client"
)

// Files of the home folder.
const (
	settingsFile = "config.json"
	loginsFile   = "logins.json"
)

// home is the folder ~/.kalam, which only its user can read: settings, saved
// logins and the history.
type home struct{ dir string }

// settings are what config.json may hold; flags win over them.
type settings struct {
	URL    string `json:"url"`
	User   string `json:"user"`
	Format string `json:"format"`
	Timing bool   `json:"timing"`
}

func openHome() (*home, error) {
	dir, err := os.UserHomeDir()
	if err != nil {
		return &home{}, nil // nothing is kept
	}
	h := &home{dir: filepath.Join(dir, ".kalam")}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return &home{}, nil // a home that can't be written to
	}
	return h, nil
}

// path returns the path of a file of the folder; "" when nothing is kept.
func (h *home) path(name string) string {
	if h.dir == "" {
		return ""
	}
	return filepath.Join(h.dir, name)
}

// settings reads config.json. An unknown key is an error.
func (h *home) settings() (settings, error) {
	var s settings
	data, err := h.read(settingsFile)
	if err != nil || data == nil {
		return s, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return s, dec.Decode(&s)
}

// read returns nil for a file that is not there.
func (h *home) read(name string) ([]byte, error) {
	if h.dir == "" {
		return nil, nil
	}
	data, err := os.ReadFile(h.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// loginKey names a login in the file.
func loginKey(url, user string) string { return user + " at " + url }

func (h *home) logins() map[string]client.Tokens {
	all := map[string]client.Tokens{}
	if data, err := h.read(loginsFile); err == nil && data != nil {
		if json.Unmarshal(data, &all) != nil {
			return map[string]client.Tokens{} // spoilt: log in again
		}
	}
	return all
}

// login returns the saved login of a user at a server, or nil.
func (h *home) login(url, user string) *client.Tokens {
	if t, ok := h.logins()[loginKey(url, user)]; ok {
		return &t
	}
	return nil
}

// saveLogin keeps a login. The file is replaced whole, so that a second kalam
// never reads half of it.
func (h *home) saveLogin(url, user string, t client.Tokens) error {
	if h.dir == "" {
		return nil
	}
	all := h.logins()
	all[loginKey(url, user)] = t
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(h.dir, loginsFile+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("save the login: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), h.path(loginsFile))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("save the login: %w", err), os.Remove(f.Name()))
	}
	return nil
}
