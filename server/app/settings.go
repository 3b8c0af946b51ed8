package app

import (
	"log/slog"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/flush"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/server/config"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// engineOptions returns what the configuration says to the engine.
func engineOptions(c *config.Loaded, log *slog.Logger) engine.Options {
	var interval time.Duration
	if c.Storage.Durability == config.DurabilityInterval {
		interval = c.Storage.SyncInterval
	}
	return engine.Options{
		Storage: engine.Storage(c.Storage.Engine), Shards: c.Storage.Shards,
		CacheBytes: int64(c.Storage.CacheSize()), SyncInterval: interval,
		RootPassword: c.Auth.RootPassword, JWTSecret: c.Auth.JWTSecret,
		AccessTTL: c.Auth.AccessTTL, RefreshTTL: c.Auth.RefreshTTL,
		CredentialsKey:   c.Storage.CredentialsKey,
		Objects:          object.Options{Timeout: c.Storage.ObjectTimeout},
		HistoryRetention: c.Live.HistoryRetention, AuditRetention: c.Retention.AuditLog,
		DeletedRetention: c.Retention.DeletedRows, UserRetention: c.Retention.DroppedUsers,
		Flush: flush.Policy{
			Rows: int64(c.Flush.Rows), Interval: c.Flush.Interval,
			MinRows: c.Flush.MinRows, MaxAge: c.Flush.MaxAge,
			CompactSegments: c.Flush.CompactSegments, DeadPercent: c.Flush.DeadPercent,
		},
		FlushCheck: c.Flush.CheckInterval,
		Cold: cold.Options{
			CacheBytes: int64(c.Storage.ColdCacheSize), FileBytes: int64(c.Storage.ColdFilesSize),
		},
		Jobs: job.Options{
			Running: c.Jobs.Running, Queue: c.Jobs.Queue, Attempts: c.Jobs.Attempts,
			Backoff: c.Jobs.Backoff, MaxBackoff: c.Jobs.MaxBackoff,
			ProgressInterval: c.Jobs.ProgressInterval, Retention: c.Retention.Jobs,
		},
		Limits: exec.Limits{
			SQL: dialect.Limits{
				MaxBytes: int(c.Limits.SQLSize), MaxTokens: c.Limits.SQLTokens,
				MaxStatements: c.Limits.Statements,
			},
			StatementTimeout:   c.Limits.StatementTimeout,
			TransactionTimeout: c.Limits.TransactionTimeout,
			TransactionRows:    c.Limits.TransactionRows,
			TransactionBytes:   int(c.Limits.TransactionSize),
			BoundRows:          c.Live.BoundRows,
		},
		SQL: sqlengine.Options{MaxMemoryBytes: int64(c.Limits.StatementMemory), Logger: log},
		Live: live.Options{
			QueueEvents: c.Live.QueueMessages, QueueBytes: int(c.Live.QueueSize),
			MaxPerUser: c.Live.SubscriptionsPerUser, MaxTotal: c.Live.Subscriptions,
			Total:      live.NewBudget(int(c.Live.TotalSize)),
			WindowRows: c.Live.WindowRows, ResultRows: c.Live.ResultRows,
			ResultBytes: int(c.Live.ResultSize), RerunInterval: c.Live.RerunInterval,
			RerunTimeout: c.Live.RerunTimeout,
		},
		Settings: func() [][]value.Value { return settingRows(c) },
		Logger:   log,
		Now:      failpoint.Now, // of a test that ends the server; else time.Now
	}
}

// settingRows returns the rows of system.settings: name, value, default value,
// source, description.
func settingRows(c *config.Loaded) [][]value.Value {
	var rows [][]value.Value
	for _, s := range config.Settings() {
		rows = append(rows, []value.Value{
			value.NewText(s.Name()), value.NewText(s.Value(&c.Config)),
			value.NewText(s.Default), value.NewText(string(c.Source(s.Name()))),
			value.NewText(s.Doc),
		})
	}
	return rows
}
