package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// A Table is a table that every form renders in its own way. Its texts may hold any characters; the
// forms escape them.
type Table struct {
	Label   string
	Columns []Column
	Rows    [][]Cell
	Notes   []string // footnotes, numbered from 1

	Strong bool // a verdict emphasizes its whole cell instead of only its Text
}

// A Column is a column of a table.
type Column struct {
	Name string
	Kind Kind // of its cells
	texttable.Fold
}

// A Kind is the kind of text in a cell.
type Kind int

// The kinds.
const (
	Words  Kind = iota
	Number      // aligned to the right
	Name        // of the row
	Prose       // may be broken into lines
	Code        // an identifier
)

// A Cell is one cell of a table.
type Cell struct {
	Text    string
	More    string          // follows Text, without its emphasis
	Kind    Kind            // Words means the kind of the column
	Verdict results.Verdict // emphasizes Text; empty for most cells
	Note    int             // the number of a footnote, or 0
}

// KindOf returns the kind of the cell in column i.
func (t *Table) KindOf(c Cell, i int) Kind {
	if c.Kind != Words {
		return c.Kind
	}
	return t.Columns[i].Kind
}

// footnote returns the number of a footnote. It adds the footnote if the table doesn't have it yet.
func (t *Table) footnote(note string) int {
	if i := slices.Index(t.Notes, note); i >= 0 {
		return i + 1
	}
	t.Notes = append(t.Notes, note)
	return len(t.Notes)
}

// layout returns the table with the texts that head returns for the names of columns, and show for
// cells.
func (t *Table) layout(head func(string) string, show func(Cell, Kind) string) texttable.Table {
	var out texttable.Table
	for _, c := range t.Columns {
		out.Header, out.Fold = append(out.Header, head(c.Name)), append(out.Fold, c.Fold)
		if c.Kind == Number {
			out.Align += "r"
		} else {
			out.Align += "l"
		}
	}
	for _, row := range t.Rows {
		var cells []string
		for i, c := range row {
			text := show(c, t.KindOf(c, i))
			if c.Note > 0 {
				text += fmt.Sprintf(" (%d)", c.Note)
			}
			cells = append(cells, text)
		}
		out.Rows = append(out.Rows, cells)
	}
	return out
}

// text returns the table for a terminal.
func (t *Table) text(style texttable.Style) texttable.Table {
	return t.layout(plaintext.Line, func(c Cell, _ Kind) string {
		text, more := plaintext.Line(c.Text), plaintext.Line(c.More)
		if t.Strong {
			text, more = text+more, ""
		}
		return style.Paint(lookOf(c.Verdict).role, text) + more
	})
}

// markdown returns the table in Markdown. escape and code return text and identifiers as Markdown.
func (t *Table) markdown(escape, code func(string) string) texttable.Table {
	return t.layout(escape, func(c Cell, kind Kind) string {
		text, more := escape(c.Text), escape(c.More)
		switch {
		case kind == Code:
			text = code(c.Text)
		case c.Verdict != results.Regressed && c.Verdict != results.Inconclusive:
		case t.Strong:
			text, more = "**"+text+more+"**", ""
		default:
			text = "**" + text + "**"
		}
		return text + more
	})
}

// notes writes the footnotes, a line each, which begin with prefix.
func (t *Table) notes(w io.Writer, prefix string, escape func(string) string) {
	for i, n := range t.Notes {
		fmt.Fprintf(w, "%s(%d) %s\n", prefix, i+1, escape(n))
	}
}

// escapeComment returns s as Markdown for a comment. Besides what [markdown.Escape] does, it keeps
// s from making links and from notifying users by name.
func escapeComment(s string) string {
	s = markdown.Escape(s)
	s = strings.ReplaceAll(s, "://", `\://`)
	for _, www := range []string{"www.", "WWW.", "Www."} {
		s = strings.ReplaceAll(s, www, www[:3]+`\.`)
	}
	return strings.ReplaceAll(s, "@", "@\u2060") // no name begins with a word joiner
}
