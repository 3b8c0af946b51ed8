package ddl_test

import (
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

func TestParseTTL(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"10s": 10 * time.Second, "5m": 5 * time.Minute, "1h": time.Hour, "7d": 7 * day,
		"1s": time.Second, "1h30m": 90 * time.Minute, "1d12h": 36 * time.Hour,
		"1500ms": 1500 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "3650d": 3650 * day,
	} {
		got, err := ddl.ParseTTL(text)
		if err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
			continue
		}
		if again, err := ddl.ParseTTL(ddl.FormatTTL(got)); err != nil || again != got {
			t.Errorf("%s is shown as %s", text, ddl.FormatTTL(got))
		}
	}
	for _, text := range []string{"", "10", "s", "d", "0s", "999ms", "-5s", "3651d", "3650d1ms",
		"65535d", "99999999999d", "1d-1h", "7w", "1 h", "1s1us", "87601h", "9999999999999h"} {
		if _, err := ddl.ParseTTL(text); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseTTL(f *testing.F) {
	for _, s := range []string{"10s", "1d12h", "3650d", "65535d", "1.5s", "-5s", "1d-1h", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ttl, err := ddl.ParseTTL(s)
		switch {
		case fault.Is(err, fault.InvalidParameter):
		case err != nil || ttl < ddl.MinTTL || ttl > ddl.MaxTTL:
			t.Fatalf("%q reads as %v, %v", s, ttl, err)
		default:
			if again, err := ddl.ParseTTL(ddl.FormatTTL(ttl)); err != nil || again != ttl {
				t.Fatalf("%q reads as %v, which is shown as %s: %v", s, ttl, ddl.FormatTTL(ttl), err)
			}
		}
	})
}
