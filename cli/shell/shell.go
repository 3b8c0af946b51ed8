// Package shell is the interactive SQL shell: it reads statements and meta
// commands, runs them through a client, and prints what comes back.
//
// It knows no flags, files, environment or signals; what it needs of them
// comes in through Options, so that a test drives a whole session through
// plain readers and writers. It does not keep credentials.
//
// Goroutines: one for each followed query, one for the statement that runs and
// one for its spinner. All belong to the Shell; Close waits for them.
package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
)

// Target is a server and for whom to act there.
type Target struct {
	URL string
	As  string // "" for oneself
}

// Options are what a Shell needs from the process around it.
type Options struct {
	// Connect returns a client that is ready for use; the Shell closes it. It
	// is called at the start and by \connect and \as.
	Connect func(ctx context.Context, t Target) (*client.Client, error)
	Target  Target
	User    string // for the prompt

	Lines Lines // where statements come from; the Shell does not close it
	// Out and Err get results and everything else. Each write is whole lines.
	Out, Err io.Writer

	// Interactive shells go on after an error, show prompts and hints, and
	// offer help. Others stop at the first error and, at the end of their
	// input, wait for followed queries to end.
	Interactive bool
	// Spinner shows the time that a long statement takes, on Err.
	Spinner bool
	// Interrupts are the user's Ctrl-C while a statement runs; nil never.
	Interrupts <-chan os.Signal

	Format Format // default Table
	Timing bool
}

// Shell is one session. Run is for one goroutine.
type Shell struct {
	opts   Options
	out    *lockedWriter
	err    *lockedWriter
	target Target
	client *client.Client

	split     Splitter
	held      []string // statements of a transaction that has no end yet
	names     vocabulary
	namespace string // set by USE
	last      string // statement, for \watch
	format    Format
	timing    bool
	expanded  bool
	leaving   bool
	armed     bool // one more Ctrl-C leaves
	// interrupted tells that Ctrl-C was pressed since the line was entered.
	interrupted bool

	follows follows
}

// lockedWriter lets goroutines print whole blocks.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// New returns a Shell that is not connected yet.
func New(opts Options) *Shell {
	if opts.Format == "" {
		opts.Format = Table
	}
	s := &Shell{opts: opts, target: opts.Target, format: opts.Format, timing: opts.Timing}
	s.out, s.err = &lockedWriter{w: opts.Out}, &lockedWriter{w: opts.Err}
	s.follows.active = map[int]*follow{}
	return s
}

// Close ends followed queries and the connection.
func (s *Shell) Close() error {
	s.follows.stop()
	if s.client == nil {
		return nil
	}
	return s.client.Close()
}

// connect replaces the connection. The old one stays when the new one fails.
func (s *Shell) connect(ctx context.Context, t Target) error {
	c, err := s.opts.Connect(ctx, t)
	if err != nil {
		return err
	}
	old := s.client
	s.client, s.target = c, t
	s.names.forget()
	if old == nil {
		return nil
	}
	if n := s.follows.stop(); n > 0 {
		s.say("%s ended", count(int64(n), "subscription"))
	}
	return old.Close()
}

// Run reads and runs statements until the input ends or the user leaves. It
// returns the first error of a shell that is not interactive; what went wrong
// has then been printed.
func (s *Shell) Run(ctx context.Context) error {
	if err := s.connect(ctx, s.target); err != nil {
		s.fail(err, "")
		return err
	}
	if s.opts.Interactive {
		s.names.refresh(ctx, s.client)
	}
	for !s.leaving {
		line, err := s.opts.Lines.ReadLine(s.prompt())
		switch {
		case errors.Is(err, ErrInterrupt):
			s.interruptedPrompt(line)
			continue
		case err == io.EOF:
			return s.finish(ctx)
		case err != nil:
			s.fail(err, "")
			return err
		}
		s.armed = false
		if err := s.line(ctx, line); err != nil && !s.opts.Interactive {
			return err
		}
	}
	return nil
}

// interruptedPrompt drops what was typed; with nothing typed a second Ctrl-C
// leaves.
func (s *Shell) interruptedPrompt(typed string) {
	switch {
	case typed != "" || !s.split.Empty():
		s.split.Reset()
		s.armed = false
	case s.armed:
		s.leaving = true
	default:
		s.armed = true
		s.say(`press Ctrl-C again or type \q to leave`)
	}
}

// line takes one line of input.
func (s *Shell) line(ctx context.Context, line string) error {
	s.interrupted = false
	select {
	case <-s.opts.Interrupts: // one that came when nothing ran
	default:
	}
	command := strings.TrimSpace(line)
	if s.split.Empty() {
		if strings.HasPrefix(command, `\`) {
			s.split.Feed("\n")
			s.remember(command)
			return s.meta(ctx, command)
		}
		if s.opts.Interactive && (command == "exit" || command == "quit") {
			s.leaving = true
			return nil
		}
	}
	for _, st := range s.split.Feed(line + "\n") {
		s.remember(st.Text + ";")
		if err := s.take(ctx, st.Text); err != nil || s.leaving || s.interrupted {
			s.split.Reset()
			return err
		}
	}
	return nil
}

// finish runs what stands behind the last semicolon, except at a prompt, and
// waits for followed queries.
func (s *Shell) finish(ctx context.Context) error {
	if s.opts.Interactive {
		return nil
	}
	if st, ok := s.split.Rest(); ok {
		if err := s.take(ctx, st.Text); err != nil {
			return err
		}
	}
	if len(s.held) > 0 {
		return s.send(ctx) // the server says what is missing
	}
	return s.follows.wait(ctx, s.opts.Interrupts)
}

// remember keeps a line for the history, unless it may hold a password.
func (s *Shell) remember(text string) {
	if text = fold(text); !strings.Contains(strings.ToUpper(text), "PASSWORD") {
		s.opts.Lines.Remember(text)
	}
}

func (s *Shell) prompt() string {
	if !s.split.Empty() {
		return "    -> "
	}
	who := s.opts.User
	if s.target.As != "" {
		who += " as " + s.target.As
	}
	if s.namespace != "" {
		who += "/" + s.namespace
	}
	mark := "> "
	if len(s.held) > 0 {
		mark = "*> "
	}
	return strings.TrimSpace("kalam "+printable(who)) + mark
}

// run runs one statement and prints its outcome.
func (s *Shell) run(ctx context.Context, sql string) error {
	s.last = sql
	start := time.Now()
	var rs *client.Results
	err := s.busy(ctx, func(ctx context.Context) (err error) {
		rs, err = s.client.Do(ctx, client.Request{SQL: sql, Namespace: s.namespace})
		return err
	})
	if rs != nil { // also what was done before a failure
		for _, r := range rs.Results {
			if _, err := s.out.Write(render(r, s.format, s.expanded)); err != nil {
				return err
			}
		}
	}
	if err != nil {
		s.fail(err, sql)
		return err
	}
	if s.timing {
		s.say("%s", timing(rs.Took, time.Since(start)))
	}
	s.after(ctx, sql)
	return nil
}

// after keeps the namespace of USE, and learns new names after a change of
// the catalogue.
func (s *Shell) after(ctx context.Context, sql string) {
	words := strings.Fields(fold(sql))
	if len(words) == 0 {
		return
	}
	switch strings.ToUpper(words[0]) {
	case "USE":
		if len(words) == 2 {
			s.namespace = strings.Trim(words[1], "\"`")
		}
	case "CREATE", "ALTER", "DROP":
		if s.opts.Interactive {
			s.names.refresh(ctx, s.client)
		}
	}
}
