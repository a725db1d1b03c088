package evidence

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// A Mark is a part of a repetition that is worth knowing when one looks at its intervals. It is a
// moment if End equals Start.
type Mark struct {
	Kind       MarkKind
	Label      string // a few words: "wave 2"
	Start, End time.Duration
}

// A MarkKind is a kind of mark.
type MarkKind uint8

// The kinds of marks.
const (
	MarkLoad   MarkKind = iota + 1 // a part of the load's plan: a stage or a spike
	MarkWave                       // a wave of a rollout, up to the next
	MarkStall                      // nothing ended, although operations waited
	MarkBreach                     // windows in which a threshold was broken
)

// marks returns the marks of a repetition, without those of broken thresholds.
func marks(load loadPlan, intervals []timeline.Interval) []Mark {
	end := intervals[len(intervals)-1].End()
	var list []Mark
	for _, m := range load.parts() {
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

// parts returns the marks of the plan's parts.
func (p loadPlan) parts() (list []Mark) {
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
