package ddl

import (
	"strconv"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// FlushPolicy says when the rows of a table move to the cold tier by
// themselves. The zero one leaves it to the configuration.
type FlushPolicy struct {
	Rows     int64         `json:"rows,omitempty"`     // as soon as so many are hot; 0: not by number
	Interval time.Duration `json:"interval,omitempty"` // so often; 0: not by time
	Never    bool          `json:"never,omitempty"`    // only when asked to
}

// MaxFlushRows bounds the rows of a flush policy.
const MaxFlushRows = 1_000_000_000

// What a flush policy is that names no rows and no interval.
const (
	flushDefault = "default"
	flushNone    = "none"
)

// ParseFlushPolicy reads 'rows:n,interval:s', either part alone, 'none' or
// 'default'. An interval is a duration in the form of a TTL, or a number of
// seconds. It returns an INVALID_PARAMETER fault for anything else.
func ParseFlushPolicy(s string) (p FlushPolicy, err error) {
	switch s = strings.ToLower(strings.TrimSpace(s)); s {
	case flushDefault:
		return p, nil
	case flushNone:
		return FlushPolicy{Never: true}, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		name, text, _ := strings.Cut(part, ":")
		text = strings.TrimSpace(text)
		switch name = strings.TrimSpace(name); {
		case name == "rows" && p.Rows == 0:
			p.Rows, err = strconv.ParseInt(text, 10, 64)
			if err != nil || p.Rows < 1 || p.Rows > MaxFlushRows {
				return FlushPolicy{}, fault.New(fault.InvalidParameter,
					"the rows of a flush policy are a number from 1 to %d", MaxFlushRows)
			}
		case name == "interval" && p.Interval == 0:
			if p.Interval, err = ParseSpan("the interval of a flush policy", text); err != nil {
				return FlushPolicy{}, err
			}
		default:
			return FlushPolicy{}, fault.New(fault.InvalidParameter,
				"a flush policy is 'rows:1000,interval:5m', one of the two, 'none' or 'default'")
		}
	}
	return p, nil
}

// String writes p in the form of ParseFlushPolicy.
func (p FlushPolicy) String() string {
	var parts []string
	if p.Rows > 0 {
		parts = append(parts, "rows:"+strconv.FormatInt(p.Rows, 10))
	}
	if p.Interval > 0 {
		parts = append(parts, "interval:"+FormatTTL(p.Interval))
	}
	switch {
	case p.Never:
		return flushNone
	case len(parts) == 0:
		return flushDefault
	}
	return strings.Join(parts, ",")
}

func (p FlushPolicy) validate() error {
	if p.Rows < 0 || p.Rows > MaxFlushRows || p.Never && (p.Rows > 0 || p.Interval > 0) {
		return fault.New(fault.InvalidParameter, "the flush policy is out of range")
	}
	if p.Interval == 0 {
		return nil
	}
	return checkSpan("the interval of a flush policy", p.Interval)
}

// HasColdTier reports whether rows of the table may move to the cold tier.
func (t *Table) HasColdTier() bool { return t.Kind == UserTable || t.Kind == SharedTable }

// validateTier checks what says how and where rows go cold.
func (t *Table) validateTier() error {
	given := t.Storage != "" || t.UserStorage || t.Flush != FlushPolicy{} || t.DeletedRetention != 0
	switch {
	case given && !t.HasColdTier():
		return t.invalid(fault.InvalidParameter, "is a %s table, whose rows stay hot; "+
			"STORAGE, FLUSH and DELETED_RETENTION are for USER and SHARED tables", t.Kind)
	case t.UserStorage && t.Kind != UserTable:
		return t.invalid(fault.InvalidParameter,
			"is a %s table; USE_USER_STORAGE is for USER tables", t.Kind)
	}
	if err := t.Flush.validate(); err != nil || t.DeletedRetention == 0 {
		return err
	}
	return checkSpan("DELETED_RETENTION", t.DeletedRetention)
}
