package evidence

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// A Timeline says what happened when in the timed repetitions of a run.
type Timeline struct {
	Scenario    string
	Op          string // the operation whose times are shown: that of the load
	Repetitions []Repetition
}

// A Repetition holds the intervals of a timed repetition.
type Repetition struct {
	Number    int  // from 1
	BrokenOff bool // the repetition didn't end
	Intervals []timeline.Interval
	Marks     []Mark // by kind, and in order of their start
}

// readTimeline reads the intervals of the run's complete repetitions and, if the run didn't finish,
// the intervals of the repetition that was broken off.
func (e *Evidence) readTimeline(run *rundir.Loaded) {
	var whole, partial []timeline.Interval
	reader := func(list *[]timeline.Interval) func(io.Reader) error {
		return func(r io.Reader) (err error) {
			*list, err = timeline.Read(r)
			return err
		}
	}
	e.readFile(run, rundir.TimelineFile, maxTimelineBytes, reader(&whole))
	if run.Status != results.StatusFinished {
		e.readFile(run, rundir.PartialTimelineFile, maxTimelineBytes, reader(&partial))
	}
	t := newTimeline(run.Scenario, run.Spec, whole, partial)
	t.markBreaches(run.Thresholds)
	if len(t.Repetitions) > 0 {
		e.Timelines = []Timeline{t}
	}
}

// newTimeline returns the timeline of a run. spec is its resolved scenario, whole holds the
// intervals of its complete repetitions, and partial those of one that didn't end.
func newTimeline(scenario string, spec json.RawMessage, whole, partial []timeline.Interval) Timeline {
	load := planOf(spec)
	t := Timeline{Scenario: scenario, Op: load.Operation}
	add := func(list []timeline.Interval, brokenOff bool) {
		for _, intervals := range timeline.ByRepetition(list) {
			number := intervals[0].Repetition
			if slices.ContainsFunc(t.Repetitions, func(r Repetition) bool { return r.Number == number }) {
				continue // a kill left the partial one behind
			}
			t.Repetitions = append(t.Repetitions, Repetition{
				Number: number, BrokenOff: brokenOff, Intervals: intervals, Marks: marks(load, intervals),
			})
			for i := range intervals {
				if ops := intervals[i].Operations; t.Op == "" && len(ops) > 0 {
					t.Op = ops[0].Op
				}
			}
		}
	}
	add(whole, false)
	add(partial, true)
	return t
}

// StallSentences returns a sentence for each stall of the timeline, at most limit of them, the
// longest first: "In repetition 1 nothing ended from 3s to 7s, and 400 operations waited; after it
// up to 500/s ended."
func (t *Timeline) StallSentences(limit int) (sentences []string) {
	type found struct {
		timeline.Stall
		repetition int
	}
	var all []found
	for _, r := range t.Repetitions {
		for _, s := range timeline.Stalls(r.Intervals) {
			all = append(all, found{s, r.Number})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.End-b.Start, a.End-a.Start) })
	for _, s := range all[:min(limit, len(all))] {
		where := "Nothing"
		if len(t.Repetitions) > 1 {
			where = fmt.Sprintf("In repetition %d nothing", s.repetition)
		}
		waited := plaintext.Thousands(s.Waiting) + " operations waited"
		if s.Waiting == 1 {
			waited = "an operation waited"
		}
		from, to := timeline.FormatTime(s.Start), timeline.FormatTime(s.End)
		text := fmt.Sprintf("%s ended from %s to %s, and %s", where, from, to, waited)
		if s.After > 0 {
			text += "; after it up to " + results.Rate.Format(s.After) + " ended"
		}
		sentences = append(sentences, text+".")
	}
	if n := len(all) - limit; n > 0 && limit > 0 {
		sentences = append(sentences, "Left out: "+plaintext.Count(n, "shorter stall")+".")
	}
	return sentences
}
