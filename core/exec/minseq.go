package exec

import (
	"context"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/replica"
)

// awaitSeqs waits until the shards that a Request.MinSeq names have applied what
// it asks for.
func (x *Executor) awaitSeqs(ctx context.Context, text string) error {
	wanted, err := x.parseSeqs(text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, x.limits.StatementTimeout)
	defer cancel()
	for shard := range wanted {
		if !x.Log.Holds(shard) {
			return &replica.Elsewhere{Shard: shard}
		}
	}
	for shard, seq := range wanted {
		err := x.Log.Await(ctx, shard, seq)
		if fault.Is(err, fault.StatementTimeout) {
			return fault.New(fault.StatementTimeout, "shard %d has not applied seq %d in time; "+
				"send the seq that a write of this database answered", shard, seq)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseSeqs reads "shard:seq", several of them with commas between.
func (x *Executor) parseSeqs(text string) (map[ident.ShardID]clock.Seq, error) {
	last := keyspace.SharedShard(x.DB.Shards())
	wanted := make(map[ident.ShardID]clock.Seq)
	if len(text) > maxMinSeq {
		return nil, fault.New(fault.InvalidParameter, "a seq to wait for is over %d bytes", maxMinSeq)
	}
	for part := range strings.SplitSeq(text, ",") {
		id, seq, ok := strings.Cut(strings.TrimSpace(part), ":")
		shard, err := strconv.ParseUint(id, 10, 16)
		at, bad := clock.ParseSeq(seq)
		switch {
		case !ok || err != nil || bad != nil:
			return nil, fault.New(fault.InvalidParameter,
				"%.64q is no seq to wait for; send the seq of a write's result, such as 3:1234", part)
		case ident.ShardID(shard) > last:
			return nil, fault.New(fault.InvalidParameter,
				"there is no shard %d to wait for; send the seq of a write's result", shard)
		}
		wanted[ident.ShardID(shard)] = max(wanted[ident.ShardID(shard)], at)
	}
	return wanted, nil
}
