package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Print writes the effective configuration as TOML, with secrets masked and
// the source of each value that is not a default.
func (l *Loaded) Print(w io.Writer) error {
	return printTable(w, func(b *strings.Builder, s Setting) {
		fmt.Fprintf(b, "%s = %s", s.Key, quoted(s, s.Value(&l.Config)))
		if src := l.Source(s.Name()); src != FromDefault {
			fmt.Fprintf(b, " # from the %s", src)
		}
		b.WriteByte('\n')
	})
}

// Reference writes the documentation of every setting as a TOML file that
// holds the defaults.
func Reference(w io.Writer) error {
	return printTable(w, func(b *strings.Builder, s Setting) {
		fmt.Fprintf(b, "\n")
		for _, line := range wrap(s.Doc, 78) {
			fmt.Fprintf(b, "# %s\n", line)
		}
		fmt.Fprintf(b, "# %s. Environment: %s\n", strings.Join(s.rules(), ", "), s.Env())
		fmt.Fprintf(b, "%s = %s\n", s.Key, quoted(s, s.Default))
	})
}

func printTable(w io.Writer, row func(*strings.Builder, Setting)) error {
	var b strings.Builder
	section := ""
	for _, s := range table {
		if s.Section != section {
			if section != "" {
				b.WriteByte('\n')
			}
			section = s.Section
			fmt.Fprintf(&b, "[%s]\n", section)
		}
		row(&b, s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// rules returns the type and bounds of a setting in words.
func (s Setting) rules() []string {
	rules := []string{strings.ToUpper(s.Type()[:1]) + s.Type()[1:]}
	if s.Values != nil {
		rules = append(rules, "one of "+strings.Join(s.Values, " | "))
	}
	show := func(n int64) string { return strconv.FormatInt(n, 10) }
	switch s.field(&Config{}).(type) {
	case *time.Duration:
		show = func(n int64) string { return time.Duration(n).String() }
	case *Size:
		show = func(n int64) string { return Size(n).String() }
	}
	if s.Min > 0 {
		rules = append(rules, "at least "+show(s.Min))
	}
	if s.Max > 0 {
		rules = append(rules, "at most "+show(s.Max))
	}
	return rules
}

// quoted returns text as a TOML value of the setting's type.
func quoted(s Setting, text string) string {
	switch s.field(&Config{}).(type) {
	case *bool, *int:
		return text
	case *[]string:
		items := splitList(text)
		for i := range items {
			items[i] = strconv.Quote(items[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return strconv.Quote(text)
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
