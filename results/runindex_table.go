package results

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/fleetmark/fleetmark/results/internal/page"
)

// A runColumn is a column of a table of runs.
type runColumn struct {
	name  string
	align byte
	rank  int // a narrow terminal loses the highest first; 0 stays
	cell  func(e RunEntry) string
}

func runColumns() []runColumn {
	return []runColumn{
		{"began", 'l', 3, func(e RunEntry) string {
			if e.Started.IsZero() {
				return "–"
			}
			return e.Started.Format("2006-01-02 15:04:05")
		}},
		{"scenario", 'l', 0, func(e RunEntry) string { return page.Plain(orDash(e.Scenario)) }},
		{"revision", 'l', 2, func(e RunEntry) string { return page.Plain(orDash(shortRevision(e.Revision))) }},
		{"status", 'l', 1, func(e RunEntry) string { return e.state() }},
		{"verdict", 'l', 0, func(e RunEntry) string { return page.Plain(orDash(string(e.Verdict))) }},
		{"reps", 'r', 5, func(e RunEntry) string {
			if e.Status == "" {
				return "–"
			}
			return strconv.Itoa(e.Repetitions)
		}},
		{"size", 'r', 4, func(e RunEntry) string { return FormatValue(float64(e.Bytes), "B") }},
		{"run", 'l', 0, func(e RunEntry) string { return page.Plain(filepath.Base(e.Path)) }},
	}
}

// WriteRuns writes runs as a table for a terminal, and below it why directories can't be
// read. A terminal that is too narrow has fewer columns.
func WriteRuns(w io.Writer, runs []RunEntry, o TableOptions) error {
	var text string
	for rank := 5; rank >= 0; rank-- {
		t := page.Table{}
		columns := slices.DeleteFunc(runColumns(), func(c runColumn) bool { return c.rank > rank })
		for _, c := range columns {
			t.Header, t.Align = append(t.Header, c.name), t.Align+string(c.align)
		}
		for _, e := range runs {
			var row []string
			for _, c := range columns {
				cell := c.cell(e)
				if c.name == "verdict" {
					cell = paint(e.Verdict, cell, o.Color)
				}
				row = append(row, cell)
			}
			t.Rows = append(t.Rows, row)
		}
		var b bytes.Buffer
		if err := t.Text(&b); err != nil {
			return err
		}
		text = b.String()
		if o.Width <= 0 || widest(text) <= o.Width {
			break
		}
	}
	problems := 0
	for _, e := range runs {
		if e.Problem != "" {
			if problems++; problems == 1 {
				text += "\n"
			}
			text += fmt.Sprintf("%s: %s\n", page.Plain(filepath.Base(e.Path)), page.Plain(e.Problem))
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

// state is a run's status for people: what says that it runs may have been killed.
func (e RunEntry) state() string {
	switch {
	case e.Status == "" || e.Problem != "":
		return "unreadable"
	case e.Status == StatusRunning:
		return "unfinished"
	}
	return string(e.Status)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// shortRevision is enough of a commit to tell it by, and whether it was changed since.
func shortRevision(revision string) string {
	const enough = 12
	commit, changed := revision, ""
	if n := len(revision) - len(dirtyMark); n > 0 && revision[n:] == dirtyMark {
		commit, changed = revision[:n], "+"
	}
	if len(commit) == 40 || len(commit) == 64 {
		commit = commit[:enough]
	}
	return commit + changed
}

const dirtyMark = "+dirty"
