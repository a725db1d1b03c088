package baseline

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

func TestWrite_roundTrip(t *testing.T) {
	second := throughputScenario()
	second.Package = "example.com/acme"
	want := testPage()
	want.Scenarios = append(want.Scenarios, second)
	want.Benchmarks = testGoBenchmarks(t)
	want.Sections, want.Sources = testSections(), map[string]string{"delivery": "abc"}
	got, err := readText(t, pageText(t, want))
	require.NoError(t, err)
	want.History = strings.Trim(want.History, "\n")
	require.Equal(t, &want, got)
	require.Equal(t, pageText(t, want), pageText(t, *got), "the same bytes again")

	found, ok := got.Scenario("throughput")
	require.True(t, ok)
	require.Equal(t, second, *found)
	text := pageText(t, want)
	require.Contains(t, text, "\npkg: example.com/acme\n")
	require.Less(t, strings.Index(text, "\npkg: github.com/fleetmark/fleetmark/delivery\n"),
		strings.Index(text, "\npkg: example.com/acme\n"))
	_, ok = got.Scenario("soak")
	require.False(t, ok)
}

func TestWrite_inAnotherTimeZone(t *testing.T) {
	there := testPage()
	there.Created = there.Created.Add(999 * time.Millisecond).In(time.FixedZone("", -3600))
	require.Equal(t, pageText(t, testPage()), pageText(t, there))
}

// TestWrite_holdsTheSamplesAndNothingElse checks that benchstat finds the samples on a page and no
// other results.
func TestWrite_holdsTheSamplesAndNothingElse(t *testing.T) {
	measured := testPage()
	measured.Benchmarks = testGoBenchmarks(t)
	for name, b := range map[string]Page{"plain": testPage(), "hostile": hostilePage(), "with Go benchmarks": measured} {
		t.Run(name, func(t *testing.T) {
			text := samplesText(t, b.Scenarios[0].Records...)
			for _, g := range b.Benchmarks {
				text += strings.Join(g.Lines, "\n") + "\n"
			}
			want, wantConfig := readAsBenchstat(t, text)
			got, gotConfig := readAsBenchstat(t, pageText(t, b))
			require.NotEmpty(t, want)
			require.Equal(t, want, got)
			require.Equal(t, wantConfig, gotConfig)
		})
	}
}

func TestWrite_hostileTexts(t *testing.T) {
	want := hostilePage()
	got, err := readText(t, pageText(t, want))
	require.NoError(t, err)
	want.History = strings.Trim(want.History, "\n")
	require.Equal(t, &want, got)
}

func TestWrite_refuses(t *testing.T) {
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
			b := testPage()
			c.change(&b)
			var text bytes.Buffer
			require.ErrorContains(t, Write(&text, b), c.want)
			require.Empty(t, text.String())
		})
	}
	full := errors.New("disk full")
	require.ErrorIs(t, Write(failingWriter{full}, testPage()), full)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestWrite_table compares the table with figures that were computed by hand.
func TestWrite_table(t *testing.T) {
	b := testPage()
	b.Scenarios[0].Records = append(sample("ns/op", 1000, 1010, 1020, 1030, 1040, 1050, 1060),
		sample("retries/device", 1, 3)...)
	text := pageText(t, b)
	// The median is the fourth of seven values. The interval reaches from the first to the last,
	// which has a confidence of 1-2/2^7 = 98.4%; 30 is 3% of 1030.
	require.Contains(t, text, "| metric         |      rollout push |\n")
	require.Contains(t, text, "| ns/op          | 1.03µs ± 3% (n=7) |\n")
	require.Contains(t, text, "| retries/device |  2 (1 to 3) (n=2) |\n")
	require.Contains(t, text, "Outcome: 50000 devices, 50000 updated, 0 failed, 0 lost, 0 applied twice.")
	require.Contains(t, text, "Measured with\n  `fleetmark run rollout --seed 1`.\n")
}

// TestWrite_linesAreNoBenchmarks checks that no line outside the blocks of samples is in the Go
// benchmark format.
func TestWrite_linesAreNoBenchmarks(t *testing.T) {
	for _, b := range []Page{testPage(), hostilePage()} {
		b.History = ""
		inSamples := false
		for line := range strings.SplitSeq(pageText(t, b), "\n") {
			if inSamples = (inSamples || line == fenceSamples) && line != fenceEnd; !inSamples {
				require.False(t, results.IsBenchmarkLine(line), "%q", line)
			}
		}
	}
}
