package exec

import (
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
)

// needs remembers which shards a text has read, so that the query engine plans it
// once and not twice. What is remembered may be wrong: then a barrier too many is
// waited for, or the statement is planned again.
type needs struct {
	known *lru.Cache[needKey, need]
}

type needKey struct {
	namespace ident.NamespaceID
	text      string
}

// need are shards beside the one of whose rows a plain name means.
type need struct {
	own    bool
	others []ident.ShardID
}

// Bounds of what is remembered.
const (
	maxNeeds    = 4096
	maxNeedText = 4 << 10
)

func newNeeds() *needs {
	cache, _ := lru.New[needKey, need](maxNeeds) // fails for a size below 1 only
	return &needs{cache}
}

func (r *run) ownShard() ident.ShardID {
	return keyspace.ShardOf(r.id.Owner(), r.x.DB.Shards())
}

// of returns the shards that the statement has needed before and that are here.
func (n *needs) of(r *run) (list []ident.ShardID) {
	known, ok := n.known.Get(needKey{r.req.Namespace, r.st.Text})
	if !ok {
		return nil
	}
	if known.own {
		list = append(list, r.ownShard())
	}
	list = append(list, known.others...)
	return slices.DeleteFunc(list, func(s ident.ShardID) bool { return !r.x.Log.Holds(s) })
}

func (n *needs) note(r *run, shards []ident.ShardID) {
	if len(r.st.Text) > maxNeedText {
		return
	}
	var now need
	own := r.ownShard()
	for _, s := range shards {
		if s == own {
			now.own = true
		} else {
			now.others = append(now.others, s)
		}
	}
	n.known.Add(needKey{r.req.Namespace, r.st.Text}, now)
}
