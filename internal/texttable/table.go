// Package texttable writes tables for terminals and as Markdown.
//
// Its input is a header, rows of cells and the largest width of the output; its output is text. A
// table that is too wide loses whole columns, the least important first, and then the ends or
// middles of cells. Rows never wrap, and a [Layout] says what is left out. Text is measured as
// terminals show it: a CJK character takes two columns, a color sequence none.
//
// The package doesn't interpret cells.
package texttable

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// A Table is a header and rows of cells. A row may be shorter than the header. A cell holds one
// line. It may hold color sequences if the table is for a terminal, and must be Markdown if the
// table is.
type Table struct {
	Header []string
	Align  string // 'l' or 'r' for each column; a column without a letter is aligned to the left
	Rows   [][]string

	// Fold says how each column may shrink if the output is too narrow. If it is nil, columns are
	// left out from the right, and then the cells of the first column lose their middles.
	Fold []Fold

	Headless bool // don't show the header, whose names still appear in a layout's note
	Ruleless bool // draw no line below the header in a terminal
}

const (
	rule     = "─"
	ellipsis = "…"
)

// Text writes the table as [Table.FitText] does, at its whole width.
func (t Table) Text(w io.Writer) error {
	_, err := t.FitText(w, 0)
	return err
}

// FitText writes the table for a terminal, with a line below the header if there are rows, two
// spaces between columns, and no space at the ends of lines. No line is wider than width; 0 or less
// means no limit. The layout says what was left out.
func (t Table) FitText(w io.Writer, width int) (Layout, error) {
	l := t.fit(width, frame{between: 2})
	ruled := tw.Off
	if !t.Headless && !t.Ruleless && len(t.Rows) > 0 {
		ruled = tw.On
	}
	text, err := t.render(l, !t.Headless, renderer.NewBlueprint(tw.Rendition{
		Borders: tw.BorderNone,
		Symbols: tw.NewSymbols(tw.StyleLight),
		Settings: tw.Settings{
			Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
			Lines:      tw.Lines{ShowHeaderLine: ruled},
		},
	}))
	if err != nil {
		return l, err
	}
	// The renderer puts a space at both ends of each cell. Remove it at both ends of a line, and
	// shorten the line below the header accordingly.
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if strings.Trim(line, rule) == "" {
			line = strings.TrimSuffix(line, rule+rule)
		}
		b.WriteString(strings.TrimPrefix(line, " ") + "\n")
	}
	_, err = io.WriteString(w, b.String())
	return l, err
}

// Markdown writes the table as [Table.FitMarkdown] does, at its whole width.
func (t Table) Markdown(w io.Writer) error {
	_, err := t.FitMarkdown(w, 0)
	return err
}

// FitMarkdown writes the table in the pipe syntax of GitHub's Markdown. No line is wider than
// width; 0 or less means no limit. The layout says what was left out.
func (t Table) FitMarkdown(w io.Writer, width int) (Layout, error) {
	l := t.fit(width, frame{between: len(" | "), ends: len("| ") + len(" |"), minimum: 1})
	text, err := t.render(l, true, renderer.NewMarkdown())
	if err != nil {
		return l, err
	}
	_, err = io.WriteString(w, text)
	return l, err
}

// render returns the cells that l shows, as r renders them.
func (t Table) render(l Layout, headed bool, r tw.Renderer) (string, error) {
	align := make(tw.Alignment, len(l.columns))
	for at, i := range l.columns {
		align[at] = tw.AlignLeft
		if i < len(t.Align) && t.Align[i] == 'r' {
			align[at] = tw.AlignRight
		}
	}
	var out bytes.Buffer
	table := tablewriter.NewTable(&out,
		tablewriter.WithEastAsian(tw.Off), // otherwise the locale decides how wide "µ" and "±" are
		tablewriter.WithRenderer(r),
		tablewriter.WithAlignment(align),
		tablewriter.WithHeaderAutoFormat(tw.Off), // otherwise ns/op becomes NS/OP
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
	)
	if headed {
		table.Header(t.cells(l, t.Header))
	}
	for _, row := range t.Rows {
		if err := table.Append(t.cells(l, row)); err != nil {
			return "", fmt.Errorf("table: %w", err)
		}
	}
	if err := table.Render(); err != nil {
		return "", fmt.Errorf("table: %w", err)
	}
	return out.String(), nil
}

// cells returns the cells of one row that l shows, shortened if they are too wide.
func (t Table) cells(l Layout, row []string) []string {
	shown := make([]string, len(l.columns))
	for at, i := range l.columns {
		if i < len(row) {
			shown[at] = shorten(row[i], l.widths[at], t.fold(i).End)
		}
	}
	return shown
}

// A Style says how tables look on a terminal.
type Style struct {
	Color bool // use colors
	Width int  // of the terminal, in columns; 0 means no limit
}

// A Role is the meaning of a word, which decides its color. The zero value has no color.
type Role int

// The roles.
const (
	Plain    Role = iota
	Good          // green
	Doubtful      // yellow
	Bad           // red
	Faint         // dimmed
)

// Paint returns text in the color of a role, or unchanged if the style has no colors.
func (s Style) Paint(role Role, text string) string {
	code := map[Role]string{Good: "32", Doubtful: "33", Bad: "31", Faint: "2"}[role]
	if !s.Color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Write writes a table for a terminal, and below it a line that says what the terminal has no room
// for, if anything.
func (s Style) Write(w io.Writer, t Table) error {
	l, err := t.FitText(w, s.Width)
	if note := l.Note(); note != "" && err == nil {
		_, err = io.WriteString(w, note+"\n")
	}
	return err
}
