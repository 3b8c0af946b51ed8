package ddl_test

import (
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

func TestParseFlushPolicy(t *testing.T) {
	for text, want := range map[string]ddl.FlushPolicy{
		"rows:1000,interval:60":    {Rows: 1000, Interval: time.Minute},
		" Interval: 2H , ROWS: 5 ": {Rows: 5, Interval: 2 * time.Hour},
		"rows:1":                   {Rows: 1},
		"interval:1500ms":          {Interval: 1500 * time.Millisecond},
		"none":                     {Never: true},
		"DEFAULT":                  {},
	} {
		got, err := ddl.ParseFlushPolicy(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
		if again, err := ddl.ParseFlushPolicy(got.String()); err != nil || again != got {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	for _, text := range []string{"", "rows", "rows:", "rows:0", "rows:-1", "rows:1000000001",
		"rows:1,rows:2", "interval:0", "interval:1s,interval:1s", "rows:1,", "rows:1;interval:1",
		"none,rows:1", "interval:3651d"} {
		if got, err := ddl.ParseFlushPolicy(text); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
}

func FuzzParseFlushPolicy(f *testing.F) {
	f.Add("rows:1000,interval:60")
	f.Add("none")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ddl.ParseFlushPolicy(s)
		if err != nil {
			if !fault.Is(err, fault.InvalidParameter) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ddl.ParseFlushPolicy(p.String()); err != nil || again != p {
			t.Fatalf("%q is shown as %q: %v", s, p, err)
		}
	})
}
