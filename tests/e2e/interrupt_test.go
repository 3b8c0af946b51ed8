package e2e_test

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// hole is a service that takes connections and answers nothing, once it is told
// to; before it hangs up on everybody.
type hole struct {
	addr    string
	hangs   atomic.Bool
	reached chan struct{} // has one element when somebody hangs
}

func newHole(t *testing.T) *hole {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{addr: l.Addr().String(), reached: make(chan struct{}, 1)}
	var held []net.Conn
	var wg sync.WaitGroup
	wg.Go(func() { // ended by closing l
		for {
			c, err := l.Accept()
			switch {
			case err != nil:
				return
			case !h.hangs.Load():
				c.Close()
				continue
			}
			held = append(held, c)
			select {
			case h.reached <- struct{}{}:
			default:
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
		for _, c := range held {
			c.Close()
		}
	})
	return h
}

// The first Ctrl-C lets jobs end, the second stops at once and says what it has cut
// off. What was cut is taken up again at the next start, and nothing is lost.
func TestInterrupt_theSecondStopsAtOnce(t *testing.T) {
	h := newHole(t)
	s := testkit.Start(t, "KALAMDB_SERVER_SHUTDOWN_TIMEOUT=10m",
		"KALAMDB_STORAGE_OBJECT_TIMEOUT=10m", "KALAMDB_STORAGE_DATA_DIR="+t.TempDir())
	p := s.Process(t)
	root, ns := s.Root(), s.Namespace(t)
	testkit.Must(t, root, "CREATE STORAGE away TYPE s3 WITH (uri = 's3://bucket?region=x&endpoint=http://"+
		h.addr+"', credentials = '{\"access_key_id\": \"a\", \"secret_access_key\": \"b\"}')")
	testkit.Must(t, root, "CREATE SHARED TABLE "+ns+".t (id INT PRIMARY KEY) WITH (STORAGE = 'away')")
	testkit.Must(t, root, "INSERT INTO "+ns+".t VALUES (1), (2)")
	h.hangs.Store(true)
	id := testkit.Must(t, root, "FLUSH TABLE "+ns+".t").Strings()[0][0]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-h.reached:
	case <-ctx.Done():
		t.Fatalf("the flush never came to its storage\n%s", p.Tail(20))
	}
	if err := p.Interrupt(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, patience, "the server to stop", func() bool {
		return strings.Contains(p.Tail(20), "msg=stopping")
	})
	if !p.Alive() {
		t.Fatalf("the first Ctrl-C did not wait for the job\n%s", p.Tail(20))
	}
	if err := p.Interrupt(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := p.Wait(ctx); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit code 1", err)
	}
	if told := "the stop cut off jobs: flush of " + ns + ".t (" + id + ")"; !strings.Contains(
		p.Tail(5), told) {
		t.Errorf("it does not say %q:\n%s", told, p.Tail(5))
	}
	h.hangs.Store(false)
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.WantRows(t, root, "SELECT id FROM "+ns+".t", []string{"1"}, []string{"2"})
	testkit.Eventually(t, patience, "the job to be taken up again", func() bool {
		row := testkit.Must(t, root, "SELECT attempts, status FROM system.jobs WHERE job_id = '"+id+
			"'").Strings()[0]
		return row[0] != "1" && (row[1] == "running" || row[1] == "retrying")
	})
	testkit.Must(t, root, "KILL JOB '"+id+"'")
	testkit.Eventually(t, patience, "the job to end", func() bool {
		return testkit.Must(t, root, "SELECT status FROM system.jobs WHERE job_id = '"+id+"'").
			Strings()[0][0] == "cancelled"
	})
}
