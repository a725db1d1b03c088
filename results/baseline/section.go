package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// A Section is a part of the baseline page that is no scenario: where an operation's
// time goes, say, or how much code there is. [SectionWriter] makes one.
type Section struct {
	Name  string // for programs: a to z and dashes
	Title string // for people
	Body  string // Markdown, without a line that benchstat would read

	// Figures are what the section measured, under names that stay; nil where it
	// measured nothing. The page has them among its facts, and its targets are held
	// against them.
	Figures map[string]float64
}

// sectionName is what a section may be called; its mark has the name in it.
var sectionName = regexp.MustCompile(`^[a-z][a-z-]{0,40}$`)

// A SectionWriter puts a section together. Whatever text it is given means only itself.
type SectionWriter struct {
	section Section
	body    strings.Builder
	err     error
}

// NewSection begins a section.
func NewSection(name, title string) *SectionWriter {
	return &SectionWriter{section: Section{Name: name, Title: title}}
}

// Text adds a paragraph.
func (w *SectionWriter) Text(format string, args ...any) {
	w.begin()
	w.body.WriteString(wrap(markdown.Escape(fmt.Sprintf(format, args...))) + "\n")
}

// Heading adds a heading below the section's own.
func (w *SectionWriter) Heading(text string) {
	w.begin()
	w.body.WriteString("### " + markdown.Escape(text) + "\n")
}

// Table adds a table; align has an l or r a column. A cell between backticks is code, as are several
// such texts with a comma between them.
func (w *SectionWriter) Table(align string, header []string, rows [][]string) {
	w.begin()
	escaped := func(cells []string) []string {
		out := make([]string, len(cells))
		for i, c := range cells {
			out[i] = markdown.Escape(c)
			if len(c) > 2 && c[0] == '`' && c[len(c)-1] == '`' {
				parts := strings.Split(c[1:len(c)-1], "`, `")
				for k, part := range parts {
					parts[k] = markdown.Code(part)
				}
				out[i] = strings.Join(parts, ", ")
			}
		}
		return out
	}
	t := texttable.Table{Header: escaped(header), Align: align}
	for _, r := range rows {
		t.Rows = append(t.Rows, escaped(r))
	}
	w.err = errors.Join(w.err, t.Markdown(&w.body))
}

// Command adds a paragraph that ends in a command of one line, such as "Measured with".
func (w *SectionWriter) Command(text, command string) {
	w.begin()
	w.body.WriteString(withCommand(text, command) + "\n")
}

// withCommand is a paragraph that ends in a command.
func withCommand(text, command string) string {
	text, command = wrap(markdown.Escape(text)), markdown.Code(command)+"."
	last := text[strings.LastIndexByte(text, '\n')+1:]
	if len(last)+1+len(command) > lineWidth {
		return text + "\n" + command
	}
	return text + " " + command
}

// Commands adds a block of commands for a shell, a line each.
func (w *SectionWriter) Commands(lines ...string) {
	w.begin()
	w.err = errors.Join(w.err, markdown.Fence(&w.body, "sh", strings.Join(lines, "\n")))
}

// Figure notes a number for programs. It must be finite.
func (w *SectionWriter) Figure(name string, v float64) {
	if w.section.Figures == nil {
		w.section.Figures = map[string]float64{}
	}
	w.section.Figures[name] = v
}

func (w *SectionWriter) begin() {
	if w.body.Len() > 0 {
		w.body.WriteByte('\n')
	}
}

// Section is what was written.
func (w *SectionWriter) Section() (Section, error) {
	if w.err != nil {
		return Section{}, fmt.Errorf("section %s: %w", w.section.Name, w.err)
	}
	s := w.section
	s.Body = strings.Trim(w.body.String(), "\n")
	return s, s.validate()
}

// lineWidth is how long the lines of a paragraph are, in bytes.
const lineWidth = 118

// wrap breaks a paragraph where its words end, but not before a word that a line of
// benchstat's or a block of Markdown's begins with. The first word can't be moved, and
// validate looks at it.
func wrap(text string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > lineWidth && plainStart(word):
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	lines = append(lines, line)
	return strings.Join(lines, "\n")
}

var plainWord = regexp.MustCompile(`^[\pL\\(][^:]*$`)

// plainStart reports whether a line may begin with a word.
func plainStart(word string) bool {
	return plainWord.MatchString(word) && !strings.HasPrefix(word, "Benchmark") && !strings.HasPrefix(word, "Unit")
}

// validate refuses what would break the page, or not come back from it as it is.
func (s Section) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("section %q: "+format, append([]any{s.Name}, args...)...)
	}
	switch {
	case !sectionName.MatchString(s.Name):
		return bad("want a name of a to z and dashes")
	case markdown.Escape(s.Title) == "" || strings.TrimSpace(s.Title) != s.Title || strings.ContainsAny(s.Title, "\n\r"):
		return bad("title %q: want one line of text", s.Title)
	case strings.Trim(s.Body, "\n") != s.Body:
		return bad("want no empty line at its beginning or end")
	}
	for line := range strings.SplitSeq(s.Body, "\n") {
		switch {
		case strings.HasPrefix(line, "## "), strings.HasPrefix(line, "# "):
			return bad("%q: want no heading of the page's own", line)
		case strings.HasPrefix(line, fenceSamples), strings.HasPrefix(line, fenceFacts):
			return bad("%q: want no block of the page's own", line)
		case results.IsBenchmarkLine(line):
			return bad("%q: benchstat would read it: want a line that begins otherwise", line)
		}
		// Escaped it is text that speaks of a mark.
		if strings.Contains(strings.ReplaceAll(line, `\<`, ""), "<!-- fleetmark:") || strings.ContainsRune(line, '\r') {
			return bad("%q: want neither a mark of the page nor a carriage return", line)
		}
	}
	for name, v := range s.Figures {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return bad("figure %s is %v: want a number", name, v)
		}
	}
	return nil
}

// sectionFacts is what the page's JSON block says of a section.
type sectionFacts struct {
	Name    string             `json:"name"`
	Title   string             `json:"title"`
	Figures map[string]float64 `json:"figures,omitempty"`
}

const (
	markSection     = "<!-- fleetmark:section %s -->"
	markSectionsEnd = "<!-- fleetmark:sections:end -->"
)

// writeSections writes all of them, and a mark behind the last.
func writeSections(p *strings.Builder, sections []Section) ([]sectionFacts, error) {
	seen := map[string]bool{}
	var facts []sectionFacts
	for _, s := range sections {
		if err := s.validate(); err != nil {
			return nil, err
		}
		if seen[s.Name] {
			return nil, fmt.Errorf("section %s is given twice: want each once", s.Name)
		}
		seen[s.Name] = true
		fmt.Fprintf(p, markSection+"\n## %s\n\n%s\n\n", s.Name, markdown.Escape(s.Title), s.Body)
		f := sectionFacts{Name: s.Name, Title: s.Title}
		if len(s.Figures) > 0 {
			f.Figures = s.Figures
		}
		facts = append(facts, f)
	}
	if len(facts) > 0 {
		p.WriteString(markSectionsEnd + "\n\n")
	}
	return facts, nil
}

// sectionsOf finds the sections that the facts name. problem is what is wrong, on a line.
func sectionsOf(lines []string, facts []sectionFacts) (sections []Section, problem string, line int) {
	from := 0
	find := func(mark string) int {
		for i := from; i < len(lines); i++ {
			if lines[i] == mark {
				return i
			}
		}
		return -1
	}
	for i, f := range facts {
		begin := find(fmt.Sprintf(markSection, f.Name))
		if begin < 0 {
			return nil, fmt.Sprintf("lacks the section %q, which the facts have", f.Name), len(lines)
		}
		from = begin + 1
		mark := markSectionsEnd
		if i+1 < len(facts) {
			mark = fmt.Sprintf(markSection, facts[i+1].Name)
		}
		end := find(mark)
		if end < 0 {
			return nil, fmt.Sprintf("has no end of the section %q", f.Name), begin + 1
		}
		if end < begin+3 || lines[begin+1] != "## "+markdown.Escape(f.Title) {
			return nil, fmt.Sprintf("the section %q lacks its title", f.Name), begin + 1
		}
		sections = append(sections, Section{
			Name: f.Name, Title: f.Title, Figures: f.Figures, Body: strings.Trim(strings.Join(lines[begin+2:end], "\n"), "\n"),
		})
	}
	return sections, "", 0
}

// UnmarshalJSON lets an empty object of figures be none, so that it is written as it
// was read.
func (f *sectionFacts) UnmarshalJSON(data []byte) error {
	type plain sectionFacts
	if err := json.Unmarshal(data, (*plain)(f)); err != nil {
		return err
	}
	if len(f.Figures) == 0 {
		f.Figures = nil
	}
	return nil
}
