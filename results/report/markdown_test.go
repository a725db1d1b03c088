package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
)

func testRun() rundir.Loaded {
	return rundir.Loaded{
		Path: "runs/20261123T082700Z-rollout-1a2b3c",
		Run: results.Run{
			Schema: 1, ID: "1a2b3c", Scenario: "rollout", WorkloadDigest: "sha256:aa",
			Command: "fleetmark run rollout --seed 7", Seed: 7,
			Machine: results.Machine{OS: "linux", Arch: "amd64", CPU: "Example CPU", Cores: 2, GOMAXPROCS: 2,
				MemoryBytes: 24 << 30,
				Kernel:      "6.1.0", GoVersion: "go1.26.0", Identity: "0123456789ab"},
			Revision: "5d3d764", Started: time.Date(2026, 11, 23, 8, 27, 0, 0, time.UTC),
			Finished: time.Date(2026, 11, 23, 8, 28, 30, 0, time.UTC),
			Status:   results.StatusFinished, Repetitions: 2, Valid: true,
			Counts:           results.Counts{Devices: 20, Updated: 19, Failed: 1},
			RepetitionCounts: []results.Counts{{Devices: 10, Updated: 10}, {Devices: 10, Updated: 9, Failed: 1}},
			Fleet:            results.FleetHealth{CPUFraction: 0.25, PeakResidentBytes: 64 << 20},
			Harness: results.HarnessHealth{CPUFraction: 0.5, LatenessP99NS: 1_500_000, GCCPUFraction: 0.012,
				PeakResidentBytes: 32 << 20,
				ReferenceSpeed:    &results.ReferenceSpeed{RoundTripNS: 15400, Blocks: 20},
				Interference:      &results.Interference{OthersFraction: 0.013, StolenFraction: 0.25},
				Profiling:         &results.Profiling{TimedCPUNS: 17_000, ProfiledCPUNS: 17_340, Repetitions: 1}},
			Transport: "lean", Addressing: "ip", Verdict: results.Pass,
		},
		Records: records(1),
	}
}

func records(requests float64) []results.Record {
	return []results.Record{
		{Scenario: "rollout", Op: "push", Repetition: 1, Ops: 10,
			Values: []results.Value{{Unit: "ns/op", Value: 13200}, {Unit: "requests/device", Value: requests}}},
		{Scenario: "rollout", Op: "push", Repetition: 2, Ops: 10,
			Values: []results.Value{{Unit: "ns/op", Value: 13400}, {Unit: "requests/device", Value: requests}}},
	}
}

func judgement(run rundir.Loaded) *judge.Judgement {
	return judged("rollout", records(1), run.Records, false)
}

func markdownOf(t *testing.T, run rundir.Loaded, j *judge.Judgement) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, report.Markdown(&text, documentOf(runInput(run, j))))
	return text.String()
}

const wantPage = "# Run of rollout\n\n" +
	"**pass**: 1 metric judged, none beyond its tolerance; 1 metric not judged (the baseline is from another machine).\n\n" +
	"## Outcome\n\n" +
	"What the client claimed and what the fleet's ledger saw, reconciled.\n\n" +
	"| repetition | devices | updated | failed | lost | applied twice |\n" +
	"|-----------:|--------:|--------:|-------:|-----:|--------------:|\n" +
	"|          1 |      10 |      10 |      0 |    0 |             0 |\n" +
	"|          2 |      10 |       9 |      1 |    0 |             0 |\n" +
	"| worst of all |      20 |      19 |      1 |    0 |             0 |\n\n" +
	"## Metrics\n\n" +
	"Each value is the median with half its 95% confidence interval; p is the Mann-Whitney U test's, before Holm's correction.\n\n" +
	"no ±: 2 repetitions can't bound a median; 6 can.\n\n" +
	"| operation | metric          |   baseline |        now | delta | p | verdict           |\n" +
	"|:----------|:----------------|-----------:|-----------:|------:|--:|:------------------|\n" +
	"| push      | ns/op           | 13.3µs | 13.3µs |  0.0% |   | – another machine |\n" +
	"|           | requests/device |          1 |          1 |  0.0% |   | pass              |\n\n" +
	"## Can the numbers be trusted\n\n" +
	"| what                                            |  driver |   fleet |\n" +
	"|:------------------------------------------------|--------:|--------:|\n" +
	"| processor, share of all cores                   |   50.0% |   25.0% |\n" +
	"| peak resident memory                            | 32.0MiB | 64.0MiB |\n" +
	"| saturated                                       |      no |      no |\n" +
	"| behind the plan, 99th percentile                |   1.5ms |         |\n" +
	"| garbage collection, share of its processor time |    1.2% |         |\n\n" +
	"In the reference benchmark, a round trip between two bare sockets took 15.4µs (median of 20 blocks).\n\n" +
	"Meanwhile other processes used 1.3% of all cores and the hypervisor took 25.0%.\n\n" +
	"Profiled, an operation took 17.3µs of processor time, where the timed repetitions took 17.0µs (+2.0%).\n\n" +
	"## Where it was measured\n\n" +
	"| what       | value                                                                                                 |\n" +
	"|:-----------|:------------------------------------------------------------------------------------------------------|\n" +
	"| machine    | linux/amd64, Example CPU, 2 cores (GOMAXPROCS 2), 24.0 GiB, kernel 6.1.0, go1.26.0, 0123456789ab      |\n" +
	"| revision   | `5d3d764`                                                                                             |\n" +
	"| transport  | lean                                                                                                  |\n" +
	"| addressing | ip                                                                                                    |\n" +
	"| started    | 2026-11-23T08:27:00Z                                                                                  |\n" +
	"| finished   | 2026-11-23T08:28:30Z                                                                                  |\n\n" +
	"## How to reproduce\n\n" +
	"With seed 7, of the work `sha256:aa`:\n\n```sh\n  fleetmark run rollout --seed 7\n```\n\n" +
	"The scenario, whole and resolved, stands in `run.json`; every sample in `samples.txt`.\n\n" +
	"## Profiles\n\n" +
	"In `profiles/` beside this page, one file a kind and profiled repetition; the timed repetitions ran without them.\n\n" +
	"```sh\n  fleetmark profile top runs/20261123T082700Z-rollout-1a2b3c\n```\n"

// TestMarkdown compares the page word for word, except for the widths of columns.
func TestMarkdown(t *testing.T) {
	run := testRun()
	got := markdownOf(t, run, judgement(run))
	require.Equal(t, squeeze(wantPage), squeeze(got), got)
	require.Equal(t, got, markdownOf(t, run, judgement(run)), "the same bytes again")
}

func squeeze(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "|") {
			line = strings.Join(strings.Fields(strings.ReplaceAll(line, "-", "")), " ")
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func TestMarkdownSays(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rundir.Loaded)
		want   []string
	}{
		"regressed": {func(r *rundir.Loaded) { r.Records = records(2) },
			[]string{"**regressed**: push requests/device went from 1 to 2 (+100.0%)", "| **regressed**"}},
		"invalid": {func(r *rundir.Loaded) { r.Valid, r.Invalid = false, []string{"the fleet was saturated"} },
			[]string{"The run is **invalid**", "- the fleet was saturated\n"}},
		"why unsaid": {func(r *rundir.Loaded) { r.Valid = false }, []string{"- no reason was recorded"}},
		"saturated": {func(r *rundir.Loaded) { r.Fleet.Saturated = true },
			[]string{"|      no | **yes**: it was the bottleneck |"}},
		"driver": {func(r *rundir.Loaded) { r.Harness.Saturated = true },
			[]string{"| **yes**: it was the bottleneck |      no |"}},
		"an open load": {func(r *rundir.Loaded) {
			r.Harness.Pacing = &results.Pacing{StarvedFraction: 0.25, BusyWorkersPeak: 64, TimerLatenessP99NS: 2_000_000}
		}, []string{"Of the operations, 25.0% were due while every worker was busy; at most 64 workers were busy at once. Where a worker stood ready, the latest hundredth was sent 2ms late or more.\n"}},
		"ports": {func(r *rundir.Loaded) {
			r.Harness.Ports = &results.LocalPorts{First: 32768, Last: 60999, TimeWait: 12}
		},
			[]string{"At most 12 sockets were in TIME\\_WAIT, and connections have ports 32768 to 60999.\n"}},
		"unfinished": {func(r *rundir.Loaded) { r.Status, r.Unfinished, r.Repetitions = results.StatusRunning, true, 1 },
			[]string{"The run is **unfinished**: it holds the 1 repetition that ended before."}},
		"interrupted": {func(r *rundir.Loaded) { r.Status = results.StatusInterrupted },
			[]string{"The run is **interrupted**: it holds the 2 repetitions"}},
		"warnings": {func(r *rundir.Loaded) { r.Warnings = []string{"a line was cut"} },
			[]string{"- Warning: a line was cut\n"}},
		"client's word":  {func(r *rundir.Loaded) { r.Unconfirmed = true }, []string{"Client's word only"}},
		"no samples":     {func(r *rundir.Loaded) { r.Records = nil }, []string{"is missing now"}},
		"a path":         {func(r *rundir.Loaded) { r.Path = "it's here" }, []string{`fleetmark profile top 'it'\''s here'`}},
		"unknown memory": {func(r *rundir.Loaded) { r.Fleet.PeakResidentBytes = 0 }, []string{"| 32.0MiB |"}},
		"no command": {func(r *rundir.Loaded) { r.Command, r.WorkloadDigest = "", "" },
			[]string{"  fleetmark run rollout\n", "of the work (no digest)"}},
	} {
		t.Run(name, func(t *testing.T) {
			run := testRun()
			c.change(&run)
			text := markdownOf(t, run, judgement(run))
			for _, want := range c.want {
				require.Contains(t, text, want)
			}
		})
	}
}

func TestMarkdownWithoutBaseline(t *testing.T) {
	text := markdownOf(t, testRun(), nil)
	require.Contains(t, text, "**no verdict**: no baseline to hold the run against.")
	require.NotContains(t, text, "Mann-Whitney")
	run := testRun()
	run.Records = nil
	text = markdownOf(t, run, nil)
	require.Contains(t, text, "**invalid**: the run holds no samples.")
	require.Contains(t, text, "None: no operation of the 2 repetitions succeeded.")
}

// TestMarkdownHoldsNoResults puts hostile text into every string of a run, and reads the page as
// benchstat does.
func TestMarkdownHoldsNoResults(t *testing.T) {
	const evil = "a|b `c`\nBenchmarkEvil 1 1 ns/op\nUnit ns/op better=higher\nkey: value\n```\n<script>"
	run := testRun()
	for _, s := range []*string{&run.Path, &run.Scenario, &run.WorkloadDigest, &run.Command, &run.Revision,
		&run.Transport, &run.Addressing,
		&run.Machine.CPU, &run.Machine.Kernel, &run.Machine.OS, &run.Machine.GoVersion, &run.Machine.Identity} {
		*s = evil
	}
	run.Valid, run.Invalid, run.Warnings = false, []string{evil}, []string{evil}
	j := judgement(run)
	j.Reasons = []judge.Reason{{Code: judge.GoTestFailed, Text: evil}}
	for i := range j.Rows {
		j.Rows[i].Op, j.Rows[i].Unit.Name, j.Rows[i].Reason.Code = fmt.Sprint(evil, i), evil, evil
	}
	text := markdownOf(t, run, j)
	reader := benchfmt.NewReader(strings.NewReader(text+"\nBenchmarkLast 1 1 x\n"), "report.md")
	n := 0
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		require.True(t, ok, "%v", reader.Result())
		require.Empty(t, result.Config)
		n++
	}
	require.Equal(t, 1, n)
	inFence := ""
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case inFence == "" && strings.HasPrefix(line, "```"):
			inFence = strings.TrimSuffix(line, "sh")
		case line == inFence:
			inFence = ""
		}
	}
	require.Empty(t, inFence, "every fence is closed")
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestMarkdownError(t *testing.T) {
	full := errors.New("disk full")
	require.ErrorIs(t, report.Markdown(failingWriter{full}, documentOf(runInput(testRun(), nil))), full)
}
