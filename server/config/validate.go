package config

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// minSecretBytes is the least that core/auth takes as a key.
const minSecretBytes = 16

// check is a relation between settings. What it says begins with the name of the
// first of them.
type check struct {
	bad  bool
	what string
}

// refuse returns the first that is bad, with the place where its setting stands.
func (l *Loaded) refuse(checks []check) error {
	for _, c := range checks {
		if c.bad {
			name, _, _ := strings.Cut(c.what, " ")
			name = strings.TrimSuffix(name, ",")
			return fault.New(fault.InvalidParameter, "%s%s", l.where(name), c.what)
		}
	}
	return nil
}

// where returns the place of a setting in front of a message: file and line, or
// nothing where a default or the environment says it.
func (l *Loaded) where(name string) string {
	if l.Source(name) == FromFile && l.lines[name] > 0 {
		return l.File + ":" + strconv.Itoa(l.lines[name]) + ": "
	}
	return ""
}

// validate checks relations between settings; single ones are checked as they
// are read.
func (l *Loaded) validate(in Input) error {
	c := &l.Config
	checks := []check{
		{c.Storage.DataDir == "", "storage.data_dir is empty; name a folder"},
		{c.Storage.Durability == DurabilityInterval && c.Storage.SyncInterval <= 0,
			"storage.durability is interval and storage.sync_interval is not above 0; set both"},
		{c.Auth.JWTSecret != "" && len(c.Auth.JWTSecret) < minSecretBytes,
			"auth.jwt_secret is shorter than 16 bytes; use 32 random ones, or none to have it made"},
		{c.Storage.CredentialsKey != "" && len(c.Storage.CredentialsKey) < minSecretBytes,
			"storage.credentials_key is shorter than 16 bytes; use 32 random ones, or none to have it made"},
		{c.Auth.AccessTTL > c.Auth.RefreshTTL,
			"auth.access_ttl is longer than auth.refresh_ttl; a refresh token must live longer"},
		{c.Limits.SQLSize > c.Limits.BodySize,
			"limits.sql_size is above limits.body_size, which holds it; raise body_size"},
		{c.Jobs.Backoff > c.Jobs.MaxBackoff,
			"jobs.backoff is above jobs.max_backoff, the longest wait; raise max_backoff"},
		{c.Live.QueueSize > c.Live.SocketSize,
			"live.queue_size is above live.socket_size, which carries it; raise socket_size"},
		{c.Live.SocketSize > c.Live.TotalSize,
			"live.socket_size is above live.total_size, which bounds all; raise total_size"},
	}
	if err := l.refuse(checks); err != nil {
		return err
	}
	if err := l.validateCluster(); err != nil {
		return err
	}
	for _, origin := range c.Auth.AllowedOrigins {
		if !strings.Contains(origin, "://") || strings.HasSuffix(origin, "/") {
			return fault.New(fault.InvalidParameter,
				"auth.allowed_origins: %q is not an origin such as https://app.example.com", origin)
		}
	}
	return l.checkHome(in.Home)
}

// checkHome refuses the default data folder of a binary that `go run` throws
// away afterwards, and the data with it.
func (l *Loaded) checkHome(home string) error {
	temporary := strings.HasPrefix(home, filepath.Join(os.TempDir(), "go-build"))
	if temporary && l.Source("storage.data_dir") == FromDefault {
		return fault.New(fault.InvalidParameter,
			"the binary runs from a folder that is removed at its end; build it, or set storage.data_dir")
	}
	return nil
}
