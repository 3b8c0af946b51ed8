package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// Compare reads every user's messages as that user and returns how they differ
// from the file: a wrong count, a wrong text, a row of somebody else. sign
// returns the client of a user.
func Compare(
	ctx context.Context, all []Message, sign func(user string) *blackbox.Client,
) ([]string, error) {
	var problems []string
	for user, own := range ByUser(all) {
		got, err := read(ctx, sign(user))
		if err != nil {
			return nil, fmt.Errorf("read as %s: %w", user, err)
		}
		if p := difference(own, got); p != "" {
			problems = append(problems, user+": "+p)
		}
	}
	slices.Sort(problems)
	return problems, nil
}

// CompareSeen returns how what a follower was told differs from the user's
// messages: each once, in the order in which they were written.
func CompareSeen(all []Message, user string, seen []Message) []string {
	if p := difference(ByUser(all)[user], seen); p != "" {
		return []string{"live query of " + user + ": " + p}
	}
	return nil
}

func read(ctx context.Context, c *blackbox.Client) ([]Message, error) {
	r, err := c.SQL(ctx, "SELECT id, sent_at, conversation, content FROM "+Table)
	if err != nil {
		return nil, err
	}
	var got []Message
	for _, row := range r.Strings() {
		id, sent, err := numbers(map[string]any{"id": row[0], "sent_at": row[1]})
		if err != nil {
			return nil, err
		}
		got = append(got, Message{ID: id, SentAt: sent, Conversation: row[2], Content: row[3]})
	}
	sortByID(got)
	return got, nil
}

// difference says where got first departs from want, and "" when it does not.
// Who wrote a message is not compared: a row does not tell.
func difference(want, got []Message) string {
	for i := range min(len(want), len(got)) {
		w, g := want[i], got[i]
		w.User, g.User = "", ""
		if w != g {
			return fmt.Sprintf("message %d of %d is %v, want %v", i+1, len(want), clip(g), clip(w))
		}
	}
	if len(want) != len(got) {
		return fmt.Sprintf("%d messages, want %d", len(got), len(want))
	}
	return ""
}

func clip(m Message) Message {
	m.Content = m.Content[:min(len(m.Content), 40)]
	return m
}

// numbers reads the id and the time of a row.
func numbers(row map[string]any) (id, sentAt int64, err error) {
	if id, err = strconv.ParseInt(fmt.Sprint(row["id"]), 10, 64); err != nil {
		return 0, 0, err
	}
	t, err := time.Parse(time.RFC3339, fmt.Sprint(row["sent_at"]))
	return id, t.Unix(), err
}

func sortByID(all []Message) {
	slices.SortFunc(all, func(a, b Message) int { return int(a.ID - b.ID) })
}
