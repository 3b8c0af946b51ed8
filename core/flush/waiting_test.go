package flush

import (
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// In the package itself: whether a shard is walked shows from outside in the time
// that a flush takes only.
func TestWaiting_Idle(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	p := Policy{MinRows: 100, MaxAge: 24 * time.Hour}
	ago := func(d time.Duration) clock.Seq { return clock.SeqAt(now.Add(-d)) }
	for name, c := range map[string]struct {
		at    time.Duration // of the walk, before now
		users []hotUser
		hot   int64
		want  bool
	}{
		"nobody waits, nothing came":     {time.Hour, nil, 0, true},
		"nobody waits, too few came":     {time.Hour, nil, 99, true},
		"nobody waits, enough came":      {time.Hour, nil, 100, false},
		"some wait, nothing came":        {time.Hour, []hotUser{{"a", 60, ago(time.Hour)}}, 60, true},
		"some wait, too few came":        {time.Hour, []hotUser{{"a", 60, ago(time.Hour)}}, 99, true},
		"one may have enough":            {time.Hour, []hotUser{{"a", 60, ago(time.Hour)}}, 100, false},
		"two wait, one may have enough":  {time.Hour, []hotUser{{"a", 60, ago(1)}, {"b", 9, ago(1)}}, 109, false},
		"two wait, too few came":         {time.Hour, []hotUser{{"a", 60, ago(1)}, {"b", 9, ago(1)}}, 108, true},
		"rows of one were deleted":       {time.Hour, []hotUser{{"a", 60, ago(time.Hour)}}, 3, true},
		"a row has become old":           {time.Hour, []hotUser{{"b", 1, ago(1)}, {"a", 1, ago(25 * time.Hour)}}, 2, false},
		"the walk was very long ago":     {4 * time.Hour, nil, 0, false},
		"the walk was not that long ago": {2 * time.Hour, nil, 0, true},
	} {
		w := waiting{at: now.Add(-c.at)}
		for _, u := range c.users {
			w.add(u)
		}
		if got := w.idle(p, c.hot, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWalks_KeepsThoseOfTablesThatAreThere(t *testing.T) {
	var w walks
	w.put(shardOf{1, 1}, waiting{users: 1})
	w.put(shardOf{2, 1}, waiting{users: 2})
	w.keep(func(id ident.TableID) bool { return id == 2 })
	if _, ok := w.get(shardOf{1, 1}); ok {
		t.Error("a dropped table is remembered")
	}
	if last, ok := w.get(shardOf{2, 1}); !ok || last.users != 2 {
		t.Errorf("%+v, %v", last, ok)
	}
}
