package shell

import (
	"errors"
	"io"

	"github.com/ergochat/readline"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Terminal edits lines on a terminal, with completion, and with a history that
// Ctrl-R searches. It is also what prints while the prompt is shown: writes to
// it keep the line that is being typed below them.
type Terminal struct {
	editor  *readline.Instance
	history *History
	typed   string // the line as of the last key
}

// NewTerminal takes over the process's terminal until Close.
func NewTerminal(h *History) (*Terminal, error) {
	t := &Terminal{history: h}
	editor, err := readline.NewFromConfig(&readline.Config{
		Listener: func(line []rune, _ int, _ rune) ([]rune, int, bool) {
			t.typed = string(line)
			return nil, 0, false
		},
		HistoryLimit:           maxHistory + 1,
		HistorySearchFold:      true,
		DisableAutoSaveHistory: true,
		Undo:                   true,
	})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the terminal can't be used")
	}
	t.editor = editor
	t.recall()
	return t, nil
}

// Complete sets the completion: given the line up to the cursor, it returns
// the candidates and the length of their common beginning that is typed, in
// runes.
func (t *Terminal) Complete(c func(line string) (candidates []string, typed int)) {
	cfg := t.editor.GetConfig()
	cfg.AutoComplete = completer(c)
	_ = t.editor.SetConfig(cfg) // fails for a config that was never used only
}

type completer func(line string) ([]string, int)

// Do implements readline.AutoCompleter.
func (c completer) Do(line []rune, pos int) ([][]rune, int) {
	candidates, typed := c(string(line[:pos]))
	var out [][]rune
	for _, s := range candidates {
		out = append(out, []rune(s)[typed:])
	}
	return out, typed
}

// ReadLine implements Lines.
func (t *Terminal) ReadLine(prompt string) (string, error) {
	t.editor.SetPrompt(prompt)
	line, err := t.editor.ReadLine()
	switch {
	case errors.Is(err, readline.ErrInterrupt):
		return t.typed, ErrInterrupt
	case errors.Is(err, io.EOF):
		return "", io.EOF
	}
	return line, err
}

// Remember implements Lines.
func (t *Terminal) Remember(line string) {
	_ = t.history.Add(line) // a full disk must not stop the session
	t.recall()
}

// recall gives the editor the whole history anew. Adding a line alone would
// save the text of the entry that was last shown.
func (t *Terminal) recall() {
	t.editor.ResetHistory()
	for _, line := range t.history.Lines() {
		_ = t.editor.SaveToHistory(line) // in memory
	}
}

// History implements Lines.
func (t *Terminal) History() []string { return t.history.Lines() }

// ClearHistory implements Lines.
func (t *Terminal) ClearHistory() error {
	t.editor.ResetHistory()
	return t.history.Clear()
}

// Write prints above the line that is being edited.
func (t *Terminal) Write(p []byte) (int, error) { return t.editor.Write(p) }

// Close gives the terminal back.
func (t *Terminal) Close() error { return t.editor.Close() }
