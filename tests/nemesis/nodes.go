package nemesis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// The ports of each node when it has a network of its own.
const (
	portHTTP = 8080
	portLog  = 7411
	portAPI  = 7412
)

// How long a node may take to serve statements again, and to end when asked to.
const (
	startLimit = 3 * time.Minute
	stopLimit  = 60 * time.Second
)

// node is one server of the cluster. All but url belong to the goroutine that causes
// the faults.
type node struct {
	id      int
	dir     string
	host    string
	port    int
	log     int // port
	api     int
	inside  []string // what is put before the command, to run in a network of its own
	ahead   time.Duration
	url     string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
	err     error         // how it ended; read after done
	awaited bool          // its end was asked for
	small   bool          // its data directory is a disk of its own
}

func (n *node) address() string { return fmt.Sprintf("%d=%s:%d/%d", n.id, n.host, n.log, n.api) }

func (n *node) dataDir() string { return filepath.Join(n.dir, "data") }

// plan gives all nodes their folders, addresses and config files.
func (r *run) plan() error {
	for i := range r.Nodes {
		n := &node{id: i + 1, dir: filepath.Join(r.Dir, fmt.Sprintf("node%d", i+1))}
		if r.net != nil {
			n.host, n.inside = r.net.host(n.id), r.net.inside(n.id)
			n.port, n.log, n.api = portHTTP, portLog, portAPI
		} else {
			ports, err := freePorts(3)
			if err != nil {
				return err
			}
			n.host, n.port, n.log, n.api = "127.0.0.1", ports[0], ports[1], ports[2]
		}
		n.url = "http://" + net.JoinHostPort(n.host, strconv.Itoa(n.port))
		r.nodes = append(r.nodes, n)
	}
	var all []string
	for _, n := range r.nodes {
		all = append(all, strconv.Quote(n.address()))
	}
	for _, n := range r.nodes {
		if err := n.configure(all, r.more); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) configure(all []string, more string) error {
	if err := os.MkdirAll(n.dataDir(), 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf("server.host = %q\nserver.port = %d\nstorage.data_dir = %q\n"+
		"auth.root_password = %q\ncluster.node = %d\ncluster.nodes = [%s]\n"+
		"cluster.secret = \"a-secret-of-the-nodes-of-a-test!\"\nlogging.level = \"info\"\n",
		n.host, n.port, n.dataDir(), blackbox.RootPassword, n.id, strings.Join(all, ", ")) + more
	return os.WriteFile(n.configFile(), []byte(text), 0o600)
}

func (n *node) configFile() string { return filepath.Join(n.dir, "kalamdb.toml") }

func (n *node) logFile() string { return filepath.Join(n.dir, "server.log") }

// freePorts returns ports of this host that nobody uses now.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // after all are known, so that none is given twice
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("no TCP address: %v", l.Addr())
		}
		ports[i] = addr.Port
	}
	return ports, nil
}

// launch starts the process and does not wait for it to serve.
//
// REQUIRES: it is not running.
func (n *node) launch(binary string) error {
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own copy
	line := append(append([]string{}, n.inside...), binary, "--config", n.configFile())
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), "FAILPOINT_CLOCK="+n.ahead.String())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start node %d: %w", n.id, err)
	}
	done := make(chan struct{})
	n.cmd, n.done, n.awaited = cmd, done, false
	go func() { // ends with the process, which kill and stop wait for
		n.err = cmd.Wait()
		close(done)
	}()
	return nil
}

func (n *node) alive() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// ready waits until the node serves statements.
func (n *node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		if n.healthy(ctx) {
			return nil
		}
		if !n.alive() {
			return fmt.Errorf("node %d ended at its start: %w\n%s", n.id, n.err, n.tail())
		}
		if ctx.Err() != nil {
			return fmt.Errorf("node %d is not healthy: %w\n%s", n.id, ctx.Err(), n.tail())
		}
		wait(ctx, 20*time.Millisecond)
	}
}

func (n *node) healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return blackbox.Healthy(ctx, n.url)
}

// kill ends the process as a crash would.
func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	n.awaited = true
	_ = n.cmd.Process.Kill() // an error means that it has ended already
	<-n.done
}

// stop asks the process to end and waits.
func (n *node) stop() error {
	if !n.alive() {
		return nil
	}
	n.awaited = true
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-n.done:
		if n.err != nil {
			return fmt.Errorf("node %d was asked to end: %w\n%s", n.id, n.err, n.tail())
		}
		return nil
	case <-limit.C:
		n.kill()
		return fmt.Errorf("node %d did not end within %v\n%s", n.id, stopLimit, n.tail())
	}
}

func (n *node) signal(s os.Signal) error {
	err := n.cmd.Process.Signal(s)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// tail returns the last lines of what the node printed, but for what the library of the
// log says.
func (n *node) tail() string {
	const lines = 25
	text, err := os.ReadFile(n.logFile())
	if err != nil {
		return err.Error()
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "the Raft library says") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-lines):], "")
}

// launchAll starts all nodes that do not run and waits for them: while too few run, no
// single one of them serves.
func (r *run) launchAll(ctx context.Context) error {
	for _, n := range r.nodes {
		if !n.alive() {
			if err := n.launch(r.Binary); err != nil {
				return err
			}
		}
	}
	errs := make([]error, len(r.nodes))
	var wg sync.WaitGroup
	for i, n := range r.nodes {
		wg.Go(func() { errs[i] = n.ready(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
