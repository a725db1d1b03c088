package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// SpecError is one mistake in a scenario: where, what is wrong, what is wanted.
type SpecError struct {
	File    string `json:"file"`    // as the user named it; "--set" for a flag; empty for a Spec made in code
	Line    int    `json:"line"`    // 1-based; 0 where nothing was written
	Column  int    `json:"column"`  // in characters, 1-based; 0 likewise
	Field   string `json:"field"`   // fleet.devices; empty where the file as a whole is wrong
	Problem string `json:"problem"` // what is wrong and what is wanted
	Source  string `json:"-"`       // the line of the file; empty likewise
}

// Error is one line: scenario rollout.yaml:12:9: load.rate: "10 per s": want a rate such as 10/s.
func (e *SpecError) Error() string {
	if strings.HasPrefix(e.File, "--") { // a flag
		return strings.TrimSuffix(e.File+" "+e.Field, " ") + ": " + e.Problem
	}
	var b strings.Builder
	b.WriteString("scenario")
	if e.File != "" {
		b.WriteString(" " + e.File)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// UsageError is something about the command, the machine or what was named on the
// command line that keeps a run from beginning. Nothing was measured or written.
type UsageError struct {
	What string // the thing, what is wrong with it and what to do
	Err  error  // the cause, or nil
}

func (e *UsageError) Error() string {
	if e.Err == nil {
		return e.What
	}
	return e.What + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

func NewUsageError(err error, format string, args ...any) error {
	return &UsageError{What: fmt.Sprintf(format, args...), Err: err}
}

// nearest gives the candidate most like name, or "" if none is like it at all.
func nearest(name string, candidates []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, over bytes.
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

// didYouMean is ": did you mean NEAREST?", or empty.
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return ": did you mean " + n + "?"
	}
	return ""
}

const (
	maxMistakes = 20   // that are told of one scenario
	maxKept     = 5000 // that are kept, to be sorted: a file may be one mistake a line
)

// mistakes are those of a scenario, as they are found.
type mistakes struct {
	list []*SpecError
	more int // that were found and not kept

	// unread are the fields that could not be read and so have the value that they had before:
	// what is wrong with that is no mistake of the file.
	unread []string
}

func (m *mistakes) add(e *SpecError) {
	if len(m.list) == maxKept {
		m.more++
		return
	}
	m.list = append(m.list, e)
}

// doubts reports whether a mistake in the field may only come of one that could not be read.
func (m *mistakes) doubts(field string) bool {
	return slices.ContainsFunc(append(comesOf(field), field), func(f string) bool {
		return slices.ContainsFunc(m.unread, func(unread string) bool { return related(unread, f) })
	})
}

// comesOf are the other fields that a mistake in this one may come of: where one of them could
// not be read there may be no mistake, and where this one wasn't written, the first of them that
// was is the place to look.
func comesOf(field string) []string {
	var of []string
	for _, row := range []struct {
		whole string
		of    []string
	}{
		{"load.spike", []string{"load.duration"}},
		{"load.burst", []string{"load.duration"}},
		{"load.ramp", []string{"load.rate"}},
		{"load.breakpoint", []string{"load.rate"}},
		{"thresholds", []string{"load.operation"}},
		{"fleet.devices", []string{"fleet.addressing", "load.model"}},
		{"fleet.behavior", []string{"fleet.addressing"}},
		{"fleet.groups", []string{"fleet.addressing", "fleet.tls"}},
		{"artifact.size", []string{"artifact.file"}},
	} {
		if isPart(field, row.whole) {
			of = row.of
		}
	}
	if isPart(field, "load") && field != "load.workers" && field != "load.operation" {
		of = append([]string{"load.model"}, of...)
	}
	return of
}

// err joins the mistakes in the order of the files, those of the first file first, and
// says how many there are beyond those that it tells.
func (m *mistakes) err(files ...string) error {
	if len(m.list) == 0 {
		return nil
	}
	order := func(file string) int {
		if i := slices.Index(files, file); i >= 0 {
			return i
		}
		return len(files) // a base that couldn't be read
	}
	slices.SortStableFunc(m.list, func(a, b *SpecError) int {
		return cmp.Or(
			cmp.Compare(order(a.File), order(b.File)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		)
	})
	told := m.list[:min(len(m.list), maxMistakes)]
	if n := len(m.list) + m.more - len(told); n > 0 {
		told = append(slices.Clone(told), &SpecError{File: told[len(told)-1].File, Problem: fmt.Sprintf("and %d more", n)})
	}
	return joinSpec(told)
}

// joinSpec makes one error of many, in order.
func joinSpec(errs []*SpecError) error {
	all := make([]error, len(errs))
	for i, e := range errs {
		all[i] = e
	}
	return errors.Join(all...)
}

// Mistakes takes an error of LoadFile, Parse, Find or Validate apart into the mistakes that it
// joins. What is wrong with the file rather than in it is one, of the file as a whole.
func Mistakes(file string, err error) []*SpecError {
	var list []*SpecError
	for _, e := range SplitErrors(err) {
		mistake, ok := errors.AsType[*SpecError](e)
		if !ok {
			mistake = &SpecError{File: file, Problem: yamlnode.OneLine(e.Error())}
			if u, ok := errors.AsType[*UsageError](e); ok && u.Err != nil {
				mistake.Problem = yamlnode.OneLine(u.Err.Error()) // the rest names the file
			}
		}
		list = append(list, mistake)
	}
	return list
}

const (
	excerptIndent = "    "
	excerptReach  = 70 // characters shown on either side of the place: a file may be one long line
)

// Report is the mistake as a person reads it, over several lines: where and what, in the
// form that editors jump by; the line that it is in and a caret below the place; what is wanted.
//
//	rollout.yaml:12:9: load.rate: "10 per s"
//	      rate: 10 per s
//	            ^
//	    want a rate such as 10/s
func (e *SpecError) Report() string {
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
	problem, want := e.parts()
	b.WriteString(problem)
	if line, caret := e.excerpt(); line != "" {
		b.WriteString("\n" + excerptIndent + line + "\n" + excerptIndent + caret)
	}
	if want != "" {
		b.WriteString("\n" + excerptIndent + want)
	}
	return b.String()
}

// parts takes the problem apart into what is wrong and what is wanted. A value that is
// told comes before what is wanted, so that the last "want" is ours.
func (e *SpecError) parts() (problem, want string) {
	at := max(strings.LastIndex(e.Problem, ": want "), strings.LastIndex(e.Problem, "; want "))
	if at < 0 {
		return e.Problem, ""
	}
	return e.Problem[:at], e.Problem[at+len(": "):]
}

// excerpt is the source line and a line with a caret under the column.
func (e *SpecError) excerpt() (line, caret string) {
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
	lead := printable(before)
	return lead + printable(after), blank(lead) + "^"
}

// printable is text that a terminal takes as text: a file may hold what would move its cursor.
func printable(text []rune) string {
	var b strings.Builder
	for _, r := range text {
		if r != '\t' && !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

// blank is as wide as text. A tab stays one, for it is as wide as the terminal has it.
func blank(text string) string {
	parts := strings.Split(text, "\t")
	for i, part := range parts {
		parts[i] = strings.Repeat(" ", displaywidth.String(part))
	}
	return strings.Join(parts, "\t")
}
