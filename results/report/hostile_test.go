package report_test

import (
	"fmt"
	"math"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// evil holds text that could become markup in one of the forms.
const evil = "a|b `c` ``` ~~~\nBenchmarkEvil 1 1 ns/op\r\n::error::x%0A </details></summary><script>alert(1)</script>" +
	"<img src=x onerror=alert(1)>]]>&amp;\"'><!-- @everyone #1 https://example.com/x www.example.com [l](http://e.com) *b* _i_ $m$ \x00\x1b[31m\xff\u202e 𝒳"

// hostileInput returns an input in which every string is evil and long, and every list has the
// given number of elements.
func hostileInput(rows, length int) *report.Input {
	word := func(i int) string { return fmt.Sprint(i, strings.Repeat(evil, 1+length/len(evil))) }
	s := wholeInput()
	run, base := *s.Now.Run, *s.Base.Run
	s.Now.Run, s.Base.Run = &run, &base
	s.Scenario, s.Command = word(0), word(1)
	s.Base.Label, s.Now.Label, s.Base.Revision, s.Now.Revision = word(2), word(3), word(4), word(5)
	for _, p := range []*string{&run.Scenario, &run.Path, &run.WorkloadDigest, &run.Command, &run.Transport,
		&run.Addressing, &run.Machine.CPU, &run.Machine.Kernel} {
		*p = word(6)
	}
	run.Spec = fmt.Appendf(nil, "{%q:%q}", "name", strings.Repeat("<script>|`", length/10))
	s.Now.Machine = &run.Machine
	run.Valid = false
	for i := range rows {
		run.Invalid, run.Warnings, s.Notes = append(run.Invalid, word(i)), append(run.Warnings, word(i)), append(s.Notes,
			word(i))
		run.Thresholds = append(run.Thresholds,
			results.ThresholdOutcome{Threshold: word(i), Op: "push", Unit: "ns/op", Value: 1e300})
		run.Groups = append(run.Groups, results.Group{
			Name: word(i), Repetition: i, Succeeded: 1, Failures: map[string]int64{word(i): 1},
			Operations: []results.GroupOperation{
				{Op: word(7), Succeeded: 1, Metrics: map[string]float64{"p50-ns/op": 1e300, word(i): -1e300}},
			},
		})
		run.Rollouts = append(run.Rollouts, results.Rollout{Waves: []results.Wave{
			{Number: i + 1, BeganNS: math.MaxInt64, EndedNS: math.MaxInt64, Succeeded: 1, P50NS: math.MaxInt64, Why: word(i)},
		}})
		run.RepetitionCounts = append(run.RepetitionCounts, results.Counts{Devices: i})
		s.Now.Timelines = append(s.Now.Timelines, hostileTimeline(i, word(i)))
		s.Now.Failures = append(s.Now.Failures, evidence.Failure{Class: word(i), Error: word(i), Operation: word(i)})
	}
	j := *s.Judgement
	conclude(&j, results.Regressed, word(7))
	few := j.Rows
	j.Rows = nil
	for i := range rows {
		r := few[i%len(few)]
		r.Op, r.Unit, r.Reason.Code, r.Verdict = word(i), results.Unit{Name: word(i)}, judge.Code(word(i)), []results.Verdict{results.Regressed, results.Inconclusive, results.Pass, ""}[i%4]
		r.Ratio = &sequential.Ratio{Estimate: 1e300, Low: -1e300, High: 1e300, Level: 0.99}
		j.Rows = append(j.Rows, r)
		for n := range 30 {
			s.Now.Records = append(s.Now.Records,
				results.Record{Scenario: r.Scenario, Op: r.Op, Repetition: n + 1,
					Values: []results.Value{{Unit: r.Unit.Name, Value: 1e308 / float64(n+1)}}})
		}
	}
	s.Judgement = &j
	return s
}

// hostileTimeline returns a timeline whose names are word, and whose numbers are the worst that a
// file can hold.
func hostileTimeline(i int, word string) evidence.Timeline {
	times := timeline.Times{P50NS: math.MinInt64, P90NS: -1, P99NS: math.MaxInt64, MaxNS: int64(i)}
	worst := timeline.Interval{
		Repetition: 1, EndNS: math.MaxInt64, Planned: math.MaxInt64, Sent: -1, Succeeded: math.MinInt64,
		Failed: math.MaxInt64, NotSent: -5, InFlight: math.MaxInt64, Wave: -1,
		Classes:    map[string]int64{word: math.MaxInt64, word + "2": -3, "": 1},
		Operations: []timeline.Operation{{Op: word, Count: 1, Response: times}, {Op: word, Count: -1}},
	}
	empty := timeline.Interval{Repetition: 1, StartNS: 5, EndNS: 5}
	mark := evidence.Mark{Kind: evidence.MarkKind(i % 5), Label: word, Start: math.MinInt64, End: math.MaxInt64}
	return evidence.Timeline{
		Scenario: word, Op: word,
		Repetitions: []evidence.Repetition{
			{Number: 1, Intervals: []timeline.Interval{empty, worst, empty, worst}, Marks: []evidence.Mark{mark, mark}},
			{Number: math.MaxInt, BrokenOff: true, Intervals: []timeline.Interval{empty}},
		},
	}
}

// inputs returns inputs of all kinds, each of which every form must render.
func inputs() map[string]*report.Input {
	run := testRun()
	unfinished := testRun()
	unfinished.Status, unfinished.Unfinished, unfinished.Repetitions = results.StatusRunning, true, 1
	inverted := gateInput()
	inverted.Judgement.Rows[0].Ratio.Low = nan()
	inverted.Now.Records[0].Values[0].Value = nan()
	empty := testRun()
	empty.Records = nil
	return map[string]*report.Input{
		"nothing":     {Judgement: judge.Judge(nil, results.Run{Valid: true}, nil, judge.Policy{})},
		"a gate":      gateInput(),
		"whole":       wholeInput(),
		"no number":   inverted,
		"a run alone": runInput(run, nil),
		"a baseline":  runInput(run, judgement(run)),
		"unfinished":  runInput(unfinished, nil),
		"no samples":  runInput(empty, nil),
		"broken off":  runInput(brokenOff(), nil),
		"only a verdict": {Scenario: "x", Judgement: &judge.Judgement{Verdict: results.Inconclusive,
			Compared: results.Inconclusive}},
		"another word": {Scenario: "x", Judgement: &judge.Judgement{Verdict: "splendid", Compared: "splendid",
			Reasons: []judge.Reason{{Code: judge.GoTestFailed, Text: "it says so"}}}},
		"hostile": hostileInput(40, 100),
	}
}

func nan() float64 { zero := 0.0; return zero / zero }
