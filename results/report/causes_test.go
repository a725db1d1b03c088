package report_test

import (
	"bytes"
	"html"
	"slices"
	"strings"
	"testing"

	"github.com/joshdk/go-junit"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/ci"
)

// explained returns an input with causes in a CPU profile, and none in an allocation profile.
func explained() *report.Input {
	low, high := 0.7, 1.2
	s := gateInput()
	s.Causes = []report.Cause{{Scenario: "gate-push", Kind: "cpu", Explanation: &explain.Explanation{
		Unit: "nanoseconds", Sample: "cpu", Paired: true, Base: 50, Now: 50, Operations: [2]int64{1000, 900}, Alpha: 0.01,
		Tests: 99, Notes: []string{"profiled on different machines"},
		Total: explain.Change{Base: 17_000, Now: 18_500, Delta: 1500, Low: 1200, High: 1800, P: 0.0002, Significant: true},
		Causes: []explain.Cause{{
			Function: "own/<delivery>.(*Client).push",
			Change:   explain.Change{Now: 1400, Delta: 1400, Low: 1200, High: 1600, P: 0.0002, Significant: true},
			Share:    0.93, ShareLow: &low, ShareHigh: &high,
			Lines:   []explain.Contribution{{Name: "client.go:77", Delta: 1300}},
			Callees: []explain.Contribution{{Name: "crypto/sha256.block", Delta: 1200}},
			Callers: []explain.Contribution{{Name: "own/delivery.(*Client).Push client.go:60", Delta: 1400}},
		}},
		Functions: []explain.Function{{Name: "crypto/sha256.block", Change: explain.Change{Delta: 1200, Significant: true}}},
	}}, {Scenario: "gate-push", Kind: "allocs", Explanation: &explain.Explanation{
		Unit: "bytes", Sample: "alloc_space", Paired: true, Base: 8, Now: 8, Causes: []explain.Cause{},
		Functions: []explain.Function{},
	}}}
	return s
}

func TestShortName(t *testing.T) {
	for long, want := range map[string]string{
		"github.com/fleetmark/fleetmark/delivery.(*Client).push":            "delivery.(*Client).push",
		"example.com/m/pkg.Map[go.shape.string,example.com/m/other.T].get":  "pkg.Map[go.shape.string,example.com/m/other.T].get",
		"example.com/m/pkg.(*T[example.com/m/other.U]).Method client.go:60": "pkg.(*T[example.com/m/other.U]).Method client.go:60",
		"internal/runtime/syscall/linux.Syscall6":                           "internal/runtime/syscall/linux.Syscall6",
		"crypto/sha256.block": "crypto/sha256.block",
		"runtime.mallocgc":    "runtime.mallocgc",
		"(scheduler)":         "(scheduler)",
		"client.go:77":        "client.go:77",
		"main.work":           "main.work",
		"":                    "",
	} {
		require.Equal(t, want, report.FunctionName(long))
	}
}

func TestReportsSayWhy(t *testing.T) {
	s := explained()
	page := textOf(rendered(t, comment1(t, s)))
	for form, text := range map[string]string{"comment": page, "html": htmlPageOf(t, s)} {
		for _, says := range []string{
			"profiles of cpu by turns: an operation costs +1.5µs (+1.2µs to +1.8µs), +8.8%", "(*Client).push",
			"93% (70% to 120%)", "client.go:77", "crypto/sha256.block", "Note: profiled on different machines.",
			"no function's cost changed by more than chance would have it",
		} {
			require.Contains(t, unescaped(text), says, form)
		}
	}
	suites, err := junit.Ingest(junitOf(t, s))
	require.NoError(t, err)
	require.Contains(t, suites[0].Tests[0].Error.Error(),
		"own/<delivery>.(*Client).push: +1.4µs (+1.2µs to +1.6µs), 93% (70% to 120%) of the whole, at client.go:77, in crypto/sha256.block, for own/delivery.(*Client).Push client.go:60")
	var told bytes.Buffer
	require.NoError(t, ci.Annotations(&told, documentOf(s)))
	require.Regexp(t, `(?m)^::notice title=Fleetmark [^:]*%3A why::.*at client.go:77.*$`, told.String())
	require.NotContains(t, htmlPageOf(t, s), "<delivery>")
	require.NoError(t, compiled(t, true).Validate(jsonOf(t, s)))
	require.Len(t, documentOf(s, gateInput()).Combined("both").Causes, 2)
	many := explained()
	many.Causes = slices.Repeat(many.Causes, 3)
	require.Equal(t, 6, strings.Count(htmlPageOf(t, many), "<h2>Why: "), "every cause has its heading")
}

// unescaped undoes the escapes of a page.
func unescaped(text string) string { return html.UnescapeString(text) }

// TestReportsQuoteNames checks that names of functions, which come from a profile, can't control a
// terminal.
func TestReportsQuoteNames(t *testing.T) {
	s := explained()
	k := &s.Causes[0].Explanation.Causes[0]
	k.Function, k.Lines[0].Name = "own.evil\x1b[2J", "turned\u202e.go:7"
	var told bytes.Buffer
	require.NoError(t, ci.Annotations(&told, documentOf(s)))
	for form, text := range map[string]string{
		"comment": comment1(t, s), "html": htmlPageOf(t, s), "junit": string(junitOf(t, s)), "annotations": told.String(),
	} {
		require.NotContains(t, text, "\x1b", form)
		require.NotContains(t, text, "\u202e", form)
		for _, shown := range []string{`evil\x1b`, `turned\u202e.go:7`} {
			require.Contains(t, strings.ReplaceAll(unescaped(text), `\\`, `\`), shown, form)
		}
	}
}
