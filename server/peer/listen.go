package peer

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/server/reply"
)

// PathGreeting is where a node takes the greetings of others.
const PathGreeting = "/v1/node/greeting"

// maxGreeting bounds a greeting and its answer, in bytes.
const maxGreeting = 64 << 10

// Member answers greetings. cluster.Member is one.
type Member interface {
	Answer(theirs cluster.Greeting) (cluster.Greeting, error)
}

// Handler serves what other nodes send: greetings, once member returns one that is
// not nil, and requests, which go to api. Its listener lets in nodes only.
func Handler(member func() Member, api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathGreeting, func(w http.ResponseWriter, r *http.Request) {
		if err := answer(w, r, member()); err != nil {
			_ = reply.Error(w, err, reply.NoTook) // the other node has gone away
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		forwarded, err := fromNode(r)
		if err != nil {
			_ = reply.Error(w, err, reply.NoTook) // the other node has gone away
			return
		}
		api.ServeHTTP(w, forwarded)
	})
	return mux
}

func answer(w http.ResponseWriter, r *http.Request, m Member) error {
	if m == nil {
		return fault.New(fault.StorageUnavailable, "the node is opening its data directory")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxGreeting))
	if err != nil {
		return fault.New(fault.MalformedRequest, "the greeting did not come whole")
	}
	var theirs cluster.Greeting
	if err := json.Unmarshal(raw, &theirs); err != nil {
		return fault.New(fault.MalformedRequest, "the greeting does not read")
	}
	if node, ok := cluster.PeerNode(r.TLS.PeerCertificates[0]); !ok || node != theirs.Node {
		return fault.New(fault.PermissionDenied,
			"the greeting of node %d came with the certificate of node %d", theirs.Node, node)
	}
	mine, err := m.Answer(theirs)
	if err != nil {
		return reply.JSON(w, http.StatusOK, greetingAnswer{Refused: wire.ErrorOf(err)}, reply.NoTook)
	}
	return reply.JSON(w, http.StatusOK, greetingAnswer{Greeting: &mine}, reply.NoTook)
}

// greetingAnswer answers a greeting; one field is set.
type greetingAnswer struct {
	Greeting *cluster.Greeting `json:"greeting,omitempty"`
	Refused  *wire.Error       `json:"refused,omitempty"`
}
