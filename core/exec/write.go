package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
)

// tries is how often a statement is planned again after a conflict.
const tries = 8

func (r *run) write(ctx context.Context, emit Sink) error {
	if r.req.Bind {
		if err := r.mayBind(); err != nil {
			return err
		}
	}
	if r.session.tx != nil {
		return r.writeInside(ctx, emit)
	}
	request, err := r.request()
	if err != nil {
		return err
	}
	for range tries + 1 {
		res, again, err := r.tryWrite(ctx, request)
		if err != nil {
			return err
		}
		if !again {
			return emit(res)
		}
	}
	return fault.New(fault.TransactionConflict,
		"the rows were changed by others %d times in a row; run it again", tries+1)
}

// tryWrite plans the statement on the present state and proposes it. again
// says that others were faster, or that what its plan assumed was not so.
func (r *run) tryWrite(ctx context.Context, request *command.Request) (
	res *Result, again bool, err error,
) {
	var planned *sqlengine.Result
	v, err := r.onView(ctx, func(v *store.View) (err error) {
		if request != nil {
			if res, err = r.recall(v, request); res != nil || err != nil {
				return err
			}
		}
		planned, err = r.plan(ctx, v)
		if err == nil && r.reading.guessed(planned) {
			return errors.Join(errAgain, planned.Rows.Close())
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	defer v.Release()
	if res != nil {
		return res, false, nil
	}
	defer planned.Rows.Close()
	var writes []writeset.Write
	if planned.Writes != nil {
		writes = planned.Writes.Writes()
	}
	if len(writes) == 0 && request == nil {
		return r.reply(planned, 0, 0), false, nil
	}
	c, err := r.x.command(writes)
	if err == nil {
		err = r.indexWrites(v, writes, c.Writes)
	}
	if err != nil {
		return nil, false, err
	}
	if request != nil {
		if len(writes) == 0 {
			c.Shard = keyspace.ShardOf(r.id.Owner(), r.x.DB.Shards())
		}
		c.Request = request
		request.Result, err = record(planned, c.Shard, len(writes))
		if err != nil {
			return nil, false, err
		}
	}
	undo := func() {}
	if r.req.Bind && len(writes) > 0 {
		if undo, err = r.bind(ctx, writes); err != nil {
			return nil, false, err
		}
	}
	out, err := replica.Propose(ctx, r.x.Log, c)
	if err != nil || out.Err != nil || out.Repeat || out.Stale {
		undo()
	}
	switch {
	case err != nil:
		return nil, false, err
	case out.Repeat:
		res, err := r.repeated(out)
		return res, false, err
	case out.Locked: // for as long as it was to wait
		return nil, false, out.Err
	case out.Stale:
		r.x.conflicts.Add(1)
		return nil, true, r.x.catchUp(ctx)
	case out.Reread:
		r.assumed = true
		return nil, true, nil
	case fault.Is(out.Err, fault.TransactionConflict),
		planned.Resolves && fault.Is(out.Err, fault.DuplicateKey):
		r.x.conflicts.Add(1)
		return nil, true, nil
	case fault.Is(out.Err, fault.DuplicateKey) && planned.Assumed:
		r.assumed = true
		return nil, true, nil
	case out.Err != nil:
		return nil, false, r.x.refusal(out)
	case len(writes) == 0:
		return r.reply(planned, 0, 0), false, nil
	}
	if planned.Returned != nil {
		planned.Returned.Fill(out.Seq - clock.Seq(len(writes)-1))
	}
	return r.reply(planned, c.Shard, out.Seq), false, nil
}

var verbs = map[dialect.Kind]string{
	dialect.Insert: "inserted", dialect.Update: "updated", dialect.Delete: "deleted",
	dialect.Replace: "written",
}

func (r *run) written(affected int64, shard ident.ShardID, seq clock.Seq) *Result {
	noun := "rows"
	if affected == 1 {
		noun = "row"
	}
	res := &Result{
		Affected: affected, Message: fmt.Sprintf("%d %s %s", affected, noun, verbs[r.st.Kind]),
	}
	if seq != 0 {
		res.Seq = shard.String() + ":" + seq.String()
	}
	return res
}

// request identifies the statement when its sender may repeat it.
func (r *run) request() (*command.Request, error) {
	if r.req.RequestID == "" {
		return nil, nil
	}
	h := fnv.New64a()
	var buf []byte
	buf = append(append(buf, r.req.Namespace...), 0)
	buf = append(append(buf, r.st.Text...), 0)
	for _, p := range r.req.Params {
		buf = append(buf, byte(p.Kind()))
		text, err := value.AppendJSON(nil, p)
		if err != nil {
			return nil, err
		}
		buf = append(append(buf, text...), 0)
	}
	h.Write(buf) // a hash never returns an error
	// A byte 0 can't stand in a user id, so the parts never run together.
	id := fmt.Sprintf("%s\x00%s\x00%d\x00%s", r.id.Caller, r.id.As, r.number, r.req.RequestID)
	return &command.Request{ID: id, Hash: h.Sum64()}, nil
}

// recall looks for an earlier run of the request on all shards: which one it
// wrote is known only after planning, and planning an INSERT again would find
// its own rows.
func (r *run) recall(v *store.View, request *command.Request) (*Result, error) {
	for s := ident.SystemShard; s <= keyspace.SharedShard(r.x.DB.Shards()); s++ {
		if !r.x.Log.Holds(s) {
			continue
		}
		part, err := r.x.Machine.Partition(s)
		if err != nil {
			return nil, err
		}
		out, found, err := apply.Recall(v, part, request, r.x.Clock.Now())
		if err != nil || found {
			if err == nil {
				err = out.Err
			}
			if err != nil {
				return nil, err
			}
			return r.repeated(out)
		}
	}
	return nil, nil
}

func (r *run) repeated(out apply.Outcome) (*Result, error) {
	var first outcome
	if err := json.Unmarshal(out.Result, &first); err != nil {
		return nil, fault.Wrap(fault.Corruption, err, "read the recorded result of a request")
	}
	return r.replyAgain(first, out.Seq)
}
