package exporter

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// nothing is an observer that ignores everything.
type nothing struct{ runner.Observer }

func (nothing) Doing(runner.Repetition, runner.Activity)    {}
func (nothing) Begin(runner.Repetition)                     {}
func (nothing) Progress(runner.Repetition, runner.Progress) {}
func (nothing) End(runner.Repetition, runner.Progress)      {}

// rep is a timed repetition of the scenario x.
var rep = runner.Repetition{Scenario: "x", Phase: runner.Timed, Number: 1, Total: 2}

// begun attaches a run of the scenario x, which pushes, and begins it.
func begun(e *Exporter) (runner.Options, runner.Observer) {
	o := runner.Options{Spec: scenarios.Spec{Name: "x", Load: scenarios.LoadSpec{Operation: delivery.OpPush}}}
	e.Attach(&o)
	o.OnStart(results.Run{ID: "0a1b2c", Scenario: "x", Revision: "r1", WorkloadDigest: "d1"})
	return o, e.Observer(nothing{})
}

// interval returns an interval with the times of successes.
func interval(list ...time.Duration) *load.Interval {
	l := load.NewLatencies(true, time.Minute)
	for _, d := range list {
		l.Add(d, d/2)
	}
	return &load.Interval{
		End: time.Second, Planned: 5, Sent: 4, Succeeded: l.Count, Failed: 1, Retries: 2, NotSent: 1, InFlight: 1,
		Classes: map[string]int64{"timeout": 1}, Wave: 2, Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: l}},
	}
}

// filled has an exporter receive an interval of a timed repetition in which three operations
// succeeded, two of them within 2 ms.
func filled(e *Exporter) (runner.Options, runner.Observer) {
	o, watch := begun(e)
	watch.Begin(rep)
	o.OnInterval(rep, interval(time.Millisecond, 1500*time.Microsecond, time.Second),
		&delivery.Stats{BytesWritten: 100, BytesRead: 10})
	return o, watch
}

// values returns the values of an exporter by metric and labels. It checks what a registry can.
func values(t *testing.T, e *Exporter) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(e))
	families, err := registry.Gather()
	require.NoError(t, err)
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			key := f.GetName()
			for _, l := range m.Label {
				if name := l.GetName(); name != "scenario" && name != "op" && name != "phase" || l.GetValue() == search {
					key += " " + l.GetValue()
				}
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				all[key] = m.Counter.GetValue()
			case dto.MetricType_GAUGE:
				all[key] = m.Gauge.GetValue()
			case dto.MetricType_HISTOGRAM:
				all[key] = float64(m.Histogram.GetSampleCount())
			}
		}
	}
	return all
}

// TestExporter_agents checks that the agents of a merged run are counted, and that other runs have
// none.
func TestExporter_agents(t *testing.T) {
	e := New()
	_, watch := filled(e)
	require.NotContains(t, values(t, e), "fleetmark_run_agents")
	counts := func() []float64 {
		got := values(t, e)
		return []float64{got["fleetmark_run_agents"], got["fleetmark_run_agents_alive"]}
	}
	watch.Progress(rep, runner.Progress{Agents: runner.AgentsStatus{Of: 4, Alive: 3, Silent: "a"}})
	require.Equal(t, []float64{4, 3}, counts())
	watch.Doing(rep, runner.Activity{Stage: runner.Uploading, Agents: runner.AgentsStatus{Of: 4, Alive: 4}})
	watch.Doing(rep, runner.Activity{})
	require.Equal(t, []float64{4, 4}, counts())
	require.InDelta(t, 0, values(t, e)["fleetmark_run_stage uploading results"], 0)
}

func TestExporter(t *testing.T) {
	e := New()
	require.Empty(t, values(t, e))
	o, watch := filled(e)
	got := values(t, e)
	for name, want := range map[string]float64{
		"info r1 0a1b2c d1": 1, "stage load": 1, "stage draining": 0, "invalid": 0, "failing": 0, "wave": 2,
		"repetition": 1, "repetitions": 2, "elapsed_seconds": 1, "operations_planned_total": 5,
		"operations_sent_total": 4, "operations_succeeded_total": 3, "operations_failed_total timeout": 1,
		"operations_broken_off_total": 0, "retries_total": 2, "operations_in_flight": 1, "operations_not_sent": 1,
		"written_bytes_total": 100, "read_bytes_total": 10, "response_time_seconds": 3, "service_time_seconds": 3,
		"scrapes_total": 0,
	} {
		require.InDelta(t, want, got["fleetmark_run_"+name], 0, name)
		require.Contains(t, got, "fleetmark_run_"+name)
	}
	require.Len(t, got, 22+len(runner.Stages())-2)

	// The client counts from the load's start on, in each repetition.
	o.OnInterval(rep, interval(), &delivery.Stats{BytesWritten: 130, BytesRead: 11})
	watch.Progress(rep, runner.Progress{Stage: runner.Draining, Elapsed: 3 * time.Second, InFlight: 7, Invalid: "why"})
	got = values(t, e)
	require.Equal(t, []float64{130, 11, 7, 3, 1, 0, 1}, []float64{
		got["fleetmark_run_written_bytes_total"], got["fleetmark_run_read_bytes_total"],
		got["fleetmark_run_operations_in_flight"], got["fleetmark_run_elapsed_seconds"],
		got["fleetmark_run_invalid"], got["fleetmark_run_failing"], got["fleetmark_run_stage draining"],
	})
	watch.End(rep, runner.Progress{Elapsed: 4 * time.Second, Failing: "why"})
	second := rep
	second.Number = 2
	watch.Begin(second)
	o.OnInterval(second, interval(), &delivery.Stats{BytesWritten: 5})
	got = values(t, e)
	require.Equal(t, []float64{135, 15, 2, 1}, []float64{
		got["fleetmark_run_written_bytes_total"], got["fleetmark_run_operations_planned_total"],
		got["fleetmark_run_repetition"], got["fleetmark_run_failing"],
	})

	// A trial of a search says nothing about the run, and counts by itself.
	trial := rep
	trial.Rate = 100
	watch.Begin(trial)
	o.OnInterval(trial, interval(), nil)
	watch.End(trial, runner.Progress{})
	got = values(t, e)
	require.Equal(t, []float64{15, 5}, []float64{
		got["fleetmark_run_operations_planned_total"], got["fleetmark_run_operations_planned_total search"],
	})
	require.NotContains(t, got, "fleetmark_run_written_bytes_total search")

	// A run that ends says whether it is valid, and another of the same scenario replaces it.
	require.Empty(t, o.OnEnd(results.Run{Scenario: "x", Valid: true}))
	got = values(t, e)
	require.Equal(t, []float64{0, 0}, []float64{got["fleetmark_run_invalid"], got["fleetmark_run_failing"]})
	begun(e)
	require.NotContains(t, values(t, e), "fleetmark_run_operations_planned_total")
}

// TestExporter_scraped checks that the run has a note if its metrics were read while a timed
// repetition was under way, and that other readings don't count.
func TestExporter_scraped(t *testing.T) {
	e := New()
	o, watch := begun(e)
	warm := rep
	warm.Phase = runner.WarmUp
	e.scraped()
	watch.Begin(warm)
	e.scraped()
	watch.End(warm, runner.Progress{})
	watch.Begin(rep)
	watch.End(rep, runner.Progress{})
	e.scraped()
	require.Empty(t, o.OnEnd(results.Run{Scenario: "x"}))
	o, watch = begun(e)
	for n := range 2 {
		r := rep
		r.Number = n + 1
		watch.Begin(r)
		e.scraped()
		e.scraped()
		watch.End(r, runner.Progress{})
	}
	require.Equal(t, []string{"the run's metrics (--metrics) were read 4 times during 2 timed repetitions, " +
		"which took processor time from the load"}, o.OnEnd(results.Run{Scenario: "x"}))
	require.InDelta(t, 4, values(t, e)["fleetmark_run_scrapes_total"], 0)
}

func TestExporter_boundsClasses(t *testing.T) {
	e := New()
	o, watch := begun(e)
	watch.Begin(rep)
	for n := range 500 {
		o.OnInterval(rep, &load.Interval{Classes: map[string]int64{fmt.Sprint("class ", n): 1}}, nil)
	}
	require.Len(t, e.runs[0].phases[0].failed, 101)
	require.EqualValues(t, 400, e.runs[0].phases[0].failed["other"])
}

// TestExporter_intervalAllocatesNothing matters because what a callback allocates counts as the
// client's.
func TestExporter_intervalAllocatesNothing(t *testing.T) {
	e := New()
	o, _ := filled(e)
	v, stats := interval(time.Millisecond, time.Second), &delivery.Stats{BytesWritten: 1}
	require.Zero(t, testing.AllocsPerRun(100, func() { o.OnInterval(rep, v, stats) }))
}

// TestExporter_equalsTheReport runs scenarios, reads the metrics while they run, and compares the
// last values with run.json.
func TestExporter_equalsTheReport(t *testing.T) {
	for name, change := range map[string]func(*scenarios.Spec){
		"failures": func(s *scenarios.Spec) {
			s.Fleet.Behavior.FailFirst, s.Client.MaxAttempts = 1, 1
			s.Load.Operation = delivery.OpDeliver
		},
		"open, not all sent": func(s *scenarios.Spec) {
			s.Load.Model, s.Load.Rate, s.Load.Workers = scenarios.ConstantRate, 500, 2
			s.Load.Duration = scenarios.Duration(500 * time.Millisecond)
			latency, err := random.Fixed(20 * time.Millisecond)
			if err != nil {
				panic(err)
			}
			s.Fleet.Behavior.Latency = latency
		},
		"for a time": func(s *scenarios.Spec) {
			s.Load.Operation, s.Load.Duration = delivery.OpVerify, scenarios.Duration(300*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := scenarios.Default()
			spec.Name, spec.Fleet.Devices, spec.Artifact.Size, spec.Load.Workers = "x", 40, 3000, 4
			spec.Repetitions, spec.Warmup, spec.Profiled = 2, 1, 0
			change(&spec)
			e := New()
			s := serve(t, e, ":0")
			var during []map[string]*dto.MetricFamily
			o := runner.Options{
				Spec: spec, Target: target.Options{Address: target.InProcess}, Out: filepath.Join(t.TempDir(), "runs"),
				Machine: results.Machine{GOMAXPROCS: 1, Identity: "0123456789ab"},
			}
			e.Attach(&o)
			o.Observer = e.Observer(scraper{during: func(r runner.Repetition) {
				if r.Phase == runner.Timed {
					during = append(during, scrape(t, s.URL()))
				}
			}})
			require.NoError(t, o.Validate())
			running, err := runner.Start(t.Context(), o)
			require.NoError(t, err)
			measured, err := running.Measure(t.Context())
			verdict := judge.Judge(nil, measured.Run, measured.Records, judge.Policy{}).Verdict
			require.NoError(t, errors.Join(err, running.Finish(verdict)))

			run, err := rundir.Load(measured.Directory)
			require.NoError(t, err)
			require.Len(t, during, 2)
			require.Contains(t, run.Notes, "the run's metrics (--metrics) were read 2 times during 2 timed repetitions, "+
				"which took processor time from the load")
			require.Len(t, run.Operations, 2)
			var want results.Operations
			for _, o := range run.Operations {
				want.Planned += o.Planned
				want.Started += o.Started
				want.Succeeded += o.Succeeded
				want.Failed += o.Failed
				want.BrokenOff += o.BrokenOff
			}
			if spec.Load.Model != scenarios.ConstantRate {
				want.Planned = 0
			}
			families := scrape(t, s.URL())
			sum := func(name string) (total float64) {
				for _, m := range families["fleetmark_run_"+name].GetMetric() {
					labels := map[string]string{}
					for _, l := range m.Label {
						labels[l.GetName()] = l.GetValue()
					}
					if labels["phase"] == "timed" && labels["op"] == string(spec.Load.Operation) {
						total += m.Counter.GetValue() + float64(m.Histogram.GetSampleCount())
						if h := m.Histogram; h != nil {
							native := int64(0)
							for _, n := range nativeBuckets(h) {
								native += n
							}
							require.EqualValues(t, h.GetSampleCount(), native)
						}
					}
				}
				return total
			}
			require.Equal(t, []float64{
				float64(want.Planned), float64(want.Started), float64(want.Succeeded), float64(want.Failed),
				float64(want.BrokenOff), float64(want.Succeeded), float64(want.Succeeded),
			}, []float64{
				sum("operations_planned_total"), sum("operations_sent_total"), sum("operations_succeeded_total"),
				sum("operations_failed_total"), sum("operations_broken_off_total"), sum("response_time_seconds"),
				sum("service_time_seconds"),
			})
			require.InDelta(t, boolean(!run.Valid), values(t, e)["fleetmark_run_invalid"], 0)
		})
	}
}

// A scraper is an observer that calls a function when a load has begun.
type scraper struct {
	nothing
	during func(runner.Repetition)
}

func (s scraper) Begin(r runner.Repetition) { s.during(r) }

// BenchmarkInterval measures what an interval costs in which a thousand operations succeeded.
func BenchmarkInterval(b *testing.B) {
	e := New()
	o, watch := begun(e)
	watch.Begin(rep)
	l := load.NewLatencies(true, 100*time.Second)
	for n := range 1000 {
		l.Add(time.Duration(n*n)*time.Microsecond, time.Duration(n)*time.Microsecond)
	}
	v := &load.Interval{Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: l}}}
	b.ReportAllocs()
	for b.Loop() {
		o.OnInterval(rep, v, nil)
	}
}

// BenchmarkCollect measures what a scrape costs besides its text.
func BenchmarkCollect(b *testing.B) {
	e := New()
	filled(e)
	b.ReportAllocs()
	for b.Loop() {
		e.collect()
	}
}
