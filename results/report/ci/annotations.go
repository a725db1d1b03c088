package ci

import (
	"fmt"
	"io"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

const (
	maxAnnotations = 10   // of a level; GitHub silently drops more from one step
	maxAnnotation  = 1000 // runes of a message
)

// Annotations writes workflow commands for GitHub Actions, one on each line: the verdict of each
// result as an error (invalid, regressed, a failed threshold), a warning (inconclusive, no verdict)
// or a notice, the causes of a regression as a notice, and an error or a warning for each row that
// regressed or is inconclusive. See
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
func Annotations(w io.Writer, d *report.Document) error {
	var b strings.Builder
	shown := make(map[string]int)
	emit := func(level, title, message string) {
		if shown[level]++; shown[level] > maxAnnotations {
			return
		}
		fmt.Fprintf(&b, "::%s title=%s::%s\n", level, escapeProperty(title), escapeData(message))
	}
	ordered := report.WorstFirst(d.Results)
	for _, r := range ordered {
		h := r.Headline
		emit(report.Level(h.Verdict), "Fleetmark "+r.Scenario+": "+h.Word, h.Reason)
		if lines := r.CauseLines(); len(lines) > 0 {
			emit("notice", "Fleetmark "+r.Scenario+": why", strings.Join(lines, "\n"))
		}
	}
	for _, r := range ordered {
		for _, row := range report.ChangedRows(r.Rows) {
			if row.Verdict != results.Improved {
				title := fmt.Sprintf("%s %s %s: %s", row.Scenario, row.Op, row.Unit.Name, row.Verdict)
				emit(report.Level(row.Verdict), title, row.Sentence())
			}
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write annotations: %w", err)
	}
	return nil
}

// escapeData returns s as the message of a workflow command, on one line and clipped.
func escapeData(s string) string {
	s = plaintext.Clip(plaintext.Line(s), maxAnnotation)
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// escapeProperty returns s as the value of a property of a workflow command, clipped.
func escapeProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(plaintext.Clip(s, 200)))
}
