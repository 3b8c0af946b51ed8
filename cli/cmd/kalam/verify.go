package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/shell"
	"github.com/kalamdb/kalamdb-go/cli/verify"
	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// verifyFlags are the command line of verify-live.
type verifyFlags struct {
	login   flags
	o       verify.Options
	restart string
}

// verifyCommand returns the command that proves live queries. started is set
// once its command line was understood.
func verifyCommand(started *bool) *cobra.Command {
	v := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify-live",
		Short: "prove that live queries lose, repeat, mix up and mistake nothing",
		Long: "Writes with known effects and follows them over sockets that are broken and\n" +
			"stalled, in a namespace of its own that is dropped at the end. Reports lost,\n" +
			"duplicated, out-of-order and wrongly filtered events, wrong values and rows, and\n" +
			"latencies. Exits with 1 when there is any fault. The role has to be dba.",
		Example: `  kalam verify-live --duration 5m --kill-sockets 1s --stall 2
  kalam verify-live --restart 'systemctl kill -s KILL kalamdb; systemctl start kalamdb'`,
		Args:   cobra.NoArgs,
		PreRun: func(*cobra.Command, []string) { *started = true },
		RunE:   func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context()) },
	}
	v.login.addLogin(cmd)
	set := cmd.Flags()
	set.DurationVar(&v.o.Duration, "duration", time.Minute, "how long to write")
	set.Int64Var(&v.o.Changes, "changes", 0, "end earlier, after so many changed rows")
	set.IntVar(&v.o.Users, "users", 16, "users with rows of their own")
	set.IntVar(&v.o.Subscribers, "subscribers", 16, "sockets, each with four live queries of a user")
	set.IntVar(&v.o.Writers, "writers", 4, "statements at once")
	set.Float64Var(&v.o.Rate, "rate", 0, "statements a second, 0 for as many as go")
	set.DurationVar(&v.o.KillSockets, "kill-sockets", time.Second,
		"how often a connection is broken, 0 for never")
	set.IntVar(&v.o.Stall, "stall", 1, "sockets that do not read, in turns")
	set.StringVar(&v.restart, "restart", "", "shell command that kills and starts the server")
	set.DurationVar(&v.o.RestartEvery, "restart-every", 20*time.Second, "how often it is run")
	set.Uint64Var(&v.o.Seed, "seed", 0, "repeat the statements of an earlier run")
	return cmd
}

func (v *verifyFlags) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	home, err := openHome()
	if err != nil {
		return usageError{err}
	}
	if err := v.login.settle(home); err != nil {
		return usageError{err}
	}
	who, err := v.login.identity(home)
	if err != nil {
		return usageError{err}
	}
	if v.o.Client, err = who.connect(ctx, shell.Target{URL: v.login.url}); err != nil {
		return err
	}
	defer v.o.Client.Close() // it holds no subscriptions
	v.o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if v.restart != "" {
		v.o.Restart = v.restartServer
	}
	report, err := verify.Run(ctx, v.o)
	if report == nil {
		if fault.Is(err, fault.InvalidParameter) {
			return usageError{err}
		}
		return err
	}
	if _, werr := report.WriteTo(os.Stdout); err == nil {
		err = werr
	}
	if err == nil && !report.OK() {
		fmt.Fprintln(os.Stderr, "kalam: live queries did not keep their promise")
		err = reported{errFaults}
	}
	return err
}

var errFaults = errors.New("verify-live found faults")

// restartServer runs the command and waits until the server serves again.
func (v *verifyFlags) restartServer(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", v.restart)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", v.restart, err)
	}
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err := v.o.Client.Health(limit)
		if err == nil || !errors.Is(err, client.ErrUnreachable) {
			return err
		}
	}
}
