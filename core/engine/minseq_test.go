package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/exec"
)

// readAt runs a SELECT that waits for a seq, and returns the text of its rows.
func (b *bench) readAt(ctx context.Context, sql, seq string) (text string, err error) {
	err = b.db.Execute(ctx, alice, engine.Request{SQL: sql, MinSeq: seq},
		func(res *engine.Result) error {
			for {
				row, err := res.Rows.Next(ctx)
				if err != nil {
					return nil // the last one
				}
				text += row[0].Text() + " "
			}
		})
	return text, err
}

// written runs a write and returns its seq, as a client is told it.
func (b *bench) written(sql string) (shard string, at clock.Seq) {
	b.t.Helper()
	err := b.db.Execute(b.t.Context(), alice, engine.Request{SQL: sql}, func(res *engine.Result) error {
		s, number, _ := strings.Cut(res.Seq, ":")
		shard = s
		var err error
		at, err = clock.ParseSeq(number)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return shard, at
}

func TestEngine_ReadsWaitForASeq(t *testing.T) {
	b := inMemory(t)
	b.chat()
	shard, seq := b.written("INSERT INTO chat.messages VALUES (1, 1, 'a')")
	const sql = "SELECT id FROM chat.messages"
	if got, err := b.readAt(t.Context(), sql, fmt.Sprintf("%s:%d, 0:1", shard, seq)); err != nil || got != "1 " {
		t.Errorf("%q %v", got, err)
	}
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() { // what is not there yet
		text, err := b.readAt(t.Context(), sql, fmt.Sprintf("%s:%d", shard, seq+1))
		done <- answer{text, err}
	}()
	b.written("INSERT INTO chat.messages VALUES (1, 2, 'b')")
	if a := <-done; a.err != nil || a.text != "1 2 " {
		t.Errorf("%+v", a)
	}
}

func TestEngine_ReadsDoNotWaitForEver(t *testing.T) {
	b := open(t, "", engine.Options{Storage: engine.Memory,
		Limits: exec.Limits{StatementTimeout: 50 * time.Millisecond}})
	b.chat()
	shard, seq := b.written("INSERT INTO chat.messages VALUES (1, 1, 'a')")
	future := fmt.Sprintf("%s:%d", shard, seq+1<<40)
	if _, err := b.readAt(t.Context(), "SELECT 1", future); !fault.Is(err, fault.StatementTimeout) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.readAt(ctx, "SELECT 1", future); !fault.Is(err, fault.Cancelled) {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"x", "1", "1:", ":1", "1:-1", "-1:1", "1:1,", "1:1;2:2", "12:1",
		"65536:1", "1:9223372036854775808", strings.Repeat("1:1,", 10_000) + "1:1"} {
		if _, err := b.readAt(t.Context(), "SELECT 1", bad); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}
