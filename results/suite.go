package results

import (
	"bytes"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/results/internal/page"
)

// SuiteRow is what became of one scenario of a suite.
type SuiteRow struct {
	Test     string
	Result   string // "passed", or how it ended otherwise
	Passed   bool
	Duration time.Duration
	Notes    string
}

// WriteSuite writes a suite's scenarios as a table for a terminal.
func WriteSuite(w io.Writer, rows []SuiteRow, o TableOptions) error {
	t := page.Table{Header: []string{"test", "result", "duration", "notes"}, Align: "llrl"}
	for _, r := range rows {
		verdict := Pass
		if !r.Passed {
			verdict = Regressed
		}
		t.Rows = append(t.Rows, []string{
			page.Plain(r.Test), paint(verdict, page.Plain(r.Result), o.Color),
			r.Duration.Round(10 * time.Millisecond).String(), page.Plain(r.Notes),
		})
	}
	var b bytes.Buffer
	if err := t.Text(&b); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
