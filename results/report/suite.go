package report

import (
	"io"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
)

// SuiteRow is what became of one scenario of a suite.
type SuiteRow struct {
	Test     string
	Result   string // "passed", or how it ended otherwise
	Passed   bool
	Duration time.Duration
	Notes    string
}

// WriteSuite writes the outcomes of a suite as a table for a terminal.
func WriteSuite(w io.Writer, rows []SuiteRow, o texttable.Style) error {
	t := texttable.Table{Header: []string{"test", "result", "duration", "notes"}, Align: "llrl"}
	t.Fold = []texttable.Fold{{Cut: 1}, {}, {Rank: 1}, {Cut: 2, End: true}}
	for _, r := range rows {
		role := texttable.Plain
		if !r.Passed {
			role = texttable.Bad
		}
		t.Rows = append(t.Rows, []string{
			plaintext.Line(r.Test), o.Paint(role, plaintext.Line(r.Result)),
			r.Duration.Round(10 * time.Millisecond).String(), plaintext.Line(r.Notes),
		})
	}
	return o.Write(w, t)
}
