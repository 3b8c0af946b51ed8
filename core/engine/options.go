package engine

import (
	"log/slog"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/flush"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/live"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// Storage names a storage engine.
type Storage string

// The storage engines.
const (
	Pebble Storage = "pebble" // the default
	Badger Storage = "badger"
	Memory Storage = "memory" // keeps nothing
)

// Options configure Open. The zero value opens a durable store with pebble.
type Options struct {
	Storage    Storage
	Shards     int   // shards of users, fixed when the directory is made; 0 means 10
	CacheBytes int64 // of the storage engine's block cache; 0 means its default

	// SyncInterval is 0 for sync durability: an answer to a write means that
	// it is on disk. Above 0 writes are synced that often, and a crash loses
	// the last interval.
	SyncInterval time.Duration

	// RootPassword is set at every start when it is not "". When it is "" and
	// root has none yet, one is generated and written to the file
	// root_password in the data directory, readable by its owner only; a
	// memory store needs it given.
	RootPassword string
	// JWTSecret signs tokens. "" means one that is generated once and kept in
	// the data directory.
	JWTSecret             string
	AccessTTL, RefreshTTL time.Duration

	// CredentialsKey encrypts the credentials of storages. "" means one that is
	// generated once and kept in the data directory.
	CredentialsKey string
	Objects        object.Options // of storages; without Retried

	// HistoryRetention is how long changes can be replayed; 0 means 24 hours.
	HistoryRetention time.Duration

	// DeletedRetention is how long deleted rows are kept in tables that say
	// nothing else, but never shorter than HistoryRetention, which is what 0
	// means.
	DeletedRetention time.Duration

	// UserRetention is how long the rows of a dropped user are kept, who can be
	// restored until then; 0 means 7 days.
	UserRetention time.Duration

	// EvictInterval is how often expired rows of streams are removed, which
	// nobody sees in between, but for live windows and queries that are run again:
	// they are told then. 0 means 5 seconds.
	EvictInterval time.Duration

	// AuditRetention is how long system.audit_log is kept; 0 means 90 days.
	AuditRetention time.Duration

	// Jobs bounds the work in the background; NewID, Now and Logger are the
	// engine's. JobKinds are kinds of jobs beside its own.
	Jobs job.Options
	// Flush says when rows go cold by themselves, in tables that say nothing
	// else; the zero value is never. Its DeletedRetention is the engine's.
	// FlushCheck is how often it is looked; 0 means 5 seconds.
	Flush      flush.Policy
	FlushCheck time.Duration

	JobKinds []job.Kind

	// Cold bounds what the cold tier takes. Tests wrap its storages.
	Cold         cold.Options
	WrapStorages func(cold.Storages) cold.Storages

	Limits exec.Limits
	SQL    sqlengine.Options
	Live   live.Options // without Source

	// Cluster has the engine be a node of a cluster; nil for a server alone.
	Cluster *Cluster

	// Settings gives the rows of system.settings: name, value, default value,
	// source, description.
	Settings func() [][]value.Value

	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil means time.Now
}

func (o Options) withDefaults() Options {
	if o.Storage == "" {
		o.Storage = Pebble
	}
	if o.HistoryRetention == 0 {
		o.HistoryRetention = 24 * time.Hour
	}
	if o.DeletedRetention == 0 {
		o.DeletedRetention = o.HistoryRetention
	}
	if o.UserRetention == 0 {
		o.UserRetention = 7 * 24 * time.Hour
	}
	if o.EvictInterval == 0 {
		o.EvictInterval = 5 * time.Second
	}
	if o.AuditRetention == 0 {
		o.AuditRetention = 90 * 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
