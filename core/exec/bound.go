package exec

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
)

// A bound row of a stream vanishes with the session that bound it last, whoever
// changed it since. Which rows are bound is kept twice: in memory, with their
// sessions, and as documents that are stored before the row is, so that a
// start finds and removes the rows of a process that died. A document of a row
// that was not inserted after all does no harm: what it says to delete was
// absent when the document was written.

// boundKey names a bound row.
type boundKey struct {
	Table ident.TableID `json:"table"`
	User  ident.UserID  `json:"user,omitempty"` // whose row; "" where rows are not per user
	PK    string        `json:"pk"`             // in hex
}

// boundRow is a bound row as it is stored.
type boundRow struct {
	boundKey
	// Node has the session; 0 was stored by a release without clusters.
	Node ident.NodeID `json:"node,omitempty"`
}

func (k boundKey) name() string {
	return fmt.Sprintf("%d:%s:%s", k.Table, hex.EncodeToString([]byte(k.User)), k.PK)
}

// binding is who bound a row. Once it is being removed, gone is closed when
// that is done.
type binding struct {
	session *Session
	gone    chan struct{}
}

// bindings are the bound rows of all sessions. The zero value is ready to use.
type bindings struct {
	mu   sync.Mutex
	rows map[boundKey]*binding
}

// give makes b the binding of a row, nil for none. REQUIRES: mu is held.
func (bs *bindings) give(k boundKey, b *binding) {
	if old := bs.rows[k]; old != nil {
		delete(old.session.bound, k)
	}
	if b == nil {
		delete(bs.rows, k)
		return
	}
	if bs.rows == nil {
		bs.rows = make(map[boundKey]*binding)
	}
	if b.session.bound == nil {
		b.session.bound = make(map[boundKey]struct{})
	}
	bs.rows[k] = b
	b.session.bound[k] = struct{}{}
}

// unbindTimeout bounds the removal of a session's bound rows.
const unbindTimeout = 30 * time.Second

// mayBind checks whether the statement is one whose rows can be bound.
func (r *run) mayBind() error {
	switch {
	case r.req.Session == nil:
		return fault.New(fault.InvalidParameter,
			"rows are bound to a connection; send the statement over the WebSocket")
	case r.st.Kind != dialect.Insert && r.st.Kind != dialect.Replace:
		return fault.New(fault.InvalidParameter, "bind goes with INSERT and REPLACE, not with %s",
			r.st.Kind)
	case r.session.tx != nil:
		return fault.New(fault.Unsupported, "rows can't be bound in a transaction; COMMIT it first")
	}
	return nil
}

// bind binds the rows of writes to the session. undo takes that back when they
// are not written.
func (r *run) bind(ctx context.Context, writes []writeset.Write) (undo func(), err error) {
	keys := make([]boundKey, len(writes))
	for i := range writes {
		w := &writes[i]
		if w.Table.Kind != ddl.StreamTable {
			return nil, fault.New(fault.InvalidParameter,
				"%s is no STREAM table; only rows of streams can be bound", w.Table.FullName())
		}
		keys[i] = boundKey{w.Table.ID, w.User, hex.EncodeToString(w.PK)}
	}
	before := make(map[boundKey]*binding, len(keys))
	undo = func() { r.x.rebind(keys, r.session, before) }
	for _, k := range keys {
		if before[k], err = r.x.take(ctx, k, r.session); err != nil {
			undo()
			return nil, err
		}
	}
	if err := r.x.storeBound(ctx, keys); err != nil {
		undo()
		return nil, err
	}
	return undo, nil
}

// take makes a row the session's and returns whose it was. It waits while the
// row is being removed.
func (x *Executor) take(ctx context.Context, k boundKey, s *Session) (*binding, error) {
	for {
		x.bound.mu.Lock()
		old := x.bound.rows[k]
		if old == nil || old.gone == nil {
			defer x.bound.mu.Unlock()
			if _, mine := s.bound[k]; !mine && len(s.bound) >= x.limits.BoundRows {
				return nil, fault.New(fault.QuotaExceeded,
					"the connection has %d bound rows, the most it may have", len(s.bound))
			}
			x.bound.give(k, &binding{session: s})
			return old, nil
		}
		x.bound.mu.Unlock()
		select {
		case <-old.gone:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// rebind gives rows that a session took back to whose they were before.
func (x *Executor) rebind(keys []boundKey, s *Session, before map[boundKey]*binding) {
	x.bound.mu.Lock()
	defer x.bound.mu.Unlock()
	for _, k := range keys {
		now := x.bound.rows[k]
		old, taken := before[k]
		if taken && now != nil && now.session == s && now.gone == nil {
			x.bound.give(k, old)
		}
	}
}

// storeBound stores documents of rows that have none.
func (x *Executor) storeBound(ctx context.Context, keys []boundKey) error {
	var writes []writeset.Write
	for _, k := range keys {
		var old boundRow
		seq, err := x.get(catalog.KeptBound, k.name(), &old)
		if err != nil {
			return err
		}
		if seq > 0 && old.Node == x.Log.Node() {
			continue
		}
		w, err := catalog.KeptBound.Put(k.name(), boundRow{k, x.Log.Node()}, seq)
		if err != nil {
			return err
		}
		writes = append(writes, w)
	}
	if len(writes) == 0 {
		return nil
	}
	err := x.propose(ctx, writes...)
	if fault.Is(err, fault.DuplicateKey) || fault.Is(err, fault.TransactionConflict) {
		return x.storeBound(ctx, keys) // another session bound one of them meanwhile
	}
	return err
}

// unbind removes the rows that are bound to a session, one after another.
func (x *Executor) unbind(ctx context.Context, s *Session) (err error) {
	ctx, cancel := context.WithTimeout(ctx, unbindTimeout)
	defer cancel()
	x.bound.mu.Lock()
	var keys []boundKey
	for k := range s.bound {
		x.bound.rows[k].gone = make(chan struct{})
		keys = append(keys, k)
	}
	x.bound.mu.Unlock()
	for _, k := range keys {
		err = errors.Join(err, x.removeBound(ctx, k))
		x.bound.mu.Lock()
		close(x.bound.rows[k].gone)
		x.bound.give(k, nil)
		x.bound.mu.Unlock()
	}
	return err
}

// RecoverBound removes the rows that were bound by sessions of this node before it was
// started. What a session binds meanwhile is its own.
func (x *Executor) RecoverBound(ctx context.Context) error {
	node := x.Log.Node()
	v := x.DB.View()
	defer v.Release()
	var keys []boundKey
	err := catalog.KeptBound.Each(x.DB, v, func(decode func(any) error) error {
		var k boundRow
		err := decode(&k)
		if k.Node == node || k.Node == 0 {
			keys = append(keys, k.boundKey)
		}
		return err
	})
	if err != nil {
		return err
	}
	before := x.NewSession() // which had them
	x.bound.mu.Lock()
	for _, k := range keys {
		if x.bound.rows[k] == nil { // else it was bound again
			x.bound.give(k, &binding{session: before})
		}
	}
	x.bound.mu.Unlock()
	defer before.Close()
	return before.Unbind(ctx)
}

// removeBound deletes a bound row as its owner would, and its document. One that a
// session of another node has bound since is left to that.
func (x *Executor) removeBound(ctx context.Context, k boundKey) error {
	var row boundRow
	seq, err := x.get(catalog.KeptBound, k.name(), &row)
	if err != nil || seq != 0 && row.Node != 0 && row.Node != x.Log.Node() {
		return err
	}
	if t, ok := x.Catalog.Snapshot().TableByID(k.Table); ok && t.State == ddl.Ready {
		if err := x.deleteRow(ctx, t, k); err != nil && !fault.Is(err, fault.TableNotFound) {
			return err
		}
	}
	if seq == 0 {
		return nil
	}
	err = x.propose(ctx, catalog.KeptBound.Delete(k.name(), seq))
	if fault.Is(err, fault.TransactionConflict) {
		return nil // another node's by now
	}
	return err
}

func (x *Executor) deleteRow(ctx context.Context, t *ddl.Table, k boundKey) error {
	pk, err := hex.DecodeString(k.PK)
	if err != nil {
		return err
	}
	var where []string
	var params []value.Value
	for _, i := range t.PrimaryKey {
		c := &t.Columns[i]
		var v value.Value
		if v, pk, err = value.CutKey(pk, c.Type.Kind); err != nil {
			return err
		}
		where = append(where, quoteName(c.Name)+" = ?")
		params = append(params, v)
	}
	owner := k.User
	if owner == "" {
		owner = ident.UserID("system")
	}
	sql := fmt.Sprintf("DELETE FROM %s.%s WHERE %s", quoteName(string(t.Namespace)),
		quoteName(string(t.Name)), strings.Join(where, " AND "))
	err = x.Run(ctx, session.Identity{Caller: owner, Role: ident.RoleSystem},
		Request{SQL: sql, Params: params}, func(*Result) error { return nil })
	return errors.Join(err, ctx.Err())
}

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
