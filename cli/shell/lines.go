package shell

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// ErrInterrupt is what ReadLine returns for a Ctrl-C at the prompt.
var ErrInterrupt = errors.New("shell: interrupted")

// Lines is where a Shell reads from: a line editor, or plain text.
type Lines interface {
	// ReadLine returns the next line without its end. It blocks; at the end of
	// the input it returns io.EOF. With ErrInterrupt comes what was typed.
	ReadLine(prompt string) (string, error)
	// Remember adds a line to the history.
	Remember(line string)
	// History returns the remembered lines, oldest first; ClearHistory forgets
	// them.
	History() []string
	ClearHistory() error
}

// maxLine bounds a line of plain text, in bytes.
const maxLine = 64 << 20

// Text reads lines from a reader. It keeps no history.
type Text struct {
	in     *bufio.Scanner
	prompt io.Writer // nil shows none
}

// NewText returns Lines of r. A prompt that is not nil is where prompts are
// written, for terminals that can't edit lines.
func NewText(r io.Reader, prompt io.Writer) *Text {
	t := &Text{in: bufio.NewScanner(r), prompt: prompt}
	t.in.Buffer(nil, maxLine)
	return t
}

// ReadLine implements Lines. Text that is not UTF-8 is an error.
func (t *Text) ReadLine(prompt string) (string, error) {
	if t.prompt != nil {
		fmt.Fprint(t.prompt, prompt)
	}
	if !t.in.Scan() {
		if err := t.in.Err(); err != nil {
			return "", fault.Wrap(fault.InvalidParameter, err, "the input can't be read")
		}
		return "", io.EOF
	}
	line := t.in.Text()
	if !utf8.ValidString(line) {
		return "", fault.New(fault.InvalidParameter, "the input is not valid UTF-8")
	}
	return strings.TrimPrefix(line, "\ufeff"), nil
}

// Remember implements Lines.
func (t *Text) Remember(string) {}

// History implements Lines.
func (t *Text) History() []string { return nil }

// ClearHistory implements Lines.
func (t *Text) ClearHistory() error { return nil }
