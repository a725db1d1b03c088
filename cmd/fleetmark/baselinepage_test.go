package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/census"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestThePageNamesTestsThatThereAre: an anti-pattern or a target that no test holds any
// more is no promise.
func TestThePageNamesTestsThatThereAre(t *testing.T) {
	there, err := census.Names("../..")
	require.NoError(t, err)
	check := func(test string) {
		room, name, ok := strings.Cut(test, ".")
		require.True(t, ok, test)
		require.True(t, slices.Contains(there[room]["Test"], name), "there is no test %s in %s", name, room)
	}
	for _, p := range antiPatterns() {
		require.NotEmpty(t, p.tests, p.what)
		for _, test := range p.tests {
			check(test)
		}
	}
	for _, target := range targets() {
		if strings.Contains(target.heldBy, "/") || target.heldBy == results.BaselineFile { // a file
			require.FileExists(t, "../../"+target.heldBy)
			continue
		}
		check(target.heldBy)
	}
}

func TestParseSections(t *testing.T) {
	for list, want := range map[string][]string{
		"all": measuredSections(), "none": nil, "time": {"time"}, "code, time": {"code", "time"},
	} {
		got, err := parseSections(list)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, list := range []string{"", "time,", "targets", "everything"} {
		_, err := parseSections(list)
		require.Equal(t, exitUsage, codeOf(err), list)
		require.ErrorContains(t, err, "want all, none, or some of operations, time")
	}
}

// pageOf is a page with one scenario, and nothing measured.
func pageOf(values ...results.Value) *results.Baseline {
	return &results.Baseline{Scenarios: []results.BaselineScenario{{
		Name: "rollout", Repetitions: 1, Records: []results.Record{{Scenario: "rollout", Op: "deliver", Repetition: 1, Ops: 1, Values: values}},
	}}}
}

func TestTargets(t *testing.T) {
	f := &findings{page: pageOf(results.Value{Unit: "requests/device", Value: 2}, results.Value{Unit: "retries/device", Value: 1}), why: map[string]string{}}
	require.NoError(t, f.sections())
	section, ok := f.page.Section(targetsSection)
	require.True(t, ok)
	row := func(what string) string {
		for line := range strings.SplitSeq(section.Body, "\n") {
			if strings.HasPrefix(line, "| "+what+" ") {
				return strings.Join(strings.Fields(line), " ")
			}
		}
		t.Fatalf("no row %q in\n%s", what, section.Body)
		return ""
	}
	require.Equal(t, "| requests a device in rollout | 2 | 2 | yes | `scenarios.TestRun` |", row("requests a device in rollout"))
	require.Equal(t, "| retries a device in rollout | 0 | 1 | no | `scenarios.TestRun` |", row("retries a device in rollout"))
	require.Contains(t, row("tests that failed"), "| 0 | not measured | – |")
	require.Contains(t, section.Body, "1 met, 1 not met, 12 not measured.")
}

func TestBound(t *testing.T) {
	require.True(t, atMost(2).holds(2))
	require.True(t, atMost(2).holds(1))
	require.False(t, atMost(2).holds(2.01))
	require.True(t, exactly(2).holds(2))
	require.False(t, exactly(2).holds(1))
}

// TestStale: a page is stale where the code would say otherwise, and not because time
// went by.
func TestStale(t *testing.T) {
	f := &findings{page: pageOf(results.Value{Unit: "ns/op", Value: 2}), why: map[string]string{}}
	require.NoError(t, f.sections())
	check := func(change func(*results.Baseline)) []string {
		page := *f.page
		page.Sections = slices.Clone(page.Sections)
		change(&page)
		stale, err := (&findings{page: &page}).stale()
		require.NoError(t, err)
		return stale
	}
	require.Empty(t, check(func(*results.Baseline) {}))
	require.Equal(t, []string{`says under "Targets" what the code no longer says`}, check(func(b *results.Baseline) { b.Sections[0].Body += "x" }))
	require.Empty(t, check(func(b *results.Baseline) { b.Sections[1].Body += "x" }), "what was measured is the page's own")
	stale := check(func(b *results.Baseline) { b.Sections = nil })
	require.Len(t, stale, 1)
	require.Contains(t, stale[0], "has the sections none, and they are targets, operations")
	require.Empty(t, vanishedUnits(f.page))
	require.Equal(t, []string{"has the metric unheard-of in scenario rollout, which there isn't any more"},
		vanishedUnits(pageOf(results.Value{Unit: "unheard-of", Value: 1})))

	// Writing the text anew mends it, and keeps what was measured.
	f.page.Sections[0].Body, f.page.Sections[1].Body = "Edited.", "Measured."
	again := &findings{page: f.page, kept: f.page.Sections}
	require.NoError(t, again.sections())
	require.Equal(t, "Measured.", again.page.Sections[1].Body)
	require.Empty(t, check(func(*results.Baseline) {}))
}

// TestEveryExtraRunIsOneThatCanBeHad: the commands on the page do what the table holds.
func TestEveryExtraRunIsOneThatCanBeHad(t *testing.T) {
	for _, e := range extraRuns() {
		require.Contains(t, []scenarios.Operation{scenarios.Push, scenarios.Verify, scenarios.Deliver}, e.operation)
		require.Contains(t, e.command, "load.operation="+string(e.operation))
	}
}

func TestFewDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.001: "0.001", 0.1364: "0.1", 0.05: "0.05", 2: "2", 2.25: "2.2", 16925.11: "16925.1", -0.5: "-0.5"} {
		require.Equal(t, want, fewDigits(v))
	}
}

func TestWithoutPlaces(t *testing.T) {
	for command, want := range map[string]string{
		"fleetmark run rollout": "fleetmark run rollout",
		"fleetmark run rollout --out /home/somebody/runs --repeat 3": "fleetmark run rollout --repeat 3",
		"fleetmark run --out='a place' --baseline '/b c' --seed 1":   "fleetmark run --seed 1",
	} {
		require.Equal(t, want, withoutPlaces(command))
	}
}
