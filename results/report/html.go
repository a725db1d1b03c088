package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"unicode"
)

// MaxHTML is how large a page may be, in bytes.
const MaxHTML = 5 << 20

//go:embed page.html.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// HTML writes the report as one page that needs nothing else: no script, no network, no
// file beside it. It fits a phone, follows the reader's choice of light or dark, and each
// plot says in words what it shows. It has at most [MaxHTML] bytes, whatever the input.
func HTML(w io.Writer, s *Subject) error {
	tries := []limits{
		{rows: 400, text: 240, long: 60_000, figures: 32, points: 200, list: 100},
		{rows: 200, text: 120, long: 20_000, figures: 12, points: 60, list: 40},
		{rows: 50, text: 80, long: 2_000, figures: 6, points: 20, list: 10},
	}
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return err
	}
	return fit(w, "HTML report", bytesOf, MaxHTML, tries, func(l limits) ([]byte, error) {
		page, err := newPage(s, l)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		err = t.Execute(&b, page)
		return bytes.Map(visible, b.Bytes()), err
	})
}

// visible takes out what acts on a page's text instead of showing: control characters, and
// those that turn the direction of writing.
func visible(r rune) rune {
	if r == '\n' || r == '\t' || r == ' ' || unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// An htmlPage is what the template is given: words that it escapes, and drawings.
type htmlPage struct {
	Style    template.CSS
	Scenario string
	Headline headline
	Sides    string
	Invalid  []string
	Unended  string
	Warnings []string
	Notes    []string
	Chips    []chip
	HasBase  bool
	Base     string
	Now      string
	Sections []section
}

// A chip is a figure that everybody asks for.
type chip struct{ Name, Value string }

// A section is a heading and what stands below it, each part only where there is any.
type section struct {
	ID, Title string
	Lead      []string
	Key       bool // the figures draw sides, and need the key to their marks
	Figures   []figure
	More      []figure // folded
	Table     *table
	Notes     []string // the table's, numbered
	Code      []string
	Folded    string // the title of a block that is folded
	Block     string
	Left      string // what was left out
}

// A figure is a plot and its caption.
type figure struct {
	Title   string
	Aside   string
	Verdict string
	Wide    bool
	SVG     template.HTML
}

// A table's cells have a class: "n" for a number, a verdict, or none.
type table struct {
	Label  string
	Header []cell
	Rows   [][]cell
}

type cell struct {
	Text, Class string
	Head        bool // of its row
}

func newPage(s *Subject, l limits) (*htmlPage, error) {
	h := s.headline()
	h.Word, h.Reason = clip(h.Word, 60), clip(h.Reason, 4*l.text)
	page := &htmlPage{
		Style: template.CSS(pageStyle), Scenario: clip(s.Scenario, l.text), Headline: h, Sides: clip(s.sides(), 2*l.text),
		Invalid: l.sentences(s.invalid()), Warnings: l.sentences(s.warnings()), Notes: l.sentences(s.notes()), Chips: s.chips(l),
		HasBase: s.hasBase(), Base: clip(s.baseLabel(), 40), Now: clip(s.nowLabel(), 40),
	}
	if status := s.unended(); status != "" {
		page.Unended = "The run is " + status + ": it holds the " + count(s.Now.repetitions(), "repetition") + " that ended before."
	}
	makers := []func(limits) (section, error){s.changeSection}
	for i := range min(len(s.Causes), maxSubjects) {
		makers = append(makers, s.whySection(i))
	}
	makers = append(makers,
		s.ratioSection, s.thresholdSection, s.latencySection, s.sampleSection, s.repetitionSection,
		s.failureSection, s.metricSection, s.outcomeSection, s.trustSection, s.machineSection, s.scenarioSection, s.reproduceSection)
	for _, make := range makers {
		section, err := make(l)
		if err != nil {
			return nil, err
		}
		if section.Title != "" {
			page.Sections = append(page.Sections, section)
		}
	}
	return page, nil
}

func (l limits) sentences(list []string) (clipped []string) {
	told, left := first(list, l.list)
	for _, s := range told {
		clipped = append(clipped, clip(s, 2*l.text))
	}
	if left > 0 {
		clipped = append(clipped, count(left, "more sentence")+" left out.")
	}
	return clipped
}
