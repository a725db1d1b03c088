// Package page writes the pieces that every page of results is made of: escaped
// text, code, fenced blocks and tables, for a terminal and as Markdown.
//
// What goes in are strings from anywhere, a scenario's name or a device's answer
// among them. What comes out is CommonMark (https://spec.commonmark.org, with the
// tables of GitHub's extension) in which they mean only themselves, and of which
// no line begins as a line of the Go benchmark format does: benchstat reads whole
// pages, and takes every line that begins with "Benchmark", "Unit" or a
// lower-case "key: value" for its own.
//
// It knows nothing of runs or metrics.
package page

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/perf/benchfmt"
)

// Escape returns s as Markdown text on one line that shows s itself. It is safe
// in a table's cell and after other text; it is no block of its own.
func Escape(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune("\\`*_[]<>|&~$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Plain returns s as one line for a terminal, without anything that a terminal
// would act on.
func Plain(s string) string { return oneLine(s) }

// Code returns s as a Markdown code span on one line, safe in a table's cell.
func Code(s string) string {
	s = oneLine(s)
	if s == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(s)+1)
	// A space on both sides is stripped by the reader, so that a span may begin or
	// end with a backtick, or hold nothing but it.
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") {
		s = " " + s + " "
	}
	return ticks + strings.ReplaceAll(s, "|", "\\|") + ticks
}

// Fence writes body as a fenced code block. Each line is indented by two spaces,
// so that none is read as a benchmark's.
func Fence(w io.Writer, language, body string) error {
	body = strings.TrimRight(strings.ReplaceAll(body, "\r\n", "\n"), "\n")
	fence := strings.Repeat("`", max(3, longestRun(body)+1))
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", fence, language)
	for line := range strings.SplitSeq(body, "\n") {
		b.WriteString("  " + printable(line) + "\n")
	}
	b.WriteString(fence + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// IsBenchmarkLine reports whether benchstat would take a line for a result, for
// metadata of a unit, or for configuration.
func IsBenchmarkLine(line string) bool {
	if strings.HasPrefix(line, "Benchmark") || line == "Unit" || strings.HasPrefix(line, "Unit ") || strings.HasPrefix(line, "Unit\t") {
		return true
	}
	// The format's own reader decides about configuration: what it makes of the
	// line shows on a result after it. A key alone takes its value back, which
	// would not show, so the line is given a word more.
	reader := benchfmt.NewReader(strings.NewReader(line+" x\nBenchmarkX 1 1 x\n"), "")
	for reader.Scan() {
		if result, ok := reader.Result().(*benchfmt.Result); ok && bytes.Equal(result.Name, []byte("X")) {
			return len(result.Config) > 0
		}
	}
	return false
}

func oneLine(s string) string { return strings.Join(strings.FieldsFunc(printable(s), isBreak), " ") }

func isBreak(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }

// printable takes out what a terminal or a page would act on instead of show.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if isBreak(r) || unicode.IsPrint(r) || r == ' ' {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// longestRun is the length of the longest run of backticks in s.
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
