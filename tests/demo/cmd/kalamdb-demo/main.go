// Command kalamdb-demo loads real messages into a server as the users who
// wrote them, shows the progress, and checks the result.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/tests/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	bin := flag.String("bin", "bin/kalamdb-server", "the server to start for the demo")
	url := flag.String("url", "", "a running server instead (root's password in KALAM_PASSWORD)")
	data := flag.String("data", "", "the file of messages (default: the whole file, or the sample)")
	workers := flag.Int("workers", 16, "requests at once")
	flag.Parse()
	if err := run(ctx, *bin, *url, *data, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, url, data string, workers int) error {
	all, err := messages(data)
	if err != nil {
		return err
	}
	root, closeServer, err := server(ctx, bin, url)
	if err != nil {
		return err
	}
	defer closeServer()
	if err := demo.Prepare(ctx, root); err != nil {
		return err
	}
	busiest := demo.Busiest(all)
	asUser := func(user string) *blackbox.Client { return root.WithUser(user) }
	follower, err := demo.Follow(ctx, asUser(busiest))
	if err != nil {
		return err
	}
	defer follower.Close()

	bar := progressbar.NewOptions(len(all), progressbar.OptionSetDescription("loading"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionThrottle(100*time.Millisecond))
	loader := demo.Loader{Client: root, Workers: workers, Patience: time.Minute,
		Acknowledged: func(demo.Message) {
			// A bar that can't be drawn is no reason to stop.
			_ = bar.Add(1)
		}}
	start := time.Now()
	if err := loader.Load(ctx, all); err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("\n%d messages of %d users in %v: %.0f a second, each durable\n",
		len(all), len(demo.ByUser(all)), took.Round(time.Millisecond),
		float64(len(all))/took.Seconds())
	return check(ctx, all, busiest, asUser, follower)
}

// check compares every user's rows and what the live query told with the file.
func check(ctx context.Context, all []demo.Message, busiest string,
	asUser func(string) *blackbox.Client, follower *demo.Follower) error {
	problems, err := demo.Compare(ctx, all, asUser)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := follower.Await(ctx, len(demo.ByUser(all)[busiest])); err != nil {
		problems = append(problems, err.Error())
	}
	problems = append(problems, demo.CompareSeen(all, busiest, follower.Seen())...)
	problems = append(problems, follower.Problems()...)
	for _, p := range problems {
		fmt.Println("wrong:", p)
	}
	if len(problems) > 0 {
		return errors.New("the server does not hold what the file says")
	}
	fmt.Printf("every user has just their own messages; the live query of %s "+
		"got its %d rows once and in order\n", busiest, len(follower.Seen()))
	return nil
}

func messages(path string) ([]demo.Message, error) {
	if path == "" {
		root, err := testkit.Root()
		if err != nil {
			return nil, err
		}
		path, _ = demo.Find(root)
	}
	fmt.Println("messages from", filepath.Base(path))
	return demo.Read(path)
}

// server returns root's client of the given server, or of one that is started
// in a temporary folder and gone afterwards.
func server(ctx context.Context, bin, url string) (*blackbox.Client, func(), error) {
	if url != "" {
		auth := blackbox.Basic(blackbox.RootUser, os.Getenv("KALAM_PASSWORD"))
		return &blackbox.Client{URL: url, Authorization: auth}, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "kalamdb-demo-")
	if err != nil {
		return nil, nil, err
	}
	p, err := blackbox.Start(ctx, blackbox.Options{Binary: bin, DataDir: filepath.Join(dir, "data")})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	fmt.Println("server at", p.URL)
	auth := blackbox.Basic(blackbox.RootUser, blackbox.RootPassword)
	return &blackbox.Client{URL: p.URL, Authorization: auth}, func() {
		if err := errors.Join(p.Stop(), os.RemoveAll(dir)); err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
		}
	}, nil
}
