package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Names that the outside uses.
const (
	FileName  = "kalamdb.toml" // looked for next to the binary
	EnvPrefix = "KALAMDB_"     // of every environment twin
)

// Source says where a value came from.
type Source string

// The sources, from weakest to strongest.
const (
	FromDefault Source = "default"
	FromFile    Source = "file"
	FromEnv     Source = "environment"
)

// Input is what Load reads. The caller takes it from the process.
type Input struct {
	File    string   // named by --config; "" looks for FileName in Home
	Environ []string // as os.Environ gives it
	Home    string   // folder of the binary; see Home
	Dir     string   // working folder, for relative paths in the environment
}

// Loaded is a configuration and how it came to be.
type Loaded struct {
	Config
	File    string // the file that was read, "" for none
	sources map[string]Source
	lines   map[string]int // of the file, by name of the setting
}

// Source returns where the value of the setting called name came from.
func (l *Loaded) Source(name string) Source {
	if s, ok := l.sources[name]; ok {
		return s
	}
	return FromDefault
}

// Home returns the folder of the running binary, with symlinks resolved.
func Home() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the running binary: %w", err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return "", fmt.Errorf("find the running binary: %w", err)
	}
	return filepath.Dir(exe), nil
}

// Load returns the effective configuration: defaults, then the file, then the
// environment. Every error is a fault of code InvalidParameter that names the
// file and line, or the variable.
func Load(in Input) (*Loaded, error) {
	l := &Loaded{sources: make(map[string]Source), lines: make(map[string]int)}
	if err := l.defaults(in.Home); err != nil {
		return nil, err
	}
	if err := l.readFile(in); err != nil {
		return nil, err
	}
	if err := l.readEnv(in); err != nil {
		return nil, err
	}
	if err := l.validate(in); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Loaded) defaults(home string) error {
	for _, s := range table {
		text := s.Default
		if text == "" {
			continue
		}
		if s.Path {
			text = absolute(text, home)
		}
		if err := s.set(&l.Config, text); err != nil {
			return fault.New(fault.Internal, "default of %s: %v", s.Name(), err)
		}
	}
	return nil
}

func (l *Loaded) readFile(in Input) error {
	path := in.File
	if path == "" {
		path = filepath.Join(in.Home, FileName)
	}
	path = absolute(path, in.Dir)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && in.File == "" {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.InvalidParameter, err, "config file %s can't be read", path)
	}
	l.File = path
	return parseFile(path, string(text), func(s Setting, text string, line int) error {
		if s.Path && text != "" {
			text = absolute(text, filepath.Dir(path))
		}
		l.sources[s.Name()], l.lines[s.Name()] = FromFile, line
		return s.set(&l.Config, text)
	})
}

func (l *Loaded) readEnv(in Input) error {
	twins := make(map[string]Setting, len(table))
	for _, s := range table {
		twins[s.Env()] = s
	}
	for _, entry := range in.Environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, EnvPrefix) {
			continue
		}
		s, ok := twins[name]
		if !ok {
			return fault.New(fault.InvalidParameter,
				"unknown environment variable %s%s", name, suggest(name, envNames()))
		}
		if s.Path && text != "" {
			text = absolute(text, in.Dir)
		}
		if err := s.set(&l.Config, text); err != nil {
			return fault.New(fault.InvalidParameter,
				"environment variable %s: %s", name, s.complaint(err))
		}
		l.sources[s.Name()] = FromEnv
	}
	return nil
}

// complaint keeps the text of a secret out of a message.
func (s Setting) complaint(err error) string {
	if s.Secret {
		return "the value can't be used"
	}
	return err.Error()
}

func envNames() []string {
	names := make([]string, len(table))
	for i, s := range table {
		names[i] = s.Env()
	}
	return names
}

func absolute(path, dir string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
