package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// appended measures text that arrives in pieces, as the answers of a language
// model do: each row is written by its user over a WebSocket at a steady pace,
// and followed on the same socket. A piece is late by the time from when it was
// to be sent until its subscriber has it.
func (b *bench) appended(ctx context.Context) error {
	for _, load := range []struct {
		name       string
		rows, pace int // pieces a second for each row
	}{
		{"append_rows", 1000, 5}, {"append_row", 1, 100},
	} {
		if !b.loads.MatchString(load.name) {
			continue
		}
		if err := b.appendLoad(ctx, load.name, load.rows, load.pace); err != nil {
			return fmt.Errorf("%s: %w", load.name, err)
		}
	}
	return nil
}

func (b *bench) appendLoad(ctx context.Context, name string, rows, pace int) (err error) {
	s, err := b.launch(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, sql := range []string{
		"CREATE NAMESPACE bench", "CREATE USER TABLE bench.written " + schema,
	} {
		if _, err := s.root().SQL(ctx, sql); err != nil {
			return err
		}
	}
	answers, err := s.answers(ctx, rows, int(b.duration.Seconds()*float64(pace)))
	defer func() {
		for _, a := range answers {
			a.socket.Close()
		}
	}()
	if err != nil {
		return err
	}
	used, err := cpuOf(s.PID())
	if err != nil {
		return err
	}
	took, elapsed, err := arrive(ctx, answers, time.Second/time.Duration(pace))
	if err != nil {
		return err
	}
	after, err := cpuOf(s.PID())
	if err != nil {
		return err
	}
	f := Figure{Name: name, Durability: "sync", Clients: rows, Conditions: fmt.Sprintf(
		"pieces of 8 bytes over the WebSocket for %v, %d a second for each row of a user of its own; "+
			"from when a piece was to be sent until its subscriber has it", b.duration, pace)}
	return b.reportAppends(f, took, elapsed, after.since(used))
}

func (b *bench) reportAppends(
	f Figure, took []time.Duration, elapsed time.Duration, used usage,
) error {
	slices.Sort(took)
	o := outcome{latencies: took}
	name := f.Name
	for _, part := range []struct {
		suffix, unit string
		value        float64
	}{
		{"", "per second", float64(len(took)) / elapsed.Seconds()},
		{"_p50", "ms", millis(o.at(0.5))},
		{"_p99", "ms", millis(o.at(0.99))},
		{"_max", "ms", millis(o.at(1))},
		{"_cpu_server", "µs each", float64(used.server.Microseconds()) / float64(len(took))},
	} {
		f.Name, f.Unit, f.Value = name+part.suffix, part.unit, part.value
		if err := b.report(f); err != nil {
			return err
		}
	}
	return nil
}

// answer is a row that grows, with the socket that writes and follows it.
type answer struct {
	*subscriber
	due  []atomic.Int64 // when each piece was to be sent, in nanoseconds
	late []time.Duration
}

func (s *server) answers(ctx context.Context, rows, pieces int) ([]*answer, error) {
	var all []*answer
	for i := range rows {
		user := fmt.Sprintf("writer%d", i)
		client := blackbox.Client{URL: s.URL, Authorization: blackbox.Bearer(user, time.Now())}
		_, err := client.SQL(ctx, "INSERT INTO bench.written VALUES (1, 1, '')")
		if err != nil {
			return all, err
		}
		sub, err := s.subscribe(ctx, user)
		if err != nil {
			return all, err
		}
		all = append(all, &answer{subscriber: sub, due: make([]atomic.Int64, pieces)})
	}
	return all, nil
}

// arrive writes all pieces of all answers, and returns by how much each was
// late and how long it took.
func arrive(ctx context.Context, all []*answer, every time.Duration) (
	late []time.Duration, elapsed time.Duration, err error,
) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, 2*len(all))
	begin := time.Now()
	for i, a := range all {
		first := begin.Add(rand.N(every))
		wg.Go(func() { errs[2*i] = a.write(ctx, first, every) })
		wg.Go(func() {
			if errs[2*i+1] = a.read(); errs[2*i+1] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	elapsed = time.Since(begin)
	for _, a := range all {
		late = append(late, a.late...)
	}
	return late, elapsed, errors.Join(errs...)
}

// pieceOf returns the n-th piece.
func pieceOf(n int) string { return fmt.Sprintf(" t%06d", n) }

func (a *answer) write(ctx context.Context, first time.Time, every time.Duration) error {
	for n := range a.due {
		at := first.Add(time.Duration(n) * every)
		if err := wait(ctx, time.Until(at)); err != nil {
			return err
		}
		a.due[n].Store(at.UnixNano())
		err := a.socket.Send(map[string]any{"type": "query", "id": strconv.Itoa(n), "sql": "UPDATE " +
			"bench.written SET content = CONCAT(content, $1) WHERE conversation = 1 AND id = 1",
			"params": []string{pieceOf(n)}})
		if err != nil {
			return err
		}
	}
	return nil
}

// read takes messages until it has the whole text, each piece once and in order.
func (a *answer) read() error {
	length := 0
	for n := 0; n < len(a.due); {
		raw, err := a.socket.ReadRaw()
		if err != nil {
			return err
		}
		now := time.Now()
		var m struct {
			Type, Status string
			Append       *blackbox.Append
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		switch {
		case m.Type == "result" && m.Status == "success", m.Type == "progress":
			continue
		case m.Type != "change" || m.Append == nil || m.Append.Offset != length:
			return fmt.Errorf("piece %d at %d was told as %s", n, length, raw)
		}
		length += len(m.Append.Text)
		for text := m.Append.Text; text != ""; n++ {
			var ok bool
			if text, ok = strings.CutPrefix(text, pieceOf(n)); !ok {
				return fmt.Errorf("piece %d was told as %q", n, text)
			}
			a.late = append(a.late, now.Sub(time.Unix(0, a.due[n].Load())))
		}
	}
	return nil
}
