package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// row returns a row with ten samples on either side, around these medians.
func row(op, unit string, base, now float64, verdict results.Verdict, note string) Row {
	known, _ := results.LookupUnit(unit)
	known.Name = unit
	around := func(median float64) *results.Summary {
		var values []float64
		for i := range 11 {
			values = append(values, median*(1+float64(i-5)/1000))
		}
		return results.Summarize(values, known.Exact)
	}
	delta, p := now/base-1, 0.0001
	r := Row{Row: judge.Row{Scenario: "rollout", Op: op, Unit: known, Base: around(base), Now: around(now),
		Delta: &delta, P: &p, Verdict: verdict}, Note: note}
	if known.Exact {
		r.P = nil
	}
	return r
}

func judged(rows ...Row) *Document {
	r := &Result{Scenario: "rollout", Verdict: results.Regressed, Reason: "push is slower", HasBaseline: true, Rows: rows}
	return &Document{Mode: ModeBench, Verdict: r.Verdict, Results: []*Result{r}, ABTest: &ABTest{}}
}

func terminalText(t *testing.T, d *Document, style Style) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Terminal(&b, d, style))
	return b.String()
}

func fourRows() *Document {
	missing := row("push", "wire-B/device", 5, 5, results.Regressed, "missing now")
	missing.Now, missing.Delta = nil, nil
	zero := row("push", "retries/device", 0, 0.5, results.Regressed, "")
	zero.Delta = nil
	return judged(row("push", "ns/op", 13200, 23200, results.Regressed, ""),
		row("push", "B/op", 65536, 65536, results.Pass, ""), missing, zero)
}

func TestTerminal_benchRows(t *testing.T) {
	text := terminalText(t, fourRows(), Style{})
	lines := strings.Split(text, "\n")
	require.Equal(t, "operation metric baseline now delta p verdict", strings.Join(strings.Fields(lines[0]), " "))
	for i, want := range []string{
		"push ns/op 13.2µs ± 0% 23.2µs ± 0% +75.8% <0.001 regressed", "B/op 64.0KiB ± 0% 64.0KiB ± 0% 0.0% <0.001 pass",
		"wire-B/device 5B – regressed (1)", "retries/device 0 0.5 ? regressed", "(1) missing now", "",
		"regressed: push is slower",
	} {
		require.Equal(t, want, strings.Join(strings.Fields(lines[i+2]), " "))
	}
	alone := fourRows()
	alone.Results[0].HasBaseline = false
	require.NotContains(t, terminalText(t, alone, Style{}), "delta")
}

func TestTerminal_benchRowsFitItsWidth(t *testing.T) {
	d := fourRows()
	of := func(width int) string { return terminalText(t, d, Style{Style: texttable.Style{Width: width}}) }
	wide := of(0)
	require.Contains(t, wide, "±")
	width := widest(wide)
	require.Equal(t, wide, of(width))
	shows := fmt.Sprintf("; COLUMNS=%d shows all\n", width)
	medium := of(width - 1)
	require.NotContains(t, medium, "±")
	require.Contains(t, medium, "<0.001")
	require.Contains(t, medium, "\nleft out: intervals"+shows)
	head := func(width int) string {
		first, _, _ := strings.Cut(of(width), "\n")
		return strings.Join(strings.Fields(first), " ")
	}
	narrower := widest(medium) - 1
	require.Equal(t, "operation metric baseline now delta verdict", head(narrower))
	require.Contains(t, of(narrower), "\nleft out: intervals, p"+shows)
	for at := 45; at <= width; at++ {
		require.LessOrEqual(t, widest(terminalText(t, d, Style{Style: texttable.Style{Width: at, Color: true}})), at)
	}
}

func TestTerminal_benchRowsColor(t *testing.T) {
	d := fourRows()
	plain, colored := terminalText(t, d, Style{}), terminalText(t, d, Style{Style: texttable.Style{Color: true}})
	require.NotContains(t, plain, "\x1b")
	require.Contains(t, colored, "\x1b[31mregressed\x1b[0m")
	require.Equal(t, plain, regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(colored, ""), "color takes no room")
}

// TestFoldRows checks that key metrics come first, in the order rate, p50, p99, failures, and those
// of the whole delivery before those of its parts.
func TestFoldRows(t *testing.T) {
	var rows []Row
	for _, name := range []string{"push ns/op", "push p50-ns/op", "push p99-ns/op", "deliver B/op", "deliver p99-ns/op",
		"deliver p50-ns/op", "deliver failed/device", "deliver ops/s"} {
		op, unit, _ := strings.Cut(name, " ")
		rows = append(rows, row(op, unit, 100, 100, results.Pass, ""))
	}
	rows[0].Verdict = "" // otherwise all rows are shown unchanged
	shown, folded := foldRows(rows, true)
	var names []string
	for _, r := range shown {
		names = append(names, r.Op+" "+r.Unit.Name)
	}
	require.Equal(t, []string{
		"deliver ops/s", "deliver p50-ns/op", "deliver p99-ns/op", "deliver failed/device", "push p50-ns/op",
		"push p99-ns/op", "deliver B/op",
	}, names)
	require.Contains(t, folded, "1 time isn't judged")
	same, folded := foldRows(rows, false)
	require.Equal(t, rows, same)
	require.Empty(t, folded)
}

func TestRowTable_severalScenarios(t *testing.T) {
	other := row("push", "ns/op", 1, 1, results.Pass, "")
	other.Scenario = "soak"
	text := terminalText(t, judged(row("push", "ns/op", 1, 1, results.Pass, ""), other), Style{})
	require.Contains(t, text, "rollout push")
	require.Contains(t, text, "soak push")
}

func TestLegend(t *testing.T) {
	short := row("push", "p99.9-ns/op", 9e6, 9e6, "", "")
	short.Now, short.Few = results.Summarize([]float64{9e6}, false), 8
	require.Equal(t, "9.00ms (of 8)", short.FormatNow())
	require.Equal(t, []string{fewLegend, "no ±: 1 repetition can't bound a median; 6 can"}, Legend([]Row{short, short}))
	require.Empty(t, Legend([]Row{row("push", "ns/op", 1, 1, "", "")}))
}
