package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
)

// Compaction would merge the small segments that these parts are about.
var uncompacted = []string{"KALAMDB_FLUSH_COMPACT_SEGMENTS=1000"}

// points measures reading one cold row by its key where a user has very many
// segments.
func (b *bench) points(ctx context.Context) (err error) {
	const segments, each = 100, 1000
	s, err := b.setUpSegments(ctx, segments, each)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return b.load(ctx, Figure{Name: "cold_select_by_key", Durability: "none", Clients: 1,
		Conditions: fmt.Sprintf("one row of %d over HTTP, in %d segments of a user",
			segments*each, segments)}, s.PID(), func(int) (client, error) {
		return s.reader(0, 1, "SELECT content FROM "+coldTable+" WHERE conversation = $1 AND id = $2",
			func() []int { return []int{rand.IntN(segments), rand.IntN(each)} })
	})
}

// setUpSegments starts a server where the user has a conversation in each of so
// many segments.
func (b *bench) setUpSegments(ctx context.Context, segments, each int) (*server, error) {
	s, err := b.setUpCold(ctx, uncompacted...)
	if err != nil {
		return nil, err
	}
	for i := range segments {
		if err := s.talk(ctx, i, 0, each); err != nil {
			return nil, errors.Join(err, s.close())
		}
		if _, err := s.job(ctx, "FLUSH TABLE "+coldTable); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	files, err := s.files()
	if err == nil && len(files) != segments {
		err = fmt.Errorf("%d segments, not %d", len(files), segments)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// shapes measures queries of several shapes over cold rows in a few files.
func (b *bench) shapes(ctx context.Context) (err error) {
	const segments, each = 20, 10_000
	s, err := b.setUpSegments(ctx, segments, each)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	user := s.root().WithUser(coldUser)
	for _, q := range []struct{ name, sql string }{
		{"by_key", "SELECT * FROM " + coldTable + " WHERE conversation = 7 AND id = 4321"},
		{"last_50", "SELECT * FROM " + coldTable + " WHERE conversation = 11 ORDER BY id DESC LIMIT 50"},
		{"filter", "SELECT id, author FROM " + coldTable + " WHERE likes = 17 AND author < 500"},
		{"group", "SELECT conversation, COUNT(*), SUM(likes) FROM " + coldTable + " GROUP BY conversation"},
		{"text", "SELECT COUNT(*) FROM " + coldTable + " WHERE content LIKE '%said 42%'"},
	} {
		took, err := median(func() error {
			r, err := user.SQL(ctx, q.sql)
			if err == nil && len(r.Rows) == 0 {
				err = errors.New("no rows")
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", q.sql, err)
		}
		err = b.report(Figure{Name: "cold_shape_" + q.name, Value: millis(took), Unit: "ms",
			Durability: "none", Clients: 1, Conditions: fmt.Sprintf(
				"%d rows in %d files, median of %d: %s", segments*each, segments, rounds,
				strings.ReplaceAll(q.sql, coldTable, "t"))})
		if err != nil {
			return err
		}
	}
	return nil
}

// flushing measures inserts without a flush, and while one of the same table runs.
func (b *bench) flushing(ctx context.Context) (err error) {
	s, err := b.setUpCold(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for i, clients := range []int{1, 16} {
		if err := s.talk(ctx, 1+i, 0, b.million); err != nil {
			return err
		}
		if err := b.insertsBeside(ctx, s, clients, "without a flush"); err != nil {
			return err
		}
		flush, ended := context.WithCancelCause(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := s.job(ctx, "FLUSH TABLE "+coldTable)
			ended(err)
		})
		err := b.insertsBeside(flush, s, clients, "beside a flush")
		wg.Wait()
		if cause := context.Cause(flush); !errors.Is(cause, context.Canceled) || err != nil {
			return errors.Join(err, cause)
		}
	}
	return nil
}

// insertsBeside measures inserts until the time is over, or ctx.
func (b *bench) insertsBeside(ctx context.Context, s *server, clients int, beside string) error {
	return b.load(ctx, Figure{Name: "flushing_insert", Durability: "sync", Clients: clients,
		Conditions: fmt.Sprintf("one row of 150 bytes over HTTP, %s of the same table of %d rows more",
			beside, b.million)}, s.PID(),
		func(i int) (client, error) {
			c, err := s.dial(fmt.Sprintf("writer%d", i))
			if err != nil {
				return client{}, err
			}
			one, talk := rowCount(1), rand.Int64()
			return client{close: c.close, step: func(n int) error {
				m := messageOf(0, n)
				return c.ask(fmt.Appendf(nil, `{"sql":"INSERT INTO `+coldTable+` (conversation, id, `+
					`author, likes, content) VALUES ($1, $2, $3, $4, $5)","params":[%d,%d,%d,%d,%q]}`,
					talk>>12, n, m.author, m.likes, m.content), one)
			}}, nil
		})
}
