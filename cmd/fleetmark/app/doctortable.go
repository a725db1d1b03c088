package app

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/scenarios/doctor"
)

// defaultWidth is the width of text that doesn't go to a terminal.
const defaultWidth = 100

// writeDoctorTable writes the checks as a table for a terminal, and below it, for each check that
// isn't OK, why it matters and what to change.
func writeDoctorTable(w io.Writer, checks []doctor.Check, o texttable.Style) error {
	width := o.Width
	if width <= 0 {
		width = defaultWidth
	}
	table := texttable.Table{Header: []string{"check", "state", "found"}}
	const before = 28 // the width of the first two columns
	for _, c := range checks {
		// Each line is a row of its own, so that none is taken for a line of the next check.
		for i, line := range wrapWords(c.Found, max(24, width-before)) {
			row := []string{c.Name, o.Paint(stateRole(c.State), string(c.State)), line}
			if i > 0 {
				row = []string{"", "", line}
			}
			table.Rows = append(table.Rows, row)
		}
	}
	var page bytes.Buffer
	if err := table.Text(&page); err != nil {
		return err
	}
	for _, c := range checks {
		if c.State == doctor.OK {
			continue
		}
		fmt.Fprintf(&page, "\n%s: %s\n", c.Name, o.Paint(stateRole(c.State), string(c.State)))
		for _, text := range []string{"why: " + c.Why, "change: " + c.Change} {
			for i, line := range wrapWords(text, max(24, width-4)) {
				fmt.Fprintf(&page, "%s%s\n", []string{"  ", "    "}[min(i, 1)], line)
			}
		}
	}
	fmt.Fprintf(&page, "\n%s\n", doctorSummary(checks))
	_, err := w.Write(page.Bytes())
	return err
}

// stateRole returns the role in which a table shows a state.
func stateRole(s doctor.State) texttable.Role {
	return map[doctor.State]texttable.Role{
		doctor.OK: texttable.Good, doctor.Warning: texttable.Doubtful, doctor.Problem: texttable.Bad,
		doctor.Unknown: texttable.Faint,
	}[s]
}

// doctorSummary returns a line that says whether the machine is fit to measure on, and counts the
// states of the checks.
func doctorSummary(checks []doctor.Check) string {
	n := map[doctor.State]int{}
	for _, c := range checks {
		n[c.State]++
	}
	counts := fmt.Sprintf("%d ok, %s, %s, %d unknown", n[doctor.OK], plaintext.Count(n[doctor.Warning], "warning"),
		plaintext.Count(n[doctor.Problem], "problem"), n[doctor.Unknown])
	if doctor.Fit(checks) {
		return "fit to measure on: " + counts
	}
	return "times can't be judged here: " + counts
}

// wrapWords breaks a text between words into lines of at most width characters. A longer word gets
// a line of its own.
func wrapWords(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		longer := strings.TrimLeft(line+" "+word, " ")
		if line != "" && utf8.RuneCountInString(longer) > width {
			lines, longer = append(lines, line), word
		}
		line = longer
	}
	return append(lines, line)
}
