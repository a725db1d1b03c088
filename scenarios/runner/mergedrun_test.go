package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// A mergedRun runs agents in this process, and merges what they send as JSON.
type mergedRun struct {
	t    *testing.T
	m    *Merging
	stop context.CancelCauseFunc

	mu       sync.Mutex
	waiting  int           // agents at the gate
	open     chan struct{} // closed when all have come
	portions []*portion.Portion
	arrived  int
	failed   error
}

var errStopped = errors.New("the controller stops the agents")

// runMerged runs the scenario of o with the agents' parts of it, and judges it without a baseline.
// If begin isn't nil, it gets what interrupts all agents.
func runMerged(
	t *testing.T, o MergeOptions, parts []scenarios.Spec, begin func(interrupt context.CancelCauseFunc),
) (*Result, []*Result) {
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	if begin != nil {
		begin(stop)
	}
	r := &mergedRun{t: t, stop: stop, open: make(chan struct{}), portions: make([]*portion.Portion, len(parts))}
	o.OnAbort = func() { stop(errStopped) }
	m, err := StartMerging(ctx, o)
	require.NoError(t, err)
	r.m = m
	own := make([]*Result, len(parts))
	var running sync.WaitGroup
	for i, part := range parts {
		a := options(t, part)
		writer, line := portion.NewIntervalWriter(), []byte(nil)
		a.Gate = r.gate
		a.OnInterval = func(rep Repetition, v *load.Interval, counted *delivery.Stats) {
			line = writer.Append(line[:0], v, counted)
			read, err := m.Shape().ReadInterval(line)
			if err == nil {
				err = m.Interval(rep, i, read)
			}
			r.fail(err)
		}
		a.OnPortion = func(rep Repetition, p *portion.Portion) { r.fail(r.receive(rep, i, p)) }
		running.Go(func() {
			var err error
			if own[i], err = Run(ctx, a); err != nil {
				r.fail(err)
			}
		})
	}
	running.Wait()
	require.NoError(t, r.failed)
	if m.Aborted() || m.running != nil {
		m.Interrupt(r.portions)
	}
	res := m.Result()
	require.NoError(t, m.Finish(verdict(res.Run, res.Records)))
	return res, own
}

// fail ends the run with an error, if it isn't nil.
func (r *mergedRun) fail(err error) {
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed == nil {
			r.failed = err
		}
		r.stop(err)
	}
}

// gate opens when all agents have come.
func (r *mergedRun) gate(ctx context.Context, rep Repetition) error {
	r.mu.Lock()
	open := r.open
	if r.waiting++; r.waiting == len(r.portions) {
		r.waiting, r.arrived = 0, 0
		clear(r.portions)
		if r.m.Aborted() {
			r.stop(errStopped)
		} else if err := r.m.Begin(rep, time.Now()); err != nil {
			r.failed = err
			r.stop(err)
		}
		close(open)
		r.open = make(chan struct{})
	}
	r.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// receive takes an agent's portion, and ends the repetition with the last one.
func (r *mergedRun) receive(rep Repetition, agent int, p *portion.Portion) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if p, err = r.m.Shape().Read(text); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.portions[agent] = p
	if r.arrived++; r.arrived < len(r.portions) || p.Interrupted {
		return nil
	}
	return r.m.End(rep, r.portions)
}

// divided returns a scenario as n agents have it, each with another shard.
func divided(s scenarios.Spec, n int) (parts []scenarios.Spec) {
	for i := range n {
		s.Shard = scenarios.ShardSpec{Index: i, Count: n}
		parts = append(parts, s)
	}
	return parts
}

// failedDevices returns the devices of the sampled failures of the first repetition, in order.
func failedDevices(t *testing.T, dir string) (list []int) {
	text, err := os.ReadFile(filepath.Join(dir, rundir.FailuresFile))
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		var f Failure
		require.NoError(t, json.Unmarshal(line, &f))
		require.NotNil(t, f.Fleet)
		if f.Repetition == 1 {
			list = append(list, f.Device)
		}
	}
	slices.Sort(list)
	return list
}

// TestMergedRun checks that what agents in this process measure, sent as JSON, makes a run
// directory like that of any other run: its intervals, records and groups agree, it can be read,
// and its thresholds are judged by the figures of all.
func TestMergedRun(t *testing.T) {
	closed := grouped()
	closed.Fleet.Devices, closed.Load.Workers, closed.Warmup = 60, 6, 1
	open := small()
	open.Fleet.Devices, open.Profiled = 30, 0 // a process can be profiled once at a time
	open.Load = scenarios.LoadSpec{
		Model: scenarios.ConstantRate, Operation: delivery.OpPush, Rate: 300, Duration: scenarios.Duration(600 * time.Millisecond),
		Workers: 12,
	}
	for name, row := range map[string]struct {
		spec   scenarios.Spec
		agents int
	}{"closed, 2": {closed, 2}, "closed, 3": {closed, 3}, "open, 2": {open, 2}, "one": {closed, 1}} {
		t.Run(name, func(t *testing.T) {
			s := row.spec
			s.Thresholds = []scenarios.Threshold{
				threshold(t, "max-ns/op < 1h"), threshold(t, "ops/s > 9000000/s"), threshold(t, "failed/device < 50%"),
			}
			if s.Load.Duration > 0 {
				s.Thresholds = append(s.Thresholds, threshold(t, "failed/device == 0 in every 200ms"))
			}
			o := mergeOptions(t, s, row.agents)
			watch := &steps{}
			o.Observer = watch
			res, own := runMerged(t, o, divided(s, row.agents), nil)
			require.Equal(t, results.StatusFinished, res.Run.Status)
			requireIntervals(t, res.Directory)
			run, err := rundir.Load(res.Directory)
			require.NoError(t, err)
			require.Empty(t, run.Warnings)
			require.Empty(t, run.Findings)
			require.Equal(t, 2, run.Repetitions)
			require.Len(t, watch.ended, s.Warmup+2+s.Profiled)
			var sum results.Operations
			var counts results.Counts
			var digest portion.OutcomeDigest
			for _, r := range own {
				require.Empty(t, r.Run.Thresholds)
				sum.Succeeded += r.Run.Operations[1].Succeeded
				sum.Failed += r.Run.Operations[1].Failed
				counts.Devices, counts.Updated = counts.Devices+r.Run.Counts.Devices, counts.Updated+r.Run.Counts.Updated
				counts.Failed += r.Run.Counts.Failed
				var of portion.OutcomeDigest
				require.NoError(t, of.UnmarshalText([]byte(r.Run.Outcomes[1])))
				digest.Add(of)
			}
			require.Equal(t, []int64{sum.Succeeded, sum.Failed}, []int64{run.Operations[1].Succeeded, run.Operations[1].Failed})
			require.Equal(t, counts, run.RepetitionCounts[1])
			require.Equal(t, digest.String(), run.Outcomes[1])
			if s.Load.Duration == 0 && row.agents > 1 { // with one operation for each device, always the same becomes of it
				alone, err := Run(t.Context(), options(t, s))
				require.NoError(t, err)
				require.Equal(t, alone.Run.Outcomes[1], run.Outcomes[1], "as of a run without agents")
				require.Equal(t, alone.Run.RepetitionCounts[1], run.RepetitionCounts[1])
				require.Equal(t, alone.Run.WorkloadDigest, run.WorkloadDigest)
				for i, g := range alone.Run.Groups[:4] {
					require.Equal(t, []any{g.Name, g.Counts, g.Failures}, []any{run.Groups[i].Name, run.Groups[i].Counts, run.Groups[i].Failures})
				}
				require.Equal(t, failedDevices(t, alone.Directory), failedDevices(t, res.Directory))
			}
			require.Len(t, run.Outcomes, len(run.RepetitionCounts))
			var held []bool
			for _, o := range run.Thresholds {
				held = append(held, o.Held)
			}
			require.Equal(t, []bool{true, false, true, true}[:len(s.Thresholds)], held)
			require.NotNil(t, run.Harness.ReferenceSpeed)
			require.Equal(t, s.Load.IsOpen(), run.Harness.Pacing != nil)
			if row.agents > 1 {
				for _, text := range slices.Concat(run.Notes, run.Invalid) {
					require.Contains(t, text, "agent ")
				}
			}
		})
	}
}

// TestMergedRun_aborted checks that a threshold that the agents' figures only break together ends
// the run early, and what is kept.
func TestMergedRun_aborted(t *testing.T) {
	s := endless()
	s.Repetitions, s.Profiled = 2, 0
	s.Fleet.Devices, s.Load.Workers = 40, 4
	limit := threshold(t, "ops/s > 9000000/s in every 100ms for 2 windows")
	limit.Abort = true
	s.Thresholds = append(s.Thresholds, limit, threshold(t, "failed/device == 0 in every 100ms"))
	res, _ := runMerged(t, mergeOptions(t, s, 2), divided(s, 2), nil)
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Equal(t, results.StatusAborted, run.Status)
	require.True(t, run.Valid, run.Invalid)
	require.Zero(t, run.Repetitions)
	require.NotNil(t, run.Partial)
	require.Equal(t, 1800.0, run.Partial.PlannedSeconds)
	require.Empty(t, run.Partial.Unwitnessed)
	require.Positive(t, run.Partial.Succeeded)
	require.Equal(t, 40, run.Partial.Counts.Devices)
	require.NotEmpty(t, readTimeline(t, run.Path, rundir.PartialTimelineFile)[0])
	text, v := run.Thresholds[len(run.Thresholds)-2].Result()
	require.Equal(t, results.Regressed, v)
	require.Contains(t, text, "failed in 2 of 2 windows, from 0s to 200ms of repetition 1: the run was ended early")
	require.NotEqual(t, results.Pass, run.Verdict)
}

// TestMergedRun_abortedAfterARepetition checks that a threshold that fails in the last window of a
// repetition ends the run after it, and that the repetition counts as a whole one.
func TestMergedRun_abortedAfterARepetition(t *testing.T) {
	s := endless()
	s.Repetitions, s.Profiled, s.Fleet.Devices, s.Load.Workers = 2, 0, 40, 4
	s.Load.Duration = scenarios.Duration(300 * time.Millisecond)
	limit := threshold(t, "ops/s > 9000000/s in every 300ms")
	limit.Abort = true
	s.Thresholds = []scenarios.Threshold{limit}
	res, _ := runMerged(t, mergeOptions(t, s, 2), divided(s, 2), nil)
	require.Equal(t, results.StatusAborted, res.Run.Status)
	require.Equal(t, 1, res.Run.Repetitions)
	require.Nil(t, res.Run.Partial)
	requireIntervals(t, res.Directory)
	require.Equal(t, results.Regressed, res.Run.Verdict)
}

// TestMergedRun_interrupted checks that a run whose agents are interrupted keeps what all
// agents have measured until then.
func TestMergedRun_interrupted(t *testing.T) {
	s := endless()
	s.Repetitions, s.Profiled = 1, 0
	s.Fleet.Devices, s.Load.Workers = 40, 4
	o := mergeOptions(t, s, 2)
	seen := 0
	var interrupt context.CancelCauseFunc
	o.OnInterval = func(Repetition, *load.Interval, *delivery.Stats) {
		if seen++; seen == 3 {
			interrupt(errStopped)
		}
	}
	res, _ := runMerged(t, o, divided(s, 2), func(stop context.CancelCauseFunc) { interrupt = stop })
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Equal(t, results.StatusInterrupted, run.Status)
	require.NotNil(t, run.Partial)
	require.Positive(t, run.Partial.Succeeded)
	sum := int64(0)
	for _, v := range readTimeline(t, run.Path, rundir.PartialTimelineFile)[0] {
		sum += v.Succeeded
	}
	require.Equal(t, sum, run.Partial.Succeeded)
	require.Empty(t, run.Partial.Unwitnessed)
}

// TestMergedRun_oneAgent checks that the samples of a merged run with one agent are those of any
// other run, but for the values: the same benchmarks, with the same units in the same order.
func TestMergedRun_oneAgent(t *testing.T) {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	forms := func(dir string) (list []string) {
		text, err := os.ReadFile(filepath.Join(dir, rundir.SamplesFile))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); strings.HasPrefix(line, "Benchmark") {
				require.Regexp(t, "-7$", words[0], "GOMAXPROCS of the agent")
				form := words[0]
				for i := 3; i < len(words); i += 2 {
					form += " " + words[i]
				}
				list = append(list, form)
			}
		}
		require.Len(t, list, 3)
		return list
	}
	o, a := mergeOptions(t, s, 1), options(t, s)
	o.Machine.GOMAXPROCS, a.Machine.GOMAXPROCS = 7, 7
	merged, _ := runMerged(t, o, divided(s, 1), nil)
	alone, err := Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, forms(alone.Directory), forms(merged.Directory))
}
