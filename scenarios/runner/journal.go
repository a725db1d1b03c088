package runner

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
)

// A journal is the run directory of a running run, and what its run.json will say.
type journal struct {
	dir     *rundir.Directory
	latency *latencyLog
	run     results.Run
	records []results.Record

	findings     []health.Finding // why the run is invalid
	reference    []float64        // ns per round trip, one for each block of the reference benchmark
	interference health.Interference
	cpuPerOp     map[Phase][]float64 // processor time in ns, one for each repetition
}

// newJournal starts the files of a new run directory. If they can't be written, it removes the
// directory, since nothing was measured yet.
func newJournal(dir *rundir.Directory, run results.Run) (*journal, error) {
	j := &journal{dir: dir, run: run}
	err := dir.WriteRun(run)
	var head rundir.Chunk
	if err == nil {
		j.latency, head, err = newLatencyLog(run.Started)
	}
	if err == nil {
		err = dir.AppendRepetition(nil, head)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Discard())
	}
	return j, nil
}

// note adds a sentence that readers should know beside the run's figures, unless the run has it
// already.
func (j *journal) note(text string) {
	if !slices.Contains(j.run.Notes, text) {
		j.run.Notes = append(j.run.Notes, text)
	}
}

// invalidate makes the run invalid for each of the findings. It ignores findings that it has
// recorded before.
func (j *journal) invalidate(findings ...health.Finding) {
	for _, f := range findings {
		j.run.Valid = false
		if !slices.Contains(j.findings, f) {
			j.findings = append(j.findings, f)
			j.run.Invalid = append(j.run.Invalid, f.String())
			j.run.Findings = append(j.run.Findings, results.Finding{Kind: string(f.Kind), Detail: f.Detail})
		}
	}
}

// addHealth records the notes and findings of a repetition, however it ended, and the state of
// fleet and harness. A search tries rates that are too high on purpose, so findings of a trial that
// its rate may explain don't count.
func (j *journal) addHealth(m *measured, isTrial bool) {
	for _, text := range m.notes {
		j.note(text)
	}
	findings := m.findings
	if isTrial {
		findings = slices.DeleteFunc(slices.Clone(findings), isOfRate)
	}
	j.invalidate(findings...)
	if m.fleet != nil {
		fleet := *m.fleet
		fleet.Saturated = fleet.Saturated && !isTrial
		j.run.Fleet = health.WorstFleet(j.run.Fleet, fleet)
		j.run.Harness.Interference = j.interference.Add(m.before, m.after)
	}
	if m.harness != nil {
		harness := *m.harness
		if isTrial {
			harness.Saturated, harness.Pacing, harness.LatenessP99NS = false, nil, 0
		}
		j.run.Harness = health.WorstHarness(j.run.Harness, harness)
	}
}

// isOfRate reports whether the rate of a trial may explain a finding.
func isOfRate(f health.Finding) bool {
	return f.Kind != health.Contradiction && f.Kind != health.FleetReset
}

// append writes a repetition to the run directory: all of it, or nothing.
func (j *journal) append(rep Repetition, spec scenarios.Spec, m *measured) error {
	if rep.Phase == WarmUp {
		return nil
	}
	var records []results.Record
	var parts []rundir.Chunk
	if rep.Phase == Timed {
		records = m.records(spec, rep.Number)
		latencies, err := j.latency.interval(spec.Load, m)
		if err != nil {
			return err
		}
		parts = append(parts, latencies)
	}
	failed, err := m.failureLines(rep, spec)
	if err != nil {
		return err
	}
	if err := j.dir.AppendRepetition(records, append(parts, failed)...); err != nil {
		return err
	}
	if rep.Phase == Timed {
		j.records = append(j.records, records...)
		j.run.Repetitions = rep.Number
		j.run.Operations = append(j.run.Operations, m.Operations)
		if spec.Load.Model == scenarios.Rollout {
			j.run.Rollouts = append(j.run.Rollouts, m.rollout)
		}
	}
	c := &j.run.Counts
	if len(j.run.RepetitionCounts) == 0 {
		*c = m.counts
	}
	// The run's counts are those of its worst repetition.
	c.Updated = min(c.Updated, m.counts.Updated)
	c.Failed = max(c.Failed, m.counts.Failed)
	c.Lost = max(c.Lost, m.counts.Lost)
	c.AppliedTwice = max(c.AppliedTwice, m.counts.AppliedTwice)
	j.run.RepetitionCounts = append(j.run.RepetitionCounts, m.counts)
	return j.dir.WriteRun(j.run)
}

// failureLines returns the sampled failures of a repetition as lines. It is empty if no operation
// failed.
func (m *measured) failureLines(rep Repetition, spec scenarios.Spec) (rundir.Chunk, error) {
	number := rep.Number
	if rep.Phase == Profiled {
		number += spec.Repetitions
	}
	var lines bytes.Buffer
	err := writeFailures(&lines, number, m.failures, m.excerpts)
	return rundir.Chunk{Name: rundir.FailuresFile, Data: lines.Bytes()}, err
}

// A latencyLog makes latency.hlog, a log in HdrHistogram's format. It has one interval histogram
// for each repetition and operation, tagged with the operation. Values are response times in
// nanoseconds; the log's own column of maxima is in milliseconds, as usual.
type latencyLog struct {
	text bytes.Buffer // what log has written since the last take
	log  *hdrhistogram.HistogramLogWriter
}

// newLatencyLog returns the log of a run that started at the given time, with the log's header.
func newLatencyLog(started time.Time) (*latencyLog, rundir.Chunk, error) {
	l := &latencyLog{}
	l.log = hdrhistogram.NewHistogramLogWriter(&l.text)
	ms := started.UnixMilli()
	l.log.SetBaseTime(ms)
	err := errors.Join(
		l.log.OutputComment("[Fleetmark: response times in nanoseconds, one interval a repetition and operation]"),
		l.log.OutputLogFormatVersion(), l.log.OutputStartTime(ms), l.log.OutputBaseTime(ms), l.log.OutputLegend(),
	)
	return l, l.take(), err
}

// take returns what was written since the last call.
func (l *latencyLog) take() rundir.Chunk {
	defer l.text.Reset()
	return rundir.Chunk{Name: rundir.LatencyFile, Data: slices.Clone(l.text.Bytes())}
}

// interval writes the response times of a repetition, a histogram for each operation, and returns
// that part of the log.
func (l *latencyLog) interval(spec scenarios.LoadSpec, m *measured) (rundir.Chunk, error) {
	start, end := m.started.UnixMilli(), m.started.Add(m.Elapsed).UnixMilli()
	for _, op := range spec.Operations() {
		h := m.latencies[op].Response
		h.SetTag(string(op))
		h.SetStartTimeMs(start)
		h.SetEndTimeMs(end)
		if err := l.log.OutputIntervalHistogram(h); err != nil {
			return rundir.Chunk{}, err
		}
	}
	return l.take(), nil
}
