package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/storage"
	"github.com/kalamdb/kalamdb-go/server/metrics"
)

type source struct {
	figures []engine.Figure
	alarms  []storage.Alarm
}

func (s *source) Figures() []engine.Figure { return s.figures }
func (s *source) Alarms() []storage.Alarm  { return s.alarms }

func TestHandler(t *testing.T) {
	s := &source{}
	h := metrics.Handler(s, "v1", "abc")
	get := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != 200 {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		return "\n" + w.Body.String()
	}
	want := func(text string, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("%q is not in\n%s", line, text)
			}
		}
	}
	want(get(), `kalamdb_build_info{revision="abc",version="v1"} 1`, "# TYPE go_goroutines gauge")
	s.figures = []engine.Figure{
		{Name: "open_views", Value: 3, Unit: "views"},
		{Name: "statements", Value: 7, Unit: "statements", Counter: true},
		{Name: "storage_errors", Value: 1, Unit: "calls", Counter: true, Storage: "a"},
		{Name: "storage_errors", Value: 2, Unit: "calls", Counter: true, Storage: "b"},
	}
	s.alarms = []storage.Alarm{{Storage: "b", Code: fault.StorageFull}}
	want(get(), "kalamdb_open_views 3", "# TYPE kalamdb_open_views gauge",
		"kalamdb_statements_total 7", "# TYPE kalamdb_statements_total counter",
		`kalamdb_storage_errors_total{storage="a"} 1`, `kalamdb_storage_errors_total{storage="b"} 2`,
		`kalamdb_alarm{code="STORAGE_FULL",storage="b"} 1`)
	s.alarms = nil
	if text := get(); strings.Contains(text, "kalamdb_alarm{") {
		t.Errorf("an alarm that ended is in\n%s", text)
	}
}
