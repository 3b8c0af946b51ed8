// Package metrics tells the figures of the engine in the form that Prometheus
// reads. It keeps no numbers of its own: each answer is made from what the engine
// says then.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/storage"
)

// Source is what the metrics are made from. core/engine.Engine is one.
type Source interface {
	Figures() []engine.Figure
	Alarms() []storage.Alarm
}

// prefix begins the names of our metrics.
const prefix = "kalamdb_"

// Handler returns what answers GET with the metrics.
func Handler(source Source, version, revision string) http.Handler {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: prefix + "build_info", Help: "1, with what the server was built from.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision},
	})
	build.Set(1)
	registry.MustRegister(build, &figures{source}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry,
		promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
}

// figures collects the figures of a source.
type figures struct{ source Source }

// Describe implements prometheus.Collector. Storages come and go, so it promises
// nothing, which the library allows.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	for _, n := range f.source.Figures() {
		name, kind := prefix+n.Name, prometheus.GaugeValue
		if n.Counter {
			name, kind = name+"_total", prometheus.CounterValue
		}
		var labels, values []string
		if n.Storage != "" {
			labels, values = []string{"storage"}, []string{n.Storage}
		}
		out <- metric(prometheus.NewDesc(name, "In "+n.Unit+", as in system.stats.", labels, nil),
			kind, float64(n.Value), values...)
	}
	alarm := prometheus.NewDesc(prefix+"alarm", "1 for each thing that an operator should look at.",
		[]string{"storage", "code"}, nil)
	for _, a := range f.source.Alarms() {
		out <- metric(alarm, prometheus.GaugeValue, 1, string(a.Storage), string(a.Code))
	}
}

// metric returns a metric, or one that has the answer fail.
func metric(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string,
) prometheus.Metric {
	m, err := prometheus.NewConstMetric(d, kind, v, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}
