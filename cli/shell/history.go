package shell

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// maxHistory is how many lines are kept.
const maxHistory = 1000

// History is the statements that were typed, one a line, in a file that only
// the user can read. It is for one goroutine.
type History struct {
	path  string // "" keeps them in memory only
	lines []string
}

// OpenHistory reads the file, which need not exist. A file that has grown too
// long is cut to its last lines.
func OpenHistory(path string) (*History, error) {
	h := &History{path: path}
	if path == "" {
		return h, nil
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, fault.Wrap(fault.Internal, err, "the history can't be read")
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			h.lines = append(h.lines, line)
		}
	}
	if n := len(h.lines); n > maxHistory {
		h.lines = h.lines[n-maxHistory:]
		text := strings.Join(h.lines, "\n") + "\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return h, fault.Wrap(fault.Internal, err, "the history can't be shortened")
		}
	}
	return h, nil
}

// Lines returns the statements, oldest first; the caller must not change them.
func (h *History) Lines() []string { return h.lines }

// Add appends a statement unless it repeats the last one.
func (h *History) Add(line string) error {
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return nil
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > maxHistory {
		h.lines = h.lines[1:]
	}
	if h.path == "" {
		return nil
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// Clear forgets everything, the file included.
func (h *History) Clear() error {
	h.lines = nil
	if h.path == "" {
		return nil
	}
	if err := os.Remove(h.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Internal, err, "the history can't be removed")
	}
	return nil
}
