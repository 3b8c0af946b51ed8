package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

// get sends a GET as change makes it, and returns status and body.
func get(t *testing.T, url string, change func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err == nil {
		err = answer.Body.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// remote has a request look as one from another machine.
func remote(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }

func remoteDBA(r *http.Request) {
	remote(r)
	r.SetBasicAuth("root", servertest.RootPassword)
}

// A storage that fails shows in health and metrics until it works again, while
// statements go on.
func TestRun_tellsOfFailingStorages(t *testing.T) {
	s := servertest.Start(t)
	cold := filepath.Join(t.TempDir(), "cold")
	sql := func(text string) (int, string) {
		body, err := json.Marshal(map[string]string{"sql": text})
		if err != nil {
			t.Fatal(err)
		}
		return get(t, s.URL+wire.PathSQL, func(r *http.Request) {
			r.Method, r.Body = http.MethodPost, io.NopCloser(strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
			r.SetBasicAuth("root", servertest.RootPassword)
		})
	}
	health := func(change func(*http.Request)) (h wire.HealthResponse) {
		t.Helper()
		status, body := get(t, s.URL+wire.PathHealth, change)
		if err := json.Unmarshal([]byte(body), &h); err != nil || status != http.StatusOK {
			t.Fatalf("health is %d %s, %v", status, body, err)
		}
		return h
	}
	if status, body := sql("CREATE STORAGE archive TYPE filesystem WITH (uri = '" + cold + "')"); status != 200 {
		t.Fatal(body)
	}
	if h := health(nil); h.Status != wire.Healthy || h.Alarms != nil {
		t.Errorf("health is %+v", h)
	}
	if err := os.Rename(cold, cold+"-away"); err != nil {
		t.Fatal(err)
	}
	if status, body := sql("CHECK STORAGE archive"); status != 503 || !strings.Contains(body, "STORAGE_UNAVAILABLE") {
		t.Errorf("a storage that is gone: %d %s", status, body)
	}
	for _, who := range []func(*http.Request){nil, remoteDBA} {
		h := health(who)
		if h.Status != wire.Degraded || len(h.Alarms) != 1 || h.Alarms[0].Storage != "archive" ||
			h.Alarms[0].Code != "STORAGE_UNAVAILABLE" || h.Alarms[0].Since.IsZero() {
			t.Errorf("health is %+v", h)
		}
	}
	if h := health(remote); h.Status != wire.Degraded || h.Alarms != nil {
		t.Errorf("strangers hear %+v", h)
	}
	if status, _ := get(t, s.URL+wire.PathReady, nil); status != 200 {
		t.Errorf("ready is %d", status)
	}
	if status, body := sql("SELECT 1"); status != 200 {
		t.Errorf("statements do not go on: %s", body)
	}
	const alarm = `kalamdb_alarm{code="STORAGE_UNAVAILABLE",storage="archive"} 1`
	if status, body := get(t, s.URL+wire.PathMetrics, nil); status != 200 || !strings.Contains(body, alarm) {
		t.Errorf("metrics are %d %s", status, body)
	}
	if err := os.Rename(cold+"-away", cold); err != nil {
		t.Fatal(err)
	}
	if status, body := sql("CHECK STORAGE archive"); status != 200 {
		t.Error(body)
	}
	if h := health(nil); h.Status != wire.Healthy || h.Alarms != nil {
		t.Errorf("health is %+v", h)
	}
	if _, body := get(t, s.URL+wire.PathMetrics, nil); strings.Contains(body, "kalamdb_alarm{") ||
		!strings.Contains(body, `kalamdb_storage_errors_total{storage="archive"} `) {
		t.Errorf("metrics are %s", body)
	}
}

func TestRun_metricsAreForOperators(t *testing.T) {
	closed := servertest.Start(t)
	for name, test := range map[string]struct {
		who  func(*http.Request)
		want int
	}{
		"a caller on this host": {nil, 200}, "a stranger": {remote, 401}, "a dba": {remoteDBA, 200},
		"a dba for a user": {func(r *http.Request) {
			remoteDBA(r)
			r.Header.Set(wire.HeaderUserID, "alice")
		}, 403},
		"a page of elsewhere": {func(r *http.Request) { r.Header.Set("Origin", "https://x.example") }, 403},
		"a post":              {func(r *http.Request) { r.Method = http.MethodPost }, 405},
	} {
		if status, body := get(t, closed.URL+wire.PathMetrics, test.who); status != test.want {
			t.Errorf("%s hears %d %s", name, status, body)
		}
	}
	public := servertest.Start(t, "KALAMDB_METRICS_PUBLIC=true")
	if status, _ := get(t, public.URL+wire.PathMetrics, remote); status != 200 {
		t.Errorf("public metrics are %d", status)
	}
	off := servertest.Start(t, "KALAMDB_METRICS_ENABLED=false")
	if status, _ := get(t, off.URL+wire.PathMetrics, nil); status != 404 {
		t.Errorf("metrics that are off are %d", status)
	}
}
