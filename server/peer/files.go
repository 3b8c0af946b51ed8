package peer

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/server/reply"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// PathFiles is where a node takes and gives files of the cold tier: PUT and GET with
// the parameters storage, path, bytes and sha256.
const PathFiles = "/v1/node/files"

// maxProblem bounds an answer that says why there is no file, in bytes.
const maxProblem = 64 << 10

// Files are the files of the cold tier on this node. core/engine.Engine is one.
type Files interface {
	AcceptFile(ctx context.Context, c cold.Copy, r io.Reader) error
	LendFile(ctx context.Context, id ident.StorageID, path string) (object.Reader, error)
}

// WithFiles serves files, once files returns some that are not nil, and leaves all
// else to next. Its listener lets in nodes only.
func WithFiles(files func() Files, next http.Handler) http.Handler {
	mux := http.NewServeMux()
	type handler func(http.ResponseWriter, *http.Request, Files, cold.Copy) error
	serve := func(do handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			f := files()
			c, err := copyOf(r.URL.Query())
			switch {
			case f == nil:
				err = fault.New(fault.StorageUnavailable, "the node is opening its data directory")
			case err == nil:
				err = do(w, r, f, c)
			}
			if err != nil {
				_ = reply.Error(w, err, reply.NoTook) // the other node has gone away
			}
		}
	}
	mux.HandleFunc("GET "+PathFiles, serve(lend))
	mux.HandleFunc("PUT "+PathFiles, serve(accept))
	mux.Handle("/", next)
	return mux
}

func accept(w http.ResponseWriter, r *http.Request, f Files, c cold.Copy) error {
	if err := f.AcceptFile(r.Context(), c, r.Body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func lend(w http.ResponseWriter, r *http.Request, f Files, c cold.Copy) error {
	file, err := f.LendFile(r.Context(), c.Storage, c.Path)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(file.Size(), 10))
	// When it fails the other node sees by the length that the file is not whole.
	_, _ = io.Copy(w, io.NewSectionReader(file.At(r.Context()), 0, file.Size()))
	return nil
}

func parameters(c *cold.Copy) string {
	return url.Values{
		"storage": {string(c.Storage)}, "path": {c.Path}, "bytes": {strconv.FormatInt(c.Bytes, 10)},
		"sha256": {hex.EncodeToString(c.Checksum[:])},
	}.Encode()
}

func copyOf(q url.Values) (c cold.Copy, err error) {
	if c.Storage, err = ident.ParseStorageID(q.Get("storage")); err != nil {
		return c, err
	}
	c.Path = q.Get("path")
	c.Bytes, err = strconv.ParseInt(q.Get("bytes"), 10, 64)
	sum, bad := hex.DecodeString(q.Get("sha256"))
	if err != nil || bad != nil || len(sum) != len(c.Checksum) {
		return c, fault.New(fault.MalformedRequest,
			"a file of the cold tier comes with its bytes and its sha256")
	}
	c.Checksum = [len(c.Checksum)]byte(sum)
	return c, c.Check()
}

// PutFile returns once a node has a file of the cold tier durably.
func (c *Clients) PutFile(
	ctx context.Context, to cluster.Node, f cold.Copy, r io.Reader,
) error {
	res, err := c.file(ctx, http.MethodPut, to, &f, r)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// GetFile returns a file of the cold tier that a node has.
func (c *Clients) GetFile(ctx context.Context, from cluster.Node, f cold.Copy) (
	io.ReadCloser, error,
) {
	res, err := c.file(ctx, http.MethodGet, from, &f, nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

func (c *Clients) file(
	ctx context.Context, method string, node cluster.Node, f *cold.Copy, body io.Reader,
) (*http.Response, error) {
	away := func(err error) error {
		return fault.New(fault.StorageUnavailable, "node %d: %v", node.ID, err)
	}
	r, err := http.NewRequestWithContext(ctx, method,
		"https://"+node.API+PathFiles+"?"+parameters(f), body)
	if err != nil {
		return nil, away(err)
	}
	if body != nil {
		r.ContentLength = f.Bytes
	}
	res, err := c.to(node.ID).RoundTrip(r)
	switch {
	case err != nil:
		return nil, away(err)
	case res.StatusCode < http.StatusMultipleChoices:
		return res, nil
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil {
		return nil, away(err)
	}
	var problem wire.ErrorResponse
	if err := json.Unmarshal(raw, &problem); err != nil || problem.Error == nil {
		return nil, fault.New(fault.StorageUnavailable, "node %d answered %s", node.ID, res.Status)
	}
	return nil, problem.Error.Fault()
}
