// Package exporter serves the metrics of running scenarios to Prometheus.
//
// An [Exporter] receives the intervals of each repetition and what observers are told
// ([Exporter.Attach], [Exporter.Observer]), and adds them up: operations by what became of them,
// times in histograms. A [Server] answers requests for the sums. Prometheus' own values are only
// made for a request, since the process that serves them is the one that is measured.
//
// When a run has ended, the counters of the phase "timed" equal the numbers of operations in its
// run.json.
package exporter

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// An Exporter holds the metrics of the runs of a command. It is a prometheus.Collector, and safe
// for concurrent use.
type Exporter struct {
	descs  [numMetrics]*prometheus.Desc
	limits *[buckets]int64

	mu   sync.Mutex
	runs []*run // in the order in which they began; one for each scenario
}

// New returns an exporter without runs.
func New() *Exporter { return &Exporter{descs: descs(), limits: bucketLimits()} }

// A run is what is served of one run of a scenario.
type run struct {
	scenario string
	op       delivery.Op   // of the load
	ops      []delivery.Op // whose times are recorded
	created  time.Time
	info     results.Run

	stage            runner.Stage
	loading          bool // the load of a timed repetition is running
	invalid, failing bool
	wave             int
	agents           runner.AgentsStatus
	scrapes          int64        // during timed repetitions
	scraped          map[int]bool // timed repetitions during which there was one
	phases           []*phase     // in the order in which they began
}

// A phase is the sum of the repetitions of a phase.
type phase struct {
	name    string
	created time.Time

	repetition, repetitions int
	elapsed                 time.Duration

	planned, sent, succeeded, brokenOff, retries int64
	inFlight, notSent                            int64
	failed                                       map[string]int64 // by class

	counted       bool // whether the client counts bytes
	written, read int64
	before        delivery.Stats // of the repetition, at the end of the last interval

	times []times
}

// times are the times of one operation. Both are the same histogram for a load without a plan.
type times struct {
	op                delivery.Op
	response, service *histogram
}

const (
	// search is the phase of the trials of a search, which try rates that may be too high.
	search = "search"

	// maxClasses is how many classes of failures a phase tells apart. Further ones count as
	// otherClass.
	maxClasses = 100
	otherClass = "other"
)

// Attach has the exporter receive what happens in the run that o describes. It must be called
// before the run begins. A run of a scenario that had one before replaces it.
func (e *Exporter) Attach(o *runner.Options) {
	name, spec := o.Spec.Name, o.Spec.Load
	o.OnStart = func(info results.Run) {
		r := &run{
			scenario: name, op: spec.Operation, ops: spec.Operations(), created: time.Now(), info: info,
			scraped: map[int]bool{},
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.runs = append(slices.DeleteFunc(e.runs, func(old *run) bool { return old.scenario == name }), r)
	}
	o.OnInterval = e.interval
	o.OnEnd = e.end
}

// run returns the run of a scenario, or nil if there is none. The caller holds e.mu.
func (e *Exporter) run(scenario string) *run {
	for _, r := range e.runs {
		if r.scenario == scenario {
			return r
		}
	}
	return nil
}

// phase returns the phase of a repetition, which it makes if there is none.
func (r *run) phase(rep runner.Repetition, limits *[buckets]int64) *phase {
	name := string(rep.Phase)
	if rep.Rate > 0 {
		name = search
	}
	for _, p := range r.phases {
		if p.name == name {
			return p
		}
	}
	p := &phase{name: name, created: time.Now(), failed: map[string]int64{}}
	for _, op := range r.ops {
		p.times = append(p.times, times{op, &histogram{limits: limits}, &histogram{limits: limits}})
	}
	r.phases = append(r.phases, p)
	return p
}

// interval adds an interval. It allocates nothing, except for the first failure of a class.
func (e *Exporter) interval(rep runner.Repetition, v *load.Interval, stats *delivery.Stats) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.run(rep.Scenario)
	if r == nil {
		return
	}
	r.wave = v.Wave
	p := r.phase(rep, e.limits)
	p.elapsed = v.End
	p.planned += v.Planned
	p.sent += v.Sent
	p.succeeded += v.Succeeded
	p.brokenOff += v.BrokenOff
	p.retries += v.Retries
	p.inFlight, p.notSent = v.InFlight, v.NotSent
	for class, n := range v.Classes {
		if _, known := p.failed[class]; !known && len(p.failed) >= maxClasses {
			class = otherClass
		}
		p.failed[class] += n
	}
	if stats != nil {
		p.counted = true
		p.written += int64(stats.BytesWritten - p.before.BytesWritten)
		p.read += int64(stats.BytesRead - p.before.BytesRead)
		p.before = *stats
	}
	for i, t := range v.Times {
		if i == len(p.times) || p.times[i].op != t.Op { // only if the load records other operations than it says
			return
		}
		p.times[i].response.add(t.Response, t.Mean()*float64(t.Count))
		if t.Planned() {
			p.times[i].service.add(t.Service, -1)
		} else {
			p.times[i].service = p.times[i].response
		}
	}
}

// end records how a run ended. It returns a note if the metrics were read during timed repetitions.
func (e *Exporter) end(info results.Run) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.run(info.Scenario)
	if r == nil {
		return nil
	}
	r.stage, r.loading = "", false
	r.invalid = !info.Valid
	r.failing = len(results.FailedThresholds(info.Thresholds)) > 0
	if r.scrapes == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the run's metrics (--metrics) were read %s during %s, "+
		"which took processor time from the load",
		plaintext.Count(int(r.scrapes), "time"), plaintext.Count(len(r.scraped), "timed repetition"))}
}

// scraped records that the metrics are being read.
func (e *Exporter) scraped() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if !r.loading {
			continue
		}
		r.scrapes++
		for _, p := range r.phases {
			if p.name == string(runner.Timed) || p.name == search {
				r.scraped[p.repetition] = true
			}
		}
	}
}

// Observer returns an observer that passes on to next what it is told, and to the exporter.
func (e *Exporter) Observer(next runner.Observer) runner.Observer { return &observer{e, next} }

// An observer tells an exporter what a run is doing.
type observer struct {
	e    *Exporter
	next runner.Observer
}

// update changes the run of a repetition's scenario.
func (o *observer) update(rep runner.Repetition, change func(*run)) {
	o.e.mu.Lock()
	defer o.e.mu.Unlock()
	if r := o.e.run(rep.Scenario); r != nil {
		change(r)
	}
}

// Doing implements runner.Observer.
func (o *observer) Doing(rep runner.Repetition, a runner.Activity) {
	o.update(rep, func(r *run) {
		if r.stage = a.Stage; a.Agents.Of > 0 {
			r.agents = a.Agents
		}
	})
	o.next.Doing(rep, a)
}

// Begin implements runner.Observer.
func (o *observer) Begin(rep runner.Repetition) {
	o.update(rep, func(r *run) {
		r.stage, r.loading = runner.Load, rep.Phase == runner.Timed
		p := r.phase(rep, o.e.limits)
		p.repetition, p.repetitions, p.elapsed, p.before = rep.Number, rep.Total, 0, delivery.Stats{}
	})
	o.next.Begin(rep)
}

// Progress implements runner.Observer.
func (o *observer) Progress(rep runner.Repetition, v runner.Progress) {
	o.update(rep, func(r *run) {
		p := r.phase(rep, o.e.limits)
		r.stage, p.elapsed, p.inFlight = cmp.Or(v.Stage, runner.Load), v.Elapsed, v.InFlight
		r.agents = v.Agents
		r.certain(rep, v)
	})
	o.next.Progress(rep, v)
}

// End implements runner.Observer.
func (o *observer) End(rep runner.Repetition, v runner.Progress) {
	o.update(rep, func(r *run) {
		p := r.phase(rep, o.e.limits)
		r.stage, r.loading, p.elapsed, p.inFlight = "", false, v.Elapsed, 0
		r.certain(rep, v)
	})
	o.next.End(rep, v)
}

// certain records what is certain of a run. A trial of a search says so of its rate alone.
func (r *run) certain(rep runner.Repetition, v runner.Progress) {
	if rep.Rate == 0 {
		r.invalid, r.failing = r.invalid || v.Invalid != "", r.failing || v.Failing != ""
	}
}
