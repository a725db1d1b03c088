package scenarios

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"
)

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

// printable is text that a terminal takes as text: a file may hold what would move its
// cursor.
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
