package ws

import (
	"context"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// Bounds of what a client may have run when it leaves.
const (
	maxOnDisconnect      = 16
	maxOnDisconnectBytes = 16 << 10
	onDisconnectTime     = 10 * time.Second
)

// checkOnDisconnect refuses statements that could not be run when the client
// has left: those that do more than change rows.
func checkOnDisconnect(statements []string) error {
	size := 0
	for _, sql := range statements {
		size += len(sql)
	}
	if len(statements) > maxOnDisconnect || size > maxOnDisconnectBytes {
		return fault.New(fault.InvalidParameter,
			"on_disconnect may have %d statements of %d bytes together", maxOnDisconnect,
			maxOnDisconnectBytes)
	}
	for i, sql := range statements {
		parsed, err := dialect.Parse(sql, dialect.Limits{})
		if err != nil {
			return err
		}
		for _, st := range parsed {
			if st.Kind.Info().Class != dialect.Write {
				return fault.New(fault.InvalidParameter,
					"statement %d of on_disconnect is %s; only INSERT, UPDATE, DELETE and REPLACE may "+
						"stand there", i+1, st.Kind)
			}
		}
	}
	return nil
}

// depart does what a client asked for, by the rights that it has now, and lets
// go of its transaction and its bound rows. Nothing else runs on the connection.
func (c *conn) depart(who session.Identity) {
	ctx, cancel := context.WithTimeout(c.srv.ctx, onDisconnectTime)
	defer cancel()
	log := c.srv.opts.Logger.With("peer", c.peer, "user", who.Caller)
	if len(c.onDisconnect) > 0 {
		if err := c.srv.opts.Callers.Auth.Current(who); err != nil {
			log.Info("on_disconnect was not run", "error", err)
			c.onDisconnect = nil
		}
	}
	for _, sql := range c.onDisconnect {
		req := engine.Request{
			SQL: sql, Namespace: c.namespace, Remote: caller.Address(c.peer),
		}
		err := c.srv.opts.Engine.Execute(ctx, who, req, func(*engine.Result) error { return nil })
		if err != nil {
			log.Info("a statement of on_disconnect failed", "error", err)
		}
	}
	c.onDisconnect = nil
	if c.session == nil {
		return
	}
	if err := c.session.Unbind(c.srv.ctx); err != nil {
		log.Warn("rows of a connection are left; the next start removes them", "error", err)
	}
	c.session.Close()
	c.session = nil
}
