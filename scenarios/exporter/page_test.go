package exporter

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

// TestMetricsPage keeps the table of metrics in docs/reference/live-metrics.md up to date.
func TestMetricsPage(t *testing.T) {
	var rows [][]string
	for _, d := range definitions() {
		kind := "histogram"
		switch d.kind {
		case prometheus.GaugeValue:
			kind = "gauge"
		case prometheus.CounterValue:
			kind = "counter"
		}
		rows = append(rows, []string{"`" + d.name + "`", kind, "`" + strings.Join(d.labels, "`, `") + "`", d.help})
	}
	docpage.Check(t, "reference/live-metrics.md", "metrics",
		docpage.Table([]string{"metric", "type", "labels", "what it is"}, rows))
}
