// Command kalam is the shell of KalamDB: SQL at a prompt, from an argument, a
// file or standard input.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/shell"
	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Set by the linker.
var (
	version  = "unknown"
	revision = "unknown"
	branch   = "unknown"
)

// Exit codes.
const (
	exitDone      = 0
	exitStatement = 1 // a statement failed
	exitUsage     = 2
	exitConnect   = 3 // no server, or no way to log in
)

func main() { os.Exit(run(os.Args[1:])) }

// usageError is a mistake in the command line or in a file of settings.
type usageError struct{ error }

// reported is an error that has been printed.
type reported struct{ error }

// Unwrap implements errors.Unwrap.
func (r reported) Unwrap() error { return r.error }

func run(args []string) int {
	var f flags
	cmd := &cobra.Command{
		Use:   "kalam",
		Short: "SQL shell of KalamDB",
		Long: "SQL shell of KalamDB. Without -c and -f it reads statements from standard\n" +
			"input, at a prompt when that is a terminal.\n\n" +
			"The password comes from --password-file, KALAM_PASSWORD, an earlier login or\n" +
			"a prompt; root's generated password is found when the server runs here.\n" +
			"Exit codes: 0 done, 1 statement failed, 2 usage, 3 cannot connect.",
		Example:       `  kalam -u alice -c "SELECT * FROM chat.messages" --format json`,
		Version:       version + " (" + branch + ", " + revision + ")",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.start(cmd.Context(), cmd.Flags().Changed("command"))
		},
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	f.add(cmd)
	cmd.SetArgs(args)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	started := false
	cmd.AddCommand(verifyCommand(&started), clusterCommand(&started))
	cmd.PreRun = func(*cobra.Command, []string) { started = true }
	err := cmd.ExecuteContext(ctx)
	if err != nil && !started {
		err = usageError{err}
	}
	return exitCode(err)
}

// exitCode prints an error that was not printed yet, and tells what to exit
// with.
func exitCode(err error) int {
	var usage usageError
	var done reported
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "kalam: %s; see kalam --help\n", message(usage.error))
		return exitUsage
	case !errors.As(err, &done):
		fmt.Fprintln(os.Stderr, shell.Explain(err, ""))
	}
	if errors.Is(err, client.ErrUnreachable) {
		fmt.Fprintln(os.Stderr, "start a server with kalamdb-server, or name one with --url")
		return exitConnect
	}
	if refused(err) {
		return exitConnect
	}
	return exitStatement
}

func message(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Message
	}
	return err.Error()
}

// refused reports whether the server did not let the user in.
func refused(err error) bool {
	return slices.Contains([]fault.Code{fault.AuthRequired, fault.InvalidCredentials,
		fault.TokenExpired, fault.AccountLocked}, fault.CodeOf(err))
}

// start runs the shell as the flags say.
func (f *flags) start(ctx context.Context, hasCommand bool) error {
	home, err := openHome()
	if err != nil {
		return usageError{err}
	}
	if err := f.settle(home); err != nil {
		return usageError{err}
	}
	format, err := shell.ParseFormat(f.format)
	if err != nil {
		return usageError{err}
	}
	if hasCommand && f.file != "" {
		return usageError{errors.New("-c and -f exclude each other")}
	}
	in := io.Reader(os.Stdin)
	switch {
	case hasCommand:
		in = strings.NewReader(f.command)
	case f.file != "":
		file, err := os.Open(f.file)
		if err != nil {
			return usageError{err}
		}
		defer file.Close() // it was only read
		in = file
	}
	who, err := f.identity(home)
	if err != nil {
		return usageError{err}
	}
	o := shell.Options{Connect: who.connect, Target: shell.Target{URL: f.url, As: f.as},
		User: f.user, Out: os.Stdout, Err: os.Stderr, Format: format, Timing: f.timing,
		Spinner: term.IsTerminal(int(os.Stderr.Fd()))}
	if in == io.Reader(os.Stdin) && term.IsTerminal(int(os.Stdin.Fd())) {
		return interactive(ctx, home, o)
	}
	o.Lines = shell.NewText(in, nil)
	return session(ctx, shell.New(o))
}

// session runs a shell to its end.
func session(ctx context.Context, sh *shell.Shell) error {
	err := sh.Run(ctx)
	if cerr := sh.Close(); err == nil {
		return cerr
	}
	return reported{err}
}

// interactive runs a shell at a prompt.
func interactive(ctx context.Context, home *home, o shell.Options) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	o.Interactive, o.Interrupts = true, interrupts
	fmt.Fprintf(os.Stderr, "kalam %s; \\? lists commands, \\q leaves\n", version)
	if os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(os.Stdout.Fd())) {
		o.Lines = shell.NewText(os.Stdin, os.Stderr)
		return session(ctx, shell.New(o))
	}
	history, err := shell.OpenHistory(home.path("history"))
	if err != nil {
		fmt.Fprintln(os.Stderr, shell.Explain(err, ""))
	}
	terminal, err := shell.NewTerminal(history)
	if err != nil {
		return err
	}
	defer terminal.Close() // nothing is left to be lost
	defer context.AfterFunc(ctx, func() { _ = terminal.Close() })()
	o.Lines, o.Out, o.Err = terminal, terminal, terminal
	sh := shell.New(o)
	terminal.Complete(sh.Complete)
	return session(ctx, sh)
}
