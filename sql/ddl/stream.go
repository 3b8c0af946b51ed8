package ddl

import (
	"strconv"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Limits of a stream table's TTL.
const (
	MinTTL = time.Second
	MaxTTL = 10 * 365 * day
)

const day = 24 * time.Hour

// ParseTTL reads a TTL: durations as Go writes them, with d for days in front,
// such as 10s, 5m, 1h30m, 7d. It returns an INVALID_PARAMETER fault for
// anything else and for what is outside of MinTTL to MaxTTL.
func ParseTTL(s string) (time.Duration, error) { return parseSpan("the TTL", s) }

// ParseSpan reads a duration in the form of a TTL, or a number of seconds, with
// the limits of a TTL. what names it in the fault.
func ParseSpan(what, s string) (time.Duration, error) {
	if _, err := strconv.ParseUint(s, 10, 32); err == nil {
		s += "s"
	}
	return parseSpan(what, strings.ToLower(s))
}

func parseSpan(what, s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 16)
	ttl := time.Duration(0)
	if err == nil && rest != "" {
		ttl, err = time.ParseDuration(rest)
	}
	if err != nil || s == "" || ttl < 0 {
		return 0, fault.New(fault.InvalidParameter,
			"%s is no duration; write it like '10s', '5m', '1h' or '7d'", what)
	}
	if ttl <= MaxTTL { // else adding to it might overflow
		ttl += time.Duration(n) * day
	}
	return ttl, checkSpan(what, ttl)
}

func checkSpan(what string, d time.Duration) error {
	if d < MinTTL || d > MaxTTL || d%time.Millisecond != 0 {
		return fault.New(fault.InvalidParameter,
			"%s is of whole milliseconds, from 1 second to 10 years (3650 days)", what)
	}
	return nil
}

// FormatTTL writes a TTL in the form of ParseTTL, in the largest unit that
// says it in a whole number.
func FormatTTL(ttl time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if ttl%u.size == 0 {
			return strconv.FormatInt(int64(ttl/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(ttl.Milliseconds(), 10) + "ms"
}

func (t *Table) validateStream() error {
	switch {
	case t.Access != "":
		return t.invalid(fault.InvalidParameter,
			"is a STREAM table, which has a SCOPE; ACCESS is for SHARED tables")
	case t.Scope != UserScope && t.Scope != NamespaceScope:
		return t.invalid(fault.InvalidParameter,
			"has unknown scope %q; use user or namespace", t.Scope)
	case t.TTL == 0:
		return t.invalid(fault.InvalidParameter,
			"is a STREAM table and needs a TTL; add WITH (TTL = '10s')")
	}
	return checkSpan("the TTL", t.TTL)
}
