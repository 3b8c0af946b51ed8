package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// The shape of the data that reads are measured on.
const (
	readers       = 16   // users with rows, and clients that read
	conversations = 4    // of each user
	perTalk       = 2500 // messages of each conversation
	content       = "Two hundred bytes are what a message of a chat has, more or less, " +
		"so this line goes on for a while about nothing in particular until it has reached " +
		"the length that is wanted here, which is now."
)

const schema = "(conversation BIGINT NOT NULL, id BIGINT NOT NULL, content TEXT NOT NULL, " +
	"PRIMARY KEY (conversation, id))"

// hot keeps the rows of a table from being moved to the cold tier, which has
// measurements of its own.
const hot = " WITH (FLUSH_POLICY = 'none')"

// kalamdb measures writes and reads over HTTP.
func (b *bench) kalamdb(ctx context.Context) (err error) {
	s, err := b.launch(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	root := s.root()
	for _, sql := range []string{
		"CREATE NAMESPACE bench",
		"CREATE USER TABLE bench.written " + schema + hot,
		"CREATE USER TABLE bench.messages " + schema + hot,
	} {
		if _, err := root.SQL(ctx, sql); err != nil {
			return err
		}
	}
	for _, clients := range []int{1, 16, 64} {
		err := b.load(ctx, Figure{Name: "insert", Durability: "sync", Clients: clients,
			Conditions: "one row of 200 bytes over HTTP"}, s.PID(), func(i int) (client, error) {
			return s.inserter(i, clients)
		})
		if err != nil {
			return err
		}
	}
	if err := s.fill(ctx, root); err != nil {
		return err
	}
	reads := []struct {
		name, sql, conditions string
		rows                  int
		params                func() []int
	}{
		{"select_by_key", "SELECT content FROM bench.messages WHERE conversation = $1 AND id = $2",
			"one row over HTTP", 1, func() []int {
				return []int{rand.IntN(conversations), rand.IntN(perTalk)}
			}},
		{"last_50", "SELECT id, content FROM bench.messages WHERE conversation = $1 " +
			"ORDER BY id DESC LIMIT 50", "50 rows over HTTP", 50, func() []int {
			return []int{rand.IntN(conversations)}
		}},
	}
	for _, r := range reads {
		err := b.load(ctx, Figure{Name: r.name, Durability: "none", Clients: readers,
			Conditions: r.conditions}, s.PID(), func(i int) (client, error) {
			return s.reader(i, r.rows, r.sql, r.params)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inserter writes rows as a user of its own, the round's number kept apart by
// the conversation.
func (s *server) inserter(i, round int) (client, error) {
	c, err := s.dial(fmt.Sprintf("writer%d", i))
	if err != nil {
		return client{}, err
	}
	var body []byte
	one := rowCount(1)
	return client{close: c.close, step: func(n int) error {
		body = append(body[:0], `{"sql":"INSERT INTO bench.written (conversation, id, content) `+
			`VALUES ($1, $2, $3)","params":[`...)
		body = strconv.AppendInt(body, int64(round), 10)
		body = append(body, ',')
		body = strconv.AppendInt(body, int64(n), 10)
		body = append(body, `,"`+content+`"]}`...)
		return c.ask(body, one)
	}}, nil
}

// reader reads a number of rows as a user of its own.
func (s *server) reader(i, rows int, sql string, params func() []int) (client, error) {
	c, err := s.dial(reader(i))
	if err != nil {
		return client{}, err
	}
	var body []byte
	count := rowCount(rows)
	return client{close: c.close, step: func(int) error {
		body = append(append(append(body[:0], `{"sql":"`...), sql...), `","params":[`...)
		for i, p := range params() {
			if i > 0 {
				body = append(body, ',')
			}
			body = strconv.AppendInt(body, int64(p), 10)
		}
		body = append(body, "]}"...)
		return c.ask(body, count)
	}}, nil
}

func reader(i int) string { return fmt.Sprintf("reader%d", i) }

// fill writes the rows that reads are measured on.
func (s *server) fill(ctx context.Context, root *blackbox.Client) error {
	const batch = 250
	for user := range readers {
		for talk := range conversations {
			for from := 0; from < perTalk; from += batch {
				var rows []string
				for id := from; id < from+batch; id++ {
					rows = append(rows, fmt.Sprintf("(%d, %d, '%s')", talk, id, content))
				}
				_, err := root.WithUser(reader(user)).SQL(ctx,
					"INSERT INTO bench.messages (conversation, id, content) VALUES "+strings.Join(rows, ", "))
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}
