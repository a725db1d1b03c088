package report

import (
	"fmt"

	"github.com/fleetmark/fleetmark/profiles"
)

// mostCauses is how many functions of a cause a report names.
const mostCauses = 5

// whySection names the functions that made the difference.
func (s *Subject) whySection(l limits) (section, error) {
	if len(s.Causes) == 0 {
		return section{}, nil
	}
	sec := section{ID: "why", Title: "Why"}
	t := &table{Label: "Causes", Header: []cell{
		{Text: "function"}, {Text: "of an operation", Class: "n"}, {Text: "of the whole difference", Class: "n"}, {Text: "where"},
	}}
	for _, c := range s.Causes {
		sec.Lead = append(sec.Lead, clip(c.sentence(), 2*l.text))
		told, left := first(c.Explanation.Causes, mostCauses)
		for _, k := range told {
			t.Rows = append(t.Rows, clipCells([]cell{
				{Text: k.Function, Head: true}, {Text: c.Changed(k.Change), Class: "n"}, {Text: k.ShareText(), Class: "n"}, {Text: where(k)},
			}, l))
		}
		sec.Left = leftOut(left, "function")
	}
	if len(t.Rows) > 0 {
		sec.Table = t
	}
	return sec, nil
}

// sentence says what was profiled, and what came of it.
func (c Cause) sentence() string {
	text := fmt.Sprintf("%s, profiles of %s by turns: an operation costs %s, in %d and %d repetitions", c.Scenario, c.Kind, c.Changed(c.Total), c.Explanation.Base, c.Explanation.Now)
	if len(c.Explanation.Causes) == 0 {
		return text + "; no function's cost changed by more than chance would have it."
	}
	return text + "."
}

// line says what one function did to an operation, and where.
func (c Cause) line(k profiles.Cause) string {
	text := fmt.Sprintf("%s: %s, %s of the whole", k.Function, c.Changed(k.Change), k.ShareText())
	if at := where(k); at != "" {
		text += ", " + at
	}
	return text
}

// why are lines of plain text: what was profiled, and the functions that made the difference.
func (s *Subject) why() (lines []string) {
	for _, c := range s.Causes {
		lines = append(lines, c.sentence())
		told, left := first(c.Explanation.Causes, mostCauses)
		for _, k := range told {
			lines = append(lines, c.line(k))
		}
		if left > 0 {
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
		text += p.before + p.list[0].Name
	}
	return text
}

// why is the list of a comment.
func (c *comment) why() {
	for _, k := range c.Causes {
		c.printf("%s\n\n", c.prose(k.sentence()))
		told, left := first(k.Explanation.Causes, min(c.list, mostCauses))
		for _, f := range told {
			c.printf("- %s\n", c.prose(k.line(f)))
		}
		if left > 0 {
			c.printf("- and %s more\n", count(left, "function"))
		}
		c.printf("\n")
	}
}
