package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// WriteRuns writes runs as a table for a terminal, and below it why directories can't be read. If
// the terminal is too narrow for all columns, a line says which are left out.
func WriteRuns(w io.Writer, runs []rundir.Entry, style texttable.Style) error {
	t := Table{Columns: []Column{
		{Name: "began", Fold: texttable.Fold{Rank: 3}},
		{Name: "scenario", Fold: texttable.Fold{Cut: 2}},
		{Name: "revision", Fold: texttable.Fold{Rank: 2}},
		{Name: "status", Fold: texttable.Fold{Rank: 1}},
		{Name: "verdict"},
		{Name: "reps", Kind: Number, Fold: texttable.Fold{Rank: 5}},
		{Name: "size", Kind: Number, Fold: texttable.Fold{Rank: 4}},
		{Name: "run", Fold: texttable.Fold{Cut: 1}},
	}}
	for _, e := range runs {
		began, repetitions := "", ""
		if !e.Started.IsZero() {
			began = e.Started.Format("2006-01-02 15:04:05")
		}
		if e.Status != "" {
			repetitions = strconv.Itoa(e.Repetitions)
		}
		row := []Cell{
			{Text: began}, {Text: e.Scenario}, {Text: shortRevision(e.Revision)}, {Text: runState(e)},
			{Text: string(e.Verdict), Verdict: e.Verdict}, {Text: repetitions},
			{Text: results.Bytes.Format(float64(e.Bytes))}, {Text: filepath.Base(e.Path)},
		}
		for i, c := range row {
			row[i].Text = cmp.Or(c.Text, "–")
		}
		t.Rows = append(t.Rows, row)
	}
	var text bytes.Buffer
	if err := style.Write(&text, t.text(style)); err != nil {
		return err
	}
	problems := 0
	for _, e := range runs {
		if e.Problem != "" {
			if problems++; problems == 1 {
				text.WriteByte('\n')
			}
			fmt.Fprintf(&text, "%s: %s\n", plaintext.Line(filepath.Base(e.Path)), plaintext.Line(e.Problem))
		}
	}
	_, err := w.Write(text.Bytes())
	return err
}

// runState returns the status of a run for people. A run whose status is "running" may have been
// killed, so it is unfinished.
func runState(e rundir.Entry) string {
	switch {
	case e.Status == "" || e.Problem != "":
		return "unreadable"
	case e.Status == results.StatusRunning:
		return "unfinished"
	}
	return string(e.Status)
}

// shortRevision returns the first digits of a commit, and "+" if the source differed from it.
func shortRevision(revision string) string {
	const enough, dirtyMark = 12, "+dirty"
	commit, dirty := strings.CutSuffix(revision, dirtyMark)
	if commit == "" { // the revision is only the mark
		return revision
	}
	if len(commit) == 40 || len(commit) == 64 {
		commit = commit[:enough]
	}
	if dirty {
		commit += "+"
	}
	return commit
}
