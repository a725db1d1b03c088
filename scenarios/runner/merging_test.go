package runner

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// mergeOptions returns options of a merged run of so many agents, called a, b, c and so on.
func mergeOptions(t *testing.T, s scenarios.Spec, agents int) MergeOptions {
	o := options(t, s)
	m := MergeOptions{Spec: s, FleetKind: target.InProcess, Out: o.Out, Machine: o.Machine, Revision: o.Revision, Command: o.Command}
	for i := range agents {
		m.Agents = append(m.Agents, string(rune('a'+i)))
	}
	return m
}

// A sample is an operation of a synthetic load.
type sample struct {
	planned, sent, done time.Duration
	failed              bool
	device, group       int
}

// synthetic is an open load of 100 pushes a second for 10 s, on devices of two groups.
func synthetic() scenarios.Spec {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled, s.Fleet.Devices = 1, 0, 0, 70
	s.Fleet.Groups = []behavior.Group{{Name: "even", Share: 0.5}}
	s.Load = scenarios.LoadSpec{
		Model: scenarios.ConstantRate, Operation: delivery.OpPush, Rate: 100, Duration: scenarios.Duration(10 * time.Second),
		Drain: scenarios.Duration(time.Second),
	}
	return s
}

// syntheticSamples returns the operations of a synthetic load. The last ones end within 400 ms
// after the plan. Those on devices for which slow returns true take ten times as long.
func syntheticSamples(slow func(device int) bool) (list []sample) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 1000 {
		v := sample{planned: time.Duration(n) * 10 * time.Millisecond, device: n % 70}
		v.group = v.device % 2
		v.sent = v.planned + time.Duration(rng.IntN(1e6))
		took := time.Duration(5e6 + 4e6*rng.ExpFloat64())
		if slow(v.device) {
			took *= 10
		}
		v.done = min(v.sent+took, 10400*time.Millisecond)
		if n == 999 {
			v.done = 10300 * time.Millisecond
		}
		v.failed = n%97 == 5
		list = append(list, v)
	}
	return list
}

// A syntheticAgent makes the messages of an agent from its samples.
type syntheticAgent struct {
	shape   portion.Shape
	samples []sample
	plan    time.Duration
}

func newSyntheticAgents(shape portion.Shape, all []sample, n int) []*syntheticAgent {
	list := make([]*syntheticAgent, n)
	for i := range list {
		list[i] = &syntheticAgent{shape: shape, plan: 10 * time.Second}
	}
	for _, v := range all {
		a := list[v.device%n]
		a.samples = append(a.samples, v)
	}
	return list
}

func (a *syntheticAgent) elapsed() (last time.Duration) {
	for _, v := range a.samples {
		last = max(last, v.done)
	}
	return last
}

// intervals returns the agent's intervals as JSON: one for each second, and what follows the plan.
func (a *syntheticAgent) intervals() (list [][]byte) {
	w, elapsed := portion.NewIntervalWriter(), a.elapsed()
	inFlight, counted := int64(0), delivery.Stats{}
	for start := time.Duration(0); start < elapsed; start += time.Second {
		v := &load.Interval{Start: start, End: min(start+time.Second, elapsed), Plan: a.plan, Classes: map[string]int64{}}
		v.Last = v.End == elapsed
		times := load.NewLatencies(a.shape.Planned, a.shape.Longest)
		v.Times = []load.OpTimes{{Op: delivery.OpPush, Latencies: times}}
		in := func(at time.Duration) bool { return at >= v.Start && (at < v.End || v.Last && at == v.End) }
		for _, s := range a.samples {
			if in(s.planned) {
				v.Planned++
			}
			if in(s.sent) {
				v.Sent++
				counted.BytesWritten += 100
			}
			switch {
			case !in(s.done):
			case s.failed:
				v.Failed++
				v.Classes["timeout"]++
			default:
				v.Succeeded++
				times.Add(s.done-s.planned, s.done-s.sent)
				if s.done > a.plan {
					v.SucceededLate++
				}
			}
		}
		inFlight += v.Sent - v.Succeeded - v.Failed
		v.InFlight = inFlight
		list = append(list, w.Append(nil, v, &counted))
	}
	return list
}

// portion returns the agent's portion as JSON.
func (a *syntheticAgent) portion(t *testing.T) []byte {
	e, ops := portion.NewEncoder(), a.shape.Ops
	times, late, failed := load.NewLatencies(true, a.shape.Longest), load.NewLateness(a.shape.Longest), hdr.New(a.shape.Longest)
	var groups [2]load.Part
	var devices [2]map[int]bool
	for i := range groups {
		groups[i] = load.Part{Name: []string{"even", "rest"}[i], Classes: map[string]int64{},
			Latencies: map[delivery.Op]*load.Latencies{delivery.OpPush: load.NewLatencies(true, a.shape.Longest)}}
		devices[i] = map[int]bool{}
	}
	p := portion.Portion{Phase: string(Timed), Number: 1, LongestNS: int64(a.shape.Longest), ElapsedNS: int64(a.elapsed()),
		Classes: map[string]int64{}, Traffic: &portion.Traffic{BytesWritten: 100 * uint64(len(a.samples)), Requests: uint64(len(a.samples))},
		Usage:   portion.Usage{CPUNS: int64(len(a.samples)) * 1e5, Bytes: uint64(len(a.samples)) * 64, Objects: uint64(len(a.samples)), PeakResident: uint64(len(a.samples)) << 10},
		Harness: &results.HarnessHealth{PeakResidentBytes: uint64(len(a.samples)) << 10}, Fleet: &results.FleetHealth{},
		Workers: 8, InFlightPeak: 3}
	o := &p.Operations
	o.Planned, o.PlanNS, o.Started = int64(len(a.samples)), int64(a.plan), int64(len(a.samples))
	for _, s := range a.samples {
		late.Add(s.planned, s.sent, s.device%3 == 0)
		g := &groups[s.group]
		devices[s.group][s.device] = true
		if s.done <= a.plan {
			o.EndedInPlan++
		}
		if s.failed {
			o.Failed++
			g.Failed++
			g.Classes["timeout"]++
			failed.Record(s.done - s.planned)
			p.Classes["timeout"]++
			continue
		}
		o.Succeeded++
		g.Succeeded++
		if s.done <= a.plan {
			o.SucceededInPlan++
		}
		times.Add(s.done-s.planned, s.done-s.sent)
		g.Latencies[delivery.OpPush].Add(s.done-s.planned, s.done-s.sent)
	}
	p.Times = e.Times(ops, map[delivery.Op]*load.Latencies{delivery.OpPush: times})
	p.Lateness, p.FailedTimes = e.Lateness(late), e.Histogram(failed)
	for i, g := range groups {
		of := e.Group(ops, g)
		of.Counts = results.Counts{Devices: len(devices[i]), Updated: len(devices[i])}
		p.Counts.Devices, p.Counts.Updated = p.Counts.Devices+len(devices[i]), p.Counts.Updated+len(devices[i])
		p.Groups = append(p.Groups, of)
	}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	return text
}

// A watched is the last thing that an observer was told.
type watched struct {
	discard
	last Progress
	n    int
}

func (w *watched) Progress(_ Repetition, v Progress) { w.last, w.n = v, w.n+1 }
func (w *watched) End(_ Repetition, v Progress)      { w.last, w.n = v, w.n+1 }

// TestMerging_Report checks that the time of a merged load runs evenly although its figures come in
// batches, that an agent that keeps the others waiting is named, and that the end says the end.
func TestMerging_Report(t *testing.T) {
	s, began, watch := synthetic(), time.Now(), &watched{}
	o := mergeOptions(t, s, 2)
	o.Observer = watch
	m, err := StartMerging(t.Context(), o)
	require.NoError(t, err)
	alive := AgentsStatus{Of: 2, Alive: 2}
	require.False(t, m.Report(began, alive), "nothing runs")
	rep := slices.Collect(Repetitions(s))[0]
	require.NoError(t, m.Begin(rep, began))
	agents := newSyntheticAgents(m.Shape(), syntheticSamples(func(int) bool { return false }), 2)
	send := func(agent, from, to int) {
		for _, text := range agents[agent].intervals()[from:to] {
			v, err := m.Shape().ReadInterval(text)
			require.NoError(t, err)
			require.NoError(t, m.Interval(rep, agent, v))
		}
	}
	type told struct{ elapsed, uncounted time.Duration }
	report := func(at time.Duration) told {
		require.True(t, m.Report(began.Add(at), alive))
		return told{watch.last.Elapsed, watch.last.Uncounted}
	}
	const second = time.Second
	require.Equal(t, told{0, 0}, report(-100*time.Millisecond), "before the common start")
	require.Equal(t, told{300 * time.Millisecond, 300 * time.Millisecond}, report(300*time.Millisecond))
	send(0, 0, 2)
	send(1, 0, 1)
	require.Equal(t, told{1 * second, 0}, told{watch.last.Elapsed, watch.last.Uncounted})
	require.Equal(t, told{2200 * time.Millisecond, 1200 * time.Millisecond}, report(2200*time.Millisecond))
	require.Equal(t, Load, watch.last.Stage)
	require.InDelta(t, 100, watch.last.Done+watch.last.Failed+watch.last.InFlight, 0, "what began in the first second")
	require.Equal(t, alive, watch.last.Agents)
	send(0, 2, 5)
	require.Equal(t, told{5 * second, 4 * second}, report(5*second))
	require.Equal(t, AgentsStatus{Of: 2, Alive: 2, Behind: "b", BehindBy: 4 * second}, watch.last.Agents)
	send(1, 1, 5)
	report(4 * second) // a clock that was set back
	require.Equal(t, alive, watch.last.Agents)
	require.Equal(t, 5*second, watch.last.Elapsed)
	send(0, 5, len(agents[0].intervals()))
	require.Equal(t, told{10100 * time.Millisecond, 5100 * time.Millisecond}, report(10100*time.Millisecond))
	send(1, 5, len(agents[1].intervals()))
	require.Equal(t, Draining, watch.last.Stage)
	n := watch.n
	require.False(t, m.Report(began.Add(11*second), alive), "all agents have ended")
	require.Equal(t, n, watch.n)
	m.Interrupt(nil)
	require.Zero(t, watch.last.Uncounted)
	require.Equal(t, max(agents[0].elapsed(), agents[1].elapsed()), watch.last.Elapsed)
	require.False(t, m.Report(began.Add(12*second), alive))
	m.Result()
	require.NoError(t, m.Finish(results.Invalid))
}

// mergeSynthetic merges what synthetic agents send, in turns, and returns the directory.
func mergeSynthetic(t *testing.T, s scenarios.Spec, agents []*syntheticAgent, began time.Time) string {
	m, err := StartMerging(t.Context(), mergeOptions(t, s, len(agents)))
	require.NoError(t, err)
	for rep := range Repetitions(s) {
		require.NoError(t, m.Begin(rep, began))
		sent := make([][][]byte, len(agents))
		var portions []*portion.Portion
		for i, a := range agents {
			sent[i] = a.intervals()
			p, err := m.Shape().Read(a.portion(t))
			require.NoError(t, err)
			portions = append(portions, p)
		}
		for k := range 20 { // agents send in another order each time
			for i := range agents {
				if i = (i + k) % len(agents); k < len(sent[i]) {
					v, err := m.Shape().ReadInterval(sent[i][k])
					require.NoError(t, err)
					require.NoError(t, m.Interval(rep, i, v))
				}
			}
		}
		require.NoError(t, m.End(rep, portions))
	}
	res := m.Result()
	require.True(t, res.Run.Valid, res.Run.Invalid)
	require.NoError(t, m.Finish(results.Pass))
	return res.Directory
}

// quantileOf returns the time that percent of sorted times don't exceed.
func quantileOf(sorted []time.Duration, percent float64) float64 {
	return float64(sorted[max(1, int(percent/100*float64(len(sorted))+0.5))-1])
}

// TestMerging_split checks that a load which is split over agents gives the figures of all its
// samples, whatever the number of agents.
func TestMerging_split(t *testing.T) {
	for _, n := range []int{1, 2, 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := synthetic()
			slow := func(device int) bool { return device%n == 0 && n > 1 } // one agent is ten times slower
			all := syntheticSamples(slow)
			agents := newSyntheticAgents(PortionShape(s), all, n)
			began := time.Now().Add(time.Minute).UTC().Truncate(time.Second)
			dir := mergeSynthetic(t, s, agents, began)
			requireIntervals(t, dir)
			run, err := rundir.Load(dir)
			require.NoError(t, err)
			require.Empty(t, run.Warnings)
			require.Len(t, run.Records, 1)
			r := run.Records[0]

			var response, service, failed []time.Duration
			var sum float64
			inPlan, elapsed := 0, time.Duration(0)
			for _, v := range all {
				elapsed = max(elapsed, v.done)
				if v.failed {
					failed = append(failed, v.done-v.planned)
					continue
				}
				response, service = append(response, v.done-v.planned), append(service, v.done-v.sent)
				sum += float64(v.done - v.planned)
				if v.done <= 10*time.Second {
					inPlan++
				}
			}
			slices.Sort(response)
			slices.Sort(service)
			slices.Sort(failed)
			value := func(unit string) float64 {
				v, ok := r.Value(unit)
				require.True(t, ok, unit)
				return v
			}
			for unit, percent := range map[string]float64{
				results.UnitP50: 50, results.UnitP75: 75, results.UnitP90: 90, results.UnitP95: 95,
				results.UnitP99: 99, results.UnitP999: 99.9, results.UnitMax: 100,
			} {
				require.InEpsilon(t, quantileOf(response, percent), value(unit), 1.0/1000, unit)
			}
			require.InEpsilon(t, quantileOf(service, 99), value(results.UnitServiceP99), 1.0/1000)
			require.InEpsilon(t, quantileOf(failed, 99), value(results.UnitFailedP99), 1.0/1000)
			require.Equal(t, sum/float64(len(response)), value(results.UnitMean), "an exact mean")
			require.InEpsilon(t, float64(inPlan)/10, value(results.UnitRate), 1e-9)
			require.InEpsilon(t, 1e5*1000/float64(len(response)), value(results.UnitCPU), 1e-9)
			require.InEpsilon(t, float64(len(failed))/1000, value(results.UnitFailed), 1e-9)
			require.Equal(t, 1.0, value(results.UnitRequests))
			require.Equal(t, 100.0, value(results.UnitWire))
			largest := 0
			p99s, count := 0.0, 0.0
			for _, a := range agents {
				largest = max(largest, len(a.samples))
				var own []time.Duration
				for _, v := range a.samples {
					if !v.failed {
						own = append(own, v.done-v.planned)
					}
				}
				slices.Sort(own)
				p99s, count = p99s+quantileOf(own, 99), count+1
			}
			require.EqualValues(t, largest<<10, value(results.UnitPeakMemory), "of the largest agent")
			if n > 1 {
				require.Greater(t, math.Abs(p99s/count-value(results.UnitP99)), value(results.UnitP99)/10,
					"the mean of the agents' percentiles is another number")
			}
			require.Equal(t, results.Operations{
				Planned: 1000, Started: 1000, Succeeded: int64(len(response)), Failed: int64(len(failed)), PlanNS: 10e9,
				DrainNS: int64(elapsed - 10*time.Second), SucceededInPlan: int64(inPlan),
				EndedInPlan: run.Operations[0].EndedInPlan,
			}, run.Operations[0])
			require.Equal(t, results.Counts{Devices: 70, Updated: 70}, run.Counts)

			groups := [2][]time.Duration{}
			for _, v := range all {
				if !v.failed {
					groups[v.group] = append(groups[v.group], v.done-v.planned)
				}
			}
			require.Len(t, run.Groups, 2)
			for i, g := range run.Groups {
				slices.Sort(groups[i])
				require.Equal(t, []string{"even", "rest"}[i], g.Name)
				require.EqualValues(t, len(groups[i]), g.Succeeded)
				require.Equal(t, results.Counts{Devices: 35, Updated: 35}, g.Counts)
				require.InEpsilon(t, quantileOf(groups[i], 99), g.Operations[0].Metrics[results.UnitP99], 1.0/1000)
			}

			intervals := readTimeline(t, dir, rundir.TimelineFile)[0]
			require.Len(t, intervals, 10, "the last one has what follows the plan")
			for k, v := range intervals {
				var want timeline.Interval
				var times []time.Duration
				slot := func(at time.Duration) int { return min(int(at/time.Second), 9) }
				for _, o := range all {
					if slot(o.planned) == k {
						want.Planned++
					}
					if slot(o.sent) == k {
						want.Sent++
					}
					switch {
					case slot(o.done) != k:
					case o.failed:
						want.Failed++
					default:
						want.Succeeded++
						times = append(times, o.done-o.planned)
					}
				}
				slices.Sort(times)
				require.Equal(t, []int64{want.Planned, want.Sent, want.Succeeded, want.Failed},
					[]int64{v.Planned, v.Sent, v.Succeeded, v.Failed}, k)
				require.Equal(t, &timeline.Bytes{Written: 100 * want.Sent}, v.Bytes)
				require.Equal(t, began.Add(time.Duration(k)*time.Second), v.Time)
				require.InEpsilon(t, quantileOf(times, 99), float64(v.Operations[0].Response.P99NS), 1.0/1000)
			}
			require.EqualValues(t, elapsed, intervals[9].EndNS)

			late := make([]time.Duration, 0, len(all))
			queued := 0
			for _, v := range all {
				late = append(late, v.sent-v.planned)
				if v.device%3 == 0 {
					queued++
				}
			}
			slices.Sort(late)
			require.InEpsilon(t, quantileOf(late, 99), float64(run.Harness.LatenessP99NS), 1.0/100)
			require.InEpsilon(t, float64(queued)/1000, run.Harness.Pacing.StarvedFraction, 1e-9)
		})
	}
}

// TestMerging_mistakes checks what is refused, and that nothing of it gets into the run.
func TestMerging_mistakes(t *testing.T) {
	s := synthetic()
	agents := newSyntheticAgents(PortionShape(s), syntheticSamples(func(int) bool { return false }), 2)
	m, err := StartMerging(t.Context(), mergeOptions(t, s, 2))
	require.NoError(t, err)
	rep := slices.Collect(Repetitions(s))[0]
	read := func(a *syntheticAgent, k int) *portion.Interval {
		v, err := m.Shape().ReadInterval(a.intervals()[k])
		require.NoError(t, err)
		return v
	}
	require.EqualError(t, m.Interval(rep, 0, read(agents[0], 0)), "timed repetition 1 isn't running")
	require.NoError(t, m.Begin(rep, time.Now()))
	require.ErrorContains(t, m.Begin(rep, time.Now()), "can't begin")
	require.EqualError(t, m.Interval(rep, 2, read(agents[0], 0)), "there is no agent 2: want one of 2")
	require.EqualError(t, m.Interval(rep, 0, read(agents[0], 1)),
		"agent a: its interval begins at 1s, and the one before ended at 0s")
	require.NoError(t, m.Interval(rep, 0, read(agents[0], 0)))
	crooked := read(agents[1], 0)
	crooked.EndNS = 9e8
	require.ErrorContains(t, m.Interval(rep, 1, crooked), "agent b: its interval from 0s ends at 900ms, those of others at 1s")
	read0 := func() *portion.Portion {
		p, err := m.Shape().Read(agents[0].portion(t))
		require.NoError(t, err)
		return p
	}
	require.EqualError(t, m.End(rep, []*portion.Portion{read0(), nil}), "agent b: it has no portion")
	larger := read0()
	larger.Counts.Devices++
	larger.Groups[0].Counts.Devices++
	require.EqualError(t, m.End(rep, []*portion.Portion{read0(), larger}),
		"the agents have 71 devices, the scenario 70: give each agent another shard, and the same count")
	m.Interrupt(nil)
	res := m.Result()
	require.Equal(t, results.StatusInterrupted, res.Run.Status)
	require.Empty(t, res.Records)
	require.NoError(t, m.Finish(""))
	_, err = rundir.Load(res.Directory)
	require.NoError(t, err)

	for model, spec := range map[scenarios.Model]scenarios.Spec{scenarios.Breakpoint: searching(0), scenarios.Rollout: func() scenarios.Spec {
		s := small()
		s.Load.Model = scenarios.Rollout
		return s
	}()} {
		_, err := StartMerging(t.Context(), mergeOptions(t, spec, 2))
		require.ErrorContains(t, err, "agents can't share such a load", model)
	}
	_, err = StartMerging(t.Context(), mergeOptions(t, s, 0))
	require.ErrorContains(t, err, "there are none")
}

// TestMerging_farAhead checks that an agent of which too much would have to be kept is refused, and
// that the sentence names the one that it waits for.
func TestMerging_farAhead(t *testing.T) {
	s := synthetic()
	m, err := StartMerging(t.Context(), mergeOptions(t, s, 2))
	require.NoError(t, err)
	rep := slices.Collect(Repetitions(s))[0]
	require.NoError(t, m.Begin(rep, time.Now()))
	for k := range int64(maxAhead) {
		require.NoError(t, m.Interval(rep, 1, &portion.Interval{StartNS: k, EndNS: k + 1}))
	}
	require.EqualError(t, m.Interval(rep, 1, &portion.Interval{StartNS: maxAhead, EndNS: maxAhead + 1}),
		"agent b: it is 1000 intervals ahead of agent a, more than can be kept: is that one stuck?")
	m.Fail(health.Finding{Kind: health.AgentLost, Detail: "agent a"}, nil)
	require.Error(t, m.Begin(rep, time.Now()), "the run has ended")
	res := m.Result()
	require.Equal(t, results.StatusFailed, res.Run.Status)
	require.False(t, res.Run.Valid)
	require.NoError(t, m.Finish(results.Invalid))
}

// TestMerging_disagree checks that a portion that isn't the sum of the agent's intervals makes the
// run invalid.
func TestMerging_disagree(t *testing.T) {
	s := synthetic()
	agents := newSyntheticAgents(PortionShape(s), syntheticSamples(func(int) bool { return false }), 2)
	whole := agents[1].samples
	m, err := StartMerging(t.Context(), mergeOptions(t, s, 2))
	require.NoError(t, err)
	rep := slices.Collect(Repetitions(s))[0]
	require.NoError(t, m.Begin(rep, time.Now()))
	var portions []*portion.Portion
	for i, a := range agents {
		p, err := m.Shape().Read(a.portion(t))
		require.NoError(t, err)
		portions = append(portions, p)
		if i == 1 {
			a.samples = slices.DeleteFunc(slices.Clone(whole), func(v sample) bool { return v.planned == whole[7].planned })
		}
		for _, text := range a.intervals() {
			v, err := m.Shape().ReadInterval(text)
			require.NoError(t, err)
			require.NoError(t, m.Interval(rep, i, v))
		}
	}
	require.NoError(t, m.End(rep, portions))
	res := m.Result()
	require.Len(t, res.Run.Findings, 1)
	require.Equal(t, string(health.AgentsDisagree), res.Run.Findings[0].Kind)
	require.Equal(t, "agent b: its intervals have 499 operations that were planned, its portion 500: their messages don't agree",
		res.Run.Findings[0].Detail)
	require.NoError(t, m.Finish(results.Invalid))
}

// TestMerging_killed checks that the directory can be read when the controller is killed between
// two intervals, and what an interruption keeps.
func TestMerging_killed(t *testing.T) {
	s := synthetic()
	agents := newSyntheticAgents(PortionShape(s), syntheticSamples(func(int) bool { return false }), 3)
	m, err := StartMerging(t.Context(), mergeOptions(t, s, 3))
	require.NoError(t, err)
	rep := slices.Collect(Repetitions(s))[0]
	require.NoError(t, m.Begin(rep, time.Now()))
	for i, a := range agents {
		for _, text := range a.intervals()[:4+i] {
			v, err := m.Shape().ReadInterval(text)
			require.NoError(t, err)
			require.NoError(t, m.Interval(rep, i, v))
		}
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(m.Directory()))
	require.NoError(t, os.CopyFS(copied, os.DirFS(m.Directory())))
	run, err := rundir.Load(copied)
	require.NoError(t, err)
	require.Equal(t, results.StatusRunning, run.Status)
	require.Len(t, readTimeline(t, copied, rundir.PartialTimelineFile)[0], 4, "those that all agents have sent")

	p, err := m.Shape().Read(agents[1].portion(t))
	require.NoError(t, err)
	m.Interrupt([]*portion.Portion{nil, p, nil})
	res := m.Result()
	require.Equal(t, results.StatusInterrupted, res.Run.Status)
	require.NoError(t, m.Finish(""))
	run, err = rundir.Load(res.Directory)
	require.NoError(t, err)
	intervals := readTimeline(t, res.Directory, rundir.PartialTimelineFile)[0]
	require.Len(t, intervals, 6, "with those that some have sent")
	require.Len(t, readLatencyLog(t, res.Directory, rundir.PartialLatencyFile), 12)
	partial := run.Partial
	require.NotNil(t, partial)
	succeeded := int64(0)
	for _, v := range intervals {
		succeeded += v.Succeeded
	}
	require.Equal(t, succeeded, partial.Succeeded)
	require.Equal(t, 6.0, partial.Seconds)
	require.Equal(t, 10.0, partial.PlannedSeconds)
	require.EqualValues(t, 1000, partial.Planned)
	require.Equal(t, "only 1 of 3 agents said what became of their devices", partial.Unwitnessed)
	require.Equal(t, results.Counts{Devices: 70, Updated: p.Counts.Updated}, partial.Counts)
	units := map[string]float64{}
	for _, v := range partial.Values {
		units[v.Unit] = v.Value
	}
	require.InEpsilon(t, float64(succeeded)/6, units[results.UnitRate], 1e-9)
	require.Contains(t, units, results.UnitP99)
	require.NotContains(t, units, results.UnitBytes, "what the agents used isn't known")
	require.NotContains(t, units, results.UnitCPU)
}

// TestMerging_interruptedGroups checks that what became of the devices is known if some agents of a
// fleet with groups had ended their load when the run was interrupted, and others had not.
func TestMerging_interruptedGroups(t *testing.T) {
	s := synthetic()
	agents := newSyntheticAgents(PortionShape(s), syntheticSamples(func(int) bool { return false }), 2)
	m, err := StartMerging(t.Context(), mergeOptions(t, s, 2))
	require.NoError(t, err)
	rep := slices.Collect(Repetitions(s))[0]
	require.NoError(t, m.Begin(rep, time.Now()))
	var portions []*portion.Portion
	for i, a := range agents {
		v, err := m.Shape().ReadInterval(a.intervals()[0])
		require.NoError(t, err)
		require.NoError(t, m.Interval(rep, i, v))
		p, err := m.Shape().Read(a.portion(t))
		require.NoError(t, err)
		portions = append(portions, p)
	}
	portions[1].Interrupted, portions[1].Groups = true, nil
	m.Interrupt(portions)
	partial := m.Result().Run.Partial
	require.NoError(t, m.Finish(""))
	require.NotNil(t, partial)
	require.Empty(t, partial.Unwitnessed)
	require.Equal(t, results.Counts{Devices: 70, Updated: 70}, partial.Counts)
	require.NotEmpty(t, portions[0].Groups, "a portion isn't changed")
}

// TestMerging_manyDisagree checks that only the first few agents are named whose messages don't
// agree.
func TestMerging_manyDisagree(t *testing.T) {
	s := synthetic()
	agents := newSyntheticAgents(PortionShape(s), syntheticSamples(func(int) bool { return false }), 9)
	m, err := StartMerging(t.Context(), mergeOptions(t, s, 9))
	require.NoError(t, err)
	rep := slices.Collect(Repetitions(s))[0]
	require.NoError(t, m.Begin(rep, time.Now()))
	var portions []*portion.Portion
	for _, a := range agents { // which have sent no interval
		p, err := m.Shape().Read(a.portion(t))
		require.NoError(t, err)
		portions = append(portions, p)
	}
	require.NoError(t, m.End(rep, portions))
	run := m.Result().Run
	require.NoError(t, m.Finish(results.Invalid))
	require.Len(t, run.Invalid, 6)
	require.Contains(t, run.Invalid[4], "agent e: its intervals have 0 operations that were planned")
	require.Contains(t, run.Invalid[5], "4 more agents: likewise")
}

// TestOutcomeDigest checks that the digests of shards add up to that of the whole, and that a
// change of any device changes it.
func TestOutcomeDigest(t *testing.T) {
	const devices = 100
	digest := func(shard, count int, change func(i int, e *ledger.Entry, outcome *string)) (d portion.OutcomeDigest) {
		for i := shard; i < devices; i += count {
			e, outcome := ledger.Entry{Version: "2.0.0", Digest: fmt.Sprintf("%064x", i)}, portion.Updated
			e.Applied = 1
			if change != nil {
				change(i, &e, &outcome)
			}
			d.AddDevice(i, outcome, e)
		}
		return d
	}
	whole := digest(0, 1, nil)
	for _, count := range []int{2, 3, 7, 100} {
		var sum portion.OutcomeDigest
		for shard := range count {
			sum.Add(digest(count-1-shard, count, nil))
		}
		require.Equal(t, whole, sum)
	}
	for name, change := range map[string]func(e *ledger.Entry, outcome *string){
		"outcome": func(_ *ledger.Entry, outcome *string) { *outcome = portion.Failed },
		"version": func(e *ledger.Entry, _ *string) { e.Version = "2.0.1" },
		"digest":  func(e *ledger.Entry, _ *string) { e.Digest = "" },
		"applied": func(e *ledger.Entry, _ *string) { e.Applied = 2 },
	} {
		require.NotEqual(t, whole, digest(0, 1, func(i int, e *ledger.Entry, outcome *string) {
			if i == 41 {
				change(e, outcome)
			}
		}), name)
	}
	text, err := whole.MarshalText()
	require.NoError(t, err)
	var again portion.OutcomeDigest
	require.NoError(t, again.UnmarshalText(text))
	require.Equal(t, whole, again)
	require.Equal(t, whole.String(), string(text))
	require.Error(t, again.UnmarshalText(text[1:]))
	var d portion.OutcomeDigest
	d.AddDevice(7, portion.None, ledger.Entry{})
	require.Equal(t, sha256Of("7 none \"\" - 0\n"), d.String())
}

func sha256Of(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
