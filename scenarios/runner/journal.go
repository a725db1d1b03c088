package runner

import (
	"bytes"
	"errors"
	"slices"

	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
)

// A journal is the run directory of a running run, and what its run.json will say.
type journal struct {
	dir     *rundir.Directory
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
	if err == nil {
		header := hdr.NewLogWriter(run.Started).AppendHeader(nil, logComment)
		err = dir.AppendRepetition(nil, rundir.Chunk{Name: rundir.LatencyFile, Data: header})
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
		if m.intervals != nil {
			var err error
			if parts, err = m.intervals.chunks(); err != nil {
				return err
			}
		}
	}
	failed, err := m.failureLines(rep, spec)
	if err != nil {
		return err
	}
	if err := j.dir.AppendRepetition(records, append(parts, failed)...); err != nil {
		return err
	}
	if err := j.dir.DiscardPartial(); err != nil {
		return err
	}
	if rep.Phase == Timed {
		j.records = append(j.records, records...)
		j.run.Repetitions = rep.Number
		j.run.Operations = append(j.run.Operations, m.Operations)
		j.appendGroups(m.groups)
		if spec.Load.Model == scenarios.Rollout {
			j.run.Rollouts = append(j.run.Rollouts, m.rollout)
		}
	}
	if len(j.run.RepetitionCounts) == 0 {
		j.run.Counts = m.counts
	}
	j.run.Counts = j.run.Counts.Worst(m.counts) // the run's counts are those of its worst repetition
	j.run.RepetitionCounts = append(j.run.RepetitionCounts, m.counts)
	if !j.run.Unconfirmed && m.service == nil {
		j.run.Outcomes = append(j.run.Outcomes, m.outcomes.String())
	}
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
	err := writeFailures(&lines, number, spec.Shard, m.failures, m.excerpts)
	return rundir.Chunk{Name: rundir.FailuresFile, Data: lines.Bytes()}, err
}
