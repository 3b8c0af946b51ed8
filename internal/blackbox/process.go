// Package blackbox drives a KalamDB server from outside, by nothing but the
// contract: its process, its HTTP answers, its WebSocket frames and the tokens
// it accepts. Tests, the demo and the benchmarks are built on it.
//
// It shares no code with the server or its client library on purpose: a
// mistake in theirs can't hide behind the same mistake here. It owns one
// goroutine for each running process, ended by Kill or Stop.
package blackbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options says how a server is started.
type Options struct {
	Binary  string   // the server's binary; required
	DataDir string   // its data directory; required
	Env     []string // further KALAMDB_... variables, as "NAME=value"
	Args    []string // arguments of the command line
	LogFile string   // where its output goes; default is DataDir + ".log"

	// Config is a config file that says everything, the port too, but for what Env
	// says; Port is the one that stands there.
	Config string
	Port   int
}

// Credentials of every server that Start makes.
const (
	RootUser     = "root"
	RootPassword = "root-password-of-tests"
	JWTSecret    = "a-secret-of-tests-of-at-least-32-bytes"
)

// Process is a server started by Start. Its methods are for one goroutine.
type Process struct {
	URL  string // "http://127.0.0.1:port", the same after Restart
	opts Options
	port int
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; read after done
}

// How long a server may take to answer its first health check, and to stop.
const (
	startLimit = 60 * time.Second
	stopLimit  = 30 * time.Second
	pollEvery  = 2 * time.Millisecond
)

// Start starts a server on a free port and waits until it serves statements.
// When it ends before that, the error holds the last lines of its output.
func Start(ctx context.Context, opts Options) (*Process, error) {
	if opts.LogFile == "" {
		opts.LogFile = filepath.Clean(opts.DataDir) + ".log"
	}
	port := opts.Port
	if port == 0 {
		var err error
		if port, err = freePort(); err != nil {
			return nil, err
		}
	}
	p := &Process{URL: "http://127.0.0.1:" + strconv.Itoa(port), opts: opts, port: port}
	if err := p.Restart(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Restart starts the process again on the same port and data directory.
//
// REQUIRES: it is not running.
func (p *Process) Restart(ctx context.Context) error {
	log, err := os.OpenFile(p.opts.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own copy
	args := p.opts.Args
	if p.opts.Config != "" {
		args = append([]string{"--config", p.opts.Config}, args...)
	}
	p.cmd = exec.Command(p.opts.Binary, args...)
	p.cmd.Env = p.environ()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.opts.Binary, err)
	}
	cmd, done := p.cmd, make(chan struct{})
	p.done = done
	go func() { // ends with the process; Kill and Stop wait for it
		p.err = cmd.Wait()
		close(done)
	}()
	if err := p.waitHealthy(ctx); err != nil {
		p.Kill()
		return err
	}
	return nil
}

// environ is the caller's environment without its own KALAMDB_ variables.
func (p *Process) environ() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KALAMDB_") {
			env = append(env, e)
		}
	}
	if p.opts.Config != "" {
		return append(env, p.opts.Env...)
	}
	env = append(env,
		"KALAMDB_SERVER_PORT="+strconv.Itoa(p.port),
		"KALAMDB_STORAGE_DATA_DIR="+p.opts.DataDir,
		"KALAMDB_AUTH_ROOT_PASSWORD="+RootPassword,
		"KALAMDB_AUTH_JWT_SECRET="+JWTSecret,
	)
	return append(env, p.opts.Env...)
}

func (p *Process) waitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if Healthy(ctx, p.URL) {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("the server ended at its start: %w\n%s", p.err, p.Tail(20))
		case <-ctx.Done():
			return fmt.Errorf("the server is not healthy: %w\n%s", ctx.Err(), p.Tail(20))
		}
	}
}

// Healthy reports whether the server at url answers its health check with 200.
func Healthy(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/api/healthcheck", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// PID returns the id of the process that runs now or ran last.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// SetEnv replaces the further variables of the next start.
func (p *Process) SetEnv(env ...string) { p.opts.Env = env }

// DataDir returns the server's data directory.
func (p *Process) DataDir() string { return p.opts.DataDir }

// Alive reports whether the process is running.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Kill ends the process with SIGKILL, as a crash would, and waits for its end.
// It does nothing to a process that has ended.
func (p *Process) Kill() {
	// An error means that it has ended already, which is what is asked for.
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Stop asks the process to end (SIGTERM) and waits. A process that takes too
// long is killed, and one that ends with an error is told as one.
func (p *Process) Stop() error {
	if !p.Alive() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.done:
		return p.err
	case <-limit.C:
		p.Kill()
		return fmt.Errorf("the server did not stop within %v\n%s", stopLimit, p.Tail(20))
	}
}

// Pause stops the process where it is (SIGSTOP), as one that hangs: its connections
// stay open. Resume has it go on.
func (p *Process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume has a paused process go on.
func (p *Process) Resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Interrupt sends SIGINT, as Ctrl-C does. It does not wait.
func (p *Process) Interrupt() error { return p.cmd.Process.Signal(os.Interrupt) }

// Wait waits until the process has ended, and returns how: nil for a clean end.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Tail returns the last n lines of what the server printed.
func (p *Process) Tail(n int) string {
	b, err := os.ReadFile(p.opts.LogFile)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
