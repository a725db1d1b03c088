package scenarios

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// SpecError is one mistake in a scenario: where it is, what is wrong, and what is wanted.
type SpecError struct {
	Wrong
	Origin Origin
	File   string // as the user named it; empty unless Origin is InFile
	Line   int    // 1-based; 0 if the value isn't written anywhere
	Column int    // in characters, 1-based; 0 if Line is 0
	Field  string // such as fleet.devices; empty if the file as a whole is wrong
	Source string // the line of the file; empty if there is none, or if it may contain a secret
	Err    error  // why the file can't be read, or nil
}

// Origin is where a mistake was made.
type Origin int

// The origins.
const (
	InFile       Origin = iota
	InAssignment        // in an argument of [Spec.Set]
	InCode
)

// Error returns one line, such as `scenario rollout.yaml:12:9: load.rate: "10 per s": want a rate
// such as 10/s`.
func (e *SpecError) Error() string {
	prefix := "scenario: "
	switch {
	case e.Origin == InAssignment:
		prefix = ""
	case e.Err != nil:
		prefix = "scenario file "
	case e.File != "":
		prefix = "scenario "
	}
	return prefix + e.place() + e.Wrong.Error()
}

// place returns "FILE:LINE:COLUMN: FIELD: ", without the parts that aren't known.
func (e *SpecError) place() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	return b.String()
}

// Unwrap returns why the file can't be read, or nil.
func (e *SpecError) Unwrap() error { return e.Err }

// MarshalJSON returns an object with file, line, column, field and problem. The problem includes
// what is wanted.
func (e *SpecError) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File    string `json:"file"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
		Field   string `json:"field"`
		Problem string `json:"problem"`
	}{e.File, e.Line, e.Column, e.Field, e.Wrong.Error()})
}

// Wrong says what is wrong with a value, and what is wanted instead. Want is empty if that is
// obvious. A Problem that is a whole sentence ends in a semicolon if there is a Want.
type Wrong struct{ Problem, Want string }

// Error returns both on one line.
func (w *Wrong) Error() string {
	switch {
	case w.Want == "":
		return w.Problem
	case strings.HasSuffix(w.Problem, ";"):
		return w.Problem + " want " + w.Want
	}
	return w.Problem + ": want " + w.Want
}

// wrongOf converts the error of a value's UnmarshalText, or of a package's validation. The text of
// such an error ends in what is wanted.
func wrongOf(err error) *Wrong {
	if w, ok := err.(*Wrong); ok {
		return w
	}
	text := yamlnode.OneLine(err.Error())
	at := max(strings.LastIndex(text, ": want "), strings.LastIndex(text, "; want "))
	if at < 0 {
		return &Wrong{Problem: text}
	}
	return &Wrong{strings.TrimSuffix(text[:at+1], ":"), text[at+len(": want "):]}
}

// closest returns the candidate most like name, or "" if none is similar.
func closest(name string, candidates []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// editDistance returns the Levenshtein distance, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// didYouMean returns ": did you mean NEAREST?", or "" if no candidate is similar.
func didYouMean(name string, candidates []string) string {
	if n := closest(name, candidates); n != "" {
		return ": did you mean " + n + "?"
	}
	return ""
}

const (
	maxReported  = 20   // mistakes that are reported of one scenario
	maxCollected = 5000 // mistakes that are kept for sorting; a long file may have one on each line
)

// problems collects the mistakes in a scenario.
type problems struct {
	found []*SpecError
	more  int // found but not kept
}

func (p *problems) add(e *SpecError) {
	if len(p.found) == maxCollected {
		p.more++
		return
	}
	p.found = append(p.found, e)
}

// err joins the mistakes in the order of the files, those of the first file first, and says how
// many more there are.
func (p *problems) err(files ...string) error {
	order := func(file string) int {
		if i := slices.Index(files, file); i >= 0 {
			return i
		}
		return len(files) // the file of a base that couldn't be read
	}
	slices.SortStableFunc(p.found, func(a, b *SpecError) int {
		return cmp.Or(
			cmp.Compare(order(a.File), order(b.File)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		)
	})
	told := p.found[:min(len(p.found), maxReported)]
	if n := len(p.found) + p.more - len(told); n > 0 {
		rest := &SpecError{File: told[len(told)-1].File, Wrong: Wrong{Problem: fmt.Sprintf("and %d more", n)}}
		told = append(slices.Clone(told), rest)
	}
	return joinProblems(told)
}

// joinProblems joins the mistakes into one error, in order. It returns nil if there are none.
func joinProblems(list []*SpecError) error {
	all := make([]error, len(list))
	for i, e := range list {
		all[i] = e
	}
	return errors.Join(all...)
}

// Problems returns the mistakes that an error of LoadFile, Parse, Find or Validate joins. It
// returns any other error as one mistake of the whole file.
func Problems(file string, err error) []*SpecError {
	var list []*SpecError
	for _, e := range SplitErrors(err) {
		mistake, ok := errors.AsType[*SpecError](e)
		if !ok {
			mistake = &SpecError{File: file, Wrong: Wrong{Problem: yamlnode.OneLine(e.Error())}}
		}
		list = append(list, mistake)
	}
	return list
}

// SplitErrors returns the errors that err joins, as by [errors.Join]. It doesn't split an error
// that wraps several others in a text of its own, as by two %w. It returns nil if err is nil.
func SplitErrors(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var parts []error
	var lines []string
	for _, e := range joined.Unwrap() {
		parts = append(parts, SplitErrors(e)...)
		lines = append(lines, e.Error())
	}
	if err.Error() != strings.Join(lines, "\n") {
		return []error{err}
	}
	return parts
}

const (
	excerptIndent = "    "
	excerptReach  = 70 // characters shown on either side of the position, since lines may be long
)

// Excerpt returns the mistake over several lines for a person: the position and the problem, in the
// form that editors can jump to; the line of the file with a caret below the position; and what is
// wanted.
//
//	rollout.yaml:12:9: load.rate: "10 per s"
//	      rate: 10 per s
//	            ^
//	    want a rate such as 10/s
func (e *SpecError) Excerpt() string {
	text := e.place() + e.Problem
	if e.Want != "" {
		text = strings.TrimSuffix(text, ";")
	}
	if line, caret := e.sourceLine(); line != "" {
		text += "\n" + excerptIndent + line + "\n" + excerptIndent + caret
	}
	if e.Want != "" {
		text += "\n" + excerptIndent + "want " + e.Want
	}
	return text
}

// sourceLine returns the source line and a line with a caret under the column.
func (e *SpecError) sourceLine() (line, caret string) {
	runes := []rune(strings.TrimRight(e.Source, "\r\n"))
	at := e.Column - 1
	if len(runes) == 0 || at < 0 || at > len(runes) {
		return "", ""
	}
	before, after := runes[:at], runes[at:]
	if len(before) > excerptReach {
		before = append([]rune("…"), before[len(before)-excerptReach:]...)
	}
	if len(after) > excerptReach {
		after = append(append([]rune(nil), after[:excerptReach]...), '…')
	}
	printable := func(text []rune) string { return plaintext.Printable(strings.ReplaceAll(string(text), "\r", "\ufffd")) }
	lead := printable(before)
	return lead + printable(after), caretIndent(lead) + "^"
}

// caretIndent returns white space as wide as text. It keeps tabs, whose width depends on the
// terminal.
func caretIndent(text string) string {
	parts := strings.Split(text, "\t")
	for i, part := range parts {
		parts[i] = strings.Repeat(" ", displaywidth.String(part))
	}
	return strings.Join(parts, "\t")
}
