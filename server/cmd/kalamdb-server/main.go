// Command kalamdb-server serves a KalamDB data directory over HTTP and
// WebSocket.
//
//	kalamdb-server [--config FILE] [--dev]
//	kalamdb-server config print | check [FILE] | reference
//	kalamdb-server --version
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/server/app"
	"github.com/kalamdb/kalamdb-go/server/config"
)

// What was built; set by -ldflags "-X main.version=...".
var version, revision, branch string

// Exit codes.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// errUsage stands for a wrong command line, which has been told.
var errUsage = errors.New("usage")

func run(args []string, stdout, stderr io.Writer) int {
	err := command(args, stdout, stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	}
	message := err.Error()
	var f *fault.Error
	if errors.As(err, &f) {
		message = f.Message
	}
	fmt.Fprintln(stderr, "kalamdb-server:", message)
	return exitError
}

func command(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("kalamdb-server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { usage(flags) }
	file := flags.String("config", "", "`file` to read instead of kalamdb.toml next to the binary")
	dev := flags.Bool("dev", false, "callers on this host need no credentials")
	showVersion := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	build := app.Build{Version: version, Revision: revision, Branch: branch}.WithDefaults()
	switch rest := flags.Args(); {
	case *showVersion:
		_, err := fmt.Fprintf(stdout, "kalamdb-server %s (branch %s, revision %s, %s)\n",
			build.Version, build.Branch, build.Revision, build.Go)
		return err
	case len(rest) > 0 && rest[0] == "config":
		return configCommand(rest[1:], *file, stdout, flags)
	case len(rest) > 0:
		fmt.Fprintf(stderr, "unknown command %q\n", rest[0])
		flags.Usage()
		return errUsage
	}
	loaded, err := load(*file)
	if err != nil {
		return err
	}
	return serve(app.Options{Config: loaded, Build: build, Dev: *dev, Stderr: stderr})
}

func usage(flags *flag.FlagSet) {
	fmt.Fprint(flags.Output(), `usage: kalamdb-server [--config FILE] [--dev]
       kalamdb-server config print | check [FILE] | reference
       kalamdb-server --version

`)
	flags.PrintDefaults()
}

// configCommand prints the effective config, checks one, or prints the
// documented reference.
func configCommand(args []string, file string, stdout io.Writer, flags *flag.FlagSet) error {
	if len(args) == 2 && args[0] == "check" && file == "" {
		args, file = args[:1], args[1]
	}
	if len(args) != 1 {
		flags.Usage()
		return errUsage
	}
	switch args[0] {
	case "reference":
		return config.Reference(stdout)
	case "print", "check":
	default:
		flags.Usage()
		return errUsage
	}
	loaded, err := load(file)
	if err != nil {
		return err
	}
	if args[0] == "print" {
		return loaded.Print(stdout)
	}
	from := loaded.File
	if from == "" {
		from = "no file, the defaults"
	}
	_, err = fmt.Fprintf(stdout, "ok: %s\n", from)
	return err
}

func load(file string) (*config.Loaded, error) {
	home, err := config.Home()
	if err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the working folder: %w", err)
	}
	return config.Load(config.Input{File: file, Environ: os.Environ(), Home: home, Dir: dir})
}

// serve runs until the first signal; a second one stops at once.
func serve(opts app.Options) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	force, ended := make(chan struct{}), make(chan struct{})
	opts.Force = force
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for _, act := range []func(){stop, func() { close(force) }} {
			select {
			case <-signals:
				act()
			case <-ended:
				return
			}
		}
	}()
	moreThreads()
	err := app.Run(ctx, opts)
	close(ended)
	<-watched
	return err
}

// moreThreads has Go run more goroutines at once than there are processors,
// and leaves it to the system to share them out. With one for each, a commit
// whose sync has ended waits behind all requests that are ready to run, since
// Go gives a thread that comes back from the disk no place of its own.
func moreThreads() {
	const least, perProcessor = 8, 2
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(least, perProcessor*runtime.GOMAXPROCS(0)))
	}
}
