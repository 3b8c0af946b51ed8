package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/server/config"
	"github.com/kalamdb/kalamdb-go/server/logfile"
)

// newLogger returns the logger of the configuration and what closes its file.
func newLogger(c *config.Config, stderr io.Writer) (*slog.Logger, func() error, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Logging.Level)); err != nil {
		return nil, nil, fault.Wrap(fault.InvalidParameter, err, "logging.level")
	}
	out, closeFile := stderr, func() error { return nil }
	if out == nil {
		out = io.Discard
	}
	if c.Logging.File != "" {
		file, err := logfile.Open(c.Logging.File, int64(c.Logging.MaxSize), c.Logging.MaxFiles)
		if err != nil {
			return nil, nil, fault.Wrap(fault.InvalidParameter, err,
				"logging.file %s can't be written", c.Logging.File)
		}
		out, closeFile = both{out, file}, file.Close
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.Logging.Format == config.FormatJSON {
		return slog.New(slog.NewJSONHandler(out, opts)), closeFile, nil
	}
	return slog.New(slog.NewTextHandler(out, opts)), closeFile, nil
}

// both writes to two places; a failure of one does not keep a line from the
// other.
type both struct{ a, b io.Writer }

// Write implements io.Writer.
func (w both) Write(p []byte) (int, error) {
	_, errA := w.a.Write(p)
	_, errB := w.b.Write(p)
	return len(p), errors.Join(errA, errB)
}

// banner tells what runs, as the first lines of the log.
func (s *server) banner(opts Options, opened time.Duration) {
	size, err := s.db.Size()
	sizeText := readable(size)
	if err != nil {
		sizeText = "not known: " + err.Error()
	}
	b := opts.Build
	s.log.Info("KalamDB", "version", b.Version, "branch", b.Branch, "revision", b.Revision,
		"go", b.Go, "pid", os.Getpid())
	s.log.Info("storage", "data_dir", s.db.Dir(), "engine", s.config.Storage.Engine,
		"size", sizeText, "durability", s.config.Storage.Durability,
		"shards", s.config.Storage.Shards, "opened_in", opened.Round(time.Millisecond).String())
	if file := opts.Config.File; file != "" {
		s.log.Info("config", "file", file)
	}
	if file := s.db.Auth().RootPasswordFile(); file != "" {
		s.log.Info("the password of root was generated", "file", file)
	}
	if opts.Dev {
		s.log.Warn("development mode: callers on this host need no credentials; " +
			"without X-USER-ID they are root")
	}
	if s.config.Auth.TrustedUserHeader {
		s.log.Warn("auth.trusted_user_header: peers on this host name the user by X-USER-ID")
	}
	if s.node != nil {
		leader, _ := s.db.Leader(ident.SystemShard)
		s.log.Info("cluster", "id", s.db.ClusterID(), "node", s.node.self.ID,
			"nodes", len(s.node.nodes), "leader", leader, "raft", s.node.self.Raft,
			"api", s.node.listener.Addr().String())
	}
	s.log.Info("listening", "http", "http://"+s.listener.Addr().String())
}

// readable returns a number of bytes for people.
func readable(n int64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/step, 0
	for value >= step && unit < 3 {
		value, unit = value/step, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[unit])
}
