package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// A crowd is many sockets with live queries, in a process of its own: this
// program run again with its spec as the only argument behind crowdArg. It
// takes commands on its input, a word a line, and answers each with a line.
type crowdSpec struct {
	URL     string
	User    string // of the i-th socket: the pattern takes its number
	First   int    // number of the first socket
	Sockets int
	Each    int    // live queries of a socket
	SQL     string // pattern that takes the number of the query on all sockets, if it has a %d
	Modulo  int    // of that number; 0 for none
	Stall   bool   // reads nothing once all are ready
}

// The commands of a crowd.
const (
	crowdArg    = "-crowd"
	cmdOpen     = "open"      // connects and subscribes: seconds until all are ready
	cmdClose    = "close"     // breaks off all sockets: 0
	cmdResume   = "resume"    // connects all at once and goes on: seconds until all are ready
	cmdTold     = "told"      // changes since the last such command, and rows of snapshots
	cmdLatency  = "latencies" // their p50 and p99 in ms, from the time in column sent
	dialsAtOnce = 64
)

// crowdAnswer is a line of a crowd.
type crowdAnswer struct {
	Error        string
	Seconds      float64
	Told, Rows   int
	Resyncs      int
	P50, P99, Mx float64
}

// crowd is the parent's end of such a process.
type crowd struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func (s *server) crowd(ctx context.Context, spec crowdSpec) (*crowd, error) {
	spec.URL = s.URL
	arg, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &crowd{cmd: exec.CommandContext(ctx, self, crowdArg, string(arg))}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	return c, c.cmd.Start()
}

func (c *crowd) do(command string) (a crowdAnswer, err error) {
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		return a, err
	}
	if !c.out.Scan() {
		return a, fmt.Errorf("the crowd has ended: %w", errors.Join(c.out.Err(), io.EOF))
	}
	if err := json.Unmarshal(c.out.Bytes(), &a); err != nil {
		return a, err
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", command, a.Error)
	}
	return a, nil
}

// close ends the process.
func (c *crowd) close() error {
	if c == nil {
		return nil
	}
	return errors.Join(c.in.Close(), c.cmd.Wait())
}

// serveCrowd is the child's end.
func serveCrowd(arg string, in io.Reader, out io.Writer) error {
	m := &members{}
	if err := json.Unmarshal([]byte(arg), &m.spec); err != nil {
		return err
	}
	defer m.close()
	for commands := bufio.NewScanner(in); commands.Scan(); {
		a, err := m.run(commands.Text())
		if err != nil {
			a.Error = err.Error()
		}
		if err := json.NewEncoder(out).Encode(a); err != nil {
			return err
		}
	}
	return nil
}

// members are the sockets of a crowd.
type members struct {
	spec crowdSpec
	all  []*member
	wg   sync.WaitGroup // of those that read

	mu        sync.Mutex
	told      int
	latencies []time.Duration
	broken    error
}

// member is one socket.
type member struct {
	socket  *blackbox.Socket
	cursors []string // of its live queries
	rows    int      // that were in snapshots
	resyncs int
}

func (m *members) run(command string) (a crowdAnswer, err error) {
	start := time.Now()
	switch command {
	case cmdOpen, cmdResume:
		if err := m.open(); err != nil {
			return a, err
		}
		a.Seconds = time.Since(start).Seconds()
	case cmdClose:
		m.close()
	case cmdTold, cmdLatency:
	default:
		return a, fmt.Errorf("unknown command %q", command)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a.Told = m.told
	slices.Sort(m.latencies)
	o := outcome{latencies: m.latencies}
	a.P50, a.P99, a.Mx = millis(o.at(0.5)), millis(o.at(0.99)), millis(o.at(1))
	for _, one := range m.all {
		a.Rows, a.Resyncs = a.Rows+one.rows, a.Resyncs+one.resyncs
	}
	if command == cmdTold || command == cmdLatency {
		m.told, m.latencies = 0, nil
	}
	return a, m.broken
}

// open connects all sockets, so many at a time, until each has its snapshots,
// or goes on from its cursors.
func (m *members) open() error {
	if m.all == nil {
		for range m.spec.Sockets {
			m.all = append(m.all, &member{cursors: make([]string, m.spec.Each)})
		}
	}
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range dialsAtOnce {
		wg.Go(func() {
			for i := range next {
				if err := m.join(i); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range m.all {
		next <- i
	}
	close(next)
	wg.Wait()
	return failed
}

func (m *members) join(i int) error {
	one := m.all[i]
	n := m.spec.First + i
	user := m.spec.User
	if strings.Contains(user, "%") {
		user = fmt.Sprintf(user, n)
	}
	header := (&blackbox.Client{Authorization: blackbox.Bearer(user, time.Now())}).Header()
	var err error
	one.socket, err = blackbox.Dial(context.Background(), m.spec.URL, header)
	if err != nil {
		return err
	}
	if t, ok := one.socket.Conn().(*net.TCPConn); ok && m.spec.Stall {
		if err := t.SetReadBuffer(4 << 10); err != nil {
			return err
		}
	}
	for q := range m.spec.Each {
		if err := m.subscribe(one, n, q); err != nil {
			return err
		}
	}
	one.rows, one.resyncs = 0, 0
	for ready := 0; ready < m.spec.Each; {
		b, err := one.socket.ReadRaw()
		if err != nil {
			return err
		}
		if bytes.Contains(b, []byte(`"status":"ready"`)) {
			ready++
		}
		if err := m.take(one, b); err != nil {
			return err
		}
	}
	if !m.spec.Stall {
		m.wg.Go(func() { m.read(one) })
	}
	return nil
}

func (m *members) subscribe(one *member, n, q int) error {
	sql := m.spec.SQL
	if strings.Contains(sql, "%") {
		number := n*m.spec.Each + q
		if m.spec.Modulo > 0 {
			number %= m.spec.Modulo
		}
		sql = fmt.Sprintf(sql, number)
	}
	options := map[string]any{}
	if one.cursors[q] != "" {
		options["from"] = one.cursors[q]
	}
	return one.socket.Send(map[string]any{"type": "subscribe", "subscription": map[string]any{
		"id": strconv.Itoa(q), "sql": sql, "options": options}})
}

// read takes changes until the socket ends.
func (m *members) read(one *member) {
	for {
		b, err := one.socket.ReadRaw()
		if err == nil {
			err = m.take(one, b)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, net.ErrClosed) {
			m.mu.Lock()
			m.broken = err
			m.mu.Unlock()
		}
		return
	}
}

// take notes cursors and times. It looks for keys instead of decoding: the
// crowd shares its machine with the server.
func (m *members) take(one *member, b []byte) error {
	now := time.Now()
	id, err := strconv.Atoi(textBehind(b, `"subscription_id":"`))
	switch t := textBehind(b, `"type":"`); {
	case t == "auth_success" || t == "subscription_ack" || t == "progress":
		return nil
	case err != nil || t == "error" || t == "unsubscribed":
		return fmt.Errorf("got %.300s", b)
	case t == "resync":
		one.resyncs++
	case t == "initial_data_batch":
		one.cursors[id] = textBehind(b, `"last_seq_id":"`)
		if !bytes.Contains(b, []byte(`"rows":[]`)) {
			one.rows++
		}
	case t == "change":
		one.cursors[id] = textBehind(b, `"seq":"`)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.told++
		if sent, err := strconv.ParseInt(textBehind(b, `"sent":"`), 10, 64); err == nil && sent > 0 {
			m.latencies = append(m.latencies, now.Sub(time.Unix(0, sent)))
		}
	}
	return nil
}

// textBehind returns the text behind key up to the next quote.
func textBehind(b []byte, key string) string {
	_, rest, ok := bytes.Cut(b, []byte(key))
	if !ok {
		return ""
	}
	text, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(text)
}

func (m *members) close() {
	for _, one := range m.all {
		if one.socket != nil {
			one.socket.Close()
		}
	}
	m.wg.Wait()
}
