package evidence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
)

const second = time.Second

// stalled returns ten seconds at 100/s, in which nothing ends from the fourth to the seventh
// second.
func stalled(repetition int) (list []timeline.Interval) {
	for i, succeeded := range []int64{100, 100, 100, 0, 0, 0, 0, 500, 100, 100} {
		v := timeline.Interval{
			Repetition: repetition, StartNS: int64(i) * 1e9, EndNS: int64(i+1) * 1e9, Planned: 100, Sent: 100,
			Succeeded: succeeded,
		}
		if succeeded == 0 {
			v.InFlight = int64(i-2) * 100
		}
		list = append(list, v)
	}
	return list
}

// lines returns intervals as lines of timeline.jsonl.
func lines(intervals ...timeline.Interval) (file []byte) {
	for _, v := range intervals {
		file = v.AppendLine(file)
	}
	return file
}

func TestReadTimeline(t *testing.T) {
	first, second, stale := timeline.Interval{Repetition: 1, EndNS: 1}, timeline.Interval{Repetition: 2, EndNS: 2},
		timeline.Interval{Repetition: 1, EndNS: 9}
	for name, c := range map[string]struct {
		status         results.Status
		whole, partial []byte
		length         int // of the whole file, according to run.json; 0 if it doesn't say
		want           string
		warning        string
	}{
		"neither file":      {status: results.StatusFinished},
		"finished":          {status: results.StatusFinished, whole: lines(first, second), want: "1 2"},
		"finished, partial": {status: results.StatusFinished, whole: lines(first), partial: lines(second), want: "1"},
		"interrupted": {status: results.StatusInterrupted, whole: lines(first), partial: lines(second),
			want: "1 2 broken off"},
		"killed":            {status: results.StatusRunning, partial: lines(first), want: "1 broken off"},
		"killed in between": {status: results.StatusRunning, whole: lines(first), partial: lines(stale), want: "1"},
		"cut in half": {status: results.StatusRunning, partial: lines(first, second)[:len(lines(first))+20],
			want: "1 broken off"},
		"beyond the run": {status: results.StatusInterrupted, whole: lines(first, second), length: len(lines(first)),
			want: "1"},
		"damaged": {status: results.StatusFinished, whole: append(lines(first), "rubbish\n"...), want: "1",
			warning: "line 2: "},
		"damaged from line 1": {status: results.StatusFinished, whole: []byte("{}\n"), warning: "line 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			run := results.Run{Status: c.status}
			if c.length > 0 {
				run.FileLengths = map[string]int64{rundir.TimelineFile: int64(c.length)}
			}
			content := files{}
			for name, data := range map[string][]byte{rundir.TimelineFile: c.whole, rundir.PartialTimelineFile: c.partial} {
				if data != nil {
					content[name] = data
				}
			}
			e := read(t, run, content)
			var got []string
			for _, line := range e.Timelines {
				for _, r := range line.Repetitions {
					text := fmt.Sprint(r.Number)
					if r.BrokenOff {
						text += " broken off"
					}
					require.Len(t, r.Intervals, 1)
					require.NotEqual(t, stale.EndNS, r.Intervals[0].EndNS)
					got = append(got, text)
				}
			}
			require.Equal(t, c.want, strings.Join(got, " "))
			if c.warning == "" {
				require.Empty(t, e.Warnings)
				return
			}
			require.Len(t, e.Warnings, 1)
			require.Contains(t, e.Warnings[0], "timeline.jsonl: not all of it can be shown ("+c.warning)
		})
	}
}

func TestMarks(t *testing.T) {
	part := func(label string, start, end time.Duration) evidence.Mark {
		return evidence.Mark{Kind: evidence.MarkLoad, Label: label, Start: start, End: end}
	}
	waves := func(numbers ...int) (list []timeline.Interval) {
		for i, n := range numbers {
			list = append(list, timeline.Interval{
				Repetition: 1, StartNS: int64(i) * 1e9, EndNS: int64(i+1) * 1e9, Succeeded: 5, Wave: n,
			})
		}
		return list
	}
	for name, c := range map[string]struct {
		spec      string
		intervals []timeline.Interval
		want      []evidence.Mark
	}{
		"nothing":     {`{}`, waves(0, 0), nil},
		"no scenario": {`[`, waves(0, 0), nil},
		"constant":    {`{"load":{"model":"constant","rate":"5/s"}}`, waves(0, 0), nil},
		"spike": {`{"load":{"model":"spike","rate":"5/s","spike":{"rate":"50/s","at":"2s","for":"1.5s"}}}`,
			waves(0, 0, 0, 0, 0),
			[]evidence.Mark{part("spike 50/s", 2*second, 3500*time.Millisecond)}},
		"a spike that the run didn't reach": {
			`{"load":{"model":"spike","spike":{"rate":"50/s","at":"2s","for":"1s"}}}`, waves(0, 0), nil},
		"stages": {`{"load":{"model":"stages","stages":[{"rate":"5/s","for":"1s"},{"rate":"5/s","to":"9/s","for":"1m"}]}}`,
			waves(0, 0, 0), []evidence.Mark{part("5/s", 0, second), part("5/s to 9/s", second, 3*second)}},
		"a rate that is no rate": {`{"load":{"model":"spike","spike":{"rate":"x","at":"soon","for":"-1s"}}}`, waves(0), nil},
		"waves": {`{"load":{"model":"rollout"}}`, waves(1, 1, 0, 2, 3), []evidence.Mark{
			{Kind: evidence.MarkWave, Label: "wave 1", Start: 0, End: 3 * second},
			{Kind: evidence.MarkWave, Label: "wave 2", Start: 3 * second, End: 4 * second},
			{Kind: evidence.MarkWave, Label: "wave 3", Start: 4 * second, End: 5 * second},
		}},
		"a stall": {`{}`, stalled(1), []evidence.Mark{
			{Kind: evidence.MarkStall, Label: "nothing ended for 4s", Start: 3 * second, End: 7 * second},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := read(t, results.Run{Spec: []byte(c.spec)}, files{rundir.TimelineFile: lines(c.intervals...)})
			require.Equal(t, c.want, e.Timelines[0].Repetitions[0].Marks)
		})
	}
}

func TestStallSentences(t *testing.T) {
	of := func(repetitions ...[]timeline.Interval) []string {
		e := read(t, results.Run{}, files{rundir.TimelineFile: lines(slices.Concat(repetitions...)...)})
		return e.Timelines[0].StallSentences(1)
	}
	require.Equal(t, []string{"Nothing ended from 3s to 7s, and 400 operations waited; after it up to 500/s ended."},
		of(stalled(1)))
	require.Empty(t, of(stalled(1)[:3]))
	shorter := stalled(2)
	shorter[4].Succeeded = 1
	require.Equal(t, []string{
		"In repetition 1 nothing ended from 3s to 7s, and 400 operations waited; after it up to 500/s ended.",
		"Left out: 2 shorter stalls.",
	}, of(stalled(1), shorter))
	never := stalled(1)
	never = never[:7]
	never[6].InFlight = 1
	require.Equal(t, []string{"Nothing ended from 3s to 7s, and an operation waited."}, of(never))
}

// TestMarks_breaches checks that the windows in which a threshold was broken are marked in their
// repetition.
func TestMarks_breaches(t *testing.T) {
	run := results.Run{Thresholds: []results.ThresholdOutcome{
		{Threshold: "failed/device == 0"}, // of the whole run
		{Threshold: "p99-ns/op < 1s in every 1s", Windows: &results.WindowsOutcome{Breaches: []results.Breach{
			{Repetition: 2, StartNS: 1e9, EndNS: 3e9},
			{Repetition: 7, StartNS: 1e9, EndNS: 3e9}, // not in the file
			{Repetition: 1, StartNS: 3e9, EndNS: 1e9}, // nonsense
		}}},
		{Threshold: strings.Repeat("x", 1000) + "\n", Windows: &results.WindowsOutcome{Breaches: []results.Breach{
			{Repetition: 1, StartNS: 1, EndNS: 2},
		}}},
	}}
	calm := func(repetition int) timeline.Interval { return timeline.Interval{Repetition: repetition, EndNS: 9e9} }
	e := read(t, run, files{rundir.TimelineFile: lines(calm(1), calm(2))})
	repetitions := e.Timelines[0].Repetitions
	require.Equal(t, []evidence.Mark{{
		Kind: evidence.MarkBreach, Label: "broken: p99-ns/op < 1s in every 1s", Start: second, End: 3 * second,
	}}, repetitions[1].Marks)
	require.Len(t, repetitions[0].Marks, 1)
	require.Less(t, len(repetitions[0].Marks[0].Label), 100)
}
