package baseline

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// A Section is a part of the page that isn't a scenario, such as where an operation's time goes or
// how much code there is. A [SectionWriter] makes one. The fields that have a JSON name are among
// the page's facts.
type Section struct {
	Name  string `json:"name"`  // for programs: a to z and dashes
	Title string `json:"title"` // for people
	Body  string `json:"-"`     // Markdown, without a line that benchstat would read

	// Figures are what the section measured, under names that never change, so that they can be
	// compared with targets. It is nil if the section measured nothing.
	Figures map[string]float64 `json:"figures,omitempty"`
}

// sectionName matches the name of a section, which is part of its mark.
var sectionName = regexp.MustCompile(`^[a-z][a-z-]{0,40}$`)

// validate returns an error if the section would break the page, or would read back differently.
func (s Section) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("section %q: "+format, append([]any{s.Name}, args...)...)
	}
	switch {
	case !sectionName.MatchString(s.Name):
		return bad("want a name of a to z and dashes")
	case markdown.Escape(s.Title) == "" || strings.TrimSpace(s.Title) != s.Title || strings.ContainsAny(s.Title,
		"\n\r"):
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
		// An escaped < is text about a mark.
		if strings.Contains(strings.ReplaceAll(line, `\<`, ""), "<!-- fleetmark:") || strings.ContainsRune(line,
			'\r') {
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

// writeSections writes all sections, and a mark after the last.
func (p *Page) writeSections(b *strings.Builder) {
	for _, s := range p.Sections {
		fmt.Fprintf(b, markSection+"\n## %s\n\n%s\n\n", s.Name, markdown.Escape(s.Title), s.Body)
	}
	if len(p.Sections) > 0 {
		b.WriteString(markSectionsEnd + "\n\n")
	}
}

// A SectionWriter makes a section. It escapes all text that it is given.
type SectionWriter struct {
	// Program is the name that the program fleetmark has in commands, if it is another one.
	Program string

	section Section
	body    strings.Builder
	err     error
}

// NewSection returns the writer of a section.
func NewSection(name, title string) *SectionWriter {
	return &SectionWriter{section: Section{Name: name, Title: title}}
}

// Text adds a paragraph.
func (w *SectionWriter) Text(format string, args ...any) {
	w.separate()
	w.body.WriteString(wrap(markdown.Escape(fmt.Sprintf(format, args...))) + "\n")
}

// Table adds a table. align has an l or r for each column. A cell between backticks is code; such a
// cell may hold several identifiers, each between backticks, separated by commas.
func (w *SectionWriter) Table(align string, header []string, rows [][]string) {
	w.separate()
	t := texttable.Table{Header: escapeCells(header), Align: align}
	for _, r := range rows {
		t.Rows = append(t.Rows, escapeCells(r))
	}
	w.err = errors.Join(w.err, t.Markdown(&w.body))
}

func escapeCells(cells []string) []string {
	escaped := make([]string, len(cells))
	for i, c := range cells {
		if len(c) <= 2 || c[0] != '`' || c[len(c)-1] != '`' {
			escaped[i] = markdown.Escape(c)
			continue
		}
		parts := strings.Split(c[1:len(c)-1], "`, `")
		for k, part := range parts {
			parts[k] = markdown.Code(part)
		}
		escaped[i] = strings.Join(parts, ", ")
	}
	return escaped
}

// Command adds a paragraph: text, such as "Measured with", followed by a command of one line, which
// begins with the name of a program.
func (w *SectionWriter) Command(text, command string) {
	w.separate()
	w.body.WriteString(withCommand(text, w.named(command)) + "\n")
}

// Commands adds a block of shell commands, one on each line. Those of fleetmark begin with its name.
func (w *SectionWriter) Commands(lines ...string) {
	w.separate()
	for i, line := range lines {
		lines[i] = w.named(line)
	}
	w.err = errors.Join(w.err, markdown.Fence(&w.body, "sh", strings.Join(lines, "\n")))
}

// named returns a command with the name that fleetmark has here.
func (w *SectionWriter) named(command string) string {
	if arguments, ok := strings.CutPrefix(command, "fleetmark "); ok && w.Program != "" {
		return w.Program + " " + arguments
	}
	return command
}

// Figure adds a number for programs. It must be finite.
func (w *SectionWriter) Figure(name string, v float64) {
	if w.section.Figures == nil {
		w.section.Figures = map[string]float64{}
	}
	w.section.Figures[name] = v
}

// separate writes an empty line before a further paragraph.
func (w *SectionWriter) separate() {
	if w.body.Len() > 0 {
		w.body.WriteByte('\n')
	}
}

// Section returns the section, or an error if it can't be part of a page.
func (w *SectionWriter) Section() (Section, error) {
	if w.err != nil {
		return Section{}, fmt.Errorf("section %s: %w", w.section.Name, w.err)
	}
	s := w.section
	s.Body = strings.Trim(w.body.String(), "\n")
	return s, s.validate()
}

// withCommand returns a paragraph that consists of text and a command.
func withCommand(text, command string) string {
	text, command = wrap(markdown.Escape(text)), markdown.Code(command)+"."
	last := text[strings.LastIndexByte(text, '\n')+1:]
	if len(last)+1+len(command) > lineWidth {
		return text + "\n" + command
	}
	return text + " " + command
}

// lineWidth is the longest line of a paragraph, in bytes.
const lineWidth = 118

// wrap breaks a paragraph into lines. It never breaks before a word that would make benchstat or
// Markdown take the line for anything but text. It can't change the first word, which validate
// checks.
func wrap(text string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > lineWidth && mayStartLine(word):
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return strings.Join(append(lines, line), "\n")
}

var plainWord = regexp.MustCompile(`^[\pL\\(][^:]*$`)

// mayStartLine reports whether a line of text may begin with a word.
func mayStartLine(word string) bool {
	return plainWord.MatchString(word) && !strings.HasPrefix(word, "Benchmark") && !strings.HasPrefix(word, "Unit")
}
