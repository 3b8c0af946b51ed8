package demo_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/tests/demo"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// sample is the 500 messages that lie in the repository.
func sample(t *testing.T) []demo.Message {
	t.Helper()
	all, err := demo.Read("../../testdata/messages-500.ndjson")
	if err != nil || len(all) != 500 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	return all
}

func TestDemo_sample(t *testing.T) {
	load(t, sample(t), nil)
}

func TestDemo_sampleOverACrash(t *testing.T) {
	all := sample(t)
	load(t, all, []int{len(all) / 4, len(all) * 2 / 3})
}

func TestDemo_wholeFile(t *testing.T) {
	path, whole := demo.Find("../..")
	if !whole {
		t.Skip("the whole file of messages is not here; set KALAM_DATA")
	}
	if testing.Short() {
		t.Skip("loads 24,000 messages")
	}
	all, err := demo.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	load(t, all, []int{len(all) / 2})
}

// load runs the whole demo and kills the server each time the number of
// acknowledged messages reaches the next of crashes.
func load(t *testing.T, all []demo.Message, crashes []int) {
	t.Helper()
	s := testkit.Start(t)
	p := s.Process(t)
	if err := demo.Prepare(t.Context(), s.Root()); err != nil {
		t.Fatal(err)
	}
	busiest := demo.Busiest(all)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	follower, err := demo.Follow(ctx, s.User(t, busiest))
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()

	var acknowledged atomic.Int64
	loader := demo.Loader{
		Client: s.Root(), Workers: 16, Patience: time.Minute,
		Acknowledged: func(demo.Message) { acknowledged.Add(1) },
	}
	loaded := make(chan error, 1)
	start := time.Now()
	go func() { loaded <- loader.Load(t.Context(), all) }()
	for _, at := range crashes {
		testkit.Eventually(t, time.Minute, "enough messages", func() bool {
			return acknowledged.Load() >= int64(at)
		})
		p.Kill()
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages in %v", len(all), time.Since(start).Round(time.Millisecond))

	problems, err := demo.Compare(t.Context(), all, func(user string) *blackbox.Client {
		return s.User(t, user)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := follower.Await(ctx, len(demo.ByUser(all)[busiest])); err != nil {
		t.Error(err)
	}
	problems = append(problems, demo.CompareSeen(all, busiest, follower.Seen())...)
	for _, problem := range append(problems, follower.Problems()...) {
		t.Error(problem)
	}
	if follower.Sockets() != 1+len(crashes) {
		t.Errorf("%d sockets, want one and one after each crash", follower.Sockets())
	}
}

func TestCompareSeen_findsWhatIsWrong(t *testing.T) {
	all := sample(t)
	user := demo.Busiest(all)
	own := demo.ByUser(all)[user]
	swapped := append([]demo.Message{own[1], own[0]}, own[2:]...)
	for name, seen := range map[string][]demo.Message{
		"one too few":    own[1:],
		"one at the end": own[:len(own)-1],
		"another order":  swapped,
		"one twice":      append(own[:1:1], own...),
	} {
		if demo.CompareSeen(all, user, seen) == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
	if p := demo.CompareSeen(all, user, own); p != nil {
		t.Error(p)
	}
}
