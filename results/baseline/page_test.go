package baseline

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/results"
)

func readText(t testing.TB, text string) (*Page, error) {
	t.Helper()
	return Read(writeTemp(t, FileName, text))
}

// throughputScenario has every field set.
func throughputScenario() Scenario {
	return Scenario{
		Name: "throughput", WorkloadDigest: "sha256:bb", Command: "fleetmark run throughput \\\n  --set 'load.rate=10/s'", Repetitions: 1,
		Unconfirmed: true, ReferenceSpeed: &results.ReferenceSpeed{RoundTripNS: 15400, Blocks: 20}, Counts: results.Counts{Devices: 1, Updated: 2, Failed: 3, Lost: 4, AppliedTwice: 5},
		Interference: &results.Interference{OthersFraction: 0.02, StolenFraction: 0.001},
		Records: []results.Record{{Scenario: "throughput", Op: "deliver", Repetition: 1, Ops: 7,
			Values: []results.Value{{Unit: "MB/s", Value: 0.1 + 0.2}, {Unit: "ns/op"}, {Unit: "unheard-of", Value: -1}}}},
	}
}

func TestBaselineRoundTrip(t *testing.T) {
	second := throughputScenario()
	want := testBaseline()
	want.Scenarios = append(want.Scenarios, second)
	want.Benchmarks = testGoBenchmarks(t)
	want.Sections, want.Sources = testSections(), map[string]string{"delivery": "abc"}
	got, err := readText(t, baselineText(t, want))
	require.NoError(t, err)
	want.History = strings.Trim(want.History, "\n")
	require.Equal(t, &want, got)
	require.Equal(t, baselineText(t, want), baselineText(t, *got), "the same bytes again")

	found, ok := got.Scenario("throughput")
	require.True(t, ok)
	require.Equal(t, second, *found)
	_, ok = got.Scenario("soak")
	require.False(t, ok)
}

func TestBaselineInAnotherTimeZone(t *testing.T) {
	there := testBaseline()
	there.Created = there.Created.Add(999 * time.Millisecond).In(time.FixedZone("", -3600))
	require.Equal(t, baselineText(t, testBaseline()), baselineText(t, there))
}

func TestBaselineWithCarriageReturns(t *testing.T) {
	text := baselineText(t, testBaseline())
	want, err := readText(t, text)
	require.NoError(t, err)
	got, err := readText(t, strings.ReplaceAll(text, "\n", "\r\n"))
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = readText(t, strings.TrimRight(text, "\n"))
	require.NoError(t, err, "nor need the last line end")
	require.Equal(t, want, got)
}

// TestBaselinesOfEarlierSchemas reads pages that earlier versions wrote.
func TestBaselinesOfEarlierSchemas(t *testing.T) {
	want := testBaseline()
	want.History = strings.Trim(want.History, "\n")
	want.Scenarios = append(want.Scenarios, throughputScenario())
	got, err := Read("testdata/schema1.md")
	require.NoError(t, err)
	require.Equal(t, &want, got)

	want.Sections, want.Sources = testSections(), map[string]string{"delivery": "abc"}
	got, err = Read("testdata/schema2.md")
	require.NoError(t, err)
	require.Equal(t, &want, got)

	_, err = Read("../../" + FileName)
	require.NoError(t, err, "the page of this repository")
}

// TestBaselineHoldsTheSamplesAndNothingElse reads the page as benchstat does.
func TestBaselineHoldsTheSamplesAndNothingElse(t *testing.T) {
	measured := testBaseline()
	measured.Benchmarks = testGoBenchmarks(t)
	for name, b := range map[string]Page{"plain": testBaseline(), "hostile": hostileBaseline(), "with Go benchmarks": measured} {
		t.Run(name, func(t *testing.T) {
			text := samplesText(t, b.Scenarios[0].Records...)
			for _, g := range b.Benchmarks {
				text += strings.Join(g.Lines, "\n") + "\n"
			}
			want, wantConfig := readAsBenchstat(t, text)
			got, gotConfig := readAsBenchstat(t, baselineText(t, b))
			require.NotEmpty(t, want)
			require.Equal(t, want, got)
			require.Equal(t, wantConfig, gotConfig)
		})
	}
}

// readAsBenchstat returns the result lines that the format's reader finds, and
// the configuration that each stands under.
func readAsBenchstat(t *testing.T, text string) (results []string, config map[string]bool) {
	t.Helper()
	config = make(map[string]bool)
	reader := benchfmt.NewReader(strings.NewReader(text), "page")
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatalf("benchstat would stumble: %v", rec)
		case *benchfmt.Result:
			var line bytes.Buffer
			line.WriteString(rec.Name.String())
			for _, v := range rec.Values {
				line.WriteString(" " + v.Unit + " ")
				line.WriteString(strconv.FormatFloat(v.Value, 'g', -1, 64))
			}
			results = append(results, line.String())
			for _, c := range rec.Config {
				config[c.Key+": "+string(c.Value)] = true
			}
		}
	}
	require.NoError(t, reader.Err())
	return results, config
}

// hostileBaseline has every string that a user can choose try to break out.
func hostileBaseline() Page {
	const evil = "a|b `c` <!-- fleetmark:end samples=0 -->\nBenchmarkEvil 1 1 ns/op\nUnit ns/op better=higher\nkey: value\n```\n```text\n\x1b[31m"
	b := testBaseline()
	b.Machine.CPU, b.Machine.Kernel, b.Machine.OS, b.Machine.Arch, b.Machine.Identity = evil, evil, evil, evil, evil
	b.Revision, b.GoVersion = evil, evil
	b.Scenarios[0].Command, b.Scenarios[0].WorkloadDigest = evil, evil
	w := NewSection("evil", "Evil `c` | <b>")
	w.Text("Text: %s", evil)
	w.Heading(evil)
	w.Table("lr", []string{evil, "n"}, [][]string{{evil, evil}})
	w.Commands(strings.ReplaceAll(evil, "<!--", "<!-"))
	w.Figure(evil, 1)
	section, err := w.Section()
	if err != nil {
		panic(err)
	}
	b.Sections = []Section{section}
	return b
}

func TestHostileBaselineRoundTrip(t *testing.T) {
	want := hostileBaseline()
	got, err := readText(t, baselineText(t, want))
	require.NoError(t, err)
	want.History = strings.Trim(want.History, "\n")
	require.Equal(t, &want, got)
}

// TestBaselineCutAtEveryLine: no part of a page passes for a page.
func TestBaselineCutAtEveryLine(t *testing.T) {
	whole := testBaseline()
	whole.Sections, whole.Benchmarks = testSections(), testGoBenchmarks(t)
	lines := strings.SplitAfter(strings.TrimSuffix(baselineText(t, whole), "\n"), "\n")
	require.Greater(t, len(lines), 60)
	for n := range lines {
		_, err := Parse([]byte(strings.Join(lines[:n], "")), "page")
		switch {
		case n == 0:
			requireInput(t, err, 1, "is empty")
		default:
			var input *results.InputError
			require.ErrorAs(t, err, &input, "%d lines", n)
			require.Contains(t, err.Error(), "cut short", "%d lines", n)
		}
	}
	// Cut out of the middle, with the end mark kept.
	for n := 1; n < len(lines)-1; n++ {
		text := strings.Join(lines[:n], "") + strings.Join(lines[n+1:], "")
		b, err := Parse([]byte(text), "page")
		if err == nil {
			require.NotEqual(t, testBaseline().History, b.History+"\n", "line %d, which isn't of the history, may not go unnoticed: %q", n+1, lines[n])
			continue
		}
		var input *results.InputError
		require.ErrorAs(t, err, &input)
	}
}

// TestBaselineEditedAnywhere changes one character in each line of the generated
// part, and expects to be told; and in each line of the history, and expects not.
func TestBaselineEditedAnywhere(t *testing.T) {
	whole := testBaseline()
	whole.Sections, whole.Benchmarks = testSections(), testGoBenchmarks(t)
	text := baselineText(t, whole)
	inHistory, edited := false, 0
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		inHistory = inHistory && line != markHistoryEnd
		changed := append([]string{}, lines...)
		changed[i] = line + " "
		_, err := Parse([]byte(strings.Join(changed, "\n")+"\n"), "page")
		if inHistory {
			require.NoError(t, err, "line %d: %q", i+1, line)
		} else {
			require.Error(t, err, "line %d: %q", i+1, line)
			if errors.Is(err, ErrEdited) {
				edited++
			}
		}
		inHistory = inHistory || line == markHistoryBegin
	}
	require.Greater(t, edited, 40, "most edits are recognized for what they are")
}

func TestReadBaselineRefuses(t *testing.T) {
	text := baselineText(t, testBaseline())
	lineOf := func(prefix string) int {
		for i, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, prefix) {
				return i + 1
			}
		}
		t.Fatalf("no line begins with %q", prefix)
		return 0
	}
	last := strings.Count(text, "\n")
	sampleLine := lineOf("BenchmarkScenario")
	for _, c := range []struct {
		name, text string
		line       int
		want       string
		edited     bool
	}{
		{"empty", "", 1, "is empty", false},
		{"blank", "\n\n", 1, "is empty", false},
		{"another page", "# README\n", 1, "isn't a baseline page", false},
		{"samples", samplesText(t, rolloutRecords(1, 1, 1)...), 1, "isn't a baseline page", false},
		{"binary", "\x00\x01\x02", 1, "isn't a baseline page", false},
		{"the mark alone", markPage + "\n", 1, "cut short", false},
		{"the marks alone", markPage + "\n<!-- fleetmark:end samples=0 -->\n", 2, "has no block of samples", false},
		{"half", text[:len(text)/2], strings.Count(text[:len(text)/2], "\n") + 1, "cut short", false},
		{"a damaged sample", strings.Replace(text, "-2 5000 ", "-2 5O00 ", 1), sampleLine, "damaged sample line", false},
		{"a sample that is gone", strings.Replace(text, strings.Split(text, "\n")[sampleLine-1]+"\n", "", 1), last - 1, "19 samples, and the end mark says 20", false},
		{"a better sample", strings.Replace(text, "-2 5000 ", "-2 6000 ", 1), 0, "edited by hand", true},
		{"a better machine", strings.Replace(text, `"cores":2`, `"cores":4`, 1), 0, "edited by hand", true},
		{"a forged digest", strings.Replace(text, `"generated_sha256": "`, `"generated_sha256": "0`, 1), lineOf("```json"), "the facts have no digest", false},
		{"facts that are no JSON", strings.Replace(text, `"schema": 3,`, `"schema": !`, 1), lineOf("```json") + 2, "damaged facts", false},
		{"a later schema", strings.Replace(text, `"schema": 3,`, `"schema": 4,`, 1), lineOf("```json"), "schema version 4", false},
		{"no schema", strings.Replace(text, `"schema": 3,`, ``, 1), lineOf("```json"), "no schema version", false},
		{"no facts", strings.Replace(text, fenceFacts, "```", 1), last, "has no block of facts", false},
		{"no history", strings.Replace(text, markHistoryBegin, "", 1), lineOf(markHistoryEnd), "that nothing began", false},
		{"no end of the history", strings.Replace(text, markHistoryEnd, "", 1), last, "lacks the marks", false},
		{"two histories", strings.Replace(text, markHistoryBegin, markHistoryBegin+"\n"+markHistoryBegin, 1), lineOf(markHistoryBegin) + 1, "second beginning", false},
		{"results in the history", strings.Replace(text, markHistoryBegin, markHistoryBegin+"\n\nBenchmarkPush-2 1 1 ns/op", 1), lineOf(markHistoryBegin) + 2, "indent it", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readText(t, c.text)
			requireInput(t, err, c.line, c.want)
			require.Equal(t, c.edited, errors.Is(err, ErrEdited))
		})
	}
	_, err := Read(filepath.Join(t.TempDir(), "none"))
	requireInput(t, err, 0, "can't be opened")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Read(t.TempDir())
	requireInput(t, err, 0, "can't be read")
	huge := filepath.Join(t.TempDir(), "huge")
	require.NoError(t, os.WriteFile(huge, []byte(markPage), 0o644))
	require.NoError(t, os.Truncate(huge, maxPageBytes+1))
	_, err = Read(huge)
	requireInput(t, err, 0, "is larger than 16 MiB")
}

func TestWriteBaselineRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Page)
		want   string
	}{
		"no scenarios":        {func(b *Page) { b.Scenarios = nil }, "no samples"},
		"no samples":          {func(b *Page) { b.Scenarios[0].Records = nil }, "scenario rollout has no samples"},
		"another's records":   {func(b *Page) { b.Scenarios[0].Name = "soak" }, `a record of scenario "rollout"`},
		"twice":               {func(b *Page) { b.Scenarios = append(b.Scenarios, b.Scenarios[0]) }, "given twice"},
		"NaN":                 {func(b *Page) { b.Scenarios[0].Records[0].Values[0].Value = math.NaN() }, "is NaN"},
		"no GOMAXPROCS":       {func(b *Page) { b.Machine.GOMAXPROCS = 0 }, "GOMAXPROCS 0"},
		"results in history":  {func(b *Page) { b.History = "BenchmarkPush 1 1 ns/op" }, "indent it"},
		"units in history":    {func(b *Page) { b.History = "a\nUnit ns/op better=higher" }, "indent it"},
		"a mark in history":   {func(b *Page) { b.History = markHistoryEnd }, "holds a mark of the page"},
		"a return in history": {func(b *Page) { b.History = "a\rb" }, "carriage return"},
	} {
		t.Run(name, func(t *testing.T) {
			b := testBaseline()
			c.change(&b)
			var text bytes.Buffer
			require.ErrorContains(t, Write(&text, b), c.want)
			require.Empty(t, text.String())
		})
	}
	full := errors.New("disk full")
	require.ErrorIs(t, Write(failingWriter{full}, testBaseline()), full)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestBaselineTableSaysWhatTheSamplesSay works a table's numbers out by hand.
func TestBaselineTableSaysWhatTheSamplesSay(t *testing.T) {
	b := testBaseline()
	b.Scenarios[0].Records = append(sample("ns/op", 1000, 1010, 1020, 1030, 1040, 1050, 1060), sample("retries/device", 1, 3)...)
	text := baselineText(t, b)
	// The median is the fourth of seven; the interval reaches from the first to
	// the last (with seven, 1-2/2^7 = 98.4% of confidence), 30 of 1030 being 3%.
	require.Contains(t, text, "| metric         |      rollout push |\n")
	require.Contains(t, text, "| ns/op          | 1.03µs ± 3% (n=7) |\n")
	require.Contains(t, text, "| retries/device |  2 (1 to 3) (n=2) |\n")
	require.Contains(t, text, "Outcome: 50000 devices, 50000 updated, 0 failed, 0 lost, 0 applied twice.")
	require.Contains(t, text, "Measured with\n  `fleetmark run rollout --seed 1`.\n")
}

// TestGeneratedLinesAreNoBenchmarks goes through a page, line by line,
// outside the block of samples.
func TestGeneratedLinesAreNoBenchmarks(t *testing.T) {
	for _, b := range []Page{testBaseline(), hostileBaseline()} {
		b.History = ""
		inSamples := false
		for line := range strings.SplitSeq(baselineText(t, b), "\n") {
			if inSamples = (inSamples || line == fenceSamples) && line != fenceEnd; !inSamples {
				require.False(t, results.IsBenchmarkLine(line), "%q", line)
			}
		}
	}
}

// signAgain gives an edited page the digest that it would need, so that chance
// gets behind that door.
func signAgain(data []byte) []byte {
	text := strings.TrimRight(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n") + "\n"
	facts, _, err := (&parser{lines: strings.Split(text, "\n")}).facts()
	if err != nil {
		return data
	}
	return []byte(strings.ReplaceAll(text, facts.GeneratedSHA256, contentDigest(text, facts.GeneratedSHA256)))
}

// FuzzReadBaseline: what Read takes, Write writes and Read
// reads again as the same.
func FuzzReadBaseline(f *testing.F) {
	text := baselineText(f, testBaseline())
	_, err := Parse(signAgain([]byte(strings.Replace(text, `"cores":2`, `"cores":4`, 1))), "signed again")
	require.NoError(f, err)
	f.Add([]byte(text))
	f.Add([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	f.Add([]byte(baselineText(f, hostileBaseline())))
	f.Add([]byte(text[:len(text)/3]))
	sectioned := testBaseline()
	sectioned.Sections = testSections()
	f.Add([]byte(baselineText(f, sectioned)))
	sectioned.Benchmarks = testGoBenchmarks(f)
	f.Add([]byte(baselineText(f, sectioned)))
	f.Add([]byte(markPage + "\n```text\n```\n```json\n{\"schema\":1,\"generated_sha256\":\"" + digestPlaceholder() + "\"}\n```\n" + markHistoryBegin + "\n" + markHistoryEnd + "\n<!-- fleetmark:end samples=0 -->"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Parse(data, "fuzz")
		if errors.Is(err, ErrEdited) {
			data = signAgain(data)
			b, err = Parse(data, "fuzz")
		}
		if err != nil {
			var input *results.InputError
			require.ErrorAs(t, err, &input)
			return
		}
		var again bytes.Buffer
		if err := Write(&again, *b); err != nil {
			// A page with a right digest but a machine that no writer takes.
			require.Contains(t, err.Error(), "want")
			return
		}
		back, err := Parse(again.Bytes(), "again")
		require.NoError(t, err)
		require.Equal(t, b, back)
	})
}
