package replica

import (
	"context"

	"github.com/kalamdb/kalamdb-go/core/command"
)

type epochKey struct{}

// WithEpoch returns a context whose proposals are work in the background of the leader
// of the system group in a term. Once a shard has heard of a later term it refuses
// them with NOT_LEADER. A Log of one node has one leader and does not look.
func WithEpoch(ctx context.Context, term uint64) context.Context {
	return context.WithValue(ctx, epochKey{}, term)
}

// ofEpoch returns c with the epoch of a context, if it has none of its own.
func ofEpoch(ctx context.Context, c *command.Command) *command.Command {
	term, _ := ctx.Value(epochKey{}).(uint64)
	if term == 0 || c.Epoch > 0 {
		return c
	}
	next := *c
	next.Epoch = term
	return &next
}
