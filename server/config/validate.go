package config

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// minSecretBytes is the least that core/auth takes as a key.
const minSecretBytes = 16

// validate checks relations between settings; single ones are checked as they
// are read.
func (l *Loaded) validate(in Input) error {
	c := &l.Config
	checks := []struct {
		bad  bool
		what string
	}{
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
	for _, check := range checks {
		if check.bad {
			return fault.New(fault.InvalidParameter, "%s", check.what)
		}
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
