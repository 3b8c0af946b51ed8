package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
)

// timeKey begins the key of a row, so that rows stand in the order of time.
func timeKey(t time.Time) string { return t.UTC().Format("20060102T150405.000000Z-") }

// key is the key of the row that counts a, which is the same in each flush of
// its minute.
func (a act) key() string {
	h := sha256.New()
	for _, part := range []string{
		string(a.actor), string(a.actingFor), a.kind, a.object, a.outcome, a.remote,
	} {
		h.Write([]byte(part)) // a hash never returns an error
		h.Write([]byte{0})
	}
	return timeKey(time.Unix(a.minute*60, 0)) + hex.EncodeToString(h.Sum(nil)[:16])
}

// MaxRows is how many entries Rows returns at most: the newest.
const MaxRows = 100_000

// Rows returns the newest entries as rows of system.audit_log, the oldest
// first, those among them that still waited to be written.
func (l *Log) Rows(ctx context.Context) ([][]value.Value, error) {
	if err := l.Flush(ctx); err != nil {
		return nil, err
	}
	v := l.DB.View()
	defer v.Release()
	var entries []Entry
	at := make(map[string]int) // in entries, by id
	err := catalog.KeptAudit.Newest(l.DB, v, MaxRows, func(decode func(any) error) error {
		var stored Entry
		if err := decode(&stored); err != nil {
			return err
		}
		stored.unpack(func(e Entry) {
			if i, ok := at[e.ID]; ok {
				entries[i].merge(e)
				return
			}
			at[e.ID] = len(entries)
			entries = append(entries, e)
		})
		if len(entries) > MaxRows {
			return errEnough
		}
		return ctx.Err()
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	entries = entries[max(len(entries)-MaxRows, 0):]
	rows := make([][]value.Value, len(entries))
	for i := range entries {
		rows[i] = entries[i].row()
	}
	return rows, nil
}

var errEnough = errors.New("enough")

func (e *Entry) row() []value.Value {
	return []value.Value{
		value.NewText(e.ID), value.NewTimestamp(e.Time), value.NewText(string(e.Actor)),
		orNull(string(e.ActingFor)),
		value.NewText(e.Kind), orNull(e.Object), value.NewText(e.Outcome), value.NewBigInt(e.Count),
		orNull(e.RequestID), orNull(e.Remote),
	}
}

func orNull(s string) value.Value {
	if s == "" {
		return value.NullValue
	}
	return value.NewText(s)
}

// Trim removes the entries from before a moment, in bounded pieces. It returns
// how many these were.
func (l *Log) Trim(ctx context.Context, before time.Time) (removed int, err error) {
	for {
		v := l.DB.View()
		writes, err := catalog.KeptAudit.Below(l.DB, v, timeKey(before), flushChunk)
		v.Release()
		if err != nil || len(writes) == 0 {
			return removed, err
		}
		if err := l.trim(ctx, writes); err != nil {
			return removed, err
		}
		removed += len(writes)
	}
}

// trim proposes deletions while nothing is flushed, which could change the
// same rows.
func (l *Log) trim(ctx context.Context, writes []writeset.Write) error {
	select {
	case <-l.flushing:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { l.flushing <- struct{}{} }()
	return l.Propose(ctx, writes...)
}
