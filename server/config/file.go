package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// parseFile reads TOML and calls set for each key in it, with its line. Errors name
// the line.
func parseFile(path, text string, set func(s Setting, text string, line int) error) error {
	var root map[string]toml.Primitive
	meta, err := toml.Decode(text, &root)
	if err != nil {
		return fileError(path, lineOf(err), "%s", reason(err))
	}
	f := &file{path: path, meta: &meta, set: set, settings: make(map[string]Setting)}
	for _, s := range table {
		f.settings[s.Name()] = s
	}
	return f.section("", root)
}

// file walks the tables of a parsed file.
type file struct {
	path     string
	meta     *toml.MetaData
	set      func(Setting, string, int) error
	settings map[string]Setting // by Name
}

// section reads the keys of one table; name is "" for the whole file.
func (f *file) section(name string, keys map[string]toml.Primitive) error {
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		full := strings.TrimPrefix(name+"."+key, ".")
		var err error
		switch s, known := f.settings[full]; {
		case known:
			err = f.value(s, keys[key])
		case isSection(full):
			err = f.nested(full, keys[key])
		default:
			err = f.unknown(name, key, keys[key])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *file) nested(name string, p toml.Primitive) error {
	keys, ok := f.table(p)
	if !ok {
		return fileError(f.path, f.line(p), "%s is a section: write [%s]", name, name)
	}
	return f.section(name, keys)
}

// table returns the keys of p, and false when p is a plain value. (The library
// reads a plain value into a map without an error.)
func (f *file) table(p toml.Primitive) (map[string]toml.Primitive, bool) {
	var v any
	var keys map[string]toml.Primitive
	if f.meta.PrimitiveDecode(p, &v) != nil || f.meta.PrimitiveDecode(p, &keys) != nil {
		return nil, false
	}
	_, ok := v.(map[string]any)
	return keys, ok
}

func (f *file) value(s Setting, p toml.Primitive) error {
	var v any
	if err := f.meta.PrimitiveDecode(p, &v); err != nil {
		return fileError(f.path, f.line(p), "%s: %s", s.Name(), reason(err))
	}
	text, err := s.fromTOML(v)
	if err == nil {
		err = f.set(s, text, f.line(p))
	}
	if err != nil {
		return fileError(f.path, f.line(p), "%s: %s", s.Name(), s.complaint(err))
	}
	return nil
}

// unknown says what an unknown key or section was probably meant to be.
func (f *file) unknown(section, key string, p toml.Primitive) error {
	if _, ok := f.table(p); ok {
		full := strings.TrimPrefix(section+"."+key, ".")
		return fileError(f.path, f.line(p), "unknown section [%s]%s", full,
			suggest(full, sections()))
	}
	if section == "" {
		return fileError(f.path, f.line(p), "key %q stands outside of a section%s", key,
			suggest(key, settingNames()))
	}
	return fileError(f.path, f.line(p), "unknown key %q in [%s]%s", key, section,
		suggest(section+"."+key, settingNames()))
}

// line returns the line of p's key, 0 when it is not known. The library tells
// positions in errors only, so p is read by something that always fails.
func (f *file) line(p toml.Primitive) int { return lineOf(f.meta.PrimitiveDecode(p, &refusal{})) }

type refusal struct{}

func (*refusal) UnmarshalTOML(any) error { return errors.New("refused") }

func lineOf(err error) int {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return parse.Position.Line
	}
	return 0
}

func reason(err error) string {
	var parse toml.ParseError
	if errors.As(err, &parse) && parse.Message != "" {
		return parse.Message
	}
	return strings.TrimPrefix(err.Error(), "toml: ")
}

func fileError(path string, line int, format string, args ...any) error {
	where := path
	if line > 0 {
		where += ":" + strconv.Itoa(line)
	}
	return fault.New(fault.InvalidParameter, "%s: %s", where, fmt.Sprintf(format, args...))
}

// fromTOML returns a TOML value in the form of an environment variable. The
// type must fit: a number for a number, a string for a duration.
func (s Setting) fromTOML(v any) (string, error) {
	var ok bool
	var text string
	switch s.field(&Config{}).(type) {
	case *bool:
		_, ok = v.(bool)
		text = fmt.Sprint(v)
	case *int:
		_, ok = v.(int64)
		text = fmt.Sprint(v)
	case *Size:
		switch v.(type) {
		case int64, string:
			ok, text = true, fmt.Sprint(v)
		}
	case *[]string:
		var list []any
		list, ok = v.([]any)
		text, ok = joinList(list, ok)
	case *string, *time.Duration:
		text, ok = v.(string)
	}
	if !ok {
		return "", fmt.Errorf("the value is not a %s", s.Type())
	}
	return text, nil
}

func joinList(list []any, ok bool) (string, bool) {
	items := make([]string, len(list))
	for i, item := range list {
		text, isText := item.(string)
		items[i], ok = text, ok && isText && !strings.Contains(text, ",")
	}
	return strings.Join(items, ","), ok
}

func isSection(name string) bool { return slices.Contains(sections(), name) }

func sections() []string {
	var names []string
	for _, s := range table {
		if !slices.Contains(names, s.Section) {
			names = append(names, s.Section)
		}
	}
	return names
}

func settingNames() []string {
	names := make([]string, len(table))
	for i, s := range table {
		names[i] = s.Name()
	}
	return names
}
