package mockfleet

import (
	"net/http"

	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metric is one metric of GET /metrics.
type metric struct {
	name  string
	kind  prometheus.ValueType
	help  string
	value float64
}

func (s Status) metrics() (list []metric) {
	add := func(name string, kind prometheus.ValueType, value float64, help string) {
		list = append(list, metric{name, kind, help, value})
	}
	gauge := func(name string, value float64, help string) { add(name, prometheus.GaugeValue, value, help) }
	counter := func(name string, value float64, help string) { add(name, prometheus.CounterValue, value, help) }
	gauge("fleetmark_fleet_devices", float64(s.Devices), "Devices of the fleet.")
	gauge("fleetmark_fleet_devices_updated", float64(s.Updated),
		"Devices with at least one update applied since the last reset.")
	gauge("fleetmark_fleet_pushes", float64(s.Pushes), "Updates received since the last reset.")
	gauge("fleetmark_fleet_applied", float64(s.Applied), "Updates applied since the last reset.")
	gauge("fleetmark_fleet_applied_twice", float64(s.AppliedTwice),
		"Updates applied to a device that ran them already, since the last reset.")
	gauge("fleetmark_fleet_repeats", float64(s.Repeats),
		"Repeated updates acknowledged without applying, since the last reset.")
	gauge("fleetmark_fleet_rejected", float64(s.Rejected),
		"Updates answered 3xx, 4xx or 5xx and not applied, since the last reset.")
	gauge("fleetmark_fleet_forced_rejects", float64(s.ForcedRejects),
		"Updates failed by a device's behavior since the last reset.")
	gauge("fleetmark_fleet_false_acks", float64(s.FalseAcks),
		"Updates acknowledged and not applied, by a fault, since the last reset.")
	gauge("fleetmark_fleet_install_failures", float64(s.InstallFailures),
		"Updates taken and then not to be installed, by a fault, since the last reset.")
	gauge("fleetmark_fleet_connections_over_limit", float64(s.ConnectionsOverLimit),
		"Connections beyond those that a device may have, since the last reset.")
	gauge("fleetmark_fleet_connections_aborted", float64(s.ConnectionsAborted),
		"Connections ended by a fault before an answer, since the last reset.")
	gauge("fleetmark_fleet_injections", float64(s.Injections),
		"Injections of faults, of every kind, since the last reset.")
	gauge("fleetmark_fleet_incomplete", float64(s.Incomplete), "Updates broken off since the last reset.")
	gauge("fleetmark_fleet_verifies", float64(s.Verifies), "Versions asked for since the last reset.")
	gauge("fleetmark_fleet_misdirected", float64(s.Misdirected),
		"Updates that named another device, since the last reset.")
	gauge("fleetmark_fleet_artifact_bytes", float64(s.BytesReceived),
		"Bytes of artifacts received since the last reset.")
	counter("fleetmark_fleet_requests_total", float64(s.Requests), "Requests to devices.")
	counter("fleetmark_fleet_malformed_total", float64(s.Malformed), "Requests that were not HTTP.")
	counter("fleetmark_fleet_received_bytes_total", float64(s.BytesIn), "Bytes received by devices.")
	counter("fleetmark_fleet_sent_bytes_total", float64(s.BytesOut), "Bytes sent by devices.")
	gauge("fleetmark_fleet_connections", float64(s.Connections), "Open connections to devices.")
	counter("fleetmark_fleet_connections_total", float64(s.ConnectionsTotal),
		"Connections to devices, refused ones included.")
	counter("fleetmark_fleet_connections_refused_total", float64(s.ConnectionsRefused), "Connections closed at once.")
	counter("fleetmark_fleet_connections_no_room_total", float64(s.ConnectionsNoRoom),
		"Connections closed at once because there were too many.")
	counter("fleetmark_fleet_accept_errors_total", float64(s.AcceptErrors), "Failures to accept a connection.")
	gauge("fleetmark_fleet_accept_queue", float64(s.Health.AcceptQueue),
		"Connections that wait to be accepted, at the fullest listener.")
	gauge("fleetmark_fleet_accept_queue_peak", float64(s.Health.AcceptQueuePeak),
		"The most of those since the last reset.")
	gauge("fleetmark_fleet_late_answers", float64(s.Health.Late),
		"Delayed answers that left over 50 ms after their time, since the last reset.")
	gauge("fleetmark_fleet_delayed_answers", float64(s.Health.Delayed),
		"Answers that were to wait, since the last reset.")
	gauge("fleetmark_fleet_wake_p90_seconds", s.Health.WakeP90.Seconds(),
		"How late the fleet looks at what has come, 90th percentile since the last reset.")
	gauge("fleetmark_fleet_cpu_fraction", s.Health.CPUFraction,
		"Share of all cores that the process used over the last seconds.")
	gauge("fleetmark_fleet_saturated", boolGauge(s.Health.Saturated),
		"Whether the fleet is the bottleneck, by its own judgement: 1 if so.")
	gauge("fleetmark_fleet_uptime_seconds", s.Uptime.Seconds(), "Time since the fleet started.")
	counter("process_cpu_seconds_total", s.CPUSeconds, "User and system time of the process.")
	gauge("process_resident_memory_bytes", float64(s.ResidentBytes), "Resident memory of the process.")
	gauge("process_max_fds", float64(s.Health.DescriptorLimit), "Descriptors that the process may have.")
	gauge("process_open_fds", float64(s.Descriptors), "Open descriptors of the process.")
	gauge("go_goroutines", float64(s.Goroutines), "Goroutines of the process.")
	return list
}

func boolGauge(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// collector gives the fleet's Status to Prometheus. It reads the Status once for each scrape, so
// that the figures belong together.
type collector struct{ fleet *Fleet }

// Describe sends nothing, which makes the collector an unchecked one: Collect alone lists the
// metrics.
func (c collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, m := range c.fleet.Status().metrics() {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(m.name, m.help, nil, nil), m.kind, m.value)
	}
	const gauge = prometheus.GaugeValue
	stages := prometheus.NewDesc("fleetmark_fleet_stage_devices", "Devices in each stage of their lives, by group.",
		[]string{"group", "stage"}, nil)
	for _, g := range c.fleet.Groups() {
		for _, stage := range ledger.Stages() {
			out <- prometheus.MustNewConstMetric(stages, gauge, float64(g.Stages[stage]), g.Name, string(stage))
		}
	}
	faults := prometheus.NewDesc("fleetmark_fleet_faults",
		"Injections of each kind of fault that acted, since the last reset.", []string{"kind"}, nil)
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
