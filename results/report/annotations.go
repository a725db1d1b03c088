package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/page"
)

// GitHub shows ten annotations of a kind from a step, and leaves out the others in silence.
const maxAnnotations = 10

// maxAnnotation bounds a message, in runes.
const maxAnnotation = 1000

// Annotations writes workflow commands for GitHub Actions, one a line: the verdict of each
// subject as an error (invalid, regressed, a failed threshold), a warning (inconclusive, no
// verdict) or a notice, why it regressed as a notice, and then an error or a warning for each row that is one.
// See https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
func Annotations(w io.Writer, subjects ...*Subject) error {
	var b strings.Builder
	told := make(map[string]int)
	say := func(level, title, message string) {
		if told[level]++; told[level] > maxAnnotations {
			return
		}
		fmt.Fprintf(&b, "::%s title=%s::%s\n", level, property(title), data(message))
	}
	subjects = worstFirst(subjects)
	for _, s := range subjects {
		h := s.headline()
		say(h.level(), "Fleetmark "+s.Scenario+": "+h.Word, h.Reason)
		if why := s.why(); len(why) > 0 {
			say("notice", "Fleetmark "+s.Scenario+": why", strings.Join(why, "\n"))
		}
	}
	for _, s := range subjects {
		for _, r := range notable(s.judgement().Rows) {
			if level := map[results.Verdict]string{results.Regressed: "error", results.Inconclusive: "warning"}[r.Verdict]; level != "" {
				say(level, fmt.Sprintf("%s %s %s: %s", r.Scenario, r.Op, r.Unit, r.Verdict), rowSentence(r))
			}
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write annotations: %w", err)
	}
	return nil
}

func (h headline) level() string {
	switch results.Verdict(h.Kind) {
	case results.Invalid, results.Regressed:
		return "error"
	case results.Pass, results.Improved:
		return "notice"
	}
	return "warning"
}

// rowSentence is what a row says, in a line: "1.00ms ± 2% -> 2.00ms ± 1% (+100.0%), p=0.002; note".
func rowSentence(r results.JudgedRow) string {
	text := r.Now.Format(r.Unit)
	if r.Baseline != nil {
		text = r.Baseline.Format(r.Unit) + " -> " + text
	}
	if delta := r.FormatDelta(); delta != "" {
		text += " (" + delta + ")"
	}
	if r.Ratio != nil {
		text += ", ratio " + formatRatio(r.Ratio)
	}
	if p := r.FormatP(); p != "" {
		if !strings.HasPrefix(p, "<") {
			p = "=" + p
		}
		text += ", p" + p
	}
	if r.Note != "" {
		text += "; " + r.Note
	}
	return text
}

// data is a workflow command's message: one line, with what would end it escaped.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(clip(page.Plain(s), maxAnnotation))
}

// property is the value of one of its properties.
func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(clip(s, 200)))
}
