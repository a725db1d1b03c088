package batch

import (
	"io"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
)

// A Suite holds the outcomes of the scenarios of a suite, in the order in which they ran.
type Suite []SuiteRow

// A SuiteRow is the outcome of one scenario of a suite.
type SuiteRow struct {
	Test     string
	Result   string // "passed", or why it didn't pass
	Passed   bool
	Duration time.Duration
	Notes    string
}

// Totals returns how many scenarios passed, and how long all of them took.
func (s Suite) Totals() (passed int, took time.Duration) {
	for _, r := range s {
		took += r.Duration
		if r.Passed {
			passed++
		}
	}
	return passed, took
}

// Table returns a table with a row for each scenario.
func (s Suite) Table() texttable.Table {
	t := texttable.Table{Header: []string{"test", "result", "duration", "notes"}, Align: "llrl"}
	t.Fold = []texttable.Fold{{Cut: 1}, {}, {Rank: 1}, {Cut: 2, End: true}}
	for _, r := range s {
		duration := r.Duration.Round(10 * time.Millisecond).String()
		t.Rows = append(t.Rows, []string{r.Test, r.Result, duration, r.Notes})
	}
	return t
}

// Write writes the table for a terminal.
func (s Suite) Write(w io.Writer, style texttable.Style) error {
	t := s.Table()
	for i, r := range s {
		for k, cell := range t.Rows[i] {
			t.Rows[i][k] = plaintext.Line(cell)
		}
		if !r.Passed {
			t.Rows[i][1] = style.Paint(texttable.Bad, t.Rows[i][1])
		}
	}
	return style.Write(w, t)
}
