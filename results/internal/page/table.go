package page

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// A Table is a header, an alignment a column ('l' or 'r') and rows of cells. A
// row may be shorter than the header.
type Table struct {
	Header []string
	Align  string
	Rows   [][]string
}

const rule = "─"

// Text writes the table for a terminal: a rule below the header, columns two
// spaces apart, no space at the ends of lines. Cells may hold colour sequences.
func (t Table) Text(w io.Writer) error {
	text, err := t.render(renderer.NewBlueprint(tw.Rendition{
		Borders: tw.BorderNone,
		Symbols: tw.NewSymbols(tw.StyleLight),
		Settings: tw.Settings{
			Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
			Lines:      tw.Lines{ShowHeaderLine: tw.On},
		},
	}))
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if strings.Trim(line, rule) == "" {
			line = strings.TrimSuffix(line, rule+rule) // it spans the padding at both ends
		}
		if _, err := fmt.Fprintln(w, strings.TrimPrefix(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// Markdown writes the table in the pipe syntax. Cells must be Markdown already:
// see [Escape] and [Code].
func (t Table) Markdown(w io.Writer) error {
	text, err := t.render(renderer.NewMarkdown())
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

func (t Table) render(r tw.Renderer) (string, error) {
	align := make(tw.Alignment, len(t.Header))
	for i := range align {
		align[i] = tw.AlignLeft
		if i < len(t.Align) && t.Align[i] == 'r' {
			align[i] = tw.AlignRight
		}
	}
	var out bytes.Buffer
	table := tablewriter.NewTable(&out,
		// The locale would decide how wide "µ" and "±" are, and a page must come out
		// the same everywhere.
		tablewriter.WithEastAsian(tw.Off),
		tablewriter.WithRenderer(r),
		tablewriter.WithAlignment(align),
		tablewriter.WithHeaderAutoFormat(tw.Off), // keeps ns/op as it is written
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
	)
	table.Header(t.Header)
	for _, row := range t.Rows {
		padded := make([]string, len(t.Header))
		copy(padded, row)
		if err := table.Append(padded); err != nil {
			return "", fmt.Errorf("table: %w", err)
		}
	}
	if err := table.Render(); err != nil {
		return "", fmt.Errorf("table: %w", err)
	}
	return out.String(), nil
}
