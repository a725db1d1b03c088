package report_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
)

const (
	openSpec = `{"description":"does a stall <show>?","load":{"model":"constant","operation":"deliver","rate":"100/s"}}`
	second   = time.Second
)

// stalled returns ten seconds at 100/s, in which nothing ends from the fourth to the seventh
// second.
func stalled() []timeline.Interval {
	return intervalsOf(1, openLoad(100, 10*second, 3*second, 7*second), second, true)
}

// lines returns intervals as lines of timeline.jsonl.
func lines(intervals ...timeline.Interval) (file []byte) {
	for i := range intervals {
		file = intervals[i].AppendLine(file)
	}
	return file
}

func steady() []timeline.Interval {
	return intervalsOf(1, openLoad(100, 10*second, 0, 0), second, true)
}

// panelsOf returns the plots of a page by the end of their ids, each with its scale.
func panelsOf(t testing.TB, page string) map[string][2]string {
	t.Helper()
	panels := map[string][2]string{}
	for _, drawing := range regexp.MustCompile(`(?s)<div class="drawing">(.*?)</div>`).FindAllStringSubmatch(page, -1) {
		scale, plot, found := strings.Cut(drawing[1], `<svg class="wide" role="img" aria-labelledby="`)
		require.True(t, found)
		id, _, _ := strings.Cut(plot, "-t ")
		panels[strings.TrimPrefix(id, "when-0-")] = [2]string{scale, plot}
	}
	return panels
}

// pathOf returns the path of a class in a plot.
func pathOf(t testing.TB, plot, class string) string {
	t.Helper()
	m := regexp.MustCompile(`<path class="` + class + `" d="([^"]*)"/>`).FindStringSubmatch(plot)
	require.NotNil(t, m, class)
	return m[1]
}

// TestTimelineOfAStall checks that four seconds in which nothing ended are a gap, and that the
// burst after it is the peak.
func TestTimelineOfAStall(t *testing.T) {
	in := timedInput(withTimeline(t, testRun(), openSpec, stalled()), nil)
	page := htmlPageOf(t, in)
	requireBalanced(t, page)
	require.Contains(t, page, `<p class="question">does a stall &lt;show&gt;?</p>`)
	require.Contains(t, page, `<dt>failed operations</dt><dd><strong>0</strong> <span class="note">of 1,000</span>`)
	require.Contains(t, page, "Nothing ended from 3s to 7s, and 400 operations waited; after it up to 500/s ended.")
	require.Contains(t, page, ">nothing ended for 4s</text>")
	require.Equal(t, 1, strings.Count(page, "<summary>The numbers, step by step</summary>"))
	require.Contains(t, page, `<tr><th scope="row">3s</th><td class="n">100</td><td class="n">100</td><td class="n">0</td>`+
		`<td class="n">0</td><td class="n">0</td><td class="n">100</td><td class="n">–</td>`)
	panels := panelsOf(t, page)
	require.Len(t, panels, 3, "nothing failed")

	// Ten seconds are 1000 units wide. 0 is at 129 pixels, the peak of 500/s at 17, and 100/s a
	// fifth of the way from one to the other.
	rate := panels["now-rate"][1]
	require.Equal(t, "M0 106.6H300V129H700V17H800V106.6H1000", regexp.MustCompile(`(H\d+)(H\d+)+`).ReplaceAllStringFunc(
		pathOf(t, rate, "main"), func(s string) string { return s[strings.LastIndex(s, "H"):] }))
	require.Contains(t, rate, `<text class="peak" x="75%" y="12" text-anchor="middle">500/s</text>`)
	require.Contains(t, rate, "<title>3s to 4s: planned 100/s, succeeded 0</title>")
	require.Contains(t, rate, "<title>7s to 8s: planned 100/s, succeeded 500/s</title>")
	require.Equal(t, "M300 0H700V130H300z", pathOf(t, rate, "stall"))
	for _, class := range []string{"main", "p99", "max"} {
		path := pathOf(t, panels["now-latency"][1], class)
		require.Equal(t, 2, strings.Count(path, "M"), "a line before the gap, and one after it: %s", path)
		require.Regexp(t, `H300M700 `, path)
	}
	require.Contains(t, panels["now-latency"][1], "<title>5s to 6s: nothing succeeded</title>")
	require.Contains(t, panels["now-waiting"][1], "<title>6s to 7s: 400 in flight, 0 due and not sent</title>")

	var b bytes.Buffer
	require.NoError(t, report.Markdown(&b, documentOf(in)))
	require.Contains(t, b.String(), "## When it happened\n\n- Nothing ended from 3s to 7s")
}

// TestTimelineScalesAreShared checks that both sides of a comparison have the same scales, and each
// its own numbers.
func TestTimelineScalesAreShared(t *testing.T) {
	base, now := withTimeline(t, testRun(), openSpec, steady()), withTimeline(t, testRun(), openSpec, stalled())
	page := htmlPageOf(t, timedInput(now, &base))
	requireBalanced(t, page)
	require.Contains(t, page, "Both sides have the same scales.")
	panels := panelsOf(t, page)
	require.Len(t, panels, 6)
	for _, name := range []string{"rate", "latency", "waiting"} {
		require.Equal(t, panels["base-"+name][0], panels["now-"+name][0])
		require.Contains(t, panels["now-"+name][0], "<text")
	}
	require.Equal(t, "M0 106.6H1000", regexp.MustCompile(`(H\d+)+`).ReplaceAllString(
		pathOf(t, panels["base-rate"][1], "main"), "H1000"))
	require.Less(t, strings.Index(page, "when-0-base-rate"), strings.Index(page, "when-0-now-rate"))
	require.Contains(t, page, `<span class="from">base: 1.32ms <span class="tag pass">0.0%</span></span>`)
	require.Contains(t, page, "The numbers, step by step, base")
}

// TestTimelineIsBounded writes an hour of three operations, with a plan, of two runs, and a run
// with many repetitions.
func TestTimelineIsBounded(t *testing.T) {
	testenv.SlowRaced(t)
	hour := intervalsOf(1, openLoad(4, time.Hour, 1000*second, 1020*second), second, true)
	require.Len(t, hour, 3600)
	side := withTimeline(t, testRun(), openSpec, hour)
	page := htmlPageOf(t, timedInput(side, &side))
	require.Less(t, len(page), 2<<20)
	require.Contains(t, page, "Each step of the plots, and each row of the table, is 10 intervals.")
	require.Contains(t, page, "Nothing ended from 16m40s to 17m", "a stall is found in the intervals themselves")
	require.LessOrEqual(t, strings.Count(panelsOf(t, page)["now-rate"][1], "<title>"), 360)
	require.Contains(t, page, ">20m</text>")

	var repetitions [][]timeline.Interval
	for i := range 500 {
		repetitions = append(repetitions, intervalsOf(i+1, openLoad(100, second/2, 0, 0), second/10, true))
	}
	page = htmlPageOf(t, timedInput(withTimeline(t, testRun(), openSpec, repetitions...), nil))
	require.Less(t, len(page), 1<<20)
	require.Contains(t, page, "Left out are 460 repetitions after the first 28; timeline.jsonl has them.")
	require.Contains(t, page, "<title>repetition 500, 400ms to 500ms: ", "the last one is shown")
}

func TestTimelineShowsWavesAndRepetitions(t *testing.T) {
	page := htmlPageOf(t, timedInput(withTimeline(t, testRun(), `{"load":{"model":"rollout","operation":"deliver"}}`,
		intervalsOf(1, rolloutLoad(), second/10, false)), nil))
	for _, label := range []string{">wave 1</text>", ">wave 2</text>", ">wave 3</text>", "wave 2 from 2.1s to 5s"} {
		require.Contains(t, page, label)
	}
	panels := panelsOf(t, page)
	require.Equal(t, 2, strings.Count(panels["now-rate"][1], `class="mark"`), "the first begins with the load")
	require.NotContains(t, panels["now-rate"][1], `class="planned"`)
	require.Contains(t, page, ">integrity, 41</span>") // of 40, 360 and 1600: 1, 8 and 32
	require.NotContains(t, page, "nothing ended for")

	var three [][]timeline.Interval
	for i := range 3 {
		three = append(three, intervalsOf(i+1, closedLoad(16, 2*second, 20*time.Millisecond, 40), second/10, false))
	}
	page = htmlPageOf(t, timedInput(withTimeline(t, testRun(), `{}`, three...), nil))
	require.Equal(t, 2, strings.Count(panelsOf(t, page)["now-rate"][1], `class="border"`))
	for _, label := range []string{`class="name" x="0%" y="11" text-anchor="start">1</text>`, ">2</text>", ">3</text>",
		"repetition 3, 100ms to 200ms: "} {
		require.Contains(t, page, label)
	}
}

// TestTimelineOfAPartialRepetition checks that a run that was interrupted in its first repetition
// shows that one, and its figures at the top.
func TestTimelineOfAPartialRepetition(t *testing.T) {
	run := brokenOff()
	run.Path, run.Spec = t.TempDir(), []byte(`{"load":{"operation":"push"}}`)
	require.NoError(t, os.WriteFile(filepath.Join(run.Path, rundir.PartialTimelineFile),
		lines(stalled()...), 0o600))
	in := runInput(run, nil)
	in.Now.Read()
	page := htmlPageOf(t, in)
	require.Contains(t, page, ">1, broken off</text>")
	require.Contains(t, page, `<dt>rate of push</dt><dd><strong>20.0/s</strong> <span class="note">partial repetition</span>`)
	require.Contains(t, page, `<dd><strong>5</strong> <span class="note">of 14,400, 0.0347%</span>`)
}

// TestTimelineEscapesClasses checks that names from a file are text, and that rare classes are one.
func TestTimelineEscapesClasses(t *testing.T) {
	v := timeline.Interval{Repetition: 1, EndNS: 1e9, Failed: 100, Classes: map[string]int64{}}
	for i := range 20 {
		v.Classes[fmt.Sprint(i, `"><script>`)] = int64(i)
	}
	page := htmlPageOf(t, timedInput(withTimeline(t, testRun(), `{}`, []timeline.Interval{v}), nil))
	requireBalanced(t, page)
	require.NotContains(t, page, "<script")
	panel := panelsOf(t, page)["now-failures"][1]
	require.Equal(t, 5, strings.Count(panel, `<path class="fail `), "four classes and the others")
	require.Contains(t, page, `19&#34;&gt;&lt;script&gt;, 19`)
	require.Contains(t, page, ">other, 30</span>") // of 100, without 19, 18, 17 and 16
}

// TestTimelineWithoutIntervals checks that a run of an earlier version has no such section.
func TestTimelineWithoutIntervals(t *testing.T) {
	page := htmlPageOf(t, wholeInput())
	require.NotContains(t, page, `id="when"`)
	require.NotContains(t, page, "When it happened")
	require.Contains(t, page, `<dl class="big">`)
}
