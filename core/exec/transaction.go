package exec

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// A transaction reads one view, with its own writes over it, and commits them
// as one command for each shard, all in one batch. Each write carries the seq
// that its row had in the view, so a commit is refused when another was
// faster: snapshot isolation, in which write skew is possible. Rows read by
// SELECT ... FOR UPDATE are checked like written ones.

// Session is what a connection keeps between its requests: an open
// transaction. Its requests run one after another. The zero Session is not
// useful; see Executor.NewSession.
type Session struct {
	x  *Executor
	mu sync.Mutex // held while a request runs
	tx *transaction

	staleness time.Duration // of what its reads see; see SET READ STALENESS

	bound map[boundKey]struct{} // rows that vanish with it; guarded by bindings.mu

	// lost says why the transaction that the client may believe in is gone.
	lost *fault.Error
}

// NewSession returns a session, which its connection closes.
func (x *Executor) NewSession() *Session { return &Session{x: x} }

// Close rolls back what is open. It waits for a request that runs.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(nil)
}

// Unbind deletes the rows that are bound to the session; who sends requests
// that bind calls it before Close. Rows that could not be deleted, by the end of
// ctx or else, are when the database is opened again.
func (s *Session) Unbind(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.x.unbind(ctx, s)
}

// InTransaction reports whether a transaction is open. It waits for a request
// that runs.
func (s *Session) InTransaction() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx != nil
}

type transaction struct {
	id      string
	caller  ident.UserID
	started time.Time
	view    *store.View
	set     writeset.Set
	locks   map[lockKey]command.Write
	expiry  *time.Timer
	rows    atomic.Int64 // of set and locks, for system.transactions
	bytes   atomic.Int64

	outcome txOutcome  // of its writes so far
	kept    int        // bytes of rows in outcome
	replay  *txOutcome // not nil while a repeated request is answered

	// In a cluster: the shards that the view is behind a barrier of, and why others
	// are not among them.
	behind []ident.ShardID
	failed map[ident.ShardID]error
}

type lockKey struct {
	table ident.TableID
	user  ident.UserID
	pk    string
}

// txOutcome is what a repeated transaction is answered with.
type txOutcome struct {
	Affected []int64           `json:"affected"`           // of its writes, in order
	Returned map[int]*returned `json:"returned,omitempty"` // by position in Affected
	Seq      string            `json:"seq"`

	told int // writes that were answered again
}

// endLocked closes the open transaction without committing it. why is told to
// the next statement, nil when the client asked for the end.
func (s *Session) endLocked(why *fault.Error) {
	if s.tx == nil {
		return
	}
	s.tx.expiry.Stop()
	s.tx.view.Release()
	s.x.transactions.Delete(s.tx)
	s.tx, s.lost = nil, why
}

// expire rolls an abandoned transaction back.
func (s *Session) expire(tx *transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx == tx {
		s.endLocked(fault.New(fault.StatementTimeout,
			"the transaction was open for more than %s and was rolled back; begin it again",
			s.x.limits.TransactionTimeout))
	}
}

// check is asked before each statement. It refuses one that believes to be in
// a transaction that is gone, once.
func (s *Session) checkLocked(id session.Identity) error {
	if s.tx != nil && s.tx.caller != id.Caller {
		s.endLocked(fault.New(fault.PermissionDenied,
			"the transaction of another user was rolled back"))
	}
	if s.lost != nil {
		err := s.lost
		s.lost = nil
		return err
	}
	return nil
}

// transact runs BEGIN, COMMIT and ROLLBACK.
func (r *run) transact(ctx context.Context, emit Sink) error {
	switch tx := r.session.tx; r.st.Kind {
	case dialect.Begin:
		if tx != nil {
			return fault.New(fault.InvalidSQL,
				"a transaction is open already; COMMIT or ROLLBACK it first")
		}
		return r.begin(ctx, emit)
	case dialect.Rollback:
		r.session.endLocked(nil)
		return emit(&Result{Message: "transaction rolled back"})
	}
	return r.commit(ctx, emit)
}

func (r *run) begin(ctx context.Context, emit Sink) error {
	behind, failed, err := r.beginBehind(ctx)
	if err != nil {
		return err
	}
	view := r.x.DB.View
	if !r.x.single {
		look := r.x.Machine.Look(behind...)
		settled, err := replica.SettledView(ctx, r.x.DB, r.x.Log, look)
		if err != nil {
			return err
		}
		view = func() *store.View { return settled }
	}
	s, now := r.session, r.x.Now()
	tx := &transaction{
		id: r.x.Gen.ULID(), caller: r.id.Caller, started: now, view: view(),
		locks: make(map[lockKey]command.Write), behind: behind, failed: failed,
	}
	tx.expiry = time.AfterFunc(r.x.limits.TransactionTimeout, func() { s.expire(tx) })
	s.tx = tx
	r.x.transactions.Store(tx, struct{}{})
	if r.req.RequestID != "" && len(r.rest) > 0 {
		replay, err := r.recallCommit(tx.view)
		if err != nil {
			return err
		}
		tx.replay = replay
	}
	return emit(&Result{Message: "transaction begun"})
}

// lock is sqlengine.Env.Lock.
func (tx *transaction) lock(t *ddl.Table, owner ident.UserID, pk []byte, seq clock.Seq) {
	k := lockKey{t.ID, owner, string(pk)}
	if _, ok := tx.locks[k]; ok || seq == 0 {
		return // a row of the transaction's own has no seq to check
	}
	tx.locks[k] = command.Write{
		Table: t.ID, Schema: t.Version, User: owner, Expect: seq, PK: []byte(k.pk),
	}
	tx.rows.Add(1)
}

// writeInside runs a write within the transaction: its rows join the set.
func (r *run) writeInside(ctx context.Context, emit Sink) error {
	tx := r.session.tx
	if tx.replay != nil {
		n := tx.replay.told
		if n == len(tx.replay.Affected) {
			return fault.New(fault.InvalidParameter,
				"this request_id was used for another transaction; use a new id for each request")
		}
		tx.replay.told++
		res, err := r.replyAgain(
			outcome{Affected: tx.replay.Affected[n], Returned: tx.replay.Returned[n]}, 0)
		if err != nil {
			return err
		}
		return emit(res)
	}
	var planned *sqlengine.Result
	v, err := r.onView(ctx, func(v *store.View) (err error) {
		planned, err = r.plan(ctx, v)
		return err
	})
	if err != nil {
		return err
	}
	defer v.Release()
	defer planned.Rows.Close()
	if planned.Writes != nil {
		rows := tx.set.Len() + planned.Writes.Len() + len(tx.locks)
		bytes := tx.set.Bytes() + planned.Writes.Bytes()
		if rows > r.x.limits.TransactionRows || bytes > r.x.limits.TransactionBytes {
			return fault.New(fault.PayloadTooLarge,
				"the transaction would hold %d rows and %d bytes, of %d and %d allowed; "+
					"commit in parts", rows, bytes, r.x.limits.TransactionRows, r.x.limits.TransactionBytes)
		}
		tx.set.Merge(planned.Writes)
		tx.rows.Store(int64(tx.set.Len() + len(tx.locks)))
		tx.bytes.Store(int64(tx.set.Bytes()))
	}
	if err := tx.remember(planned, r.req.RequestID != ""); err != nil {
		return err
	}
	return emit(r.reply(planned, 0, 0))
}

// remember notes the outcome of a write for a repeated request. Rows of
// RETURNING are kept as long as they are few.
func (tx *transaction) remember(planned *sqlengine.Result, repeatable bool) error {
	o := &tx.outcome
	o.Affected = append(o.Affected, planned.Affected)
	if !repeatable || planned.Returned == nil {
		return nil
	}
	rows, err := recordRows(planned, 0, maxReturned-tx.kept)
	if err != nil {
		return err
	}
	if o.Returned == nil {
		o.Returned = make(map[int]*returned)
	}
	o.Returned[len(o.Affected)-1] = rows
	b, err := json.Marshal(rows)
	tx.kept += len(b)
	return err
}

// maxReturned bounds the rows of RETURNING that are recorded of a transaction,
// in bytes, so that they fit into its outcome.
const maxReturned = command.MaxResult / 2

func (r *run) commit(ctx context.Context, emit Sink) error {
	tx := r.session.tx
	if tx == nil {
		return r.commitAgain(ctx, emit)
	}
	defer r.session.endLocked(nil)
	if tx.replay != nil {
		return emit(&Result{Message: committed, Seq: tx.replay.Seq})
	}
	cs, err := r.commands(tx)
	if err != nil {
		return err
	}
	if len(cs) == 0 {
		return emit(&Result{Message: committed})
	}
	if r.req.RequestID != "" {
		result, err := json.Marshal(tx.outcome)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "record the outcome of a transaction")
		}
		cs[0].Request = r.commitRequest(r.number)
		cs[0].Request.Result = result
	}
	outs, err := replica.ProposeAll(ctx, r.x.Log, cs)
	if err == nil && slices.ContainsFunc(outs, func(o apply.Outcome) bool { return o.Reread }) {
		outs, err = r.commitThawed(ctx, tx, cs)
	}
	if err != nil {
		return err
	}
	if outs[0].Repeat {
		return emit(&Result{Message: committed, Seq: cs[0].Shard.String() + ":" + outs[0].Seq.String()})
	}
	var seqs []string
	for i, out := range outs {
		switch {
		case out.Violated != nil:
			return r.x.refusal(out)
		case out.Stale, fault.Is(out.Err, fault.DuplicateKey),
			fault.Is(out.Err, fault.TransactionConflict):
			r.x.conflicts.Add(1)
			return fault.New(fault.TransactionConflict,
				"another write changed a row of the transaction; nothing was written, run it again")
		case out.Err != nil:
			return out.Err
		}
		seqs = append(seqs, cs[i].Shard.String()+":"+out.Seq.String())
	}
	return emit(&Result{Message: committed, Seq: strings.Join(seqs, ",")})
}

// commitThawed commits a transaction of which rows have become cold since it
// began: they are in its view still, and have the seqs that it expects.
func (r *run) commitThawed(ctx context.Context, tx *transaction, cs []*command.Command) (
	[]apply.Outcome, error,
) {
	again := make([]*command.Command, len(cs))
	for i, c := range cs {
		next := *c // the one that was proposed is not to be changed
		next.Writes = slices.Clone(c.Writes)
		for j := range next.Writes {
			if err := r.thaw(ctx, tx, &next, &next.Writes[j]); err != nil {
				return nil, err
			}
		}
		again[i] = &next
	}
	return replica.ProposeAll(ctx, r.x.Log, again)
}

// thaw gives a write the row that it changes.
func (r *run) thaw(
	ctx context.Context, tx *transaction, c *command.Command, w *command.Write,
) error {
	if w.Old != nil || w.Op != row.Update && w.Op != row.Delete {
		return nil
	}
	t, ok := r.x.Catalog.Snapshot().TableByID(w.Table)
	if !ok {
		return nil // the write will be refused
	}
	part, ok := r.x.DB.Partition(t.Partition(c.Shard))
	if !ok {
		return nil
	}
	rec, found, err := table.Table{Part: part, Cold: r.x.Cold}.Get(ctx, tx.view, w.User, w.PK)
	if err == nil && found {
		w.Old = &rec
	}
	return err
}

const committed = "transaction committed"

// commands returns the transaction's writes and checks, a command a shard.
func (r *run) commands(tx *transaction) ([]*command.Command, error) {
	byShard := make(map[ident.ShardID]*command.Command)
	now := r.x.Clock.Now()
	at := func(s ident.ShardID) *command.Command {
		if byShard[s] == nil {
			byShard[s] = &command.Command{Shard: s, Clock: now}
		}
		return byShard[s]
	}
	shards := r.x.DB.Shards()
	writes := tx.set.Writes()
	for i := range writes {
		w := &writes[i]
		delete(tx.locks, lockKey{w.Table.ID, w.User, string(w.PK)}) // checked by the write
		c := at(w.Table.Shard(w.User, shards))
		c.Writes = append(c.Writes, command.Write{
			Table: w.Table.ID, Schema: w.Table.Version, Codec: w.Table.Codec, Op: w.Op,
			User: w.User, Expect: w.Expect, PK: w.PK, Payload: w.Payload, Old: w.Old,
		})
		if err := r.indexWrite(tx.view, w, &c.Writes[len(c.Writes)-1]); err != nil {
			return nil, err
		}
	}
	if len(writes) == 0 {
		return nil, nil // what was read was true in the view; there is nothing to order it with
	}
	for _, l := range tx.locks {
		shard := keyspace.SharedShard(shards)
		if l.User != "" {
			shard = keyspace.ShardOf(l.User, shards)
		}
		c := at(shard)
		c.Writes = append(c.Writes, l)
	}
	cs := make([]*command.Command, 0, len(byShard))
	for _, c := range byShard {
		slices.SortStableFunc(c.Writes, checksFirst)
		cs = append(cs, c)
	}
	slices.SortFunc(cs, func(a, b *command.Command) int { return cmp.Compare(a.Shard, b.Shard) })
	return cs, nil
}

// checksFirst orders the rows that are only checked before those that are
// written.
func checksFirst(a, b command.Write) int {
	return cmp.Compare(min(a.Op, row.Insert), min(b.Op, row.Insert))
}

// commitRequest identifies the transaction whose COMMIT is statement number of
// the request.
func (r *run) commitRequest(number int) *command.Request {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", r.req.Namespace, r.req.SQL) // a hash never returns an error
	return &command.Request{
		ID:   fmt.Sprintf("%s\x00%s\x00%d\x00%s", r.id.Caller, r.req.as, number, r.req.RequestID),
		Hash: h.Sum64(),
	}
}

// recallCommit looks whether the transaction that begins here was committed by
// an earlier run of the request.
func (r *run) recallCommit(v *store.View) (*txOutcome, error) {
	number := r.number
	for i := range r.rest {
		if number++; r.rest[i].Kind == dialect.Commit {
			return r.recallOutcome(v, r.commitRequest(number))
		}
	}
	return nil, nil
}

func (r *run) recallOutcome(v *store.View, request *command.Request) (*txOutcome, error) {
	for s := ident.SystemShard; s <= keyspace.SharedShard(r.x.DB.Shards()); s++ {
		if !r.x.Log.Holds(s) {
			continue
		}
		part, err := r.x.Machine.Partition(s)
		if err != nil {
			return nil, err
		}
		out, found, err := apply.Recall(v, part, request, r.x.Clock.Now())
		if err == nil && found {
			err = out.Err
		}
		if err != nil {
			return nil, err
		}
		if found {
			var first txOutcome
			if err := json.Unmarshal(out.Result, &first); err != nil {
				return nil, fault.Wrap(fault.Corruption, err, "read the recorded outcome of a transaction")
			}
			first.Seq = s.String() + ":" + out.Seq.String()
			return &first, nil
		}
	}
	return nil, nil
}

// commitAgain answers a COMMIT outside of a transaction: one that is repeated
// because its first answer was lost is answered like that.
func (r *run) commitAgain(ctx context.Context, emit Sink) error {
	if r.req.RequestID != "" {
		if _, _, err := r.beginBehind(ctx); err != nil {
			return err
		}
		v := r.x.DB.View()
		defer v.Release()
		first, err := r.recallOutcome(v, r.commitRequest(r.number))
		if err != nil {
			return err
		}
		if first != nil {
			return emit(&Result{Message: committed, Seq: first.Seq})
		}
	}
	return fault.New(fault.InvalidSQL, "no transaction is open; send BEGIN first")
}
