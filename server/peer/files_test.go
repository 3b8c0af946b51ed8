package peer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/server/peer"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// shelf are the files of a node, in memory.
type shelf struct {
	mu   sync.Mutex
	all  object.Bucket
	told []cold.Copy
}

// AcceptFile implements peer.Files.
func (s *shelf) AcceptFile(ctx context.Context, c cold.Copy, r io.Reader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, c)
	if c.Storage != "local" {
		return fault.New(fault.StorageFull, "no room")
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return object.WriteAll(ctx, s.all, c.Path, b)
}

// LendFile implements peer.Files.
func (s *shelf) LendFile(ctx context.Context, _ ident.StorageID, path string) (
	object.Reader, error,
) {
	return s.all.Open(ctx, path)
}

const segmentPath = "ns/t-1/00000000000000000007.parquet"

// serveFiles starts node 2 with files, and returns it with what node 1 sends by.
func serveFiles(t *testing.T, files func() peer.Files) (cluster.Node, *peer.Clients) {
	t.Helper()
	keys := func(id ident.NodeID) *cluster.Credentials {
		c, err := cluster.FromSecret("a secret that the nodes share", id, "127.0.0.1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	s := &http.Server{Handler: peer.WithFiles(files, http.NotFoundHandler())}
	go func() { served <- s.Serve(tls.NewListener(l, keys(2).Server())) }()
	clients := peer.NewClients(keys(1))
	t.Cleanup(func() {
		clients.Close()
		if err := errors.Join(s.Close(), <-served); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return cluster.Node{ID: 2, API: l.Addr().String()}, clients
}

func TestFiles_GoAndCome(t *testing.T) {
	s := &shelf{all: object.OpenMemory()}
	node, clients := serveFiles(t, func() peer.Files { return s })
	text := bytes.Repeat([]byte("rows "), 100_000)
	c := cold.Copy{Storage: "local", Path: segmentPath, Bytes: int64(len(text)),
		Checksum: sha256.Sum256(text)}
	if _, err := clients.GetFile(t.Context(), node, c); !fault.Is(err, fault.NotFound) {
		t.Fatalf("a file that is not there: %v", err)
	}
	if err := clients.PutFile(t.Context(), node, c, bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if len(s.told) != 1 || s.told[0] != c {
		t.Errorf("the other node was told %+v", s.told)
	}
	r, err := clients.GetFile(t.Context(), node, c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	c.Storage = "other"
	err = clients.PutFile(t.Context(), node, c, bytes.NewReader(text))
	if !fault.Is(err, fault.StorageFull) {
		t.Errorf("an error of the other node came as %v", err)
	}
}

func TestFiles_Refuses(t *testing.T) {
	s := &shelf{all: object.OpenMemory()}
	node, clients := serveFiles(t, func() peer.Files { return s })
	for name, c := range map[string]cold.Copy{
		"another name":      {Storage: "local", Path: "a/kalamdb-storage.json"},
		"the root":          {Storage: "local", Path: "00000000000000000007.parquet"},
		"a bad storage":     {Storage: "../x", Path: segmentPath},
		"a negative size":   {Storage: "local", Path: segmentPath, Bytes: -1},
		"too large":         {Storage: "local", Path: segmentPath, Bytes: 1 << 60},
		"too large listing": {Storage: "local", Path: "a/manifest.json", Bytes: 1 << 30},
	} {
		err := clients.PutFile(t.Context(), node, c, strings.NewReader(""))
		code := fault.CodeOf(err)
		if code != fault.InvalidParameter && code != fault.PayloadTooLarge &&
			code != fault.StorageUnavailable {
			t.Errorf("%s: %v", name, err)
		}
		_, err = clients.GetFile(t.Context(), node, c)
		if err == nil {
			t.Errorf("%s was given", name)
		}
	}
	if len(s.told) != 0 {
		t.Errorf("the node was asked for %+v", s.told)
	}
	starting, clients := serveFiles(t, func() peer.Files { return nil })
	c := cold.Copy{Storage: "local", Path: segmentPath}
	if _, err := clients.GetFile(t.Context(), starting, c); !fault.Is(err, fault.StorageUnavailable) {
		t.Errorf("a node that starts: %v", err)
	}
	if _, err := clients.GetFile(t.Context(), cluster.Node{ID: 2, API: "127.0.0.1:1"}, c); !fault.Is(
		err, fault.StorageUnavailable) {
		t.Errorf("a node that is away: %v", err)
	}
}
