package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// spinAfter is how long a statement runs before the spinner shows.
const spinAfter = 300 * time.Millisecond

// busy runs f with a context that the user's Ctrl-C ends; a second one leaves
// the shell. It returns when f has, which may have succeeded all the same:
// interrupted then says that the user wants no more.
func (s *Shell) busy(ctx context.Context, f func(ctx context.Context) error) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	wg.Go(func() { done <- f(ctx) })
	if s.opts.Spinner {
		wg.Go(func() { s.spin(ctx) })
	}
	for pressed := false; ; pressed = true {
		select {
		case err := <-done:
			return err
		case <-s.opts.Interrupts:
			cancel()
			s.interrupted = true
			s.leaving = s.leaving || pressed
		}
	}
}

// spin shows the time since it began, until ctx ends.
func (s *Shell) spin(ctx context.Context) {
	start := time.Now()
	tick := time.NewTimer(spinAfter)
	defer tick.Stop()
	const wheel = `|/-\`
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			fmt.Fprintf(s.err, "\r%c %.1f s (Ctrl-C cancels)", wheel[n%len(wheel)],
				time.Since(start).Seconds())
			tick.Reset(100 * time.Millisecond)
		case <-ctx.Done():
			if n > 0 {
				fmt.Fprintf(s.err, "\r%s\r", strings.Repeat(" ", 32))
			}
			return
		}
	}
}

// say prints a line that is no result.
func (s *Shell) say(format string, args ...any) {
	fmt.Fprintf(s.err, format+"\n", args...)
}

// fail prints an error, with a caret under the place in sql that it is about.
func (s *Shell) fail(err error, sql string) {
	s.say("%s", Explain(err, sql))
}

// Explain returns an error as the shell prints it: code, message, and the line
// of sql with a caret below when the error has a position.
func Explain(err error, sql string) string {
	f := fault.From(err)
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return printable(f.Message)
	case f.Code == fault.Internal && f.Err != nil:
		return "ERROR " + printable(f.Err.Error()) // not an answer of the server
	}
	text := "ERROR " + string(f.Code) + ": " + printable(f.Message)
	if f.Position < 1 || f.Position > len(sql)+1 {
		return text
	}
	before := sql[:f.Position-1]
	start := strings.LastIndexByte(before, '\n') + 1
	line, _, _ := strings.Cut(sql[start:], "\n")
	label := fmt.Sprintf("line %d: ", strings.Count(before, "\n")+1)
	const most = 200
	if len(line) > most {
		return text + fmt.Sprintf("\n%sbyte %d", label, f.Position)
	}
	indent := widthOf(label) + widthOf(printable(sql[start:f.Position-1]))
	return text + "\n" + label + printable(line) + "\n" + strings.Repeat(" ", indent) + "^"
}
