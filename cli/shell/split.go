package shell

import "strings"

// Statement is one statement of a text, without its semicolon.
type Statement struct {
	Text string // from its first token on
	Line int    // of the input, from 1, on which it begins
}

// Splitter cuts SQL into statements at the semicolons that end them: not those
// in strings, quoted names and comments. Text is fed in pieces that end at line
// ends; each byte is looked at once. The zero value is ready for use.
type Splitter struct {
	buf   []byte
	at    int  // what is before was looked at
	state byte // the quote, '-' or '*' of what is open; 0 in plain text
	token bool // a token was seen since the last semicolon
	first int  // where it begins
	line  int  // lines before buf
}

// Feed takes more text and returns the statements that it completes.
func (s *Splitter) Feed(text string) []Statement {
	s.buf = append(s.buf, text...)
	var done []Statement
	for s.at < len(s.buf) {
		c := s.buf[s.at]
		if s.state == 0 && c == ';' {
			if st, ok := s.cut(s.at); ok {
				done = append(done, st)
			}
			s.drop(s.at + 1)
			continue
		}
		s.at += s.step(c)
	}
	if s.Empty() {
		s.drop(len(s.buf)) // comments and blank lines between statements
	}
	return done
}

// step looks at one character and returns the bytes to go on.
func (s *Splitter) step(c byte) int {
	next := byte(0)
	if s.at+1 < len(s.buf) {
		next = s.buf[s.at+1]
	}
	switch s.state {
	case '-':
		if c == '\n' {
			s.state = 0
		}
	case '*':
		if c == '*' && next == '/' {
			s.state = 0
			return 2
		}
	case '\'', '"', '`':
		switch {
		case c == '\\' && s.state == '\'' && s.at+1 < len(s.buf):
			return 2
		case c == s.state && next == s.state:
			return 2
		case c == s.state:
			s.state = 0
		}
	default:
		return s.plain(c, next)
	}
	return 1
}

func (s *Splitter) plain(c, next byte) int {
	switch {
	case c == '-' && next == '-', c == '#':
		s.state = '-'
	case c == '/' && next == '*':
		s.state = '*'
		return 2
	case c == '\'' || c == '"' || c == '`':
		s.state = c
		s.begin()
	case c > ' ':
		s.begin()
	}
	return 1
}

func (s *Splitter) begin() {
	if !s.token {
		s.token, s.first = true, s.at
	}
}

func (s *Splitter) cut(end int) (Statement, bool) {
	if !s.token {
		return Statement{}, false
	}
	before, text := string(s.buf[:s.first]), string(s.buf[s.first:end])
	return Statement{Text: strings.TrimRight(text, " \t\r\n"),
		Line: s.line + 1 + strings.Count(before, "\n")}, true
}

func (s *Splitter) drop(n int) {
	s.line += strings.Count(string(s.buf[:n]), "\n")
	s.buf = s.buf[n:]
	if len(s.buf) == 0 {
		s.buf = nil
	}
	s.at, s.token = 0, false
}

// Empty reports whether the next text begins a new statement.
func (s *Splitter) Empty() bool { return !s.token && s.state == 0 }

// Rest ends the text: it returns what stands behind the last semicolon, if
// that is a statement.
func (s *Splitter) Rest() (Statement, bool) {
	st, ok := s.cut(len(s.buf))
	s.Reset()
	return st, ok
}

// Reset forgets what was fed and not returned.
func (s *Splitter) Reset() {
	s.drop(len(s.buf))
	s.state = 0
}

// fold returns a statement in one line, without comments, for the history.
// Line ends in strings become \n.
func fold(text string) string {
	var out strings.Builder
	s := Splitter{buf: []byte(text)}
	for s.at < len(s.buf) {
		from, was := s.at, s.state
		s.at += s.step(s.buf[from])
		piece := string(s.buf[from:s.at])
		switch {
		case s.state == '-' || s.state == '*' || was == '*':
			piece = ""
		case piece == "\n" && was == '\'':
			piece = `\n`
		case piece == "\n":
			piece = " "
		}
		out.WriteString(piece)
	}
	return strings.TrimSpace(out.String())
}
