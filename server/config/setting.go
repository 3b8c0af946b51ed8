package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Setting is one row of the table: everything that is known of a key before a
// file is read.
type Setting struct {
	Section string // "storage.pebble"
	Key     string // "cache_size"
	Default string // in the form of an environment variable
	Doc     string
	Values  []string // the words allowed; nil for any
	Min     int64    // smallest number, size in bytes or duration in nanoseconds
	Max     int64    // largest, 0 for none
	Secret  bool     // shown as Masked
	Path    bool     // relative paths are made absolute by Load

	field func(*Config) any // pointer to the field it fills
}

// Masked is what stands for a secret that is set.
const Masked = "********"

// Name returns "section.key", as system.settings shows it.
func (s Setting) Name() string { return s.Section + "." + s.Key }

// Env returns the name of the environment twin.
func (s Setting) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.Name(), ".", "_"))
}

// Type returns the type in words: "text", "number", "duration" and so on.
func (s Setting) Type() string {
	switch s.field(&Config{}).(type) {
	case *int:
		return "number"
	case *bool:
		return "true or false"
	case *time.Duration:
		return "duration"
	case *Size:
		return "size"
	case *[]string:
		return "list of text"
	}
	return "text"
}

// Size is a number of bytes, written "64MiB" or as a plain number.
type Size int64

// Units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

var sizeUnits = []struct {
	suffix string
	size   Size
}{{"KiB", KiB}, {"MiB", MiB}, {"GiB", GiB}, {"KB", KiB}, {"MB", MiB}, {"GB", GiB}, {"B", 1}}

// String returns the size in the largest unit that divides it.
func (n Size) String() string {
	for _, u := range []struct {
		suffix string
		size   Size
	}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}} {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(int64(n/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(n), 10)
}

// ParseSize reads "64MiB", "512 KB" or "1024". KB and KiB are both 1024 bytes.
func ParseSize(text string) (Size, error) {
	digits, unit := strings.TrimSpace(text), Size(1)
	for _, u := range sizeUnits {
		if rest, ok := cutSuffixFold(digits, u.suffix); ok {
			digits, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(1<<62/unit) || n < 0 {
		return 0, fmt.Errorf("%q is not a size such as 64MiB", text)
	}
	return Size(n) * unit, nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	cut := len(s) - len(suffix)
	if cut < 0 || !strings.EqualFold(s[cut:], suffix) {
		return s, false
	}
	return s[:cut], true
}

// set reads text into the setting's field of c. Text has the form of an
// environment variable; lists are comma-separated.
func (s Setting) set(c *Config, text string) error {
	switch p := s.field(c).(type) {
	case *string:
		if err := s.checkWord(text); err != nil {
			return err
		}
		*p = text
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		*p = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*p = n
		return s.checkRange(int64(n), func(n int64) string { return strconv.FormatInt(n, 10) })
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 5s or 10m", text)
		}
		*p = d
		return s.checkRange(int64(d), func(n int64) string { return time.Duration(n).String() })
	case *Size:
		n, err := ParseSize(text)
		if err != nil {
			return err
		}
		*p = n
		return s.checkRange(int64(n), func(n int64) string { return Size(n).String() })
	case *[]string:
		*p = splitList(text)
	default:
		return errors.New("the setting has no readable type")
	}
	return nil
}

func splitList(text string) []string {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func (s Setting) checkWord(text string) error {
	if s.Values == nil {
		return nil
	}
	for _, v := range s.Values {
		if v == text {
			return nil
		}
	}
	return fmt.Errorf("%q is not one of %s", text, strings.Join(s.Values, ", "))
}

func (s Setting) checkRange(n int64, show func(int64) string) error {
	switch {
	case n < s.Min:
		return fmt.Errorf("%s is below the smallest value %s", show(n), show(s.Min))
	case s.Max > 0 && n > s.Max:
		return fmt.Errorf("%s is above the largest value %s", show(n), show(s.Max))
	}
	return nil
}

// text returns the setting's value in c as set reads it.
func (s Setting) text(c *Config) string {
	switch p := s.field(c).(type) {
	case *string:
		return *p
	case *bool:
		return strconv.FormatBool(*p)
	case *int:
		return strconv.Itoa(*p)
	case *time.Duration:
		return p.String()
	case *Size:
		return p.String()
	case *[]string:
		return strings.Join(*p, ", ")
	}
	return ""
}

// Value returns the setting's value in c for people: secrets are masked.
func (s Setting) Value(c *Config) string {
	text := s.text(c)
	if s.Secret && text != "" {
		return Masked
	}
	return text
}
