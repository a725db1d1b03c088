package doctor

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/fleetmark/fleetmark/results"
)

// usualWidth is for text that goes to no terminal.
const usualWidth = 100

// WriteTable writes the checks for a person: a line each, and then, of those that are
// not ok, why they matter and what to change.
func WriteTable(w io.Writer, checks []Check, o results.TableOptions) error {
	paint := func(s State) string { return string(s) }
	if o.Color {
		paint = func(s State) string {
			return map[State]string{OK: "\x1b[32m", Warning: "\x1b[33m", Problem: "\x1b[31m", Unknown: "\x1b[2m"}[s] + string(s) + "\x1b[0m"
		}
	}
	width := o.Width
	if width <= 0 {
		width = usualWidth
	}
	var table bytes.Buffer
	t := tablewriter.NewTable(&table,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Symbols: tw.NewSymbols(tw.StyleLight),
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
				Lines:      tw.Lines{ShowHeaderLine: tw.On},
			},
		})),
		tablewriter.WithEastAsian(tw.Off), // the locale has no say in how wide "µ" is
		tablewriter.WithAlignment(tw.Alignment{tw.AlignLeft, tw.AlignLeft, tw.AlignLeft}),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
	)
	t.Header([]string{"check", "state", "found"})
	const before = 28 // columns of the two others
	for _, c := range checks {
		// A line each, so that they can be told apart from the next check's.
		for i, line := range wrap(c.Found, max(24, width-before)) {
			row := []string{c.Name, paint(c.State), line}
			if i > 0 {
				row = []string{"", "", line}
			}
			if err := t.Append(row); err != nil {
				return fmt.Errorf("table: %w", err)
			}
		}
	}
	if err := t.Render(); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	var page bytes.Buffer
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(&page, strings.TrimPrefix(strings.TrimRight(line, " \n"), " "))
	}
	for _, c := range checks {
		if c.State == OK {
			continue
		}
		fmt.Fprintf(&page, "\n%s: %s\n", c.Name, paint(c.State))
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

// Verdict says in a line what the checks come to.
func Verdict(checks []Check) string {
	n := map[State]int{}
	for _, c := range checks {
		n[c.State]++
	}
	plural := func(n int, what string) string {
		if n != 1 {
			what += "s"
		}
		return fmt.Sprintf("%d %s", n, what)
	}
	counts := fmt.Sprintf("%d ok, %s, %s, %d unknown", n[OK], plural(n[Warning], "warning"), plural(n[Problem], "problem"), n[Unknown])
	if Fit(checks) {
		return "fit to measure on: " + counts
	}
	return "times can't be judged here: " + counts
}

// wrap breaks a text between words, so that lines are so long at most, where words let
// it.
func wrap(text string, width int) (lines []string) {
	line, length := "", 0
	for _, word := range strings.Fields(text) {
		n := len([]rune(word))
		if line != "" && length+1+n > width {
			lines = append(lines, line)
			line, length = "", 0
		}
		if line != "" {
			line += " "
			length++
		}
		line += word
		length += n
	}
	return append(lines, line)
}
