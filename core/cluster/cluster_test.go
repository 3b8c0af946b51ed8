package cluster_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cluster"
)

const secret = "a secret that the nodes share"

func credentials(t *testing.T, secret string, node ident.NodeID) *cluster.Credentials {
	t.Helper()
	c, err := cluster.FromSecret(secret, node, "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shake returns the errors of both ends of a handshake.
func shake(t *testing.T, server, client *tls.Config) (atServer, atClient error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() { // ends with the connection
		c, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		s := tls.Server(c, server)
		if err = s.Handshake(); err == nil {
			_, err = s.Write([]byte("x")) // a client learns of its refusal when it reads
		}
		done <- err
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if atClient = tls.Client(raw, client).Handshake(); atClient != nil {
		raw.Close()
		return <-done, atClient
	}
	return <-done, nil
}

func TestCredentials_NodesOfOneSecretKnowOneAnother(t *testing.T) {
	one, two := credentials(t, secret, 1), credentials(t, secret, 2)
	if s, c := shake(t, one.Server(), two.Client(1)); s != nil || c != nil {
		t.Errorf("node 2 at node 1: %v, %v", s, c)
	}
	if _, c := shake(t, one.Server(), two.Client(3)); c == nil {
		t.Error("node 1 was taken for node 3")
	}
	if s, _ := shake(t, one.Server(), credentials(t, secret, 1).Client(1)); s == nil {
		t.Error("a second node 1 was let in")
	}
}

func TestCredentials_StrangersAreRefused(t *testing.T) {
	one := credentials(t, secret, 1)
	stranger := credentials(t, "a secret of somebody else", 2)
	trusting := stranger.Client(1)
	trusting.InsecureSkipVerify = true
	if s, _ := shake(t, one.Server(), trusting); s == nil {
		t.Error("a certificate of another secret was let in")
	}
	if s, _ := shake(t, one.Server(), &tls.Config{InsecureSkipVerify: true}); s == nil {
		t.Error("a client without a certificate was let in")
	}
	if _, c := shake(t, stranger.Server(), one.Client(2)); c == nil {
		t.Error("node 1 went to a stranger")
	}
}

func TestCredentials_WriteGivesFilesThatReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	files, err := credentials(t, secret, 2).Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{files.CA, files.Cert, files.Key} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	back, err := cluster.FromFiles(files.CA, files.Cert, files.Key, 2)
	if err != nil {
		t.Fatal(err)
	}
	if s, c := shake(t, credentials(t, secret, 1).Server(), back.Client(1)); s != nil || c != nil {
		t.Errorf("node 2 by its files: %v, %v", s, c)
	}
	if _, err := cluster.FromFiles(files.CA, files.Cert, files.Key, 3); err == nil ||
		!strings.Contains(err.Error(), "node-3.kalamdb.internal") {
		t.Errorf("node 3 by the files of node 2: %v", err)
	}
}

func TestSealer_OpensWhatItSealed(t *testing.T) {
	s, err := cluster.NewSealer(secret)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Seal("jwt_secret", "text")
	if err != nil || strings.Contains(string(sealed), "text") {
		t.Fatalf("%q, %v", sealed, err)
	}
	if text, err := s.Open("jwt_secret", sealed); text != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := s.Open("storage_key", sealed); !fault.Is(err, fault.InvalidCredentials) {
		t.Errorf("under another name: %v", err)
	}
	other, _ := cluster.NewSealer("a secret of somebody else")
	if _, err := other.Open("jwt_secret", sealed); !fault.Is(err, fault.InvalidCredentials) {
		t.Errorf("with another secret: %v", err)
	}
	if _, err := s.Open("jwt_secret", sealed[:5]); !fault.Is(err, fault.Corruption) {
		t.Errorf("cut short: %v", err)
	}
	if _, err := cluster.NewSealer("short"); !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("a short secret: %v", err)
	}
}

// net of members that greet one another by calls.
type street struct {
	t       *testing.T
	nodes   []cluster.Node
	members map[ident.NodeID]*cluster.Member
	dirs    map[ident.NodeID]string
}

func newStreet(t *testing.T, count int) *street {
	s := &street{t: t, members: map[ident.NodeID]*cluster.Member{}, dirs: map[ident.NodeID]string{}}
	for i := range count {
		id := ident.NodeID(i + 1)
		s.nodes = append(s.nodes, cluster.Node{ID: id, API: fmt.Sprintf("host-%d:7000", id)})
		s.dirs[id] = t.TempDir()
	}
	return s
}

func (s *street) setup(id ident.NodeID) cluster.Setup {
	return cluster.Setup{
		Dir: s.dirs[id], Directory: "directory in " + s.dirs[id], Node: id, Nodes: s.nodes,
		Shards: 10, Release: "test", Commands: 2, Barrier: 2,
		MaxClockOffset: time.Second, Now: time.Now,
		NewID:  func() string { return fmt.Sprintf("made by %d", id) },
		Logger: slog.New(slog.DiscardHandler),
	}
}

func (s *street) open(setup cluster.Setup) *cluster.Member {
	s.t.Helper()
	m, err := cluster.NewMember(setup)
	if err != nil {
		s.t.Fatal(err)
	}
	s.members[setup.Node] = m
	return m
}

var errAway = errors.New("away")

func (s *street) greet(_ context.Context, to cluster.Node, mine cluster.Greeting) (
	cluster.Greeting, error,
) {
	m, ok := s.members[to.ID]
	if !ok {
		return cluster.Greeting{}, errAway
	}
	g, err := m.Answer(mine)
	if err != nil {
		return g, &cluster.Refusal{Err: err}
	}
	return g, nil
}

// meet lets a node wait for the others for three seconds.
func (s *street) meet(m *cluster.Member) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Second)
	defer cancel()
	return m.Meet(ctx, s.greet)
}

func TestMember_FoundsOneCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, 3)
		one := s.open(s.setup(1))
		if err := s.meet(one); !fault.Is(err, fault.NoQuorum) || !strings.Contains(err.Error(), "away") {
			t.Fatalf("alone: %v", err)
		}
		three := s.open(s.setup(3))
		if err := s.meet(three); !fault.Is(err, fault.NoQuorum) || three.ID() != "" {
			t.Fatalf("node 3 before the founder: %v, %q", err, three.ID())
		}
		if err := s.meet(one); err != nil || one.ID() != "made by 1" {
			t.Fatalf("with node 3: %v, %q", err, one.ID())
		}
		if err := s.meet(three); err != nil || three.ID() != "made by 1" {
			t.Fatalf("node 3: %v, %q", err, three.ID())
		}
		delete(s.members, 1)
		delete(s.members, 3)
		if again := s.open(s.setup(3)); again.ID() != "made by 1" || s.meet(again) != nil {
			t.Errorf("node 3 again, alone: %q", again.ID())
		}
	})
}

func TestMember_RefusesWhoDoesNotBelong(t *testing.T) {
	tests := []struct {
		name   string
		change func(*street, *cluster.Setup)
		code   fault.Code
		want   string
	}{
		{"another number of shards", func(_ *street, c *cluster.Setup) { c.Shards = 5 },
			fault.InvalidParameter, "storage.shards"},
		{"a clock that is off", func(_ *street, c *cluster.Setup) {
			c.Now = func() time.Time { return time.Now().Add(-time.Minute) }
		}, fault.InvalidParameter, "1m0s off"},
		{"an old release", func(_ *street, c *cluster.Setup) { c.Commands = 1 },
			fault.InvalidParameter, "upgrade it"},
		{"another's number", func(_ *street, c *cluster.Setup) { c.Directory = "lost" },
			fault.InUse, "another data directory"},
		{"another cluster", func(s *street, c *cluster.Setup) {
			c.Dir = s.dirs[9]
			other := newStreet(t, 1)
			other.nodes[0].ID, other.dirs[2] = 2, c.Dir
			if err := other.meet(other.open(other.setup(2))); err != nil {
				t.Fatal(err)
			}
		}, fault.InvalidParameter, "another cluster"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStreet(t, 3)
			s.dirs[9] = t.TempDir()
			one, two := s.open(s.setup(1)), s.open(s.setup(2))
			if err := errors.Join(s.meet(one), s.meet(two)); err != nil {
				t.Fatal(err)
			}
			setup := s.setup(2)
			tt.change(s, &setup)
			delete(s.members, 2)
			m, err := cluster.NewMember(setup)
			if err == nil {
				err = s.meet(m)
			}
			if !fault.Is(err, tt.code) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %s with %q", err, tt.code, tt.want)
			}
		})
	}
}

func TestMember_ADataDirectoryStaysWithItsNumber(t *testing.T) {
	s := newStreet(t, 2)
	if err := s.meet(s.open(s.setup(2))); err == nil {
		t.Fatal("node 2 founded a cluster")
	}
	one := s.open(s.setup(1))
	if err := s.meet(one); err != nil {
		t.Fatal(err)
	}
	setup := s.setup(2)
	setup.Dir = s.dirs[1]
	if _, err := cluster.NewMember(setup); !fault.Is(err, fault.InvalidParameter) ||
		!strings.Contains(err.Error(), "that of node 1") {
		t.Errorf("node 2 on the directory of node 1: %v", err)
	}
	setup = s.setup(2)
	setup.Used = true
	if _, err := cluster.NewMember(setup); !fault.Is(err, fault.InvalidParameter) ||
		!strings.Contains(err.Error(), "holds data") {
		t.Errorf("node 2 with data of its own: %v", err)
	}
}

func TestReadRecord_Refuses(t *testing.T) {
	for text, code := range map[string]fault.Code{
		"{":                         fault.Corruption,
		`{"format": 1}`:             fault.Corruption,
		`{"format": 99, "node": 1}`: fault.InvalidParameter,
	} {
		dir := t.TempDir()
		err := os.WriteFile(filepath.Join(dir, cluster.RecordFile), []byte(text), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cluster.ReadRecord(dir); !fault.Is(err, code) {
			t.Errorf("%s: %v, want %s", text, err, code)
		}
	}
}

func FuzzParseNodes(f *testing.F) {
	for _, seed := range []string{"1=a:1", "2=h:7000/7005", "0=a:1", "1=[::1]:5", "1=a:65535"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		nodes, err := cluster.ParseNodes([]string{text})
		if err != nil {
			return
		}
		n := nodes[0]
		again, err := cluster.ParseNodes([]string{
			fmt.Sprintf("%d=%s/%s", n.ID, n.Raft, n.API[strings.LastIndexByte(n.API, ':')+1:]),
		})
		if err != nil || again[0] != n {
			t.Errorf("%q = %+v, again %+v, %v", text, n, again, err)
		}
	})
}
