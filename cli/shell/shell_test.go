package shell_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/client/clienttest"
	"github.com/kalamdb/kalamdb-go/cli/shell"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func TestMain(m *testing.M) { testkit.Main(m) }

// screen collects what is printed.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// keys is a user at a prompt: each line is typed when the shell asks. A line
// that is a function is called instead.
type keys struct {
	typed   []any // string, error, func()
	prompts []string
	history []string
}

// dropped is text that Ctrl-C ends.
type dropped string

func (k *keys) ReadLine(prompt string) (string, error) {
	k.prompts = append(k.prompts, prompt)
	for len(k.typed) > 0 {
		next := k.typed[0]
		k.typed = k.typed[1:]
		switch next := next.(type) {
		case string:
			return next, nil
		case error:
			return "", next
		case dropped:
			return string(next), shell.ErrInterrupt
		case func():
			next()
		}
	}
	return "", io.EOF
}

func (k *keys) Remember(line string) { k.history = append(k.history, line) }
func (k *keys) History() []string    { return k.history }
func (k *keys) ClearHistory() error  { k.history = nil; return nil }

func connect(ctx context.Context, t shell.Target) (*client.Client, error) {
	c, err := client.New(client.Options{URL: t.URL, User: "root", Password: "secret", As: t.As,
		MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
	if err != nil {
		return nil, err
	}
	if _, err := c.Login(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// play runs a session and returns what it printed to either stream.
func play(t *testing.T, url string, change func(*shell.Options), typed ...any) (
	out, errs string, k *keys, err error,
) {
	t.Helper()
	k = &keys{typed: typed}
	var a, b screen
	o := shell.Options{Connect: connect, Target: shell.Target{URL: url}, User: "root", Lines: k,
		Out: &a, Err: &b, Interactive: true}
	if change != nil {
		change(&o)
	}
	s := shell.New(o)
	err = s.Run(t.Context())
	if cerr := s.Close(); cerr != nil {
		t.Error(cerr)
	}
	return a.String(), b.String(), k, err
}

func messages(s *clienttest.Server) {
	s.Rows("SELECT * FROM m", []string{"id:BigInt", "text:Text", "ok:Boolean", "data:Json"},
		[]any{"9007199254740993", "hello", true, map[string]any{"a": []any{1, "b"}}},
		[]any{"2", "二つ, \"quoted\"\n and e\u0301 🙂\x1b[31m", nil, nil},
		[]any{"-3", "", false, "text"})
	s.Rows("SELECT none", []string{"id:Int"})
	s.Answer("INSERT", func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
		return clienttest.Success(wire.Result{RowCount: 2}), nil
	})
	s.Answer("USE chat", func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
		return clienttest.Success(wire.Result{Message: "using namespace chat"}), nil
	})
}

func TestShell_formats(t *testing.T) {
	s := clienttest.New(t)
	messages(s)
	for _, f := range []string{"table", "json", "ndjson", "csv", "expanded"} {
		t.Run(f, func(t *testing.T) {
			typed := []any{`\format ` + f, "SELECT * FROM m;", "SELECT none;", "INSERT;"}
			if f == "expanded" {
				typed[0] = `\x on`
			}
			out, errs, _, err := play(t, s.URL, nil, typed...)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(errs, "ERROR") {
				t.Error(errs)
			}
			golden(t, f+".golden", out)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestShell_session(t *testing.T) {
	s := clienttest.New(t)
	messages(s)
	s.Fail("SELECT\n  * FROM mesages", fault.New(fault.TableNotFound, "no such table").At(1, 17))
	s.Rows("DESCRIBE chat.m", []string{"name:Text"}, []any{"id"})
	out, errs, k, err := play(t, s.URL, nil,
		"USE chat;", "SELECT", "  * FROM mesages;", `\d chat.m`, "SELECT", shell.ErrInterrupt,
		"ALTER USER 'root' SET PASSWORD 'geheim';", "SELECT none; SELECT none;", `\timing`,
		"SELECT none;", `\flush`, `\nonsense`, `\history`, `\health`, `\q`, "SELECT never;")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ERROR TABLE_NOT_FOUND: no such table\nline 2:   * FROM mesages\n                 ^\n",
		"time: ", "this version does not have", `there is no command \nonsense`, "healthy",
		"    1  USE chat;\n    2  SELECT   * FROM mesages;\n"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is missing in\n%s", want, errs)
		}
	}
	if !strings.Contains(out, "using namespace chat\n") || strings.Count(out, "(0 rows)") != 3 {
		t.Errorf("output\n%s", out)
	}
	wantPrompts := []string{"kalam root> ", "kalam root/chat> ", "    -> ", "kalam root/chat> ",
		"kalam root/chat> ", "    -> ", "kalam root/chat> "}
	if !slices.Equal(k.prompts[:7], wantPrompts) {
		t.Errorf("prompts %q", k.prompts)
	}
	if strings.Contains(strings.Join(k.history, "\n"), "geheim") {
		t.Error("a password is in the history")
	}
	for _, r := range s.Requests() {
		if r.SQL == "SELECT none" && r.NamespaceID != "chat" {
			t.Errorf("request %+v", r)
		}
	}
}

func TestShell_as_and_connect(t *testing.T) {
	s, other := clienttest.New(t), clienttest.New(t)
	messages(s)
	messages(other)
	_, errs, k, _ := play(t, s.URL, nil, `\as alice`, "SELECT none;", `\as`, "SELECT none;",
		`\connect http://localhost:1`, `\connect nonsense`, `\connect `+other.URL, "INSERT;")
	seen := slices.DeleteFunc(s.Requests(), func(r clienttest.Seen) bool {
		return r.SQL != "SELECT none"
	})
	if len(seen) != 2 || seen[0].Acting != "alice" || seen[1].Acting != "" {
		t.Errorf("requests %+v", seen)
	}
	if k.prompts[1] != "kalam root as alice> " {
		t.Errorf("prompts %q", k.prompts)
	}
	if !strings.Contains(errs, "cannot connect to http://localhost:1") ||
		!strings.Contains(errs, "is not the address of a server") {
		t.Errorf("errors\n%s", errs)
	}
	if last := other.Requests(); last[len(last)-1].SQL != "INSERT" {
		t.Errorf("requests of the other server %+v", last)
	}
}

func TestShell_stops_at_the_first_error_without_a_prompt(t *testing.T) {
	s := clienttest.New(t)
	messages(s)
	var out, errs screen
	sh := shell.New(shell.Options{Connect: connect, Target: shell.Target{URL: s.URL}, Out: &out,
		Err: &errs, Format: shell.JSON,
		Lines: shell.NewText(strings.NewReader("SELECT none;\nBAD;\nINSERT;"), nil)})
	err := sh.Run(t.Context())
	if !fault.Is(err, fault.InvalidSQL) {
		t.Errorf("error %v", err)
	}
	if cerr := sh.Close(); cerr != nil {
		t.Error(cerr)
	}
	if out.String() != "[]\n" || len(s.Requests()) != 2 {
		t.Errorf("output %q, requests %+v", out.String(), s.Requests())
	}
}

func TestShell_subscribe(t *testing.T) {
	s := clienttest.New(t)
	s.Commit(1)
	var out screen
	shown := func(text string) func() {
		return func() {
			t.Helper()
			testkit.Eventually(t, 10*time.Second, text, func() bool {
				return strings.Contains(out.String(), text)
			})
		}
	}
	_, errs, _, _ := play(t, s.URL, func(o *shell.Options) { o.Out = &out },
		`\subscribe SELECT * FROM chat.messages;`, shown("[1] up to date"),
		func() { s.Commit(2) }, shown("[1] insert id=2  text=message 2\n"),
		`\format ndjson`, `\subscribe SELECT * FROM chat.messages`, shown(`"ready":true`),
		func() { s.Commit(3) },
		shown(`{"subscription":2,"event":"insert","seq":"103","commit":true,`+
			`"rows":[{"id":"3","text":"message 3"}]}`+"\n"),
		`\unsubscribe 7`, `\unsubscribe x`, `\unsubscribe 1`, `\unsubscribe`, `\q`)
	for _, want := range []string{"subscription 2 is open", "there is no such subscription"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is missing in\n%s", want, errs)
		}
	}
}

func TestShell_interrupt(t *testing.T) {
	s := clienttest.New(t)
	interrupts := make(chan os.Signal, 1)
	s.Answer("SLOW", func(r *http.Request, _ wire.SQLRequest) (*wire.SQLResponse, error) {
		interrupts <- os.Interrupt
		<-r.Context().Done()
		return nil, fault.From(r.Context().Err())
	})
	s.Rows("SELECT none", []string{"id:Int"})
	set := func(o *shell.Options) { o.Interrupts, o.Spinner = interrupts, true }
	out, errs, _, _ := play(t, s.URL, set, "SLOW;", shell.ErrInterrupt, dropped("SELECT"),
		"SELECT none;", shell.ErrInterrupt, shell.ErrInterrupt, "SELECT none;")
	if !strings.Contains(errs, "ERROR CANCELLED") || strings.Count(out, "(0 rows)") != 1 {
		t.Errorf("output\n%s\n%s", out, errs)
	}
	t.Run("ends watching", func(t *testing.T) {
		n := 0
		s.Answer("W", func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
			if n++; n == 3 {
				interrupts <- os.Interrupt
			}
			return clienttest.Success(wire.Result{Message: "watched"}), nil
		})
		out, _, _, _ := play(t, s.URL, func(o *shell.Options) { o.Interrupts = interrupts },
			`\watch`, "W;", `\watch x`, `\watch 0.1`, "SELECT none;")
		if strings.Count(out, "watched") < 2 || !strings.Contains(out, "(0 rows)") {
			t.Errorf("output\n%s", out)
		}
	})
}

// reacting calls f with what is printed.
type reacting func(text string)

func (f reacting) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

func TestShell_watch_shows_the_result_when_it_changes(t *testing.T) {
	s := clienttest.New(t)
	s.Rows("SELECT * FROM chat.messages", []string{"id:BigInt", "text:Text"})
	s.Commit(1)
	interrupts := make(chan os.Signal, 1)
	var shown []string
	_, errs, _, _ := play(t, s.URL, func(o *shell.Options) {
		o.Interrupts = interrupts
		o.Out = reacting(func(text string) {
			switch shown = append(shown, text); len(shown) {
			case 2: // the first is the statement's own answer
				s.Commit(2)
			case 3:
				interrupts <- os.Interrupt
			}
		})
	}, "SELECT * FROM chat.messages;", `\watch`, "SELECT * FROM chat.messages;")
	if len(shown) != 4 || !strings.Contains(shown[1], "message 1") ||
		!strings.Contains(shown[2], "message 2") || !strings.Contains(shown[2], "(2 rows)") {
		t.Errorf("shown %q\n%s", shown, errs)
	}
	t.Run("and repeats what can't be followed", func(t *testing.T) {
		n := 0
		s.Answer("W", func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
			if n++; n == 3 {
				interrupts <- os.Interrupt
			}
			s.Refuse(fault.New(fault.LiveUnsupportedQuery, "no"))
			return clienttest.Success(wire.Result{Message: "watched"}), nil
		})
		out, _, _, _ := play(t, s.URL, func(o *shell.Options) { o.Interrupts = interrupts },
			"W;", `\watch`)
		if strings.Count(out, "watched") < 2 {
			t.Errorf("output\n%s", out)
		}
	})
}

func TestShell_Complete(t *testing.T) {
	s := clienttest.New(t)
	s.Rows("SELECT kind FROM system.statements", []string{"kind:Text"}, []any{"CREATE USER TABLE"})
	s.Rows("SELECT name FROM system.namespaces", []string{"name:Text"}, []any{"chat"})
	s.Rows("SELECT namespace, name FROM system.tables", []string{"namespace:Text", "name:Text"},
		[]any{"chat", "messages"}, []any{"shop", "orders"})
	s.Rows("SELECT namespace, table_name, name FROM system.columns",
		[]string{"a:Text", "b:Text", "c:Text"}, []any{"chat", "messages", "conversation"},
		[]any{"shop", "orders", "cost"})
	var sh *shell.Shell
	k := &keys{}
	check := func() {
		for _, tc := range []struct {
			line  string
			want  []string
			typed int
		}{
			{"cre", []string{"create"}, 3},
			{"CRE", []string{"CREATE"}, 3},
			{"SELECT * FROM ch", []string{"chat", "chat.messages"}, 2},
			{"SELECT * FROM chat.m", []string{"chat.messages"}, 6},
			{"SELECT * FROM messages WHERE con", []string{"conversation"}, 3},
			{"SELECT * FROM messages WHERE cost", nil, 4},
			{"SELECT cost", []string{"cost"}, 4},
			{`\wa`, []string{`\watch`}, 3},
			{"", nil, 0},
			{"SELECT ", nil, 0},
		} {
			got, typed := sh.Complete(tc.line)
			if !slices.Equal(got, tc.want) || typed != tc.typed {
				t.Errorf("%q: %q, %d; want %q, %d", tc.line, got, typed, tc.want, tc.typed)
			}
		}
	}
	k.typed = []any{check}
	var out, errs screen
	sh = shell.New(shell.Options{Connect: connect, Target: shell.Target{URL: s.URL}, Lines: k,
		Out: &out, Err: &errs, Interactive: true})
	if err := errors.Join(sh.Run(t.Context()), sh.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestExplain(t *testing.T) {
	at := func(p int) error { return fault.New(fault.InvalidSQL, "wrong").At(1, p) }
	for _, tc := range []struct {
		sql  string
		err  error
		want string
	}{
		{"SELECT x", at(8), "ERROR INVALID_SQL: wrong\nline 1: SELECT x\n               ^"},
		{"SELECT '消' x", at(14), "ERROR INVALID_SQL: wrong\nline 1: SELECT '消' x\n                    ^"},
		{"a", at(2), "ERROR INVALID_SQL: wrong\nline 1: a\n         ^"},
		{"a", at(9), "ERROR INVALID_SQL: wrong"},
		{"a", errors.New("odd\x1b"), `ERROR odd\u001b`},
	} {
		if got := shell.Explain(tc.err, tc.sql); got != tc.want {
			t.Errorf("got\n%s\nwant\n%s", got, tc.want)
		}
	}
}

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	h, err := shell.OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1500 {
		if err := h.Add(strings.Repeat("x", i+1)); err != nil {
			t.Fatal(err)
		}
		if err := h.Add(strings.Repeat("x", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	again, err := shell.OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Lines(); len(got) != 1000 || len(got[0]) != 501 || !slices.Equal(got, h.Lines()) {
		t.Errorf("%d lines", len(got))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := errors.Join(again.Clear(), again.Clear()); err != nil {
		t.Error(err)
	}
}

func TestShell_transactions_go_as_one_request(t *testing.T) {
	s := clienttest.New(t)
	const whole = "BEGIN;\nINSERT;\nbegin_not;\nCOMMIT"
	s.Answer(whole, func(*http.Request, wire.SQLRequest) (*wire.SQLResponse, error) {
		return clienttest.Success(wire.Result{Message: "committed"}), nil
	})
	messages(s)
	out, errs, k, err := play(t, s.URL, nil, "SELECT none;", "BEGIN; INSERT;", "begin_not;", "COMMIT;",
		"START TRANSACTION;", "INSERT;", "ROLLBACK;", "SELECT none;")
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, r := range s.Requests() {
		if !strings.Contains(r.SQL, "system.") { // for completion
			sent = append(sent, r.SQL)
		}
	}
	want := []string{"SELECT none", whole, "SELECT none"}
	if fmt.Sprint(sent) != fmt.Sprint(want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	if !strings.Contains(out, "committed") || !strings.Contains(errs, "nothing of it was sent") {
		t.Errorf("printed %q and %q", out, errs)
	}
	if !strings.HasSuffix(k.prompts[2], "*> ") || strings.HasSuffix(k.prompts[4], "*> ") {
		t.Errorf("prompts %q", k.prompts)
	}
}
