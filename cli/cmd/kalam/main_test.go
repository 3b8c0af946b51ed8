package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/client/clienttest"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// kalam is the binary run with a home of its own.
type kalam struct {
	t    *testing.T
	home string
	env  []string
}

func newKalam(t *testing.T, env ...string) *kalam {
	return &kalam{t: t, home: t.TempDir(), env: env}
}

// run returns what the process printed and its exit code.
func (k *kalam) run(stdin string, args ...string) (out, errs string, code int) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, testkit.Binary(k.t, "kalam"), args...)
	cmd.Env = append([]string{"HOME=" + k.home}, k.env...)
	cmd.Stdin = strings.NewReader(stdin)
	var a, b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &a, &b
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		k.t.Fatal(err)
	}
	return a.String(), b.String(), cmd.ProcessState.ExitCode()
}

func (k *kalam) want(code int, out, errs, stdin string, args ...string) {
	k.t.Helper()
	gotOut, gotErrs, gotCode := k.run(stdin, args...)
	if gotCode != code || !strings.Contains(gotOut, out) || !strings.Contains(gotErrs, errs) {
		k.t.Errorf("kalam %q: exit %d, want %d\nstdout %s\nstderr %s\nwant %q and %q",
			args, gotCode, code, gotOut, gotErrs, out, errs)
	}
}

func server(t *testing.T) *clienttest.Server {
	s := clienttest.New(t)
	s.User("alice", "wonder")
	s.Rows("SELECT 1", []string{"n:Int"}, []any{1})
	s.Rows("SELECT 2", []string{"n:Int"}, []any{2})
	return s
}

func TestKalam_exit_codes(t *testing.T) {
	s := server(t)
	k := newKalam(t, "KALAM_PASSWORD=wonder")
	at := func(args ...string) []string {
		return append([]string{"--url", s.URL, "-u", "alice", "--format", "ndjson"}, args...)
	}
	k.want(0, "{\"n\":1}\n{\"n\":2}\n", "", "", at("-c", "SELECT 1; SELECT 2")...)
	k.want(0, "{\"n\":1}\n", "", "SELECT 1;\n", at()...)
	k.want(0, "", "", "", at()...)
	k.want(0, "", "", "", at("-c", "")...)
	k.want(1, "{\"n\":1}\n", "ERROR INVALID_SQL", "", at("-c", "SELECT 1; BAD; SELECT 2")...)
	k.want(1, "", "not valid UTF-8", "SELECT '\xff';", at()...)
	k.want(2, "", "unknown flag", "", "--nonsense")
	k.want(2, "", "unknown command", "", "nonsense")
	k.want(2, "", "unknown format", "", at("--format", "xml")...)
	k.want(2, "", "exclude each other", "", at("-c", "SELECT 1", "-f", "x")...)
	k.want(2, "", "no such file", "", at("-f", "/does/not/exist.sql")...)
	k.want(2, "", "no such file", "", at("--password-file", "/does/not/exist")...)
	k.want(1, "", "is not the address", "", "--url", "localhost", "-c", "SELECT 1")
	k.want(3, "", "start a server", "", "--url", "http://127.0.0.1:1", "-c", "SELECT 1")
	k.want(3, "", "INVALID_CREDENTIALS", "", "--url", s.URL, "-u", "bob", "-c", "SELECT 1")
	k.want(3, "", "INVALID_CREDENTIALS", "", at("--token", "forged", "-c", "SELECT 1")...)

	verify := []string{"verify-live", "--url", s.URL, "-u", "alice"}
	k.want(2, "", "can't be stalled", "", append(verify, "--stall", "16")...)
	k.want(2, "", "must be positive", "", append(verify, "--rate", "-1")...)
	k.want(2, "", "unknown flag", "", append(verify, "--nonsense")...)
	k.want(2, "", "unknown command", "", append(verify, "nonsense")...)
	k.want(1, "", "INVALID_SQL", "", verify...) // the fake runs no SQL
	k.want(3, "", "start a server", "", "verify-live", "--url", "http://127.0.0.1:1")

	file := filepath.Join(t.TempDir(), "f.sql")
	if err := os.WriteFile(file, []byte("\ufeff-- a file\nSELECT\n1;"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Rows("SELECT\n1", []string{"n:Int"}, []any{3})
	k.want(0, "{\"n\":3}\n", "", "", at("-f", file)...)
}

func TestKalam_logs_in(t *testing.T) {
	s := server(t)
	t.Run("with a password file, for another user", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(file, []byte("wonder\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		newKalam(t).want(0, "1", "", "", "--url", s.URL, "-u", "alice", "--as", "bob",
			"--password-file", file, "-c", "SELECT 1")
		seen := s.Requests()
		if last := seen[len(seen)-1]; last.User != "alice" || last.Acting != "bob" {
			t.Errorf("request %+v", last)
		}
	})
	t.Run("as root of a local server", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "root_password")
		if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.RootPasswordFile(file)
		newKalam(t).want(0, "1", "", "", "--url", s.URL, "-c", "SELECT 1")
	})
	t.Run("but never with another file that a server names", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "shadow")
		if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.RootPasswordFile(file)
		newKalam(t).want(3, "", "no way to log in", "", "--url", s.URL, "-c", "SELECT 1")
	})
	t.Run("with a saved login, which is renewed", func(t *testing.T) {
		k := newKalam(t)
		c, err := client.New(client.Options{URL: s.URL, User: "alice", Password: "wonder",
			OnTokens: func(tokens client.Tokens) { k.save(s.URL, "alice", tokens) }})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.ExpireTokens()
		logins := s.Count("login")
		for range 2 {
			k.want(0, "1", "", "", "--url", s.URL, "-u", "alice", "-c", "SELECT 1")
		}
		if s.Count("login") != logins || s.Count("refresh") != 1 {
			t.Errorf("%d logins, %d refreshes", s.Count("login")-logins, s.Count("refresh"))
		}
		info, err := os.Stat(filepath.Join(k.home, ".kalam", "logins.json"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("saved login: %v, %v", info, err)
		}
	})
}

// save writes a saved login as the format of the file is.
func (k *kalam) save(url, user string, tokens client.Tokens) {
	dir := filepath.Join(k.home, ".kalam")
	data, err := json.Marshal(map[string]client.Tokens{user + " at " + url: tokens})
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "logins.json"), data, 0o600)
	}
	if err != nil {
		k.t.Error(err)
	}
}

func TestKalam_settings(t *testing.T) {
	s := server(t)
	k := newKalam(t, "KALAM_PASSWORD=wonder")
	k.save("", "", client.Tokens{})
	write := func(text string) {
		t.Helper()
		path := filepath.Join(k.home, ".kalam", "config.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"url": "` + s.URL + `", "user": "alice", "format": "csv"}`)
	k.want(0, "n\r\n1\r\n", "", "", "-c", "SELECT 1")
	write(`{"uri": ""}`)
	k.want(2, "", `unknown field "uri"`, "", "-c", "SELECT 1")
}

func TestKalam_follows_until_the_query_ends(t *testing.T) {
	s := server(t)
	s.Commit(1)
	k := newKalam(t, "KALAM_PASSWORD=secret")
	s.Refuse(fault.New(fault.LiveSharedTable, "a shared table"))
	k.want(1, "", "ERROR LIVE_SHARED_TABLE", "", "--url", s.URL,
		"-c", `\subscribe SELECT * FROM chat.rooms`)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, testkit.Binary(t, "kalam"), "--url", s.URL,
		"--format", "ndjson", "-c", `\subscribe SELECT * FROM chat.messages`)
	cmd.Env = []string{"HOME=" + k.home, "KALAM_PASSWORD=secret"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	for i := range 3 {
		var e struct{ Rows []struct{ ID string } }
		if err := lines.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if want := string(rune('1' + i)); len(e.Rows) != 1 || e.Rows[0].ID != want {
			t.Errorf("event %+v, want row %s", e, want)
		}
		s.Commit(i + 2)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("ended by itself")
	}
}

func TestKalam_development_server(t *testing.T) {
	s := server(t)
	s.Trust()
	s.Answer("WHO", func(r *http.Request, _ wire.SQLRequest) (*wire.SQLResponse, error) {
		return clienttest.Success(wire.Result{Message: "acting " + r.Header.Get(wire.HeaderUserID)}), nil
	})
	newKalam(t).want(0, "acting carol\n", "", "", "--url", s.URL, "-u", "carol", "-c", "WHO")
	newKalam(t).want(0, "acting \n", "", "", "--url", s.URL, "-c", "WHO")
}

func TestKalam_cluster(t *testing.T) {
	s := server(t)
	k := newKalam(t, "KALAM_PASSWORD=wonder")
	at := func(args ...string) []string {
		return append(append([]string{"cluster"}, args...),
			"--url", s.URL, "-u", "alice", "--format", "ndjson")
	}
	for sql, args := range map[string][]string{
		"SHOW CLUSTER":                        {"status"},
		"CLUSTER JOIN '4=db4:7001'":           {"join", "4=db4:7001"},
		"CLUSTER LEAVE 2":                     {"leave", "2"},
		"CLUSTER REPLACE 2 WITH '4=db4:7001'": {"replace", "2", "4=db4:7001"},
		"CLUSTER TRANSFER LEADER OF 3 TO 2":   {"transfer", "3", "2"},
		"CLUSTER REBALANCE":                   {"rebalance"},
		"CLUSTER SNAPSHOT":                    {"snapshot"},
	} {
		s.Rows(sql, []string{"n:Int"}, []any{7})
		k.want(0, "{\"n\":7}\n", "", "", at(args...)...)
	}
	k.want(2, "", "no number of a node", "", at("leave", "two")...)
	k.want(2, "", "write number=host:port", "", at("join", "db4:7001")...)
	k.want(2, "", "write number=host:port", "", at("replace", "2", "4='")...)
	k.want(2, "", "accepts 1 arg", "", at("join")...)
}
