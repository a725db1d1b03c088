package report_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// hlog returns a latency log as a run writes it, with an interval for each tag. Each interval has
// one value: 1000 ns times its number, from 1.
func hlog(t testing.TB, tags ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	log := hdrhistogram.NewHistogramLogWriter(&b)
	require.NoError(t, log.OutputLogFormatVersion())
	for i, tag := range tags {
		h := hdrhistogram.New(1, 1_000_000_000, 3)
		require.NoError(t, h.RecordValue(int64(1000*(i+1))))
		h.SetTag(tag)
		require.NoError(t, log.OutputIntervalHistogram(h))
	}
	return b.Bytes()
}

func sideOf(t testing.TB, latency, failures []byte, lengths map[string]int64) report.Side {
	t.Helper()
	run := testRun()
	run.Path, run.FileLengths = t.TempDir(), lengths
	for name, data := range map[string][]byte{rundir.LatencyFile: latency, rundir.FailuresFile: failures} {
		if data != nil {
			require.NoError(t, os.WriteFile(filepath.Join(run.Path, name), data, 0o600))
		}
	}
	side := report.RunSide(run)
	side.Read()
	return side
}

func TestRead(t *testing.T) {
	failure := `{"repetition":1,"device":3,"address":"http://127.1.0.3","operation":"push","class":"timeout","error":"late"}` + "\n"
	side := sideOf(t, hlog(t, "push", "verify", "push", "push/group=slow"), []byte(failure+failure), nil)
	require.Empty(t, side.Evidence.Warnings)
	require.Len(t, side.Latency, 2)
	require.Equal(t, "push", side.Latency[0].Op)
	require.EqualValues(t, 2, side.Latency[0].Histogram.TotalCount())
	require.InDelta(t, 3000, side.Latency[0].Histogram.Max(), 3)
	require.Len(t, side.Failures, 2)
	require.Equal(t, report.Failure{Repetition: 1, Device: 3, Operation: "push", Class: "timeout", Error: "late"},
		side.Failures[0])

	two := hlog(t, "push", "push")
	side = sideOf(t, append(two, "garbage beyond what the run vouches for"...), nil,
		map[string]int64{rundir.LatencyFile: int64(len(two))})
	require.Empty(t, side.Evidence.Warnings)
	require.EqualValues(t, 2, side.Latency[0].Histogram.TotalCount())

	require.Empty(t, sideOf(t, nil, nil, nil).Evidence, "a run without either file")
}

func TestReadKeepsValidLines(t *testing.T) {
	well := hlog(t, "push")
	side := sideOf(t, append(well, "Tag=push,1.0,2.0,3.0,HISTgarbage\n"...),
		[]byte("{\"class\":\"timeout\"}\n{\"class\":\n"), nil)
	require.Len(t, side.Latency, 1)
	require.Len(t, side.Failures, 1)
	require.Len(t, side.Evidence.Warnings, 2)
	require.Contains(t, side.Evidence.Warnings[0], "latency.hlog: not all of it can be shown")
	require.Contains(t, side.Evidence.Warnings[1], "failures.jsonl: not all of it can be shown (line 2: ")
	require.Contains(t, htmlPageOf(t, &report.Input{Scenario: "x", Judgement: &judge.Judgement{}, Now: side}),
		"not all of it can be shown")
}

func TestReadIsBounded(t *testing.T) {
	var tags []string
	for i := range 40 {
		tags = append(tags, fmt.Sprint("op", i))
	}
	side := sideOf(t, hlog(t, tags...), []byte(strings.Repeat("{\"class\":\"timeout\"}\n", 20_000+5)), nil)
	require.Len(t, side.Latency, 16)
	require.Len(t, side.Failures, 20_000)
	require.Contains(t, side.Evidence.Warnings[0], "more than 20000 lines")
}

// TestManyScenariosInOneJudgement checks that the forms keep several scenarios of one judgement
// apart.
func TestManyScenariosInOneJudgement(t *testing.T) {
	s := gateInput()
	second := sideRecords("rollout", 1)
	s.Base.Records, s.Now.Records = append(s.Base.Records, second...), append(s.Now.Records, second...)
	s.Judgement = judged(s.Scenario, s.Base.Records, s.Now.Records, true)
	page := htmlPageOf(t, s)
	requireBalanced(t, page)
	for _, scenario := range []string{"throughput", "rollout"} {
		require.Contains(t, page, "Response time by percentile: "+scenario+" push<")
		require.Contains(t, page, scenario+" push ops/s by repetition")
		require.Contains(t, page, "Samples of "+scenario+" push p99-ns/op")
	}
	var b bytes.Buffer
	require.NoError(t, report.JUnit(&b, documentOf(s)))
	require.Equal(t, 2, strings.Count(b.String(), "<testsuite "))
}

func TestDocumentCombined(t *testing.T) {
	gate, run := gateInput(), testRun()
	run.Records = sideRecords("rollout", 1)
	pass := runInput(run, judged(run.Scenario, run.Records, run.Records, true))
	invalid := testRun()
	invalid.Scenario, invalid.Valid, invalid.Invalid, invalid.Records = "million", false, []string{"the fleet was saturated"}, nil
	one := documentOf(gate)
	require.Same(t, one.Results[0], one.Combined("gate"))

	d := documentOf(pass, gate)
	two := d.Combined("gate")
	require.Equal(t, results.Regressed, two.Verdict)
	require.Equal(t, "throughput: "+report.Sentence(gate.Judgement), two.Reason)
	require.Len(t, two.Rows, 18)
	require.Equal(t, "now", two.Now.Label, "the two labels differ")
	require.Equal(t, gate.Now.Machine, two.Now.Machine)
	page := htmlOf(t, d)
	requireBalanced(t, page)
	require.Contains(t, page, "Samples of rollout push p99-ns/op")
	require.Contains(t, page, "Samples of throughput push p99-ns/op")

	three := documentOf(pass, gate, runInput(invalid, nil))
	require.Equal(t, results.Invalid, three.Combined("gate").Verdict)
	require.Contains(t, htmlOf(t, three), "million is invalid: the fleet was saturated")
	require.Contains(t, htmlOf(t, documentOf()), "there was nothing to judge")
	require.Len(t, pass.Now.Records, 12, "the results aren't changed")
	require.Len(t, d.Results[0].Now.Records, 12, "the results aren't changed")
}
