package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// pieces are an answer as it arrives; characters are never cut.
var pieces = []string{"Gr", "üß", " ", "dich", ",\n", "\"日\" ", "本", "😀", "", " <&>\\"}

// reply is a subscriber's copy of one answer.
type reply struct {
	t     *testing.T
	s     *blackbox.Socket
	table string
	text  string
	seq   string // the cursor
}

func (r *reply) read(from string) {
	r.t.Helper()
	options := map[string]any{}
	if from != "" {
		options["from"] = from
	}
	send(r.t, r.s, map[string]any{"type": "subscribe", "subscription": map[string]any{"id": "a",
		"sql": "SELECT * FROM " + r.table + " WHERE id = 1", "options": options}})
	for _, row := range snapshot(r.t, r.s, "a") {
		r.text = fmt.Sprint(row["content"])
	}
}

// until takes appends until the copy is the wanted text.
func (r *reply) until(want string) {
	r.t.Helper()
	for r.text != want {
		m := nextChange(r.t, r.s)
		a := m.Append
		if a == nil || m.ChangeType != "update" || m.Reason != "" || !m.Commit || a.Column != "content" ||
			a.Offset != len(r.text) || m.OldValues != nil || len(m.Rows) != 1 ||
			!slices.Equal(slices.Sorted(maps.Keys(m.Rows[0])), []string{"_seq", "id"}) ||
			m.Rows[0]["_seq"] != m.Seq || !strings.HasPrefix(want, r.text+a.Text) {
			r.t.Fatalf("behind %q: %s", r.text, m.Raw)
		}
		r.text, r.seq = r.text+a.Text, m.Seq
	}
}

func TestAppend_readersOfAnAnswer(t *testing.T) {
	s := testkit.Start(t)
	ns := s.Namespace(t)
	alice := s.User(t, "alice")
	answers := ns + ".answers"
	testkit.Must(t, s.Root(), "CREATE TABLE "+answers+" (id INT PRIMARY KEY, content TEXT, at TIMESTAMP)")
	testkit.Must(t, alice, "INSERT INTO "+answers+" (id, content) VALUES (1, ''), (2, '')")
	open := func() *reply {
		return &reply{t: t, s: testkit.Dial(t, alice), table: answers}
	}
	first, leaving := open(), open()
	first.read("")
	leaving.read("")
	writer := testkit.Dial(t, alice)
	for i, piece := range pieces {
		send(t, writer, map[string]any{"type": "query", "id": fmt.Sprint(i), "params": []string{piece},
			"sql": "UPDATE " + answers + " SET content = CONCAT(content, $1) WHERE id = 1"})
		if m := read(t, writer); m.Type != "result" || m.Status != "success" {
			t.Fatalf("piece %d: %s", i, m.Raw)
		}
		if i == 3 {
			leaving.until("Grüß dich")
			leaving.s.Close()
		}
	}
	whole := strings.Join(pieces, "")
	first.until(whole)
	testkit.WantRows(t, alice, "SELECT content FROM "+answers+" WHERE id = 1", []string{whole})

	late := open()
	late.read("")
	if late.text != whole {
		t.Errorf("who comes late is shown %q", late.text)
	}
	back := open()
	back.text = leaving.text
	back.read(leaving.seq)
	back.until(whole)
	testkit.Must(t, alice, "UPDATE "+answers+" SET content = CONCAT(content, '.') WHERE id = 1")
	for _, r := range []*reply{first, late, back} {
		r.until(whole + ".")
	}
	testkit.Must(t, alice, "UPDATE "+answers+" SET content = 'other' WHERE id = 1")
	if m := nextChange(t, first.s); m.Append != nil || m.Rows[0]["content"] != "other" {
		t.Errorf("told %s", m.Raw)
	}
}

// teller appends numbered pieces to one row, beside others.
type teller struct {
	client *blackbox.Client
	table  string
	name   string
	next   int
	acked  []string
}

func (w *teller) run(ctx context.Context) {
	for {
		piece := fmt.Sprintf("[%s.%d]", w.name, w.next)
		w.next++
		_, err := w.client.SQL(ctx, "UPDATE "+w.table+" SET content = CONCAT(content, $1) WHERE id = 1", piece)
		if err != nil {
			return
		}
		w.acked = append(w.acked, piece)
	}
}

// check fails unless each acknowledged piece is there once, in order.
func (w *teller) check(t *testing.T, text string) {
	t.Helper()
	at := -1
	for _, piece := range w.acked {
		i := strings.Index(text, piece)
		if strings.Count(text, piece) != 1 || i < at {
			t.Fatalf("piece %s is %d times in the text, at %d behind %d", piece, strings.Count(text, piece), i, at)
		}
		at = i
	}
	// What was cut off may be there or not.
	if n := strings.Count(text, "["+w.name+"."); n < len(w.acked) || n > w.next {
		t.Fatalf("%d pieces of %s are there, %d were acknowledged of %d", n, w.name, len(w.acked), w.next)
	}
}

func TestAppend_whatWasAcknowledgedSurvivesKill(t *testing.T) {
	s := testkit.Start(t)
	p := s.Process(t)
	ns := s.Namespace(t)
	testkit.Must(t, s.Root(), "CREATE TABLE "+ns+".t (id INT PRIMARY KEY, content TEXT)")
	alice := s.User(t, "alice")
	testkit.Must(t, alice, "INSERT INTO "+ns+".t VALUES (1, '')")
	all := make([]*teller, 6)
	for i := range all {
		all[i] = &teller{client: s.User(t, "alice"), table: ns + ".t", name: fmt.Sprint("w", i)}
	}
	length := func() int {
		r, err := alice.SQL(t.Context(), "SELECT LENGTH(content) FROM "+ns+".t")
		if err != nil || len(r.Strings()) != 1 {
			return 0
		}
		return int(number(r.Strings()[0][0]))
	}
	for range 3 {
		before := length()
		var wg sync.WaitGroup
		for _, w := range all {
			wg.Go(func() { w.run(t.Context()) })
		}
		testkit.Eventually(t, patience, "enough text", func() bool { return length() > before+1000 })
		p.Kill()
		wg.Wait()
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		text := testkit.Must(t, alice, "SELECT content FROM "+ns+".t").Strings()[0][0]
		for _, w := range all {
			w.check(t, text)
		}
	}
}
