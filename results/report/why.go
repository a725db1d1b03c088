package report

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/profiles"
)

// mostCauses is how many functions of a cause a report names.
const mostCauses = 5

// maxNote bounds a note in a comment, in runes.
const maxNote = 400

// whySection names the functions that made the difference, by the i-th kind of profiles.
func (s *Subject) whySection(i int) func(limits) (section, error) {
	return func(l limits) (section, error) {
		c := s.Causes[i]
		sec := section{ID: "why", Title: "Why: " + c.about(), Lead: []string{clip(c.sentence(), 2*l.text)}}
		if i > 0 {
			sec.ID = fmt.Sprintf("why-%d", i+1)
		}
		for _, note := range c.Notes {
			sec.Lead = append(sec.Lead, clip("Note: "+note+".", 2*l.text))
		}
		if len(c.Explanation.Causes) > 0 { // the table's last column may be out of a phone's sight
			k := c.Explanation.Causes[0]
			text := "The largest part: " + shortName(k.Function)
			if at := where(k); at != "" {
				text += ", " + at
			}
			sec.Lead = append(sec.Lead, clip(text+".", 2*l.text))
		}
		t := &table{Label: "Causes", Header: []cell{
			{Text: "function"}, {Text: "of an operation", Class: "n"}, {Text: "of the difference", Class: "n"}, {Text: "where"},
		}}
		told, left := first(c.Explanation.Causes, mostCauses)
		for _, k := range told {
			t.Rows = append(t.Rows, clipCells([]cell{
				{Text: shortName(k.Function), Head: true}, {Text: c.Changed(k.Change), Class: "n"}, {Text: k.ShareText(), Class: "n"},
				{Text: where(k), Class: "place"},
			}, l))
		}
		if len(t.Rows) > 0 {
			sec.Table = t
		}
		sec.Left = leftOut(left+c.Explanation.Left, "function")
		return sec, nil
	}
}

// about is what a kind of profile shows.
func (c Cause) about() string {
	switch profiles.Kind(c.Kind) {
	case profiles.CPU:
		return "processor time"
	case profiles.Block:
		return "waits"
	case profiles.Allocs:
		return "allocations"
	}
	return c.Kind
}

// sentence says what was profiled, and what came of it.
func (c Cause) sentence() string {
	does := "costs"
	if profiles.Kind(c.Kind) == profiles.Block {
		does = "waits"
	}
	text := fmt.Sprintf("%s, profiles of %s by turns: an operation %s %s, in %d and %d repetitions", c.Scenario, c.Kind, does, c.Changed(c.Total), c.Explanation.Base, c.Explanation.Now)
	switch {
	case len(c.Explanation.Causes) > 0:
	case len(c.Explanation.Functions) > 0:
		return text + "; no one function accounts for it, but " + shortName(c.Explanation.Functions[0].Name) + " changed by " + c.Changed(c.Explanation.Functions[0].Change) + "."
	default:
		return text + "; no function's cost changed by more than chance would have it."
	}
	return text + "."
}

// shortName is a function without the path of its package where that names a site, as every module's does that
// isn't Go's own: the profiles have the whole of it.
func shortName(function string) string {
	site, _, _ := strings.Cut(function, "/")
	if !strings.Contains(site, ".") {
		return function
	}
	path := function
	if at := strings.IndexAny(path, "[("); at >= 0 { // of types, that have paths of their own
		path = path[:at]
	}
	return function[strings.LastIndex(path, "/")+1:]
}

// line says what one function did to an operation, and where.
func (c Cause) line(k profiles.Cause) string {
	text := fmt.Sprintf("%s: %s, %s of the whole", shortName(k.Function), c.Changed(k.Change), k.ShareText())
	if at := where(k); at != "" {
		text += ", " + at
	}
	return text
}

// why are lines of plain text: what was profiled, and the functions that made the difference.
func (s *Subject) why() (lines []string) {
	for _, c := range s.Causes {
		lines = append(lines, c.sentence())
		for _, note := range c.Notes {
			lines = append(lines, "note: "+note)
		}
		told, left := first(c.Explanation.Causes, mostCauses)
		for _, k := range told {
			lines = append(lines, c.line(k))
		}
		if left += c.Explanation.Left; left > 0 {
			lines = append(lines, fmt.Sprintf("and %s more", count(left, "function")))
		}
	}
	return lines
}

// where is the line, what it calls and who called it.
func where(k profiles.Cause) string {
	text := ""
	for _, p := range []struct {
		before string
		list   []profiles.Portion
	}{{"at ", k.Lines}, {"in ", k.Callees}, {"for ", k.Callers}} {
		if len(p.list) == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += p.before + shortName(p.list[0].Name)
	}
	return text
}

// why is the list of a comment.
func (c *comment) why() {
	for _, k := range c.Causes {
		c.printf("%s\n\n", c.prose(k.sentence()))
		for _, note := range k.Notes {
			c.printf("%s\n\n", c.prose("Note: "+clip(note, maxNote)+"."))
		}
		told, left := first(k.Explanation.Causes, min(c.list, mostCauses))
		for _, f := range told {
			c.printf("- %s\n", c.prose(k.line(f)))
		}
		if left += k.Explanation.Left; left > 0 {
			c.printf("- and %s more\n", count(left, "function"))
		}
		c.printf("\n")
	}
}
