package apply

import (
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// Told returns what a shard was last told of a table as of a view; p is the
// shard's own partition. ok is false when it was told nothing.
func Told(v *store.View, p store.Partition, t ident.TableID) (f command.Fence, ok bool, err error) {
	val, found, err := v.Get(p, fenceKey(t))
	if err != nil || !found {
		return command.Fence{}, false, err
	}
	f, err = parseFence(val)
	return f, err == nil, err
}
