package evidence

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

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

// A Mark is a part of a repetition that is worth knowing when one looks at its intervals. It is a
// moment if End equals Start.
type Mark struct {
	Kind       MarkKind
	Label      string // a few words: "wave 2"
	Start, End time.Duration
}

// A MarkKind says what a mark is of.
type MarkKind uint8

// The kinds of marks.
const (
	MarkLoad   MarkKind = iota + 1 // a part of the load's plan: a stage or a spike
	MarkWave                       // a wave of a rollout, up to the next
	MarkStall                      // nothing ended, although operations waited
	MarkBreach                     // windows in which a threshold was broken
)

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

// markBreaches adds marks for the windows in which thresholds were broken.
func (t *Timeline) markBreaches(list []results.ThresholdOutcome) {
	for _, o := range list {
		if o.Windows == nil {
			continue
		}
		for _, b := range o.Windows.Breaches {
			i := slices.IndexFunc(t.Repetitions, func(r Repetition) bool { return r.Number == b.Repetition })
			if i < 0 || b.EndNS <= b.StartNS {
				continue
			}
			t.Repetitions[i].Marks = append(t.Repetitions[i].Marks, Mark{
				Kind: MarkBreach, Label: "broken: " + plaintext.Clip(o.Threshold, maxMarkLabel),
				Start: time.Duration(b.StartNS), End: time.Duration(b.EndNS),
			})
		}
	}
}

// maxMarkLabel bounds the text of a threshold in a mark's label, in bytes.
const maxMarkLabel = 60

// A loadPlan is the part of a resolved scenario's load that is known to change with time.
type loadPlan struct {
	Model     string `json:"model"`
	Operation string `json:"operation"`
	Rate      string `json:"rate"`
	Spike     struct {
		Rate string `json:"rate"`
		At   string `json:"at"`
		For  string `json:"for"`
	} `json:"spike"`
	Stages []struct {
		Rate string `json:"rate"`
		To   string `json:"to"`
		For  string `json:"for"`
	} `json:"stages"`
}

// planOf returns the plan of a resolved scenario's load. It returns the zero plan if spec can't be
// read, since marks are only an aid.
func planOf(spec json.RawMessage) loadPlan {
	var s struct {
		Load loadPlan `json:"load"`
	}
	if json.Unmarshal(spec, &s) != nil {
		return loadPlan{}
	}
	return s.Load
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

// windows returns the parts of the plan.
func (p loadPlan) windows() (list []Mark) {
	add := func(label string, from, length time.Duration) {
		list = append(list, Mark{Kind: MarkLoad, Label: label, Start: from, End: from + length})
	}
	switch p.Model {
	case "spike":
		at, err := time.ParseDuration(p.Spike.At)
		length, err2 := time.ParseDuration(p.Spike.For)
		if errors.Join(err, err2) == nil && at >= 0 && length > 0 {
			add("spike "+p.Spike.Rate, at, length)
		}
	case "stages":
		var from time.Duration
		for _, s := range p.Stages {
			length, err := time.ParseDuration(s.For)
			if err != nil || length <= 0 {
				return list
			}
			label := s.Rate
			if s.To != "" && s.To != s.Rate {
				label += " to " + s.To
			}
			add(label, from, length)
			from += length
		}
	}
	return list
}

// marks returns the marks of a repetition.
func marks(load loadPlan, intervals []timeline.Interval) []Mark {
	end := intervals[len(intervals)-1].End()
	var list []Mark
	for _, m := range load.windows() {
		if m.Start < end {
			m.End = min(m.End, end)
			list = append(list, m)
		}
	}
	wave := 0
	for i := range intervals {
		v := &intervals[i]
		if v.Wave != wave && v.Wave > 0 {
			list = append(list, Mark{Kind: MarkWave, Label: fmt.Sprintf("wave %d", v.Wave), Start: v.Start()})
		}
		wave = cmp.Or(v.Wave, wave)
	}
	for i := range list {
		if list[i].Kind != MarkWave {
			continue
		}
		list[i].End = end
		if i+1 < len(list) {
			list[i].End = list[i+1].Start
		}
	}
	for _, s := range timeline.Stalls(intervals) {
		label := "nothing ended for " + timeline.FormatTime(s.End-s.Start)
		list = append(list, Mark{Kind: MarkStall, Label: label, Start: s.Start, End: s.End})
	}
	return list
}
