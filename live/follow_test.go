package live_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

// drain polls until nothing is left and returns the messages' types in short.
func drain(t *testing.T, s *live.Subscription) (out []string, end live.Ended) {
	t.Helper()
	for more := true; more; {
		var msgs []live.Message
		var err error
		if msgs, more, err = s.Poll(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			switch m := m.(type) {
			case live.Batch:
				out = append(out, fmt.Sprintf("batch of %d", len(m.Rows)))
			case live.Changed:
				out = append(out, fmt.Sprintf("%s %s", m.Type, m.Rows[0][0].Text()))
			case live.Ended:
				end = m
				out = append(out, "ended "+string(m.Reason))
			default:
				out = append(out, fmt.Sprintf("%T", m))
			}
		}
	}
	return out, end
}

func TestSubscription_goesOnAfterSchemaChanges(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	before := *notes
	before.Version-- // rows of the world are newer than a query over it
	subscribe := func(f follow, version int, after *live.Subscription) *live.Subscription {
		q := f.query()
		if version == 0 {
			q.Table = &before
		}
		s, err := w.hub.Subscribe(live.Spec{User: "alice", Query: q, After: after})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	expect := func(s *live.Subscription, want ...string) live.Ended {
		t.Helper()
		got, end := drain(t, s)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", got, want)
		}
		return end
	}
	w.apply(commit{"bob", []op{put(9, "a", "x")}})
	old, unheard := subscribe(follow{}, 0, nil), subscribe(follow{}, 0, nil)
	expect(old, "live.Ack", "batch of 0")
	w.apply(commit{"alice", []op{put(1, "a", "x"), put(2, "a", "x")}})
	if end := expect(old, "ended schema_changed"); end.Cursor == 0 || end.Err != nil {
		t.Errorf("ended with %+v", end)
	}
	expect(unheard, "live.Ack", "ended schema_changed")

	now := subscribe(follow{}, 1, old)
	expect(now, "live.Schema", "insert 1", "insert 2")
	w.apply(commit{"alice", []op{put(3, "a", "x")}})
	expect(now, "insert 3")
	other := subscribe(follow{blind: true}, 1, old)
	expect(other, "live.Schema", "live.Resync", "batch of 3")
	unpolled := subscribe(follow{blind: true}, 1, old) // its Resync was not heard
	unpolled.Close(live.SchemaChanged)
	expect(subscribe(follow{}, 1, unpolled), "live.Schema", "live.Resync", "batch of 3")
	late := subscribe(follow{}, 0, nil)
	expect(late, "live.Ack", "ended schema_changed")
	expect(subscribe(follow{}, 1, late), "live.Schema", "live.Resync", "batch of 3")
}
