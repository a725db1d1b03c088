// Package markdown writes arbitrary text, such as a scenario's name or a device's answer, as
// CommonMark (https://spec.commonmark.org) in which no character of the text has a special meaning.
//
// No line that it writes looks like a line of the Go benchmark format. benchstat reads whole pages,
// and takes every line that begins with "Benchmark", "Unit" or a lower-case "key: value" for its
// own.
//
// Package texttable writes tables.
package markdown

import (
	"fmt"
	"io"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// Escape returns s as inline Markdown text on one line. The result is safe in a table's cell, and
// after other text on a line.
func Escape(s string) string {
	var b strings.Builder
	for _, r := range plaintext.Line(s) {
		if strings.ContainsRune("\\`*_[]<>|&~$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Code returns s as a Markdown code span on one line. The result is safe in a table's cell, and
// empty if s is.
func Code(s string) string {
	s = plaintext.Line(s)
	if s == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(s)+1)
	// Parsers strip one space from both sides, so that a span may begin or end with a backtick.
	tick := strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`")
	if tick || strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") {
		s = " " + s + " "
	}
	return ticks + strings.ReplaceAll(s, "|", "\\|") + ticks
}

// Fence writes body as a fenced code block. It indents each line by two spaces, so that benchstat
// takes none for a result.
func Fence(w io.Writer, language, body string) error {
	body = strings.TrimRight(strings.ReplaceAll(body, "\r\n", "\n"), "\n")
	fence := strings.Repeat("`", max(3, longestRun(body)+1))
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", fence, language)
	for line := range strings.SplitSeq(body, "\n") {
		b.WriteString("  " + plaintext.Printable(line) + "\n")
	}
	b.WriteString(fence + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// longestRun returns the length of the longest run of backticks in s.
func longestRun(s string) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
