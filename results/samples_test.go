package results

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

func ExampleSampleWriter() {
	var file strings.Builder
	w := NewSampleWriter(&file, 2)
	err := w.Write(Record{Scenario: "rollout", Op: "push", Repetition: 1, Ops: 5000,
		Values: []Value{{"ns/op", 13200}, {"failed/device", 0}}})
	if err != nil {
		fmt.Println(err)
	}
	_, line, _ := strings.Cut(file.String(), "\n\n") // below the configuration
	fmt.Print(line)
	// Output: BenchmarkScenario/rollout/op=push-2 5000 13200 ns/op 0 failed/device
}

func TestSampleWriterText(t *testing.T) {
	var text bytes.Buffer
	w := NewSampleWriter(&text, 2)
	require.NoError(t, w.Write(
		Record{Scenario: "rollout", Op: "push", Repetition: 1, Ops: 5000,
			Values: []Value{{"ns/op", 13200.5}, {"failed/device", 0}}},
		Record{Scenario: "rollout", Op: "verify", Repetition: 1, Ops: 5000, Values: []Value{{"ns/op", 9000}}},
	))
	require.NoError(t, w.Write()) // without records, nothing is written
	require.NoError(t, w.Write(Record{Scenario: "rollout", Op: "push", Repetition: 2, Ops: 5000,
		Values: []Value{{"ns/op", 1.32e4}, {"ops/s", 41000}, {"extra", 1}}}))
	require.Equal(t, `Unit ns/op better=lower
Unit failed/device better=lower
Unit failed/device assume=exact
goos: `+runtime.GOOS+`
goarch: `+runtime.GOARCH+`
pkg: github.com/fleetmark/fleetmark/delivery

BenchmarkScenario/rollout/op=push-2 5000 13200.5 ns/op 0 failed/device
BenchmarkScenario/rollout/op=verify-2 5000 9000 ns/op
Unit ops/s better=higher
BenchmarkScenario/rollout/op=push-2 5000 13200 ns/op 41000 ops/s 1 extra
`, text.String())
}

// TestUnitLinesAreUnderstood reads Unit lines with the format's own reader.
func TestUnitLinesAreUnderstood(t *testing.T) {
	record := Record{Scenario: "rollout", Op: "push", Ops: 1}
	for _, u := range Units() {
		record.Values = append(record.Values, Value{u.Name, 1})
	}
	reader := benchfmt.NewReader(strings.NewReader(samplesText(t, record)), "samples.txt")
	for reader.Scan() {
		_, damaged := reader.Result().(*benchfmt.SyntaxError)
		require.False(t, damaged)
	}
	require.NoError(t, reader.Err())
	units := reader.Units()
	for _, u := range Units() {
		require.Equal(t, u.Better, units.GetBetter(u.Name), u.Name)
		require.Equal(t, u.Exact, units.GetAssumption(u.Name) == benchmath.Assumption(benchmath.AssumeExact), u.Name)
	}
}

func TestSamplesRoundTrip(t *testing.T) {
	records := rolloutRecords(1, 3, 1)
	records = append(records, Record{Scenario: "throughput-64k", Op: "deliver", Repetition: 1, Ops: 0, Values: []Value{
		{"ns/op", 0}, {"MB/s", math.MaxFloat64}, {"p99-ns/op", math.SmallestNonzeroFloat64}, {"B/op", 0.1 + 0.2},
		{"unheard-of", -1e-9}}})
	got, err := ParseSamples([]byte(samplesText(t, records...)), "samples.txt", 0)
	require.NoError(t, err)
	require.Equal(t, records, got, "to the last bit")
}

func TestSampleWriterRefuses(t *testing.T) {
	good := []Value{{"ns/op", 1}}
	for name, c := range map[string]struct {
		record Record
		want   string
	}{
		"NaN": {Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1,
			Values: []Value{{"ns/op", math.NaN()}}}, "ns/op is NaN"},
		"infinity": {Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1,
			Values: []Value{{"ns/op", math.Inf(-1)}}}, "ns/op is -Inf"},
		"no values":         {Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1, Values: nil}, "no values"},
		"no scenario":       {Record{Scenario: "", Op: "push", Repetition: 1, Ops: 1, Values: good}, `scenario ""`},
		"space in scenario": {Record{Scenario: "a b", Op: "push", Repetition: 1, Ops: 1, Values: good}, `scenario "a b"`},
		"line in scenario": {Record{Scenario: "a\nBenchmarkX", Op: "push", Repetition: 1, Ops: 1, Values: good},
			"scenario"},
		"slash in operation": {Record{Scenario: "s", Op: "a/b", Repetition: 1, Ops: 1, Values: good}, `operation "a/b"`},
		"space in unit": {Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1, Values: []Value{{"ns op", 1}}},
			`unit "ns op"`},
		"unit twice": {Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1,
			Values: []Value{{"x", 1}, {"x", 2}}}, "x is given twice"},
		"negative operations": {Record{Scenario: "s", Op: "push", Repetition: 1, Ops: -1, Values: good}, "-1 operations"},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			err := NewSampleWriter(&text, 2).Write(Record{Scenario: "s", Op: "push", Repetition: 1, Ops: 1, Values: good},
				c.record)
			require.ErrorContains(t, err, c.want)
			require.Empty(t, text.String(), "none of the records is written")
		})
	}
	require.ErrorContains(t, NewSampleWriter(&bytes.Buffer{}, 0).Write(), "GOMAXPROCS 0")
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestSampleWriterStaysFailed(t *testing.T) {
	full := errors.New("disk full")
	w := NewSampleWriter(failingWriter{full}, 2)
	record := sample("ns/op", 1)[0]
	require.ErrorIs(t, w.Write(record), full)
	w.w = &bytes.Buffer{}
	require.ErrorIs(t, w.Write(record), full)
}

func TestParseSamplesRefuses(t *testing.T) {
	line := "BenchmarkScenario/rollout/op=push-2 5000 13200 ns/op\n"
	for _, c := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"a name alone", line + "BenchmarkScenario/rollout/op=push-2\n", 2, "want a name"},
		{"no count", line + "BenchmarkScenario/rollout/op=push-2 x 1 ns/op\n", 2, "iteration count"},
		{"a value without its unit", line + "\n" + "BenchmarkScenario/rollout/op=push-2 5000 13200 ns/op 5\n", 3,
			"missing units"},
		{"no number", "BenchmarkScenario/rollout/op=push-2 5000 13x00 ns/op\n", 1, "parsing measurement"},
		{"NaN", "BenchmarkScenario/rollout/op=push-2 5000 NaN ns/op\n", 1, "ns/op is NaN"},
		{"infinity", "BenchmarkScenario/rollout/op=push-2 5000 Inf ns/op\n", 1, "ns/op is +Inf"},
		{"negative count", "BenchmarkScenario/rollout/op=push-2 -3 1 ns/op\n", 1, "-3 operations"},
		{"another benchmark", "BenchmarkPush-2 5000 1 ns/op\n", 1, "isn't Scenario/"},
		{"no GOMAXPROCS", "BenchmarkScenario/rollout/op=push 5000 1 ns/op\n", 1, "isn't Scenario/"},
		{"a unit twice", "BenchmarkScenario/rollout/op=push-2 1 1 x 2 x\n", 1, "x is given twice"},
		{"a line that lost its head", "chmarkScenario/rollout/op=push-2 5000 13200 ns/op\n", 1, "neither"},
		{"prose", line + "PASS\n", 2, "neither"},
		{"contradicting units", "Unit x better=lower\nUnit x better=higher\n", 2, "already set"},
		{"a broken unit line", "Unit x better\n", 1, "expected key=value"},
		{"an endless line", line + "BenchmarkScenario/rollout/op=push-2 1 1 " + strings.Repeat("x", 70<<10), 2, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseSamples([]byte(c.text), "run/samples.txt", 0)
			requireInput(t, err, c.line, c.want)
			require.Contains(t, err.Error(), fmt.Sprintf("run/samples.txt:%d: ", c.line))
		})
	}
}

// TestSetOutcomes checks that the counts of a run's operations replace the estimates. A line of
// samples only says which share failed, and nothing about what wasn't sent.
func TestSetOutcomes(t *testing.T) {
	const line = "BenchmarkScenario/rollout/op=%s-2 %d 1000 ns/op%s\n"
	text := fmt.Sprintf(line, "push", 30, "") + fmt.Sprintf(line, "deliver", 20, " 0.333333 failed/device") +
		fmt.Sprintf(line, "deliver", 90, " 0.1 failed/device") + fmt.Sprintf(line, "deliver", 0, " 1 failed/device")
	parsed := func() []Record {
		records, err := ParseSamples([]byte(text), "samples.txt", 0)
		require.NoError(t, err)
		return records
	}
	counts := func(records []Record) (all [][2]int64) {
		for _, r := range records {
			all = append(all, [2]int64{r.Failed, r.NotSent})
		}
		return all
	}
	records := parsed()
	require.Equal(t, [][2]int64{{0, 0}, {10, 0}, {10, 0}, {0, 0}}, counts(records),
		"estimated from the share, which isn't possible if all failed")
	SetOutcomes(records, nil)
	require.Equal(t, counts(parsed()), counts(records))
	SetOutcomes(records, []Operations{
		{Succeeded: 0, Failed: 30}, // no operation succeeded, so it has no record
		{Succeeded: 20, Failed: 11, NotSent: 3}, {Succeeded: 90, Failed: 12}, {Succeeded: 0, Failed: 7, NotSent: 1},
	})
	require.Equal(t, [][2]int64{{0, 0}, {11, 3}, {12, 0}, {7, 1}}, counts(records))
	require.EqualValues(t, 11, records[1].Operations("failed-p99-ns/op"))
	require.EqualValues(t, 20, records[1].Operations("p99-ns/op"))

	records = parsed()
	SetOutcomes(records, []Operations{{Succeeded: 21, Failed: 99}})
	require.Equal(t, counts(parsed()), counts(records), "operations of another run are ignored")
}

func TestParseSamplesNumbersRepetitions(t *testing.T) {
	records, err := ParseSamples([]byte(samplesText(t, rolloutRecords(1, 3, 1)...)), "samples.txt", 0)
	require.NoError(t, err)
	require.Equal(t, []int{1, 1, 2, 2, 3, 3}, []int{records[0].Repetition, records[1].Repetition, records[2].Repetition,
		records[3].Repetition, records[4].Repetition, records[5].Repetition})
}

func TestMedians(t *testing.T) {
	records := append(sample("ns/op", 5, 1, 3),
		Record{Scenario: "rollout", Op: "verify", Repetition: 1, Ops: 1, Values: []Value{{"ns/op", 10}}},
		Record{Scenario: "rollout", Op: "verify", Repetition: 2, Ops: 1, Values: []Value{{"ns/op", 20}, {"x", 1}}})
	require.Equal(t, map[string]map[string]float64{"push": {"ns/op": 3}, "verify": {"ns/op": 15, "x": 1}},
		Medians(records))
	require.Empty(t, Medians(nil))
	value, ok := records[0].Value("ns/op")
	require.True(t, ok)
	require.Equal(t, 5.0, value)
	_, ok = records[0].Value("x")
	require.False(t, ok)
}

// FuzzParseSamples checks that records that ParseSamples accepts are the same after SampleWriter
// and another ParseSamples.
func FuzzParseSamples(f *testing.F) {
	f.Add([]byte(samplesText(f, rolloutRecords(1, 2, 1)...)))
	f.Add([]byte("BenchmarkScenario/a-1/op=b-c-10 007 -0 ns/op 1e400 x\r\n"))
	f.Add([]byte("Unit ns/op better=lower\nUnit sec/op better=higher\n"))
	f.Add([]byte("goos: \nBenchmarkScenario/ü/op=µ-1 1 0x1p-3 ns\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := ParseSamples(data, "fuzz", 0)
		if err != nil {
			var input *InputError
			require.ErrorAs(t, err, &input)
			return
		}
		again, err := ParseSamples([]byte(samplesText(t, records...)), "again", 0)
		require.NoError(t, err)
		require.Len(t, again, len(records))
		for i := range records {
			require.Equal(t, records[i], again[i])
		}
	})
}

// TestSamplesAreOneTable checks that configuration lines don't differ between machines, since
// benchstat must put their samples into one table.
func TestSamplesAreOneTable(t *testing.T) {
	reader := benchfmt.NewReader(strings.NewReader(samplesText(t, sample("ns/op", 1)...)), "")
	for reader.Scan() {
		if result, ok := reader.Result().(*benchfmt.Result); ok {
			require.Len(t, result.Config, 3)
			require.Equal(t, DeliveryPackage, result.GetConfig("pkg"))
		}
	}
}
