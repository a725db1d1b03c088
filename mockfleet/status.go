package mockfleet

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// Status is the fleet as a whole. The counts of what devices did are since the start or the last
// Reset; those of requests, bytes and connections since the start. What concerns the process is of
// all of it, which is the fleet's alone only if it runs in a process of its own.
type Status struct {
	Devices    uint64       `json:"devices"`
	Addressing address.Mode `json:"addressing"`

	// Generation changes with every Reset, and is another in another fleet: two readings with the same
	// one are of one ledger.
	Generation uint64 `json:"generation"`

	ledger.Totals // of the devices

	Traffic
	Process

	Health Health `json:"health"`
}

// Traffic counts what passed over the devices' connections since the start.
type Traffic struct {
	Requests           uint64 `json:"requests"`            // to devices, of every kind
	Malformed          uint64 `json:"malformed"`           // what came and was no request
	BytesIn            uint64 `json:"bytes_in"`            // over the devices' connections, heads included
	BytesOut           uint64 `json:"bytes_out"`           // likewise
	Connections        uint64 `json:"connections"`         // open now
	ConnectionsTotal   uint64 `json:"connections_total"`   // accepted, refused ones included
	ConnectionsRefused uint64 `json:"connections_refused"` // closed at once: too many, from elsewhere, or to no device
	ConnectionsNoRoom  uint64 `json:"connections_no_room"` // of those, the ones that were too many
	AcceptErrors       uint64 `json:"accept_errors"`       // failures to accept, as for want of descriptors
}

// Process is what the process of the fleet takes.
type Process struct {
	CPUSeconds        float64       `json:"cpu_seconds"`         // user and system time of the process; 0 where unknown
	ResidentBytes     uint64        `json:"resident_bytes"`      // of the process; 0 where unknown
	PeakResidentBytes uint64        `json:"peak_resident_bytes"` // likewise
	Goroutines        int           `json:"goroutines"`          // of the process
	Descriptors       int           `json:"descriptors"`         // of the process; 0 where unknown
	Uptime            time.Duration `json:"uptime_ns"`
}

// Status tells how the fleet is.
func (f *Fleet) Status() Status {
	s := Status{
		Devices:    uint64(f.Devices()),
		Addressing: f.cfg.Addressing,
		Generation: uint64(f.generation) + uint64(f.store.Resets()),
		Totals:     f.store.Totals(),
		Traffic:    f.trafficSoFar(),
		Process: Process{
			ResidentBytes: residentBytes(),
			Goroutines:    runtime.NumGoroutine(),
			Descriptors:   openDescriptors(),
			Uptime:        time.Since(f.started),
		},
	}
	s.CPUSeconds, s.PeakResidentBytes = processorTime()
	s.Health = f.watch.health(&s.Traffic, acceptOverflows())
	s.Health.DescriptorLimit, _ = descriptorLimit() // unknown is 0
	return s
}

func (f *Fleet) trafficSoFar() Traffic {
	t := Traffic{AcceptErrors: f.acceptErrors.Load()}
	t.Requests, t.Malformed, t.BytesIn, t.BytesOut = f.traffic.sum()
	open, total, refused, noRoom := f.registry.counts()
	t.Connections, t.ConnectionsTotal, t.ConnectionsRefused, t.ConnectionsNoRoom = uint64(open), total, refused, noRoom
	return t
}

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
		{"fleetmark_fleet_rejected", gauge, "Updates answered 4xx or 5xx since the last reset.", float64(s.Rejected)},
		{"fleetmark_fleet_faulted", gauge, "Updates failed by a device's behavior since the last reset.", float64(s.Faulted)},
		{"fleetmark_fleet_feigned", gauge, "Updates acknowledged and not applied, by a fault, since the last reset.", float64(s.Feigned)},
		{"fleetmark_fleet_unfit", gauge, "Updates taken and then not to be installed, by a fault, since the last reset.", float64(s.Unfit)},
		{"fleetmark_fleet_turned_away", gauge, "Connections beyond those that a device may have, since the last reset.", float64(s.TurnedAway)},
		{"fleetmark_fleet_struck", gauge, "Connections ended by a fault before an answer, since the last reset.", float64(s.Struck)},
		{"fleetmark_fleet_injected", gauge, "Faults that struck since the last reset.", float64(s.Injected)},
		{"fleetmark_fleet_broken", gauge, "Updates broken off since the last reset.", float64(s.Broken)},
		{"fleetmark_fleet_verifies", gauge, "Versions asked for since the last reset.", float64(s.Verifies)},
		{"fleetmark_fleet_misaddressed", gauge, "Updates that named another device, since the last reset.", float64(s.Misaddressed)},
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
		{"fleetmark_fleet_saturated", gauge, "Whether the fleet is the bottleneck, by its own judgement: 1 if so.", asNumber(s.Health.Saturated)},
		{"fleetmark_fleet_uptime_seconds", gauge, "Time since the fleet started.", s.Uptime.Seconds()},
		{"process_cpu_seconds_total", counter, "User and system time of the process.", s.CPUSeconds},
		{"process_resident_memory_bytes", gauge, "Resident memory of the process.", float64(s.ResidentBytes)},
		{"process_max_fds", gauge, "Descriptors that the process may have.", float64(s.Health.DescriptorLimit)},
		{"process_open_fds", gauge, "Open descriptors of the process.", float64(s.Descriptors)},
		{"go_goroutines", gauge, "Goroutines of the process.", float64(s.Goroutines)},
	}
}

func asNumber(yes bool) float64 {
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
	faults := prometheus.NewDesc("fleetmark_fleet_faults", "Strikes of each kind of fault that struck, since the last reset.", []string{"kind"}, nil)
	for kind := range c.fleet.kinds {
		if n := c.fleet.store.Injected(kind); n > 0 {
			out <- prometheus.MustNewConstMetric(faults, gauge, float64(n), c.fleet.kinds[kind])
		}
	}
}

// metricsHandler answers in the formats of Prometheus, from a registry of its own.
func metricsHandler(f *Fleet) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{f})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// traffic counts what passes over some of the connections.
type traffic struct {
	requests, malformed, in, out atomic.Uint64
	_                            [96]byte // keeps two of them out of one cache line, and of the line fetched with it
}

// trafficStripes spreads the counting over connections, so that these don't wait for each other.
type trafficStripes struct {
	turn    atomic.Uint32
	stripes [32]traffic
}

// next is the stripe for one more connection.
func (t *trafficStripes) next() *traffic {
	return &t.stripes[t.turn.Add(1)%uint32(len(t.stripes))]
}

func (t *trafficStripes) sum() (requests, malformed, in, out uint64) {
	for i := range t.stripes {
		s := &t.stripes[i]
		requests += s.requests.Load()
		malformed += s.malformed.Load()
		in += s.in.Load()
		out += s.out.Load()
	}
	return requests, malformed, in, out
}
