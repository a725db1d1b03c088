package doctor

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
)

// usualWidth is the width of text that goes to no terminal.
const usualWidth = 100

// WriteTable writes the checks as a table for a terminal, and below it, for each check that isn't ok, why it
// matters and what to change.
func WriteTable(w io.Writer, checks []Check, o texttable.Style) error {
	width := o.Width
	if width <= 0 {
		width = usualWidth
	}
	table := texttable.Table{Header: []string{"check", "state", "found"}}
	const before = 28 // columns of the two others
	for _, c := range checks {
		// Each line is a row of its own, so that none is confused with the next check's.
		for i, line := range wrap(c.Found, max(24, width-before)) {
			row := []string{c.Name, o.Paint(c.State.role(), string(c.State)), line}
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
		if c.State == OK {
			continue
		}
		fmt.Fprintf(&page, "\n%s: %s\n", c.Name, o.Paint(c.State.role(), string(c.State)))
		for _, text := range []string{"why: " + c.Why, "change: " + c.Change} {
			for i, line := range wrap(text, max(24, width-4)) {
				fmt.Fprintf(&page, "%s%s\n", []string{"  ", "    "}[min(i, 1)], line)
			}
		}
	}
	fmt.Fprintf(&page, "\n%s\n", Verdict(checks))
	_, err := w.Write(page.Bytes())
	return err
}

// role returns the role in which a table shows a state.
func (s State) role() texttable.Role {
	return map[State]texttable.Role{
		OK: texttable.Good, Warning: texttable.Doubtful, Problem: texttable.Bad, Unknown: texttable.Faint,
	}[s]
}

// Verdict returns a line that says whether the machine is fit to measure on, and counts the states of the
// checks.
func Verdict(checks []Check) string {
	n := map[State]int{}
	for _, c := range checks {
		n[c.State]++
	}
	counts := fmt.Sprintf("%d ok, %s, %s, %d unknown", n[OK], plaintext.Count(n[Warning], "warning"), plaintext.Count(n[Problem], "problem"), n[Unknown])
	if Fit(checks) {
		return "fit to measure on: " + counts
	}
	return "times can't be judged here: " + counts
}

// wrap breaks a text between words into lines of at most width characters. A longer word gets a line of its
// own.
func wrap(text string, width int) (lines []string) {
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
