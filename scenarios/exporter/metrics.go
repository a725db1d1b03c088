package exporter

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// The metrics, as indexes of definitions.
const (
	runInfo = iota
	runStage
	runInvalid
	runFailing
	runWave
	runAgents
	runAgentsAlive
	runRepetition
	runRepetitions
	runElapsed
	runPlanned
	runSent
	runSucceeded
	runFailed
	runBrokenOff
	runRetries
	runInFlight
	runNotSent
	runWritten
	runRead
	runResponse
	runService
	runScrapes
	numMetrics
)

// A definition describes a metric.
type definition struct {
	name   string
	kind   prometheus.ValueType // 0 for a histogram
	labels []string
	help   string
}

// definitions returns the metrics. docs/reference/live-metrics.md is made from it.
func definitions() [numMetrics]definition {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	scenario := []string{"scenario"}
	phase := []string{"scenario", "phase"}
	operation := []string{"scenario", "op", "phase"}
	return [numMetrics]definition{
		runInfo: {"fleetmark_run_info", gauge, []string{"scenario", "run", "revision", "workload"},
			"1, with the run's ID, the revision of the program, and the digest of the workload."},
		runStage: {"fleetmark_run_stage", gauge, []string{"scenario", "stage"},
			"1 for what the current repetition is doing, 0 for the other stages."},
		runInvalid: {"fleetmark_run_invalid", gauge, scenario,
			"Whether the run is invalid, or certain to be: 1 if so."},
		runFailing: {"fleetmark_run_failing", gauge, scenario,
			"Whether a threshold failed, or is certain to: 1 if so."},
		runWave: {"fleetmark_run_wave", gauge, scenario,
			"The rollout's wave, from 1; 0 for other loads."},
		runAgents: {"fleetmark_run_agents", gauge, scenario,
			"Agents of a run with --agents; missing in other runs."},
		runAgentsAlive: {"fleetmark_run_agents_alive", gauge, scenario,
			"Agents that said something in the last half of the lease; missing in other runs."},
		runRepetition: {"fleetmark_run_repetition", gauge, phase,
			"Number of the repetition within its phase, from 1."},
		runRepetitions: {"fleetmark_run_repetitions", gauge, phase,
			"Repetitions of the phase."},
		runElapsed: {"fleetmark_run_elapsed_seconds", gauge, phase,
			"Time since the load of the last repetition began, or how long it took."},
		runPlanned: {"fleetmark_run_operations_planned_total", counter, operation,
			"Operations that were due, sent or not; 0 for a load without a plan."},
		runSent: {"fleetmark_run_operations_sent_total", counter, operation,
			"Operations that began."},
		runSucceeded: {"fleetmark_run_operations_succeeded_total", counter, operation,
			"Operations that succeeded."},
		runFailed: {"fleetmark_run_operations_failed_total", counter, []string{"scenario", "op", "phase", "class"},
			"Operations that failed, by the class of their error."},
		runBrokenOff: {"fleetmark_run_operations_broken_off_total", counter, operation,
			"Operations that the end of the load broke off."},
		runRetries: {"fleetmark_run_retries_total", counter, operation,
			"Attempts after the first, of operations that ended."},
		runInFlight: {"fleetmark_run_operations_in_flight", gauge, operation,
			"Operations that are running."},
		runNotSent: {"fleetmark_run_operations_not_sent", gauge, operation,
			"Operations that were due at the end of the last interval, and not sent by then."},
		runWritten: {"fleetmark_run_written_bytes_total", counter, phase,
			"Bytes that the client wrote; missing if the client doesn't count."},
		runRead: {"fleetmark_run_read_bytes_total", counter, phase,
			"Bytes that the client read; missing if the client doesn't count."},
		runResponse: {"fleetmark_run_response_time_seconds", 0, operation,
			"Times of the operations that succeeded, from when they were planned, if they were, or else sent."},
		runService: {"fleetmark_run_service_time_seconds", 0, operation,
			"Times of the operations that succeeded, from when they were sent."},
		runScrapes: {"fleetmark_run_scrapes_total", counter, scenario,
			"Requests for these metrics during timed repetitions, which take processor time from them."},
	}
}

// descs returns the descriptors of the metrics.
func descs() (list [numMetrics]*prometheus.Desc) {
	for i, d := range definitions() {
		list[i] = prometheus.NewDesc(d.name, d.help, d.labels, nil)
	}
	return list
}

// Describe implements prometheus.Collector.
func (e *Exporter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range e.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (e *Exporter) Collect(out chan<- prometheus.Metric) {
	for _, m := range e.collect() { // out is unbuffered, and e.mu must not be held for long
		out <- m
	}
}

// collect returns all metrics.
func (e *Exporter) collect() []prometheus.Metric {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := collection{kinds: definitions(), descs: e.descs}
	for _, r := range e.runs {
		r.collect(&c)
	}
	return c.list
}

// A collection is what one scrape gets.
type collection struct {
	kinds [numMetrics]definition
	descs [numMetrics]*prometheus.Desc
	list  []prometheus.Metric
}

// add adds a value. created is when a counter was 0.
func (c *collection) add(metric int, v float64, created time.Time, labels ...string) {
	desc, kind := c.descs[metric], c.kinds[metric].kind
	if kind == prometheus.CounterValue {
		c.list = append(c.list, prometheus.MustNewConstMetricWithCreatedTimestamp(desc, kind, v, created, labels...))
		return
	}
	c.list = append(c.list, prometheus.MustNewConstMetric(desc, kind, v, labels...))
}

func (c *collection) addHistogram(metric int, h *histogram, created time.Time, labels ...string) {
	c.list = append(c.list, histogramMetric{
		c.descs[metric], prometheus.MakeLabelPairs(c.descs[metric], labels), h.proto(created),
	})
}

// A histogramMetric is a histogram with native and classic buckets.
type histogramMetric struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair
	value  *dto.Histogram
}

// Desc implements prometheus.Metric.
func (m histogramMetric) Desc() *prometheus.Desc { return m.desc }

// Write implements prometheus.Metric.
func (m histogramMetric) Write(out *dto.Metric) error {
	out.Label, out.Histogram = m.labels, m.value
	return nil
}

func (r *run) collect(c *collection) {
	name := r.scenario
	if r.info.ID != "" {
		c.add(runInfo, 1, r.created, name, r.info.ID, r.info.Revision, r.info.WorkloadDigest)
	}
	for _, stage := range runner.Stages() {
		c.add(runStage, boolean(r.stage == stage), r.created, name, string(stage))
	}
	c.add(runInvalid, boolean(r.invalid), r.created, name)
	c.add(runFailing, boolean(r.failing), r.created, name)
	c.add(runWave, float64(r.wave), r.created, name)
	if r.agents.Of > 0 {
		c.add(runAgents, float64(r.agents.Of), r.created, name)
		c.add(runAgentsAlive, float64(r.agents.Alive), r.created, name)
	}
	c.add(runScrapes, float64(r.scrapes), r.created, name)
	for _, p := range r.phases {
		p.collect(c, name, string(r.op))
	}
}

func (p *phase) collect(c *collection, scenario, op string) {
	c.add(runRepetition, float64(p.repetition), p.created, scenario, p.name)
	c.add(runRepetitions, float64(p.repetitions), p.created, scenario, p.name)
	c.add(runElapsed, p.elapsed.Seconds(), p.created, scenario, p.name)
	for _, v := range []struct {
		metric int
		n      int64
	}{
		{runPlanned, p.planned}, {runSent, p.sent}, {runSucceeded, p.succeeded}, {runBrokenOff, p.brokenOff},
		{runRetries, p.retries}, {runInFlight, p.inFlight}, {runNotSent, p.notSent},
	} {
		c.add(v.metric, float64(v.n), p.created, scenario, op, p.name)
	}
	for _, class := range slices.Sorted(maps.Keys(p.failed)) {
		c.add(runFailed, float64(p.failed[class]), p.created, scenario, op, p.name, class)
	}
	if p.counted {
		c.add(runWritten, float64(p.written), p.created, scenario, p.name)
		c.add(runRead, float64(p.read), p.created, scenario, p.name)
	}
	for _, t := range p.times {
		c.addHistogram(runResponse, t.response, p.created, scenario, string(t.op), p.name)
		c.addHistogram(runService, t.service, p.created, scenario, string(t.op), p.name)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
