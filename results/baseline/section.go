package baseline

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/results"
)

// A Section is a part of the page that is no scenario, such as where an operation's time goes or
// how much code there is. A [SectionWriter] makes one. The fields that have a JSON name are among
// the page's facts.
type Section struct {
	Name  string `json:"name"`  // for programs: a to z and dashes
	Title string `json:"title"` // for people
	Body  string `json:"-"`     // Markdown, without a line that benchstat would read

	// Figures are what the section measured, under names that don't change; nil if it measured
	// nothing. Targets are compared with them.
	Figures map[string]float64 `json:"figures,omitempty"`
}

// sectionName matches the name of a section, which is part of its mark.
var sectionName = regexp.MustCompile(`^[a-z][a-z-]{0,40}$`)

// validate returns an error if the section would break the page, or not come back from it as it is.
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
