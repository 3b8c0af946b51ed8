package peer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/session"
)

// Headers between nodes.
const (
	headerOrigin = "X-Kalamdb-Origin" // Origin as JSON in base64
	headerUnrun  = "X-Kalamdb-Unrun"  // of an answer: nothing was done, ask another node
)

// Origin is who sent a request to the first node, and from where.
type Origin struct {
	Identity session.Identity `json:"identity"`
	Remote   string           `json:"remote"` // the client's address
}

func (o Origin) header() (string, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "tell another node who asks")
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

type originKey struct{}

// OriginOf returns where a request comes from that another node has sent on; ok is
// false for one of a client. Headers alone can't make it true.
func OriginOf(ctx context.Context) (o Origin, ok bool) {
	o, ok = ctx.Value(originKey{}).(Origin)
	return o, ok
}

// fromNode returns a request that a node has sent on, as its handler is to see it.
func fromNode(r *http.Request) (*http.Request, error) {
	bad := fault.New(fault.MalformedRequest, "a node sent a request without its origin")
	raw, err := base64.StdEncoding.DecodeString(r.Header.Get(headerOrigin))
	if err != nil || len(raw) == 0 {
		return nil, bad
	}
	var o Origin
	if err := json.Unmarshal(raw, &o); err != nil || o.Identity.Caller == "" {
		return nil, bad
	}
	r = r.WithContext(context.WithValue(r.Context(), originKey{}, o))
	r.Header.Del(headerOrigin)
	return r, nil
}

// Unrun has the answer to a request of another node say that nothing was done, so
// that it asks elsewhere. For a request of a client it does nothing.
func Unrun(w http.ResponseWriter, r *http.Request) {
	if _, ok := OriginOf(r.Context()); ok {
		w.Header().Set(headerUnrun, "true")
	}
}
