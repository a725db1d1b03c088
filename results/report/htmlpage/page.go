// Package htmlpage writes a report as one page of HTML, with plots.
//
// Its input is a [report.Document]; its output is a page that needs no script, no network and no
// other file. The page fits a phone, follows the reader's choice of a light or dark scheme, and
// describes each plot in words. Its size is bounded, whatever was measured, and it says what it
// leaves out.
//
// The package judges nothing and reads no files: the same document always gives the same bytes.
package htmlpage

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
)

// MaxSize is the largest size of a page, in bytes.
const MaxSize = 5 << 20

//go:embed page.html.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// Write writes a page about all results of a document, of at most [MaxSize] bytes. title is the
// page's title if there are several results.
func Write(w io.Writer, d *report.Document, title string) error {
	steps := []bounded.Limits{
		{Rows: 400, Text: 240, Block: 60_000, Figures: 32, Points: 200, List: 100},
		{Rows: 200, Text: 120, Block: 20_000, Figures: 12, Points: 60, List: 40},
		{Rows: 50, Text: 80, Block: 2_000, Figures: 6, Points: 20, List: 10},
	}
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return err
	}
	result := d.Combined(title)
	form := bounded.Document{Name: "HTML report", Max: MaxSize, Size: bounded.Bytes}
	return form.Render(w, steps, func(l bounded.Limits) ([]byte, error) {
		b := &builder{Result: result, limits: l}
		data, err := b.page()
		if err != nil {
			return nil, err
		}
		var page bytes.Buffer
		err = t.Execute(&page, data)
		return bytes.Map(printableRune, page.Bytes()), err
	})
}

// printableRune replaces characters that affect a page's text instead of being shown, such as
// control characters and those that change the direction of writing.
func printableRune(r rune) rune {
	if r == '\n' || r == '\t' || r == ' ' || unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// A builder makes the page about one result, within limits. err is the first error of a drawing.
type builder struct {
	*report.Result
	limits bounded.Limits
	err    error
}

// A page is the data of the template: texts, which the template escapes, and drawings.
type page struct {
	Style    template.CSS
	Scenario string
	Question string
	Headline headline
	Big      []bigFigure
	Sides    string
	Invalid  []string
	EndState string
	Warnings []string
	Notes    []string
	Figures  []keyFigure
	HasBase  bool
	Base     string
	Now      string
	Sections []section
}

// A headline is the headline of the result, with the class that colors it.
type headline struct {
	report.Headline
	Class string
}

// A keyFigure is a figure at the top of the page.
type keyFigure struct{ Name, Value string }

// A bigFigure is a figure that every reader looks for first. Base is what it was on the other side,
// and Change how much it changed; both are empty if there is no other side.
type bigFigure struct {
	Name, Value, Note, Base, Change, Class string
}

// A section is a section of the page. Its empty parts are left out.
type section struct {
	ID, Title string
	Lead      []string
	Timelines []timelineView
	Key       bool // whether to show a key to the marks of both sides
	Figures   []figure
	More      []figure // more figures, folded
	Table     *table
	Notes     []string // footnotes of the table
	Tables    []foldedTable
	Code      []string
	Folded    string // the title of a folded block
	Block     string // the text of that block
	Omitted   string // says what was left out
}

// A figure is a plot and its caption.
type figure struct {
	Title   string
	Aside   string
	Verdict string
	Wide    bool
	SVG     template.HTML
}

// A table is a [report.Table] for the template.
type table struct {
	Label  string
	Header []cell
	Rows   [][]cell
}

// A cell is a cell of a table. Its class is "n" for a number, the name of a verdict, "muted",
// "wrap", "code", "place" or "".
type cell struct {
	Text, Class string
	Head        bool // the cell names its row
}

func (b *builder) page() (*page, error) {
	h := headline{b.Headline, verdictClass(b.Headline.Verdict)}
	h.Word, h.Reason = plaintext.Clip(h.Word, 60), plaintext.Clip(h.Reason, 4*b.limits.Text)
	p := &page{
		Style: template.CSS(pageStyle), Scenario: b.clip(b.Scenario), Headline: h, Sides: b.sentence(b.Comparison),
		Invalid: b.sentences(b.Invalid), Warnings: b.sentences(b.Warnings), Notes: b.sentences(b.Notes),
		Question: b.sentence(b.Question()), Big: b.bigFigures(), Figures: b.keyFigures(),
		EndState: b.EndSentence(""),
		HasBase:  b.HasBase, Base: plaintext.Clip(b.Base.Label, 40), Now: plaintext.Clip(b.Now.Label, 40),
	}
	sections := []section{b.changes(), b.agents(), b.timelines()}
	for i := range min(len(b.Causes), report.MaxResults) {
		sections = append(sections, b.cause(i))
	}
	sections = append(sections, b.ratios(), b.thresholds(), b.latency(), b.samples(), b.repetitions(), b.failures(),
		b.byGroup(), b.groupChanges(), b.byWave(), b.metrics(), b.partial(), b.outcome(), b.operations(), b.waves(),
		b.validity(), b.tableSection("machine", "Where it was measured", b.ProvenanceTable()), b.spec(), b.reproduce())
	p.Sections = slices.DeleteFunc(sections, func(s section) bool { return s.Title == "" })
	return p, b.err
}

// clip returns a name or a note, clipped to the limits.
func (b *builder) clip(s string) string { return plaintext.Clip(s, b.limits.Text) }

// sentence returns a sentence, clipped to the limits.
func (b *builder) sentence(s string) string { return plaintext.Clip(s, 2*b.limits.Text) }

func (b *builder) sentences(list []string) (clipped []string) {
	shown, omitted := bounded.Head(list, b.limits.List)
	for _, s := range shown {
		clipped = append(clipped, b.sentence(s))
	}
	if omitted > 0 {
		clipped = append(clipped, plaintext.Count(omitted, "more sentence")+" left out.")
	}
	return clipped
}

// table returns a table whose texts are clipped to the limits.
func (b *builder) table(t *report.Table) *table {
	out := &table{Label: t.Label}
	for _, c := range t.Columns {
		out.Header = append(out.Header, cell{Text: c.Name, Class: kindClass(c.Kind)})
	}
	for _, row := range t.Rows {
		var cells []cell
		for i, c := range row {
			cells = append(cells, b.cell(c, t.KindOf(c, i)))
		}
		out.Rows = append(out.Rows, cells)
	}
	return out
}

func (b *builder) cell(c report.Cell, kind report.Kind) cell {
	out := cell{Text: c.Text + c.More, Class: kindClass(kind), Head: kind == report.Name}
	if c.Verdict != "" {
		out.Class = strings.TrimSpace(verdictClass(c.Verdict) + " " + out.Class)
		if symbol := report.Symbol(c.Verdict); symbol != "" {
			out.Text = symbol + " " + out.Text
		}
	}
	if c.Note > 0 {
		out.Text += " " + footnoteMark(c.Note)
	}
	out.Text = b.clip(out.Text)
	return out
}

func kindClass(kind report.Kind) string {
	return map[report.Kind]string{report.Number: "n", report.Prose: "wrap", report.Code: "code"}[kind]
}

// verdictClass returns the class that colors a verdict.
func verdictClass(v results.Verdict) string {
	if report.Symbol(v) == "" {
		return "none"
	}
	return string(v)
}
