package report

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
)

// A Cause says which functions made a scenario cost more.
type Cause struct {
	Scenario string
	Kind     profiles.Kind
	Dir      string // the directory with the profiles, or ""
	Flame    string // the page with their difference, or ""
	FlameErr error  // why there is no such page, or nil
	*explain.Explanation
}

// maxCauses bounds how many functions of a cause a report names.
const maxCauses = 5

// maxNote bounds a note in a comment, in runes.
const maxNote = 400

// Noun returns what the cause's kind of profile measures.
func (c Cause) Noun() string {
	nouns := map[profiles.Kind]string{
		profiles.CPU: "processor time", profiles.Block: "waits", profiles.Allocs: "allocations",
	}
	return cmp.Or(nouns[c.Kind], string(c.Kind))
}

// Sentence returns a sentence that says what was profiled, and with what result.
func (c Cause) Sentence() string {
	does := "costs"
	if c.Kind == profiles.Block {
		does = "waits"
	}
	text := fmt.Sprintf("%s, profiles of %s by turns: an operation %s %s, in %d and %d repetitions",
		c.Scenario, c.Kind, does, c.Changed(c.Total), c.Explanation.Base, c.Explanation.Now)
	switch {
	case len(c.Explanation.Causes) > 0:
		return text + "."
	case len(c.Explanation.Functions) > 0:
		first := c.Explanation.Functions[0]
		return fmt.Sprintf("%s; no one function accounts for it, but %s changed by %s.",
			text, FunctionName(first.Name), c.Changed(first.Change))
	}
	return text + "; no function's cost changed by more than chance would have it."
}

// Shown returns at most limit functions to be named in a report, and the number of other functions
// that made a difference.
func (c Cause) Shown(limit int) (shown []explain.Cause, omitted int) {
	list := c.Explanation.Causes
	n := min(len(list), limit, maxCauses)
	return list[:n], len(list) - n + c.Explanation.Omitted
}

// line returns a line about one function: by how much it changed an operation, and where.
func (c Cause) line(f explain.Cause) string {
	text := fmt.Sprintf("%s: %s, %s of the whole", FunctionName(f.Function), c.Changed(f.Change), f.ShareText())
	if at := Location(f); at != "" {
		text += ", " + at
	}
	return text
}

// lines returns the cause in plain text: what was profiled, and which functions made the
// difference.
func (c Cause) lines() []string {
	lines := []string{c.Sentence()}
	for _, note := range c.Notes {
		lines = append(lines, "note: "+note)
	}
	shown, omitted := c.Shown(maxCauses)
	for _, f := range shown {
		lines = append(lines, c.line(f))
	}
	if omitted > 0 {
		lines = append(lines, "and "+plaintext.Count(omitted, "function")+" more")
	}
	return lines
}

// CauseLines returns all causes in plain text.
func (r *Result) CauseLines() (lines []string) {
	for _, c := range r.Causes {
		lines = append(lines, c.lines()...)
	}
	return lines
}

// text writes the cause as a terminal shows it below a verdict.
func (c Cause) text(b *bytes.Buffer) error {
	fmt.Fprintf(b, "\nwhy (%s, profiles of kind %s):\n", plaintext.Line(c.Scenario), c.Kind)
	if err := c.WriteText(b); err != nil {
		return err
	}
	if c.FlameErr != nil {
		fmt.Fprintf(b, "no flame graph of the difference: %s\n", plaintext.Printable(c.FlameErr.Error()))
	} else {
		fmt.Fprintf(b, "flame graph of the difference: %s\n", plaintext.Line(c.Flame))
	}
	return nil
}

// FunctionName returns a function's name for people: without the path before its package, unless
// the package belongs to the standard library, and quoted if it can't be printed as it is. The
// profiles have the whole name.
func FunctionName(function string) string { return profiles.Printable(withoutPath(function)) }

func withoutPath(function string) string {
	site, _, _ := strings.Cut(function, "/")
	if !strings.Contains(site, ".") {
		return function
	}
	path := function
	if at := strings.IndexAny(path, "[("); at >= 0 { // types have paths of their own
		path = path[:at]
	}
	return function[strings.LastIndex(path, "/")+1:]
}

// Location returns the most important line, callee and caller of a cause.
func Location(f explain.Cause) string {
	var parts []string
	for _, p := range []struct {
		before string
		list   []explain.Contribution
	}{{"at ", f.Lines}, {"in ", f.Callees}, {"for ", f.Callers}} {
		if len(p.list) > 0 {
			parts = append(parts, p.before+FunctionName(p.list[0].Name))
		}
	}
	return strings.Join(parts, ", ")
}
