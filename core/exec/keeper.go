package exec

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
)

// Keeper reads and writes the stored system tables through the log. It is safe
// for concurrent use.
type Keeper struct {
	DB    *store.DB
	Log   replica.Log
	Clock *clock.Clock
}

var _ auth.Accounts = (*Keeper)(nil)

// get reads a document of a system table as it is stored now.
func (k *Keeper) get(t *catalog.Kept, name string, doc any) (clock.Seq, error) {
	v := k.DB.View()
	defer v.Release()
	return t.Get(k.DB, v, name, doc)
}

// put stores a document on the condition that its row still has seq, together
// with other writes.
func (k *Keeper) put(ctx context.Context, t *catalog.Kept, name string, doc any,
	seq clock.Seq, also ...writeset.Write,
) error {
	w, err := t.Put(name, doc, seq)
	if err != nil {
		return err
	}
	return k.propose(ctx, append(also, w)...)
}

// propose proposes writes of the server's own and returns a refusal as an
// error.
func (k *Keeper) propose(ctx context.Context, writes ...writeset.Write) error {
	c, err := k.command(writes)
	if err != nil {
		return err
	}
	out, err := k.Log.Propose(ctx, c)
	if err != nil {
		return err
	}
	return out.Err
}

// command turns planned writes into a command for the one shard they are on.
func (k *Keeper) command(writes []writeset.Write) (*command.Command, error) {
	c := &command.Command{Clock: k.Clock.Now(), Writes: make([]command.Write, len(writes))}
	for i := range writes {
		w := &writes[i]
		shard := w.Table.Shard(w.User, k.DB.Shards())
		if i > 0 && shard != c.Shard {
			return nil, fault.New(fault.CrossShardTransaction,
				"the statement writes rows of several shards; write one user's rows at a time")
		}
		c.Shard = shard
		c.Writes[i] = command.Write{
			Table: w.Table.ID, Schema: w.Table.Version, Codec: w.Table.Codec, Op: w.Op,
			User: w.User, Expect: w.Expect, PK: w.PK, Payload: w.Payload,
		}
	}
	return c, nil
}

// Account implements auth.Accounts.
func (k *Keeper) Account(id ident.UserID) (*ddl.User, clock.Seq, error) {
	u := new(ddl.User)
	seq, err := k.get(catalog.KeptUsers, string(id), u)
	if err != nil || seq == 0 {
		return nil, 0, err
	}
	return u, seq, nil
}

// PutAccount implements auth.Accounts.
func (k *Keeper) PutAccount(ctx context.Context, u *ddl.User, seq clock.Seq) error {
	return k.put(ctx, catalog.KeptUsers, string(u.ID), u, seq)
}
