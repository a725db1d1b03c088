package mockfleet

import (
	"net/http"

	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metric is one of GET /metrics.
type metric struct {
	name  string
	kind  prometheus.ValueType
	help  string
	value float64
}

func (s Status) metrics() []metric {
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	return []metric{
		{"fleetmark_fleet_devices", gauge, "Devices of the fleet.", float64(s.Devices)},
		{"fleetmark_fleet_devices_updated", gauge, "Devices with at least one update applied since the last reset.", float64(s.Updated)},
		{"fleetmark_fleet_pushes", gauge, "Updates received since the last reset.", float64(s.Pushes)},
		{"fleetmark_fleet_applied", gauge, "Updates applied since the last reset.", float64(s.Applied)},
		{"fleetmark_fleet_applied_twice", gauge, "Updates applied to a device that ran them already, since the last reset.", float64(s.AppliedTwice)},
		{"fleetmark_fleet_repeats", gauge, "Repeated updates acknowledged without applying, since the last reset.", float64(s.Repeats)},
		{"fleetmark_fleet_rejected", gauge, "Updates answered 3xx, 4xx or 5xx and not applied, since the last reset.", float64(s.Rejected)},
		{"fleetmark_fleet_forced_rejects", gauge, "Updates failed by a device's behavior since the last reset.", float64(s.ForcedRejects)},
		{"fleetmark_fleet_false_acks", gauge, "Updates acknowledged and not applied, by a fault, since the last reset.", float64(s.FalseAcks)},
		{"fleetmark_fleet_install_failures", gauge, "Updates taken and then not to be installed, by a fault, since the last reset.", float64(s.InstallFailures)},
		{"fleetmark_fleet_connections_over_limit", gauge, "Connections beyond those that a device may have, since the last reset.", float64(s.ConnectionsOverLimit)},
		{"fleetmark_fleet_connections_aborted", gauge, "Connections ended by a fault before an answer, since the last reset.", float64(s.ConnectionsAborted)},
		{"fleetmark_fleet_injections", gauge, "Injections of faults, of every kind, since the last reset.", float64(s.Injections)},
		{"fleetmark_fleet_incomplete", gauge, "Updates broken off since the last reset.", float64(s.Incomplete)},
		{"fleetmark_fleet_verifies", gauge, "Versions asked for since the last reset.", float64(s.Verifies)},
		{"fleetmark_fleet_misdirected", gauge, "Updates that named another device, since the last reset.", float64(s.Misdirected)},
		{"fleetmark_fleet_artifact_bytes", gauge, "Bytes of artifacts received since the last reset.", float64(s.BytesReceived)},
		{"fleetmark_fleet_requests_total", counter, "Requests to devices.", float64(s.Requests)},
		{"fleetmark_fleet_malformed_total", counter, "Requests that were not HTTP.", float64(s.Malformed)},
		{"fleetmark_fleet_received_bytes_total", counter, "Bytes received by devices.", float64(s.BytesIn)},
		{"fleetmark_fleet_sent_bytes_total", counter, "Bytes sent by devices.", float64(s.BytesOut)},
		{"fleetmark_fleet_connections", gauge, "Open connections to devices.", float64(s.Connections)},
		{"fleetmark_fleet_connections_total", counter, "Connections to devices, refused ones included.", float64(s.ConnectionsTotal)},
		{"fleetmark_fleet_connections_refused_total", counter, "Connections closed at once.", float64(s.ConnectionsRefused)},
		{"fleetmark_fleet_connections_no_room_total", counter, "Connections closed at once because there were too many.", float64(s.ConnectionsNoRoom)},
		{"fleetmark_fleet_accept_errors_total", counter, "Failures to accept a connection.", float64(s.AcceptErrors)},
		{"fleetmark_fleet_accept_queue", gauge, "Connections that wait to be accepted, at the fullest listener.", float64(s.Health.AcceptQueue)},
		{"fleetmark_fleet_accept_queue_peak", gauge, "The most of those since the last reset.", float64(s.Health.AcceptQueuePeak)},
		{"fleetmark_fleet_late_answers", gauge, "Delayed answers that left over 50 ms after their time, since the last reset.", float64(s.Health.Late)},
		{"fleetmark_fleet_delayed_answers", gauge, "Answers that were to wait, since the last reset.", float64(s.Health.Delayed)},
		{"fleetmark_fleet_wake_p90_seconds", gauge, "How late the fleet looks at what has come, 90th percentile since the last reset.", s.Health.WakeP90.Seconds()},
		{"fleetmark_fleet_cpu_fraction", gauge, "Share of all cores that the process used over the last seconds.", s.Health.CPUFraction},
		{"fleetmark_fleet_saturated", gauge, "Whether the fleet is the bottleneck, by its own judgement: 1 if so.", boolGauge(s.Health.Saturated)},
		{"fleetmark_fleet_uptime_seconds", gauge, "Time since the fleet started.", s.Uptime.Seconds()},
		{"process_cpu_seconds_total", counter, "User and system time of the process.", s.CPUSeconds},
		{"process_resident_memory_bytes", gauge, "Resident memory of the process.", float64(s.ResidentBytes)},
		{"process_max_fds", gauge, "Descriptors that the process may have.", float64(s.Health.DescriptorLimit)},
		{"process_open_fds", gauge, "Open descriptors of the process.", float64(s.Descriptors)},
		{"go_goroutines", gauge, "Goroutines of the process.", float64(s.Goroutines)},
	}
}

func boolGauge(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// collector gives the fleet's Status to Prometheus, read once a scrape so that its
// figures belong together.
type collector struct{ fleet *Fleet }

// Describe says nothing: the collector is unchecked, its metrics being one list.
func (c collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, m := range c.fleet.Status().metrics() {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(m.name, m.help, nil, nil), m.kind, m.value)
	}
	const gauge = prometheus.GaugeValue
	stages := prometheus.NewDesc("fleetmark_fleet_stage_devices", "Devices in each stage of their lives, by group.", []string{"group", "stage"}, nil)
	for _, g := range c.fleet.Groups() {
		for _, stage := range ledger.Stages() {
			out <- prometheus.MustNewConstMetric(stages, gauge, float64(g.Stages[stage]), g.Name, string(stage))
		}
	}
	faults := prometheus.NewDesc("fleetmark_fleet_faults", "Injections of each kind of fault that acted, since the last reset.", []string{"kind"}, nil)
	for kind, name := range c.fleet.store.Kinds() {
		if n := c.fleet.store.Injected(kind); n > 0 {
			out <- prometheus.MustNewConstMetric(faults, gauge, float64(n), name)
		}
	}
}

// metricsHandler answers in the formats of Prometheus, from a registry of its own.
func metricsHandler(f *Fleet) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{f})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
