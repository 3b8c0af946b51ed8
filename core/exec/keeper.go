package exec

import (
	"context"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

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

	// Revoked is told of a user whose credentials from before are void now. It
	// is called after the account was stored, and is not to block. Nil is
	// allowed.
	Revoked func(ident.UserID)

	accounts *lru.Cache[ident.UserID, *keptAccount]
}

// keptAccount is an account as it was at seq. That there is none is kept too:
// identities may live elsewhere.
type keptAccount struct {
	user *ddl.User // nil for none
	seq  clock.Seq
	// seen is the number of changes of the system tables' shard at which it was
	// found to be so. While that stays nothing has to be read.
	seen atomic.Uint64
}

// keptAccounts bounds the accounts that are kept decoded: each request of a
// user looks at theirs.
const keptAccounts = 10_000

// NewKeeper returns a Keeper.
func NewKeeper(db *store.DB, log replica.Log, ck *clock.Clock) (*Keeper, error) {
	cache, err := lru.New[ident.UserID, *keptAccount](keptAccounts)
	return &Keeper{DB: db, Log: log, Clock: ck, accounts: cache}, err
}

var _ auth.Accounts = (*Keeper)(nil)

// get reads a document of a system table as it is stored now.
func (k *Keeper) get(t *catalog.Kept, name string, doc any) (clock.Seq, error) {
	v := k.DB.View()
	defer v.Release()
	return t.Get(k.DB, v, name, doc)
}

// Get reads a document of a system table as it is stored now. Its seq is 0 when there
// is none.
func (k *Keeper) Get(t *catalog.Kept, name string, doc any) (clock.Seq, error) {
	return k.get(t, name, doc)
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

// Write commits writes of one system table. A refusal is an error.
func (k *Keeper) Write(ctx context.Context, writes ...writeset.Write) error {
	return k.propose(ctx, writes...)
}

// propose proposes writes of the server's own and returns a refusal as an
// error.
func (k *Keeper) propose(ctx context.Context, writes ...writeset.Write) error {
	c, err := k.command(writes)
	if err != nil {
		return err
	}
	out, err := replica.Propose(ctx, k.Log, c)
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
			Old: w.Old, Tail: w.Tail,
		}
	}
	return c, nil
}

// Account implements auth.Accounts. What it keeps is used only while the stored
// row still has the seq it was read at.
func (k *Keeper) Account(id ident.UserID) (*ddl.User, clock.Seq, error) {
	changes := k.Log.Changes(ident.SystemShard) // before the view is taken
	kept, ok := k.accounts.Get(id)
	if ok && kept.seen.Load() == changes {
		return kept.user, kept.seq, nil
	}
	v := k.DB.View()
	defer v.Release()
	seq, err := catalog.KeptUsers.Seq(k.DB, v, string(id))
	if err != nil {
		return nil, 0, err
	}
	if ok && kept.seq == seq {
		kept.seen.Store(changes)
		return kept.user, seq, nil
	}
	var u *ddl.User
	if seq > 0 {
		u = new(ddl.User)
		if seq, err = catalog.KeptUsers.Get(k.DB, v, string(id), u); err != nil {
			return nil, 0, err
		}
	}
	kept = &keptAccount{user: u, seq: seq}
	kept.seen.Store(changes)
	k.accounts.Add(id, kept)
	return u, seq, nil
}

// PutAccount implements auth.Accounts.
func (k *Keeper) PutAccount(ctx context.Context, u *ddl.User, seq clock.Seq) error {
	old, _, err := k.Account(u.ID)
	if err != nil {
		return err
	}
	if err := k.put(ctx, catalog.KeptUsers, string(u.ID), u, seq); err != nil {
		return err
	}
	if k.Revoked != nil && old != nil && u.Epoch > old.Epoch {
		k.Revoked(u.ID)
	}
	return nil
}
