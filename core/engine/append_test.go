package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/live"
)

// answers is an engine with a table of answers that arrive in pieces.
func answers(t *testing.T, o engine.Options) *bench {
	b := open(t, t.TempDir(), o)
	b.run(root, "CREATE NAMESPACE ai")
	b.run(root, "CREATE TABLE ai.answers (id INT PRIMARY KEY, content TEXT, state TEXT DEFAULT 'on', "+
		"title VARCHAR(9))")
	return b
}

const appendOne = "UPDATE ai.answers SET content = CONCAT(content, $1) WHERE id = 1"

func TestAppend_AnswersLikeAnUpdate(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, ''), (2, NULL)")
	for i, piece := range []string{"Grüß", "", " Gott", "\n日本"} {
		out := b.run(alice, appendOne, piece)
		if out.Affected != 1 || out.Message != "1 row updated" || out.Seq == "" {
			t.Errorf("piece %d: %+v", i, out)
		}
	}
	b.want(alice, "Grüß Gott\n日本", "SELECT content FROM ai.answers WHERE id = 1")
	for sql, affected := range map[string]int64{
		"UPDATE ai.answers SET content = CONCAT(content, 'x') WHERE id = 2":                1, // NULL
		"UPDATE ai.answers SET content = CONCAT(content, 'x') WHERE id = 3":                0,
		"UPDATE ai.answers SET content = CONCAT(content, 1, 'a', 'b') WHERE id = 1":        1,
		"UPDATE ai.answers SET content = CONCAT(content, 'c', 'd') WHERE id = 1":           1,
		"UPDATE ai.answers SET title = CONCAT(title, 'abc') WHERE id = 1":                  1,
		"UPDATE ai.answers SET content = CONCAT(content, 'e'), state = 'off' WHERE id = 1": 1,
		"update ai.user.answers set `content` = concat(`content`, 'f') where `id` = 1":     1,
	} {
		if out := b.run(alice, sql); out.Affected != affected {
			t.Errorf("%s: %d rows", sql, out.Affected)
		}
	}
	got := b.rows(alice, "SELECT LENGTH(content), state, title FROM ai.answers ORDER BY id")
	if got != "25 off \n on " {
		t.Errorf("the rows are %q", got)
	}
	b.want(alice, "1 y", "UPDATE ai.answers SET content = CONCAT('y', '') WHERE id = 1 RETURNING id, content")
	b.want(alice, "1 yz", "UPDATE ai.answers SET content = CONCAT(content, 'z') WHERE id = 1 RETURNING id, content")
	b.want(alice, "2", "SELECT COUNT(*) FROM ai.answers")
	b.fails(alice, fault.PermissionDenied,
		"UPDATE ai.bob.answers SET content = CONCAT(content, 'z') WHERE id = 1")
	b.fails(alice, fault.ColumnNotFound,
		"UPDATE ai.answers SET nothing = CONCAT(nothing, 'z') WHERE id = 1")
	b.run(alice, "DELETE FROM ai.answers WHERE id = 1")
	if out := b.run(alice, appendOne, "late"); out.Affected != 0 || out.Seq != "" {
		t.Errorf("an append to a deleted row: %+v", out)
	}
}

func TestAppend_SharedTables(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(root, "CREATE SHARED TABLE ai.board (id INT PRIMARY KEY, content TEXT) WITH (ACCESS = 'public')")
	b.run(service, "INSERT INTO ai.board VALUES (1, 'a')")
	b.run(service, "UPDATE ai.board SET content = CONCAT(content, 'b') WHERE id = 1")
	b.run(root, "UPDATE ai.board SET content = CONCAT(content, 'c') WHERE id = 1")
	b.fails(alice, fault.PermissionDenied, "UPDATE ai.board SET content = CONCAT(content, 'd') WHERE id = 1")
	b.want(alice, "abc", "SELECT content FROM ai.board")
}

func TestAppend_Transactions(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, 'a')")
	c := b.client(alice)
	c.ok("", "BEGIN")
	for _, piece := range []string{"b", "c"} {
		c.ok("", "UPDATE ai.answers SET content = CONCAT(content, '"+piece+"') WHERE id = 1")
	}
	c.ok("abc", "SELECT content FROM ai.answers")
	b.want(alice, "a", "SELECT content FROM ai.answers")
	c.ok("", "COMMIT")
	b.want(alice, "abc", "SELECT content FROM ai.answers")
	c.ok("", "BEGIN")
	c.ok("abc", "SELECT content FROM ai.answers FOR UPDATE")
	b.run(alice, appendOne, "d")
	b.run(alice, appendOne, "e")
	c.ok("abc", "SELECT content FROM ai.answers") // its view stays as it was
	c.ok("", "UPDATE ai.answers SET content = 'mine' WHERE id = 1")
	c.refused(fault.TransactionConflict, "COMMIT")
	b.want(alice, "abcde", "SELECT content FROM ai.answers")
}

func TestAppend_RequestIDs(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, '')")
	send := func(request, sql string) (out engine.Result) {
		t.Helper()
		err := b.db.Execute(t.Context(), alice, engine.Request{SQL: sql, RequestID: request},
			func(r *engine.Result) error { out = *r; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const one = "UPDATE ai.answers SET content = CONCAT(content, 'x') WHERE id = 1"
	const none = "UPDATE ai.answers SET content = CONCAT(content, 'x') WHERE id = 7"
	first, nothing := send("r1", one), send("r2", none)
	if first.Affected != 1 || nothing.Affected != 0 {
		t.Fatalf("%d and %d rows", first.Affected, nothing.Affected)
	}
	b.close()
	b.open()
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (7, '')")
	if again := send("r1", one); again.Seq != first.Seq || again.Affected != 1 {
		t.Errorf("a repeat gave %+v, want %+v", again, first)
	}
	if again := send("r2", none); again.Affected != 0 {
		t.Errorf("a repeat of what matched nothing gave %+v", again)
	}
	b.want(alice, "x\n", "SELECT content FROM ai.answers")
}

// TestAppend_ConcurrentWriters has 50 write to one row: nothing is lost, and the
// pieces stand in the order of their seqs.
func TestAppend_ConcurrentWriters(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, '')")
	const writers, each = 50, 20
	var mu sync.Mutex
	pieces := map[int64]string{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				piece := fmt.Sprintf("%d.%d|", w, i)
				out, err := b.db.Query(t.Context(), alice, appendOne, piece)
				if err != nil {
					t.Error(err)
					return
				}
				_, text, _ := strings.Cut(out.Seq, ":")
				seq, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				pieces[seq] = piece
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	var want strings.Builder
	for _, seq := range slices.Sorted(maps.Keys(pieces)) {
		want.WriteString(pieces[seq])
	}
	if len(pieces) != writers*each {
		t.Errorf("%d pieces have a seq of their own, want %d", len(pieces), writers*each)
	}
	b.want(alice, want.String(), "SELECT content FROM ai.answers")
	b.want(root, "0", "SELECT value FROM system.stats WHERE name = 'statements_planned_again'")
}

func TestAppend_SchemaChanges(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, 'a'), (2, 'b')")
	b.run(root, "ALTER TABLE ai.answers ADD COLUMN note TEXT DEFAULT 'n'")
	b.run(alice, appendOne, "1") // to a row of the version before
	b.want(alice, "a1 n", "SELECT content, note FROM ai.answers WHERE id = 1")
	b.run(alice, "UPDATE ai.answers SET note = CONCAT(note, '!') WHERE id = 1") // it has none of its own
	b.want(alice, "a1 n!", "SELECT content, note FROM ai.answers WHERE id = 1")
	b.run(root, "ALTER TABLE ai.answers RENAME COLUMN content TO body")
	b.run(alice, "UPDATE ai.answers SET body = CONCAT(body, '2') WHERE id = 1")
	b.run(alice, "UPDATE ai.answers SET body = CONCAT(body, '2') WHERE id = 2")
	b.run(root, "ALTER TABLE ai.answers MODIFY COLUMN title TEXT")
	b.run(alice, "UPDATE ai.answers SET title = 'long' WHERE id = 1")
	b.run(alice, "UPDATE ai.answers SET title = CONCAT(title, ' enough now') WHERE id = 1")
	b.want(alice, "1 a12 long enough now n!\n2 b2  n", "SELECT id, body, title, note FROM ai.answers")
	b.run(root, "ALTER TABLE ai.answers DROP COLUMN body")
	b.fails(alice, fault.ColumnNotFound, "UPDATE ai.answers SET body = CONCAT(body, '3') WHERE id = 1")
	b.run(root, "ALTER TABLE ai.answers ADD COLUMN body TEXT DEFAULT 'new'")
	b.run(alice, "UPDATE ai.answers SET body = CONCAT(body, '3') WHERE id = 1")
	b.want(alice, "new3\nnew", "SELECT body FROM ai.answers")
}

// TestAppend_OtherKinds has columns of all kinds beside the text.
func TestAppend_OtherKinds(t *testing.T) {
	for _, codec := range []string{"row", "json", "msgpack", "cbor"} {
		b := open(t, "", engine.Options{Storage: engine.Memory})
		b.run(root, "CREATE NAMESPACE ai")
		b.run(root, "CREATE TABLE ai.all (id INT PRIMARY KEY, e ENUM('x', 'y'), v EMBEDDING(2), content TEXT, "+
			"j JSON, d DECIMAL(5,2), f DOUBLE, b BYTES, t TIMESTAMP, u UUID) WITH (CODEC = '"+codec+"')")
		b.run(alice, "INSERT INTO ai.all VALUES (1, 'y', '[1, 2.5]', 'a', '{\"k\": [1]}', 1.50, 0.25, "+
			"'bytes', '2026-01-02T03:04:05Z', '01890a5d-ac96-774b-bcce-b302099a8001')")
		before := b.rows(alice, "SELECT e, v, j, d, f, b, t, u FROM ai.all")
		b.run(alice, "UPDATE ai.all SET content = CONCAT(content, ?) WHERE id = 1", "b")
		b.want(alice, before, "SELECT e, v, j, d, f, b, t, u FROM ai.all")
		b.want(alice, "ab", "SELECT content FROM ai.all")
	}
}

// TestAppend_Indexes appends to columns beside and inside of indexes.
func TestAppend_Indexes(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, 'a'), (2, 'b')")
	b.run(root, "CREATE INDEX s ON ai.answers (state)")
	b.run(alice, appendOne, "1")
	b.run(root, "CREATE UNIQUE INDEX c ON ai.answers (content)")
	b.run(alice, appendOne, "2")
	b.run(alice, "UPDATE ai.answers SET state = CONCAT(state, '!') WHERE id = 2")
	b.want(alice, "1", "SELECT id FROM ai.answers WHERE content = 'a12'")
	b.want(alice, "", "SELECT id FROM ai.answers WHERE content = 'a1'")
	b.want(alice, "2", "SELECT id FROM ai.answers WHERE state = 'on!'")
	b.want(alice, "1", "SELECT id FROM ai.answers WHERE state = 'on'")
	b.run(alice, "UPDATE ai.answers SET content = 'a' WHERE id = 2")
	b.fails(alice, fault.DuplicateKey, "UPDATE ai.answers SET content = CONCAT(content, '12') WHERE id = 2")
}

func TestAppend_Live(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, 'ü'), (9, 'long')")
	all := b.follow(alice, "SELECT id, content FROM ai.answers", nil)
	long := b.follow(alice, "SELECT id AS n, content AS text FROM ai.answers WHERE LENGTH(content) > 3", nil)
	loud := b.follow(alice, "SELECT id, UPPER(content) FROM ai.answers", nil)
	blind := b.follow(alice, "SELECT id, state FROM ai.answers", nil)
	bare := b.follow(alice, "SELECT content FROM ai.answers", nil)
	twice := b.follow(alice, "SELECT id, content, content AS again FROM ai.answers WHERE id = 1", nil)
	all("snapshot 1 ü 9 long")
	twice("snapshot 1 ü ü")
	bare("snapshot ü long")
	loud("snapshot 1 Ü 9 LONG")
	blind("snapshot 1 on 9 on")
	long("snapshot 9 long")
	b.run(alice, appendOne, "ß")
	all("append 1 content 2+ß")
	long("insert 1 üß")
	twice("update 1 üß üß")
	loud("update 1 Üß")
	bare("update üß")
	withSeq := b.follow(alice, "SELECT id, content, _seq FROM ai.answers WHERE state = 'on'", nil)
	withSeq("snapshot " + strings.ReplaceAll(
		b.rows(alice, "SELECT id, content, _seq FROM ai.answers"), "\n", " "))
	b.run(alice, appendOne, "x")
	all("append 1 content 4+x")
	withSeq("append 1 content 4+x")
	long("append 1 text 4+x")
	b.run(alice, "UPDATE ai.answers SET state = 'off' WHERE id = 1")
	blind("update 1 off") // and nothing of the text
	b.run(alice, "UPDATE ai.answers SET content = 'new' WHERE id = 1")
	all("update 1 new")
	long("delete 1 1 üßx") // it is as long as that
}

// TestAppend_LiveWindows has the row in windows, where it stays and where it moves.
func TestAppend_LiveWindows(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	newest := b.follow(alice, "SELECT id, content FROM ai.answers ORDER BY id DESC LIMIT 3", nil)
	last := b.follow(alice, "SELECT content, id FROM ai.answers ORDER BY _seq DESC LIMIT 2", nil)
	loud := b.follow(alice, "SELECT id, UPPER(content) FROM ai.answers ORDER BY id LIMIT 1", nil)
	newest("snapshot 3 c 2 b 1 a")
	last("snapshot c 3 b 2")
	loud("snapshot 1 A")
	b.run(alice, appendOne, "ü")
	newest("append 1 content 1+ü")
	last("delete 2 b insert aü 1")
	loud("update 1 AÜ")
	b.run(alice, appendOne, "x")
	newest("append 1 content 3+x")
	last("append 1 content 3+x")
	b.run(alice, "UPDATE ai.answers SET content = CONCAT(content, '!') WHERE id = 3")
	newest("append 3 content 1+!")
	last("update c! 3") // it is the first now
	b.run(alice, "UPDATE ai.answers SET content = 'whole' WHERE id = 3")
	newest("update 3 whole")
}

// TestAppend_LiveLate has readers who come late, or come back.
func TestAppend_LiveLate(t *testing.T) {
	b := answers(t, engine.Options{})
	b.run(alice, "INSERT INTO ai.answers (id, content) VALUES (1, '')")
	const sql = "SELECT id, content FROM ai.answers"
	var cursors []clock.Seq
	want := ""
	for i := range 40 {
		out := b.run(alice, appendOne, fmt.Sprintf("%d ", i))
		_, text, _ := strings.Cut(out.Seq, ":")
		seq, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		cursors, want = append(cursors, clock.Seq(seq)), want+fmt.Sprintf("%d ", i)
		if i == 20 {
			b.run(alice, "UPDATE ai.answers SET state = 'half' WHERE id = 1")
		}
	}
	b.follow(alice, sql, nil)("snapshot 1 " + want)
	b.close()
	b.open()
	for _, from := range []int{0, 19, 20, 38} {
		got, offset := b.replayed(t, sql, cursors[from])
		if rest := want[offset:]; got != rest || !strings.HasPrefix(rest, fmt.Sprintf("%d ", from+1)) {
			t.Errorf("from piece %d on %q was told at %d, want %q", from, got, offset, rest)
		}
	}
}

// replayed resumes from a cursor, and returns the appended text it is told and
// where that begins.
func (b *bench) replayed(t *testing.T, sql string, from clock.Seq) (text string, offset int) {
	t.Helper()
	sub, err := b.db.Subscribe(t.Context(), alice, engine.Subscription{
		SQL: sql, Options: live.SubscribeOptions{From: &from}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close(live.Unsubscribed)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		msgs, more, err := sub.Poll(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			c, ok := m.(live.Changed)
			if !ok {
				continue
			}
			if c.Append == nil || text != "" && c.Append.Offset != offset+len(text) {
				t.Fatalf("told %+v behind %q at %d", c.Append, text, offset)
			}
			if text == "" {
				offset = c.Append.Offset
			}
			text += c.Append.Text
		}
		if !more {
			return text, offset
		}
	}
	t.Fatal("the replay has no end")
	return
}

func TestAppend_Streams(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a')")
	s.run(service, "INSERT INTO chat.alarms VALUES (1, 'fire')")
	mine := s.follow(alice, "SELECT * FROM chat.typing", nil)
	all := s.follow(bob, "SELECT * FROM chat.alarms", nil)
	mine("snapshot 1 a")
	all("snapshot 1 fire")
	s.pass(6 * time.Second)
	if out := s.run(alice, "UPDATE chat.typing SET who = CONCAT(who, 'b') WHERE room = 1"); out.Affected != 1 {
		t.Errorf("%+v", out)
	}
	s.run(service, "UPDATE chat.alarms SET what = CONCAT(what, '!') WHERE id = 1")
	s.fails(alice, fault.PermissionDenied, "UPDATE chat.alarms SET what = CONCAT(what, '?') WHERE id = 1")
	mine("append 1 who 1+b")
	all("append 1 what 4+!")
	s.pass(6 * time.Second)
	s.want(alice, "ab", "SELECT who FROM chat.typing") // renewed
	s.pass(6 * time.Second)
	if out := s.run(alice, "UPDATE chat.typing SET who = CONCAT(who, 'c') WHERE room = 1"); out.Affected != 0 {
		t.Errorf("an append to what has expired: %+v", out)
	}
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'new')")
	mine("insert 1 new")
	s.evict()
	s.stored(1, "typing")
}
