package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// user is one whose rows are written and followed.
type user struct {
	name    string
	script  *script
	ledger  *ledger
	network *network // of its writer
	client  *client.Client
}

// write runs a statement until its outcome is known, and notes what it did.
func (u *user) write(ctx context.Context, st statement, t *tally) error {
	sent := time.Now()
	rs, err := u.exec(ctx, st.sql)
	if err != nil {
		return fmt.Errorf("%s: %w", st.sql, err)
	}
	var end clock.Seq
	var counted int64
	for _, r := range rs.Results {
		seq, err := lastSeq(r.Seq)
		if err != nil {
			return fmt.Errorf("the seq of %s: %w", st.sql, err)
		}
		end = max(end, seq)
		counted += r.RowCount
	}
	if counted != st.changed {
		t.fault(&t.faults.WrongRows, 1, "%s: %d rows were changed by %s, not %d",
			u.name, counted, st.sql, st.changed)
	}
	if len(st.changes) == 0 {
		return nil
	}
	if end == 0 {
		return fault.New(fault.Internal, "the answer to %s has no seq", st.sql)
	}
	u.ledger.add(commit{end: end, sent: sent, changes: st.changes})
	return nil
}

// exec sends a statement under one request id until it is answered: what may
// have been applied is asked for again.
func (u *user) exec(ctx context.Context, sql string) (*client.Results, error) {
	id := strconv.FormatUint(rand.Uint64(), 36)
	for {
		rs, err := u.client.Do(ctx, client.Request{SQL: sql, RequestID: id})
		if err == nil || ctx.Err() != nil || !fault.From(err).Code.Info().Retryable {
			return rs, err
		}
	}
}

// lastSeq reads the seq of an answer, "shard:seq", which is one shard's here.
func lastSeq(text string) (clock.Seq, error) {
	if text == "" {
		return 0, nil
	}
	_, seq, _ := strings.Cut(text, ":")
	return clock.ParseSeq(seq)
}
