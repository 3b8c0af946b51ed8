// Package sqllogic reads and runs scripts in the format of sqllogictest: SQL
// with the answers that are expected, in plain files. The scripts of this
// repository are in testdata/sqllogic; its README describes the format.
//
// It is no fixture loader and keeps no state between scripts. It starts no
// goroutines.
package sqllogic

import (
	"fmt"
	"strconv"
	"strings"
)

// Form says what a record expects.
type Form uint8

// The forms of records.
const (
	OK    Form = iota + 1 // statement ok [affected]
	Error                 // statement error [CODE [statement=n] [position=n]]
	Query                 // query TYPES [nosort | rowsort]
	Let                   // let name
	User                  // user name [as acting]
	Space                 // namespace name
)

// The words of a script.
const (
	wordStatement = "statement"
	wordQuery     = "query"
	wordLet       = "let"
	wordUser      = "user"
	wordSpace     = "namespace"
	separator     = "----"
	rowSort       = "rowsort"
)

// Record is one step of a script.
type Record struct {
	Form Form
	Line int // of its first line, from 1
	SQL  string

	Affected int64  // of OK; -1 when it is not looked at
	Code     string // of Error
	At       Place  // of Error; zero fields are not looked at
	Types    string // of Query: a letter a column
	RowSort  bool   // of Query: the order of the rows says nothing

	Name, As string // of User, and Name of Space and Let

	// Want holds the lines behind the separator: the rows of a Query, a part of
	// the message of an Error.
	Want []string

	end int // index of the line after the record
	sep int // index of the separator's line, or end
}

// Place is where an error is: the number of the statement, and the position in
// the whole text, both from 1.
type Place struct{ Statement, Position int }

// Script is a parsed file.
type Script struct {
	Records []*Record
	lines   []string
}

// Parse reads a script. An error names the line.
func Parse(text string) (*Script, error) {
	s := &Script{lines: strings.Split(strings.TrimRight(text, "\n"), "\n")}
	for i := 0; i < len(s.lines); {
		line := s.lines[i]
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			i++
			continue
		}
		r := &Record{Line: i + 1}
		if err := r.header(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		s.body(r, i+1)
		if r.Form < User && r.SQL == "" {
			return nil, fmt.Errorf("line %d: a %s without SQL", i+1, line)
		}
		s.Records = append(s.Records, r)
		i = r.end
	}
	return s, nil
}

func (r *Record) header(words []string) error {
	rest := words[1:]
	switch words[0] {
	case wordStatement:
		return r.statement(rest)
	case wordQuery:
		if len(rest) == 0 || len(rest) > 2 {
			return fmt.Errorf("write query TYPES [nosort | rowsort]")
		}
		r.Form, r.Types, r.RowSort = Query, rest[0], len(rest) == 2 && rest[1] == rowSort
		return nil
	case wordUser:
		switch {
		case len(rest) == 1:
			r.Form, r.Name = User, rest[0]
			return nil
		case len(rest) == 3 && rest[1] == "as":
			r.Form, r.Name, r.As = User, rest[0], rest[2]
			return nil
		}
		return fmt.Errorf("write user name [as acting]")
	case wordSpace, wordLet:
		if len(rest) != 1 {
			return fmt.Errorf("write %s name", words[0])
		}
		r.Form, r.Name = Space, rest[0]
		if words[0] == wordLet {
			r.Form = Let
		}
		return nil
	}
	return fmt.Errorf("%q begins no record", words[0])
}

func (r *Record) statement(words []string) error {
	r.Affected = -1
	if len(words) == 0 {
		return fmt.Errorf("write statement ok or statement error CODE")
	}
	switch words[0] {
	case "ok":
		r.Form = OK
		if len(words) == 1 {
			return nil
		}
		var err error
		r.Affected, err = strconv.ParseInt(words[1], 10, 64)
		return err
	case "error":
		r.Form = Error
		for _, w := range words[1:] {
			name, number, at := strings.Cut(w, "=")
			if !at {
				r.Code = w
				continue
			}
			n, err := strconv.Atoi(number)
			switch {
			case err != nil:
				return err
			case name == "statement":
				r.At.Statement = n
			case name == "position":
				r.At.Position = n
			default:
				return fmt.Errorf("unknown word %q", w)
			}
		}
		return nil
	}
	return fmt.Errorf("a statement is ok or error, not %q", words[0])
}

// body reads SQL and expectation from line i on, up to an empty line.
func (s *Script) body(r *Record, i int) {
	r.end, r.sep = i, i
	if r.Form >= User {
		return
	}
	var sql []string
	for ; i < len(s.lines) && s.lines[i] != "" && s.lines[i] != separator; i++ {
		sql = append(sql, s.lines[i])
	}
	r.SQL, r.sep = strings.Join(sql, "\n"), i
	if i < len(s.lines) && s.lines[i] == separator {
		for i++; i < len(s.lines) && s.lines[i] != ""; i++ {
			r.Want = append(r.Want, s.lines[i])
		}
	}
	r.end = i
}

// Rewritten returns the script's text with the expectations of its records as
// they stand now: types and rows of queries, codes and messages of errors.
func (s *Script) Rewritten() string {
	var out []string
	at := 0
	for _, r := range s.Records {
		if r.Form != Query && r.Form != Error {
			continue
		}
		out = append(out, s.lines[at:r.Line-1]...)
		out = append(out, r.first())
		out = append(out, s.lines[r.Line:r.sep]...)
		if r.Form == Query || len(r.Want) > 0 {
			out = append(append(out, separator), r.Want...)
		}
		at = r.end
	}
	return strings.Join(append(out, s.lines[at:]...), "\n") + "\n"
}

// first writes the record's first line.
func (r *Record) first() string {
	if r.Form == Query {
		line := wordQuery + " " + r.Types
		if r.RowSort {
			line += " " + rowSort
		}
		return line
	}
	line := wordStatement + " error " + r.Code
	if r.At.Statement > 1 {
		line += fmt.Sprintf(" statement=%d", r.At.Statement)
	}
	if r.At.Position > 0 {
		line += fmt.Sprintf(" position=%d", r.At.Position)
	}
	return line
}
