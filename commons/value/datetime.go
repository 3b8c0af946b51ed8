package value

import (
	"strings"
	"time"
)

// appendDate appends days since 1970-01-01 as "2026-01-02".
func appendDate(dst []byte, days int64) []byte {
	year, month, day := time.Unix(days*86400, 0).UTC().Date()
	dst = appendPadded(dst, year, 4)
	dst = appendPadded(append(dst, '-'), int(month), 2)
	return appendPadded(append(dst, '-'), day, 2)
}

// appendInstant appends microseconds since 1970 as RFC 3339 in UTC, with six
// digits of microseconds when there are any.
func appendInstant(dst []byte, micros int64) []byte {
	days := floorDiv(micros, microsPerDay)
	dst = append(appendDate(dst, days), 'T')
	dst = appendClock(dst, micros-days*microsPerDay, false)
	return append(dst, 'Z')
}

// appendTime appends a signed time of day or duration as "15:04:05.000000".
func appendTime(dst []byte, micros int64) []byte {
	if micros < 0 {
		return appendClock(append(dst, '-'), -micros, true)
	}
	return appendClock(dst, micros, true)
}

func appendClock(dst []byte, micros int64, always bool) []byte {
	seconds, fraction := int(micros/microsPerSecond), int(micros%microsPerSecond)
	dst = appendPadded(dst, seconds/3600, 2)
	dst = appendPadded(append(dst, ':'), seconds/60%60, 2)
	dst = appendPadded(append(dst, ':'), seconds%60, 2)
	if fraction != 0 || always {
		dst = appendPadded(append(dst, '.'), fraction, 6)
	}
	return dst
}

// appendPadded appends n with at least width digits.
func appendPadded(dst []byte, n, width int) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	for p := pow10(width - 1); p > n && p > 1; p /= 10 {
		dst = append(dst, '0')
	}
	return formatInteger(dst, NewBigInt(int64(n)))
}

func pow10(n int) int {
	p := 1
	for ; n > 0; n-- {
		p *= 10
	}
	return p
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// parseDate reads "2026-01-02". The text of a point in time is read as its day
// in UTC.
func parseDate(s string) (Value, error) {
	if len(s) > len(time.DateOnly) {
		v, err := parseInstant(DateTime, s)
		if err != nil {
			return Value{}, mismatch(Date, s)
		}
		return NewInt(Date, floorDiv(v.Int(), microsPerDay)), nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Value{}, mismatch(Date, s)
	}
	return CheckedInt(Date, floorDiv(t.Unix(), 86400))
}

// parseInstant reads RFC 3339, the same with a space for the T and without a
// zone (which means UTC), or a day (which means its midnight).
func parseInstant(k Kind, s string) (Value, error) {
	layout := time.DateOnly
	if len(s) > len(layout) {
		switch s[len(layout)] {
		case 'T', 't':
			layout += s[len(layout):len(layout)+1] + time.TimeOnly
		case ' ':
			layout = time.DateTime
		}
		if zone := s[len(time.DateOnly):]; strings.ContainsAny(zone, "Zz") {
			layout += zone[len(zone)-1:]
		} else if strings.ContainsAny(zone, "+-") {
			layout += zoneLayout(zone)
		}
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return Value{}, mismatch(k, s)
	}
	return CheckedInt(k, t.UnixMicro())
}

func zoneLayout(s string) string {
	zone := s[strings.LastIndexAny(s, "+-"):]
	switch {
	case len(zone) == len("+00"):
		return "-07"
	case strings.Contains(zone, ":"):
		return "-07:00"
	}
	return "-0700"
}

// parseTime reads "[-]15:04[:05[.000000]]" with up to 838 hours. Digits behind
// the microseconds are dropped.
func parseTime(s string) (Value, error) {
	rest, neg := s, strings.HasPrefix(s, "-")
	if neg {
		rest = s[1:]
	}
	rest, fraction, hasFraction := strings.Cut(rest, ".")
	parts := strings.Split(rest, ":")
	if len(parts) < 2 || len(parts) > 3 || hasFraction && len(parts) != 3 {
		return Value{}, mismatch(Time, s)
	}
	var micros int64
	for i, unit := range []int64{3600, 60, 1} {
		if i == len(parts) {
			break
		}
		n, ok := smallNumber(parts[i], 3)
		if !ok || i > 0 && (n > 59 || len(parts[i]) != 2) {
			return Value{}, mismatch(Time, s)
		}
		micros += n * unit * microsPerSecond
	}
	if hasFraction {
		n, ok := smallNumber((fraction + "000000")[:6], 6)
		if !ok || fraction == "" || !digits(fraction) {
			return Value{}, mismatch(Time, s)
		}
		micros += n
	}
	if neg {
		micros = -micros
	}
	return CheckedInt(Time, micros)
}

// smallNumber reads 1 to most digits.
func smallNumber(s string, most int) (n int64, ok bool) {
	if s == "" || len(s) > most || !digits(s) {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
