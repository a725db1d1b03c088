package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// anEntry returns a list with one run, which change modifies.
func anEntry(change func(*rundir.Entry)) []rundir.Entry {
	e := rundir.Entry{Path: "runs/run-0", Scenario: "rollout", Revision: "5d3d764",
		Started: time.Date(2026, 11, 23, 8, 27, 0, 0, time.UTC),
		Status:  results.StatusFinished, Valid: true, Repetitions: 10, Bytes: 1234}
	change(&e)
	return []rundir.Entry{e}
}

func TestWriteRunsReportsUnreadableRuns(t *testing.T) {
	runs := anEntry(func(e *rundir.Entry) { e.Status = results.StatusRunning })
	runs = append(runs, rundir.Entry{Path: "runs/empty", Problem: "no run.json: no run was begun in it"},
		rundir.Entry{Path: "runs/cut", Problem: "run.json:1: damaged"})
	var table bytes.Buffer
	require.NoError(t, WriteRuns(&table, runs, texttable.Style{}))
	require.Contains(t, table.String(), "unfinished")
	require.Equal(t, 2, strings.Count(table.String(), "unreadable"))
	require.Contains(t, table.String(), "\n\nempty: no run.json: no run was begun in it\ncut: run.json:1: damaged\n")
}

func TestRunsTableFitsTheTerminal(t *testing.T) {
	runs := anEntry(func(r *rundir.Entry) {
		r.Revision, r.Verdict, r.Scenario = strings.Repeat("ab", 20)+"+dirty", results.Regressed, "roll\x1b[31mout"
	})
	text := func(o texttable.Style) string {
		var b bytes.Buffer
		require.NoError(t, WriteRuns(&b, runs, o))
		return b.String()
	}
	wide := text(texttable.Style{})
	require.Contains(t, wide, "abababababab+ ", "a commit is shortened")
	require.NotContains(t, wide, "\x1b", "neither color nor a control sequence from a file")
	require.Equal(t, 1, strings.Count(text(texttable.Style{Color: true}), "\x1b[31m"))
	header := func(width int) string {
		head, _, _ := strings.Cut(text(texttable.Style{Width: width}), "\n")
		return strings.Join(strings.Fields(head), " ")
	}
	require.Equal(t, "began scenario revision status verdict reps size run", header(0))
	require.Equal(t, "began scenario revision status verdict size run", header(widest(wide)-1))
	require.Equal(t, "scenario verdict run", header(30))
	require.Contains(t, text(texttable.Style{Width: 30}),
		fmt.Sprintf("\nleft out: began, revision, status, reps, size; COLUMNS=%d shows all\n", widest(wide)))
	for width := 30; width <= widest(wide); width++ {
		require.LessOrEqual(t, widest(text(texttable.Style{Width: width})), width)
	}
}

// TestRunsTableMeasuresWideCharacters checks that a wide character counts as two columns of the
// terminal.
func TestRunsTableMeasuresWideCharacters(t *testing.T) {
	runs := anEntry(func(r *rundir.Entry) { r.Scenario, r.Verdict = "更新更新更新更新更新", results.Pass })
	var b bytes.Buffer
	require.NoError(t, WriteRuns(&b, runs,
		texttable.Style{Width: 25})) // scenario 12, verdict 7, run 5 and two gaps of 2 are 28
	require.Contains(t, b.String(), "\n更新…更新  pass     run-0\n")
	require.Contains(t, b.String(), "shortened: scenario")
}
