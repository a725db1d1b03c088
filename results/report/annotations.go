package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
)

// GitHub shows ten annotations of a level from a step, and silently drops the others.
const maxAnnotations = 10

// maxAnnotation bounds a message, in runes.
const maxAnnotation = 1000

// Annotations writes workflow commands for GitHub Actions, one a line: the verdict of each result
// as an error (invalid, regressed, a failed threshold), a warning (inconclusive, no verdict) or a
// notice, why it regressed as a notice, and then an error or a warning for each row that regressed
// or can't be told. See
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
func Annotations(w io.Writer, d *Document) error {
	var b strings.Builder
	shown := make(map[string]int)
	emit := func(level, title, message string) {
		if shown[level]++; shown[level] > maxAnnotations {
			return
		}
		fmt.Fprintf(&b, "::%s title=%s::%s\n", level, escapeProperty(title), escapeData(message))
	}
	ordered := worstFirst(d.Results)
	for _, r := range ordered {
		h := r.Headline
		emit(annotationLevel(h.Verdict), "Fleetmark "+r.Scenario+": "+h.Word, h.Reason)
		if lines := r.causeLines(); len(lines) > 0 {
			emit("notice", "Fleetmark "+r.Scenario+": why", strings.Join(lines, "\n"))
		}
	}
	for _, r := range ordered {
		for _, row := range ChangedRows(r.Rows) {
			if row.Verdict != results.Improved {
				title := fmt.Sprintf("%s %s %s: %s", row.Scenario, row.Op, row.Unit.Name, row.Verdict)
				emit(annotationLevel(row.Verdict), title, row.Sentence())
			}
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write annotations: %w", err)
	}
	return nil
}

func annotationLevel(v results.Verdict) string {
	switch v {
	case results.Invalid, results.Regressed:
		return "error"
	case results.Pass, results.Improved:
		return "notice"
	}
	return "warning"
}

// escapeData returns a workflow command's message: one line, with what would end it escaped.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(plaintext.Clip(plaintext.Line(s), maxAnnotation))
}

// escapeProperty returns the value of one of a workflow command's properties.
func escapeProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(plaintext.Clip(s, 200)))
}
