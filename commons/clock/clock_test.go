package clock_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/kalamdb/kalamdb-go/commons/clock"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// wall is a wall clock that is set by hand.
type wall struct {
	mu sync.Mutex
	at time.Time
}

func newWall() *wall { return &wall{at: noon} }

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *wall) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func TestSeq_holds_milliseconds_since_2020(t *testing.T) {
	s := clock.SeqAt(noon.Add(1_999_999))
	if got := s.Time(); !got.Equal(noon.Add(time.Millisecond)) {
		t.Errorf("the time of %v is %v", s, got)
	}
	if s != clock.Seq(189_518_400_001<<20) {
		t.Errorf("seq of 2026-01-02 12:00:00.001 is %d", s)
	}
	if clock.SeqAt(clock.Epoch) != 0 || clock.SeqAt(clock.Epoch.Add(-time.Hour)) != 0 {
		t.Error("times up to 2020 are not 0")
	}
	for _, year := range []int{2299, 2310, 5000} {
		if got := clock.SeqAt(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)); got != clock.MaxSeq {
			t.Errorf("seq of the year %d is %d", year, got)
		}
	}
}

func TestParseSeq(t *testing.T) {
	for _, s := range []clock.Seq{0, 1, clock.SeqAt(noon), clock.MaxSeq} {
		if got, err := clock.ParseSeq(s.String()); err != nil || got != s {
			t.Errorf("%v came back as %v: %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "-1", "1.0", "9223372036854775808", "0x1", "1:2"} {
		if got, err := clock.ParseSeq(bad); err == nil {
			t.Errorf("%q reads as %v", bad, got)
		}
	}
}

func TestClock_Now_follows_the_wall_clock(t *testing.T) {
	w := newWall()
	c := clock.New(w.now, 0)
	first := c.Now()
	if first != clock.SeqAt(noon) {
		t.Errorf("first is %v", first)
	}
	if second := c.Now(); second != first+1 {
		t.Errorf("second in the same millisecond is %v after %v", second, first)
	}
	w.move(time.Second)
	if third := c.Now(); third != clock.SeqAt(noon.Add(time.Second)) {
		t.Errorf("a second later is %v", third)
	}
}

func TestClock_Now_never_goes_back(t *testing.T) {
	w := newWall()
	c := clock.New(w.now, 0)
	last := c.Now()
	for _, jump := range []time.Duration{-time.Hour, 0, time.Minute, -100 * 365 * 24 * time.Hour} {
		w.move(jump)
		now := c.Now()
		if now != last+1 {
			t.Fatalf("after a jump by %v %v follows %v", jump, now, last)
		}
		last = now
	}
}

func TestClock_Now_carries_a_full_counter_into_the_milliseconds(t *testing.T) {
	w := newWall()
	full := clock.SeqAt(noon.Add(time.Millisecond)) - 1
	c := clock.New(w.now, full)
	if got := c.Now(); got != full+1 || !got.Time().Equal(noon.Add(time.Millisecond)) {
		t.Errorf("%v at %v follows %v", got, got.Time(), full)
	}
}

func TestClock_starts_above_its_floor(t *testing.T) {
	floor := clock.SeqAt(noon.Add(time.Hour)) + 5
	w := newWall()
	c := clock.New(w.now, floor)
	if c.Last() != floor {
		t.Errorf("Last is %v", c.Last())
	}
	if got := c.Now(); got != floor+1 {
		t.Errorf("%v follows the floor %v", got, floor)
	}
	if got := clock.New(w.now, -7).Last(); got != 0 {
		t.Errorf("a negative floor gives %v", got)
	}
}

func TestClock_Observe(t *testing.T) {
	c := clock.New(newWall().now, 0)
	seen := clock.SeqAt(noon.Add(time.Minute))
	c.Observe(seen)
	c.Observe(seen - 100)
	if got := c.Now(); got != seen+1 {
		t.Errorf("%v follows %v", got, seen)
	}
	c.Observe(clock.MaxSeq)
	if got := c.Now(); got != clock.MaxSeq {
		t.Errorf("%v follows the last number", got)
	}
}

func TestClock_Now_gives_each_number_once(t *testing.T) {
	w := newWall()
	c := clock.New(w.now, 0)
	collect(t, func() clock.Seq {
		w.move(-time.Millisecond)
		return c.Now()
	})
}

// collect calls next from several goroutines. Each value must be greater than
// the last one of its goroutine, and no two the same.
func collect[T interface{ ~string | ~int64 }](t *testing.T, next func() T) {
	t.Helper()
	const workers, each = 8, 2000
	lists := make([][]T, workers)
	var wg sync.WaitGroup
	for i := range lists {
		wg.Go(func() {
			for range each {
				lists[i] = append(lists[i], next())
			}
		})
	}
	wg.Wait()
	seen := map[T]bool{}
	for _, list := range lists {
		for i, v := range list {
			if seen[v] || i > 0 && v <= list[i-1] {
				t.Fatalf("%v was given twice or out of order", v)
			}
			seen[v] = true
		}
	}
}

func TestGenerator_gives_each_id_once_and_in_order(t *testing.T) {
	w := newWall()
	g := clock.NewGenerator(w.now, 3, 0)
	jump := func() { w.move(-time.Millisecond) }
	t.Run("snowflakes", func(t *testing.T) {
		collect(t, func() int64 { jump(); return g.Snowflake() })
	})
	t.Run("ulids", func(t *testing.T) {
		collect(t, func() string { jump(); return g.ULID() })
	})
	t.Run("uuids", func(t *testing.T) {
		collect(t, func() string { jump(); id := g.UUIDv7(); return string(id[:]) })
	})
}

func timeOf(snowflake int64) time.Time {
	return clock.Epoch.Add(time.Duration(snowflake>>22) * time.Millisecond)
}

func TestGenerator_Snowflake_has_time_node_and_counter(t *testing.T) {
	g := clock.NewGenerator(newWall().now, 1023, 0)
	id := g.Snowflake()
	at := timeOf(id)
	if !at.Equal(noon) || id>>12&1023 != 1023 || id&4095 != 0 {
		t.Errorf("%b is of %v", id, at)
	}
	for range 4096 {
		id = g.Snowflake()
	}
	if at := timeOf(id); at.Sub(noon) != time.Millisecond {
		t.Errorf("the id behind a full counter is of %v", at)
	}
}

func TestGenerator_ULID_and_UUIDv7_read_as_such(t *testing.T) {
	g := clock.NewGenerator(newWall().now, 0, 0)
	id, err := ulid.ParseStrict(g.ULID())
	if err != nil || !ulid.Time(id.Time()).Equal(noon) {
		t.Errorf("%v is of %v: %v", id, ulid.Time(id.Time()), err)
	}
	u := uuid.UUID(g.UUIDv7())
	sec, nsec := u.Time().UnixTime()
	if u.Version() != 7 || u.Variant() != uuid.RFC4122 || !time.Unix(sec, nsec).Equal(noon) {
		t.Errorf("%v is version %d of %v", u, u.Version(), time.Unix(sec, nsec))
	}
}

func TestGenerator_starts_behind_its_floor(t *testing.T) {
	later := noon.Add(time.Hour)
	before := clock.NewGenerator(func() time.Time { return later }, 0, 0)
	after := clock.NewGenerator(newWall().now, 0, clock.SeqAt(later))
	if a, b := before.Snowflake(), after.Snowflake(); a >= b {
		t.Errorf("snowflake %d, after a restart %d", a, b)
	}
	if a, b := before.UUIDv7(), after.UUIDv7(); string(a[:]) >= string(b[:]) {
		t.Errorf("uuid %x, after a restart %x", a, b)
	}
	// ULIDs of one millisecond are told apart by their random bits only.
	if a, b := before.ULID()[:10], after.ULID()[:10]; a > b {
		t.Errorf("ulid %s, after a restart %s", a, b)
	}
}

func FuzzParseSeq(f *testing.F) {
	for _, s := range []string{"0", "1", "9223372036854775807", "9223372036854775808", "-1", "+1", "1e3", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		seq, err := clock.ParseSeq(s)
		if err != nil {
			return
		}
		if again, err := clock.ParseSeq(seq.String()); err != nil || again != seq || seq < 0 {
			t.Fatalf("%q reads as %d, which reads as %d: %v", s, seq, again, err)
		}
	})
}
