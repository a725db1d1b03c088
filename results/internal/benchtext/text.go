// Package benchtext reads what go test printed leniently: as lines of the Go benchmark format, whether
// they stand in a file themselves or in the events of `go test -json`, of which lines may be damaged, and
// the last one cut short. It counts what it leaves out, and says so in sentences.
//
// It parses no results: the lines are benchfmt's to read, and its reader tells the Text about each.
package benchtext

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// A Text is what go test printed, as lines of the Go benchmark format: a file's own lines, or those that
// the events of `go test -json` carry. It counts what is damaged.
type Text struct {
	Data     []byte
	Failures []string // lines that say that go test failed, a sentence each

	path       string
	from       []int          // the line of the file for each line of Data; nil if they are the same
	benchmarks []string       // as they first appear
	whole, bad map[string]int // samples of each
	reasons    []string       // what is wrong with each damaged line, a sentence each
}

// maxReasons bounds how many damaged lines, and how many failures, are quoted.
const maxReasons = 20

// Verbatim returns the text of a file that is taken as it is. path names it in sentences.
func Verbatim(path string, data []byte) *Text {
	return &Text{path: path, Data: data, whole: map[string]int{}, bad: map[string]int{}}
}

// New returns the text of a file that go test wrote. path names it in sentences.
func New(path string, data []byte) *Text {
	t := Verbatim(path, data)
	if hasTestEvents(data) {
		t.joinEvents(data)
	}
	t.cutLastLine()
	n := 0
	for line := range bytes.Lines(t.Data) {
		n++
		if text := strings.TrimSpace(string(line)); isFailure(text) {
			t.Failures = append(t.Failures, fmt.Sprintf("%s:%d: go test failed there: %s", path, t.Line(n), strconv.Quote(clipped(text))))
		}
	}
	t.Failures = t.Failures[:min(len(t.Failures), maxReasons)]
	return t
}

// isFailure reports whether a line of go test says that something failed.
func isFailure(line string) bool {
	for _, prefix := range []string{"--- FAIL: ", "panic: ", "fatal error: ", "FAIL\t"} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return line == "FAIL"
}

// Line returns the file's line for a line of Data. Both count from 1. It returns 0 if there is none.
func (t *Text) Line(n int) int {
	if t.from == nil {
		return n
	}
	if n < 1 || n > len(t.from) {
		return 0
	}
	return t.from[n-1]
}

// lineText returns a line of Data.
func (t *Text) lineText(n int) string {
	for line := range bytes.Lines(t.Data) {
		if n--; n == 0 {
			return strings.TrimRight(string(line), "\r\n")
		}
	}
	return ""
}

// AddWhole counts a sample that was read.
func (t *Text) AddWhole(benchmark string) {
	t.meet(benchmark)
	t.whole[benchmark]++
}

// meet adds a benchmark to those that the text has.
func (t *Text) meet(benchmark string) {
	if t.whole[benchmark]+t.bad[benchmark] == 0 {
		t.benchmarks = append(t.benchmarks, benchmark)
	}
}

// AddDamaged counts line n of Data, which was not read because of a problem.
func (t *Text) AddDamaged(n int, problem string) {
	t.damaged(t.Line(n), t.lineText(n), problem)
}

// damaged counts a damaged line of the file.
func (t *Text) damaged(line int, text, problem string) {
	of := ""
	if words := strings.Fields(text); len(words) > 0 && strings.HasPrefix(words[0], "Benchmark") {
		name := strings.TrimPrefix(words[0], "Benchmark")
		t.meet(name)
		t.bad[name]++
		of = " of " + name
	}
	t.reasons = append(t.reasons, fmt.Sprintf("%s:%d: damaged line%s (%s) is left out: %s", t.path, line, of, problem, strconv.Quote(clipped(text))))
}

// maxQuoted bounds a quoted line, in bytes.
const maxQuoted = 120

func clipped(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	end := maxQuoted
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// Warnings returns what the text lacks, once it was read, a sentence each: damaged lines, how many samples
// are left of each benchmark that lost some, and failures.
func (t *Text) Warnings() []string {
	list := slices.Clone(t.reasons[:min(len(t.reasons), maxReasons)])
	if more := len(t.reasons) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("%s: %d more damaged lines are left out", t.path, more))
	}
	for _, name := range t.benchmarks {
		if bad := t.bad[name]; bad > 0 {
			list = append(list, fmt.Sprintf("%s: %s has %d of %s", t.path, name, t.whole[name], plaintext.Count(t.whole[name]+bad, "sample")))
		}
	}
	return append(list, t.Failures...)
}

// WhyEmpty returns why the text holds no result, as the problem of an input.
func (t *Text) WhyEmpty() string {
	problem := "holds no benchmark results"
	if len(t.reasons) == 0 {
		return problem
	}
	shown := t.reasons[:min(len(t.reasons), 3)]
	problem += " that can be read: " + strings.Join(shown, "; ")
	if more := len(t.reasons) - len(shown); more > 0 {
		problem += fmt.Sprintf("; and %d more", more)
	}
	return problem
}

// cutLastLine removes the last line if it has no line break and was cut short: in the middle of its last
// unit, or before values that the benchmark's other samples have.
func (t *Text) cutLastLine() {
	at := bytes.LastIndexByte(t.Data, '\n') + 1
	last := string(t.Data[at:])
	words := strings.Fields(last)
	if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
		return
	}
	ends := words[3:] // the last word of a whole line is a unit
	if len(words)%2 == 1 {
		return // a value without a unit: benchfmt says so
	}
	own := unitsOf(words)
	known := map[string]bool{"ns/op": true, "B/op": true, "allocs/op": true, "MB/s": true}
	cut := false
	for line := range bytes.Lines(t.Data[:at]) {
		other := strings.Fields(string(line))
		if len(other) < 4 || !strings.HasPrefix(other[0], "Benchmark") {
			continue
		}
		units := unitsOf(other)
		for _, u := range units {
			known[u] = true
		}
		if other[0] == words[0] && len(units) > len(own) && slices.Equal(units[:len(own)], own) {
			cut = true
		}
	}
	unit := ends[len(ends)-1]
	if !known[unit] {
		for u := range known {
			cut = cut || strings.HasPrefix(u, unit)
		}
	}
	if cut {
		t.damaged(t.Line(bytes.Count(t.Data, []byte("\n"))+1), last, "the file ends in it")
		t.Data = t.Data[:at]
	}
}

// unitsOf returns the units of a result line's words.
func unitsOf(words []string) (units []string) {
	for i := 3; i < len(words); i += 2 {
		units = append(units, words[i])
	}
	return units
}

// UnknownDirection returns what is wrong with a Unit line that should say which way is better. It is empty
// if nothing is.
func UnknownDirection(u *benchfmt.UnitMetadata) string {
	if u.Key != "better" || u.Value == "higher" || u.Value == "lower" {
		return ""
	}
	return fmt.Sprintf("Unit %s better=%s: want better=higher or better=lower, so nothing says which way is better", u.OrigUnit, u.Value)
}
