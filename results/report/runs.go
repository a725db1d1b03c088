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

// A runColumn is a column of a table of runs.
type runColumn struct {
	name  string
	align byte
	fold  texttable.Fold
	cell  func(e rundir.Entry) string
}

func runColumns() []runColumn {
	return []runColumn{
		{"began", 'l', texttable.Fold{Rank: 3}, func(e rundir.Entry) string {
			if e.Started.IsZero() {
				return "–"
			}
			return e.Started.Format("2006-01-02 15:04:05")
		}},
		{"scenario", 'l', texttable.Fold{Cut: 2}, func(e rundir.Entry) string { return plaintext.Line(cmp.Or(e.Scenario, "–")) }},
		{"revision", 'l', texttable.Fold{Rank: 2}, func(e rundir.Entry) string { return plaintext.Line(cmp.Or(shortRevision(e.Revision), "–")) }},
		{"status", 'l', texttable.Fold{Rank: 1}, func(e rundir.Entry) string { return runState(e) }},
		{"verdict", 'l', texttable.Fold{}, func(e rundir.Entry) string { return plaintext.Line(cmp.Or(string(e.Verdict), "–")) }},
		{"reps", 'r', texttable.Fold{Rank: 5}, func(e rundir.Entry) string {
			if e.Status == "" {
				return "–"
			}
			return strconv.Itoa(e.Repetitions)
		}},
		{"size", 'r', texttable.Fold{Rank: 4}, func(e rundir.Entry) string { return results.Bytes.Format(float64(e.Bytes)) }},
		{"run", 'l', texttable.Fold{Cut: 1}, func(e rundir.Entry) string { return plaintext.Line(filepath.Base(e.Path)) }},
	}
}

// WriteRuns writes runs as a table for a terminal, and below it why directories can't be read. A terminal that
// is too narrow has fewer columns, and a line says which are left out.
func WriteRuns(w io.Writer, runs []rundir.Entry, o texttable.Style) error {
	t := texttable.Table{}
	for _, c := range runColumns() {
		t.Header, t.Align, t.Fold = append(t.Header, c.name), t.Align+string(c.align), append(t.Fold, c.fold)
	}
	for _, e := range runs {
		var row []string
		for _, c := range runColumns() {
			cell := c.cell(e)
			if c.name == "verdict" {
				cell = o.Paint(verdictRole(e.Verdict), cell)
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	var text bytes.Buffer
	if err := o.Write(&text, t); err != nil {
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

// runState returns the status of a run for people. A run that still says that it runs may have been killed.
func runState(e rundir.Entry) string {
	switch {
	case e.Status == "" || e.Problem != "":
		return "unreadable"
	case e.Status == results.StatusRunning:
		return "unfinished"
	}
	return string(e.Status)
}

// shortRevision returns enough of a commit to tell it from others, and "+" if files differed from it.
func shortRevision(revision string) string {
	const enough, dirtyMark = 12, "+dirty"
	commit, dirty := strings.CutSuffix(revision, dirtyMark)
	if commit == "" { // the mark alone
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

// verdictRole returns the role in which a table shows a verdict.
func verdictRole(v results.Verdict) texttable.Role {
	switch v {
	case results.Invalid, results.Regressed:
		return texttable.Bad
	case results.Inconclusive:
		return texttable.Doubtful
	case results.Improved:
		return texttable.Good
	}
	return texttable.Plain
}
