package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/segment/segmenttest"
)

// The table that moves to the cold tier, and whose rows they are.
const (
	coldTable   = "bench.talk"
	coldColumns = "(conversation BIGINT NOT NULL, id BIGINT NOT NULL, author BIGINT NOT NULL, " +
		"likes BIGINT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (conversation, id))"
	coldUser    = "reader0"
	mostLikes   = 1000
	manyAuthors = 977
	scanBelow   = 100 // likes, which one row in ten has
	rounds      = 7   // of what is told as a median
)

// message is a row of the table.
type message struct {
	conversation, id, author, likes int
	content                         string
}

// messageOf returns row n of a conversation, the same in every run.
func messageOf(conversation, n int) message {
	m := message{conversation: conversation, id: n,
		author: n * 31 % manyAuthors, likes: n * 7919 % mostLikes}
	from := n * 13 % 40
	m.content = fmt.Sprintf("%d: %s, said %d", n*7919%100_003, content[from:from+60+n%90], n%89)
	return m
}

// kinds are those of the table's columns and of the system's, in a file.
var kinds = []value.Kind{value.Int64, value.Int64, value.Int64, value.Int64, value.Text,
	value.Int64, value.Timestamp, value.Bool}

func (m *message) values() []value.Value {
	now := time.Now()
	return []value.Value{
		value.NewBigInt(int64(m.conversation)), value.NewBigInt(int64(m.id)),
		value.NewBigInt(int64(m.author)), value.NewBigInt(int64(m.likes)), value.NewText(m.content),
		value.NewBigInt(now.UnixNano()), value.NewTimestamp(now), value.NewBool(false),
	}
}

// cold measures the cold tier with a conversation of very many rows: reading
// its end and scanning it hot and cold, and the flush beside the bare writer.
func (b *bench) cold(ctx context.Context) (err error) {
	s, err := b.setUpCold(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.talk(ctx, 1, 0, b.million); err != nil {
		return err
	}
	if err := b.readEnd(ctx, s, "hot"); err != nil {
		return err
	}
	if err := b.scan(ctx, s, "hot"); err != nil {
		return err
	}
	if err := b.flushBeside(ctx, s); err != nil {
		return err
	}
	if err := b.readEnd(ctx, s, "cold"); err != nil {
		return err
	}
	if err := b.scan(ctx, s, "cold"); err != nil {
		return err
	}
	if err := errors.Join(s.Stop(), s.Restart(ctx)); err != nil {
		return err
	}
	c, err := s.reader(0, 50, lastOf, conversationOne)
	if err != nil {
		return err
	}
	defer c.close()
	from := time.Now()
	if err := c.step(0); err != nil {
		return err
	}
	return b.report(Figure{Name: "cold_last_50_first", Value: millis(time.Since(from)), Unit: "ms",
		Durability: "none", Clients: 1, Conditions: "the first statement behind a start"})
}

func (b *bench) setUpCold(ctx context.Context, env ...string) (*server, error) {
	s, err := b.launch(ctx, env...)
	if err != nil {
		return nil, err
	}
	for _, sql := range []string{
		"CREATE NAMESPACE bench", "CREATE USER TABLE " + coldTable + " " + coldColumns + hot,
	} {
		if _, err := s.root().SQL(ctx, sql); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// talk inserts the rows from, to of a conversation.
func (s *server) talk(ctx context.Context, conversation, from, to int) error {
	const batch = 500
	user := s.root().WithUser(coldUser)
	for at := from; at < to; at += batch {
		var rows []string
		for n := at; n < min(at+batch, to); n++ {
			m := messageOf(conversation, n)
			rows = append(rows, fmt.Sprintf("(%d, %d, %d, %d, '%s')",
				m.conversation, m.id, m.author, m.likes, m.content))
		}
		_, err := user.SQL(ctx, "INSERT INTO "+coldTable+
			" (conversation, id, author, likes, content) VALUES "+strings.Join(rows, ", "))
		if err != nil {
			return err
		}
	}
	return nil
}

const lastOf = "SELECT id, content FROM " + coldTable + " WHERE conversation = $1 " +
	"ORDER BY id DESC LIMIT 50"

func conversationOne() []int { return []int{1} }

func (b *bench) readEnd(ctx context.Context, s *server, tier string) error {
	return b.load(ctx, Figure{Name: tier + "_last_50", Durability: "none", Clients: 1,
		Conditions: fmt.Sprintf("50 rows of a conversation of %d over HTTP", b.million)},
		s.PID(), func(int) (client, error) { return s.reader(0, 50, lastOf, conversationOne) })
}

// scan measures a query of two columns with a filter, beside the bare reader
// over the same files where there are any.
func (b *bench) scan(ctx context.Context, s *server, tier string) error {
	var want total
	for n := range b.million {
		if m := messageOf(1, n); m.likes < scanBelow {
			want.rows, want.bytes = want.rows+1, want.bytes+len(m.content)
		}
	}
	user := s.root().WithUser(coldUser)
	took, err := median(func() error {
		r, err := user.SQL(ctx, fmt.Sprintf("SELECT COUNT(*), SUM(LENGTH(content)) FROM %s "+
			"WHERE likes < %d", coldTable, scanBelow))
		if err != nil {
			return err
		}
		if got := r.Strings()[0]; got[0] != fmt.Sprint(want.rows) || got[1] != fmt.Sprint(want.bytes) {
			return fmt.Errorf("the answer is %v and not %v", got, want)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = b.report(Figure{Name: tier + "_scan", Value: millis(took), Unit: "ms", Durability: "none",
		Clients: 1, Conditions: fmt.Sprintf(
			"COUNT(*) and SUM(LENGTH(text)) of the 1 in 10 of %d rows whose number is below a limit, "+
				"median of %d", b.million, rounds)})
	if err != nil || tier == "hot" {
		return err
	}
	files, err := s.files()
	if err != nil {
		return err
	}
	bare, err := median(func() error { return sumFiles(ctx, files, want) })
	if err != nil {
		return err
	}
	return b.beside(tier+"_scan_bare", bare, took, fmt.Sprintf("the same two columns and filter of "+
		"%d files in process, with the library of the format alone, median of %d",
		len(files), rounds))
}

// beside reports what the bare library took, and the ratio to it.
func (b *bench) beside(name string, bare, took time.Duration, conditions string) error {
	f := Figure{Name: name, Value: millis(bare), Unit: "ms", Durability: "none", Clients: 1,
		Conditions: conditions}
	if err := b.report(f); err != nil {
		return err
	}
	f.Name, f.Unit, f.Value = name+"_ratio", "times", took.Seconds()/bare.Seconds()
	return b.report(f)
}

// total is what a scan comes to.
type total struct{ rows, bytes int }

func sumFiles(ctx context.Context, files []string, want total) error {
	const likes, content = 3, 4 // columns
	var got total
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		rows, bytes, err := segmenttest.Sum(ctx, f, likes, content, scanBelow)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		got.rows, got.bytes = got.rows+rows, got.bytes+bytes
	}
	if got != want {
		return fmt.Errorf("the bare reader finds %v and not %v", got, want)
	}
	return nil
}

// files returns the segments of the server's storage.
func (s *server) files() (paths []string, err error) {
	root := filepath.Join(s.DataDir(), "cold")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}

// flushBeside measures the flush of all rows, and the bare writer on the same.
func (b *bench) flushBeside(ctx context.Context, s *server) error {
	took, err := s.job(ctx, "FLUSH TABLE "+coldTable)
	if err != nil {
		return err
	}
	err = b.report(Figure{Name: "flush", Value: float64(b.million) / took.Seconds(),
		Unit: "rows per second", Durability: "sync", Clients: 1,
		Conditions: fmt.Sprintf("FLUSH TABLE of %d rows of a user until its job has ended", b.million)})
	if err != nil {
		return err
	}
	rows := make([][]value.Value, b.million)
	for n := range rows {
		m := messageOf(1, n)
		rows[n] = m.values()
	}
	bare, err := median(func() error { return writeBare(filepath.Join(s.dir, "bare"), rows) })
	if err != nil {
		return err
	}
	conditions := fmt.Sprintf("the same rows from memory to a file and a sync, with the library of "+
		"the format alone, median of %d", rounds)
	return errors.Join(
		b.report(Figure{Name: "flush_bare", Value: float64(b.million) / bare.Seconds(),
			Unit: "rows per second", Durability: "sync", Clients: 1, Conditions: conditions}),
		b.report(Figure{Name: "flush_share", Value: 100 * bare.Seconds() / took.Seconds(),
			Unit: "%", Durability: "sync", Clients: 1, Conditions: "of the bare writer's rows a second"}))
}

func writeBare(path string, rows [][]value.Value) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	// The library would close what it is given.
	return errors.Join(segmenttest.Write(struct{ io.Writer }{f}, kinds, rows), f.Sync(), f.Close())
}

// job starts work in the background and waits until it has completed.
func (s *server) job(ctx context.Context, sql string) (time.Duration, error) {
	from := time.Now()
	r, err := s.root().SQL(ctx, sql)
	if err != nil {
		return 0, err
	}
	for _, row := range r.Strings() {
		r, err := s.root().SQL(ctx, "WAIT FOR JOB '"+row[0]+"' TIMEOUT '10m'")
		if err != nil {
			return 0, err
		}
		if !strings.Contains(fmt.Sprint(r.Strings()), "completed") {
			return 0, fmt.Errorf("%s: its job is %v", sql, r.Strings())
		}
	}
	return time.Since(from), nil
}

// median runs something several times and returns the time in the middle.
func median(run func() error) (time.Duration, error) {
	var took []time.Duration
	for range rounds {
		from := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(from))
	}
	slices.Sort(took)
	return took[rounds/2], nil
}
