package e2e_test

import (
	"context"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// subscribe sends a subscribe message without options.
func subscribe(t *testing.T, s *blackbox.Socket, id, sql string) {
	t.Helper()
	send(t, s, map[string]any{
		"type":         "subscribe",
		"subscription": map[string]any{"id": id, "sql": sql},
	})
}

func send(t *testing.T, s *blackbox.Socket, message any) {
	t.Helper()
	if err := s.Send(message); err != nil {
		t.Fatal(err)
	}
}

// read returns the next message that tells something: not a progress, and not
// the greeting to credentials of the upgrade.
func read(t *testing.T, s *blackbox.Socket) *blackbox.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		m, err := s.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != "progress" && m.Type != "auth_success" {
			return m
		}
	}
}

// snapshot reads messages up to the ready batch and returns the rows.
func snapshot(t *testing.T, s *blackbox.Socket, id string) []map[string]any {
	t.Helper()
	var rows []map[string]any
	for {
		m := read(t, s)
		switch {
		case m.Type == "subscription_ack":
		case m.Type != "initial_data_batch" || m.SubscriptionID != id || m.BatchControl == nil:
			t.Fatalf("in place of a batch of %s: %s", id, m.Raw)
		default:
			rows = append(rows, m.Rows...)
			if m.BatchControl.Status == "ready" {
				return rows
			}
			send(t, s, map[string]any{
				"type": "next_batch", "subscription_id": id, "last_seq_id": m.BatchControl.LastSeqID,
			})
		}
	}
}

func nextChange(t *testing.T, s *blackbox.Socket) *blackbox.Message {
	t.Helper()
	m := read(t, s)
	if m.Type != "change" {
		t.Fatalf("in place of a change: %s", m.Raw)
	}
	return m
}
