package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/server/config"
)

// load writes text as the config file of a fresh folder and loads it.
func load(t *testing.T, text string, env ...string) (*config.Loaded, error) {
	t.Helper()
	home := t.TempDir()
	if text != "" {
		path := filepath.Join(home, config.FileName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config.Load(config.Input{Environ: env, Home: home, Dir: filepath.Join(home, "cwd")})
}

func mustLoad(t *testing.T, text string, env ...string) *config.Loaded {
	t.Helper()
	l, err := load(t, text, env...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLoad_Defaults(t *testing.T) {
	l := mustLoad(t, "")
	if l.Server.Host != "127.0.0.1" || l.Server.Port != 8080 || !l.API.IncludeTook {
		t.Errorf("server = %+v, api = %+v", l.Server, l.API)
	}
	if l.Storage.Engine != config.EnginePebble || l.Storage.Shards != 10 ||
		l.Storage.Durability != config.DurabilitySync {
		t.Errorf("storage = %+v", l.Storage)
	}
	if l.Storage.CacheSize() != 64*config.MiB {
		t.Errorf("cache size = %s", l.Storage.CacheSize())
	}
	if filepath.Base(l.Storage.DataDir) != "data" || !filepath.IsAbs(l.Storage.DataDir) {
		t.Errorf("data folder = %q, want data/ next to the binary", l.Storage.DataDir)
	}
	if l.File != "" || l.Source("server.port") != config.FromDefault {
		t.Errorf("file = %q, source = %q", l.File, l.Source("server.port"))
	}
}

func TestLoad_FileThenEnvironment(t *testing.T) {
	l := mustLoad(t, `
[server]
port = 9000
shutdown_timeout = "3s"
[storage]
data_dir = "here"
[storage.pebble]
cache_size = "8MiB"
[storage.badger]
cache_size = 2097152
[auth]
allowed_origins = ["https://a.example", "http://b.example:81"]
`, "KALAMDB_SERVER_PORT=9001", "KALAMDB_STORAGE_BADGER_CACHE_SIZE=4MB", "HOME=/x", "KALAM_URL=x")
	if l.Server.Port != 9001 || l.Source("server.port") != config.FromEnv {
		t.Errorf("port = %d from %s", l.Server.Port, l.Source("server.port"))
	}
	if l.Server.ShutdownTimeout != 3*time.Second {
		t.Errorf("shutdown_timeout = %s", l.Server.ShutdownTimeout)
	}
	if l.Storage.Pebble.CacheSize != 8*config.MiB || l.Storage.Badger.CacheSize != 4*config.MiB {
		t.Errorf("caches = %+v %+v", l.Storage.Pebble, l.Storage.Badger)
	}
	if len(l.Auth.AllowedOrigins) != 2 || l.Auth.AllowedOrigins[1] != "http://b.example:81" {
		t.Errorf("origins = %q", l.Auth.AllowedOrigins)
	}
	if want := filepath.Join(filepath.Dir(l.File), "here"); l.Storage.DataDir != want {
		t.Errorf("data folder = %q, want %q: relative to the file", l.Storage.DataDir, want)
	}
}

func TestLoad_RelativePathInEnvironmentIsOfTheWorkingFolder(t *testing.T) {
	home := t.TempDir()
	l, err := config.Load(config.Input{Home: home, Dir: "/srv/there",
		Environ: []string{"KALAMDB_STORAGE_DATA_DIR=./other"}})
	if err != nil {
		t.Fatal(err)
	}
	if l.Storage.DataDir != "/srv/there/other" {
		t.Errorf("data folder = %q", l.Storage.DataDir)
	}
}

func TestLoad_Refuses(t *testing.T) {
	tests := []struct {
		name, file string
		env        []string
		want       []string
	}{
		{"an unknown key, with line and nearest", "[server]\nhost = 'x'\nprot = 1\n", nil,
			[]string{"kalamdb.toml:3", `"prot"`, "did you mean server.port?"}},
		{"an unknown key of a nested section", "[storage.pebble]\n\ncache = '1MiB'\n", nil,
			[]string{"kalamdb.toml:3", "storage.pebble.cache_size"}},
		{"a key of another section", "[server]\ndata_dir = 'x'\n", nil,
			[]string{":2", "storage.data_dir"}},
		{"an unknown section", "\n[storge]\nshards = 1\n", nil,
			[]string{":2", "[storge]", "did you mean storage?"}},
		{"an unknown nested section", "[storage.redis]\nurl = 'x'\n", nil,
			[]string{":1", "[storage.redis]"}},
		{"a key outside of sections", "port = 1\n", nil, []string{":1", "outside", "server.port"}},
		{"a value where a section stands", "server = 1\n", nil, []string{":1", "[server]"}},
		{"a section where a value stands", "[server.port]\nx = 1\n", nil, []string{"server.port"}},
		{"broken TOML", "[server]\nport = = 1\n", nil, []string{"kalamdb.toml:2"}},
		{"a repeated key", "[server]\nport = 1\nport = 2\n", nil, []string{":3"}},
		{"a word for a number", "[server]\nport = 'x'\n", nil, []string{":2", "number"}},
		{"a number for a duration", "[live]\nping_interval = 5\n", nil, []string{":2", "duration"}},
		{"a port out of range", "[server]\nport = 65536\n", nil, []string{":2", "65535"}},
		{"no shards", "[storage]\nshards = 0\n", nil, []string{":2", "smallest value 1"}},
		{"an unknown engine", "[storage]\nengine = 'rocks'\n", nil,
			[]string{":2", "pebble, badger, memory"}},
		{"an unknown variable", "", []string{"KALAMDB_SERVER_PROT=1"},
			[]string{"KALAMDB_SERVER_PROT", "did you mean KALAMDB_SERVER_PORT?"}},
		{"a bad variable", "", []string{"KALAMDB_SERVER_PORT=x"}, []string{"KALAMDB_SERVER_PORT"}},
		{"interval durability without an interval",
			"[storage]\ndurability = 'interval'\nsync_interval = '0s'\n", nil,
			[]string{"sync_interval"}},
		{"an access token that outlives its refresh token", "",
			[]string{"KALAMDB_AUTH_ACCESS_TTL=3h", "KALAMDB_AUTH_REFRESH_TTL=2h"},
			[]string{"access_ttl"}},
		{"a short secret", "", []string{"KALAMDB_AUTH_JWT_SECRET=s3cr3t"}, []string{"16 bytes"}},
		{"statements that fit no body", "",
			[]string{"KALAMDB_LIMITS_BODY_SIZE=1KiB"}, []string{"body_size"}},
		{"an origin with a path", "[auth]\nallowed_origins = ['https://a.example/']\n", nil,
			[]string{"allowed_origins"}},
		{"an empty data folder", "", []string{"KALAMDB_STORAGE_DATA_DIR="}, []string{"data_dir"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.file, tt.env...)
			if !fault.Is(err, fault.InvalidParameter) {
				t.Fatalf("err = %v, want INVALID_PARAMETER", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("err = %v, want it to name %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("err = %v shows a secret", err)
			}
		})
	}
}

func TestLoad_NamedFileMustExist(t *testing.T) {
	_, err := config.Load(config.Input{File: "absent.toml", Home: t.TempDir(), Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "absent.toml") {
		t.Fatalf("err = %v, want one that names the file", err)
	}
}

func TestSettings_AreComplete(t *testing.T) {
	seen := make(map[string]string)
	for _, s := range config.Settings() {
		if s.Doc == "" || !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: doc %q is not a sentence", s.Name(), s.Doc)
		}
		for _, name := range []string{s.Name(), s.Env()} {
			if other, twice := seen[name]; twice {
				t.Errorf("%s is used by %s and %s", name, other, s.Name())
			}
			seen[name] = s.Name()
		}
	}
}

func TestReference_ReadsBackAsTheDefaults(t *testing.T) {
	var b strings.Builder
	if err := config.Reference(&b); err != nil {
		t.Fatal(err)
	}
	l, plain := mustLoad(t, b.String()), mustLoad(t, "")
	for _, s := range config.Settings() {
		if !s.Path && s.Value(&l.Config) != s.Value(&plain.Config) {
			t.Errorf("%s = %q, want %q", s.Name(), s.Value(&l.Config), s.Value(&plain.Config))
		}
		if !strings.Contains(b.String(), s.Env()) {
			t.Errorf("the reference does not name %s", s.Env())
		}
	}
}

func TestPrint_MasksSecretsAndReadsBack(t *testing.T) {
	l := mustLoad(t, "[server]\nport = 9000\n", "KALAMDB_AUTH_ROOT_PASSWORD=hunter22")
	var b strings.Builder
	if err := l.Print(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter22") || !strings.Contains(b.String(), config.Masked) {
		t.Errorf("the password is not masked:\n%s", b.String())
	}
	again := mustLoad(t, b.String())
	if again.Server.Port != 9000 || again.Storage.DataDir != l.Storage.DataDir {
		t.Errorf("read back: %+v %+v", again.Server, again.Storage)
	}
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"64MiB", "1 kb", "0", "-1", "9223372036854775807GiB", "B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := config.ParseSize(text)
		if err != nil {
			return
		}
		if back, err := config.ParseSize(n.String()); err != nil || back != n || n < 0 {
			t.Errorf("%q = %d, printed %q, read back %d, %v", text, n, n.String(), back, err)
		}
	})
}
