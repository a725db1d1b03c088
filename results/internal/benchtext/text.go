// Package benchtext turns what go test printed into lines of the Go benchmark format, leniently.
// The lines may be in the file as they are or in the events of `go test -json`; some may be
// damaged, and the last one cut short. A [Text] counts what is left out, and reports it in
// sentences.
//
// The package parses no results. Its caller reads [Text.Data] with package benchfmt, and tells the
// Text which lines held a sample ([Text.AddWhole]) and which were damaged ([Text.AddDamaged]).
package benchtext

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// A Text holds the output of go test as lines of the Go benchmark format. It counts damaged lines.
type Text struct {
	Data     []byte
	Failures []string // a sentence for each line that says that go test failed

	path         string
	from         []int          // the line of the file for each line of Data; nil if they are the same
	benchmarks   []string       // in the order in which they first appear
	samples, bad map[string]int // numbers of samples by benchmark: those that were read, and damaged ones
	damage       []string       // a sentence for each damaged line
}

// maxQuotes bounds how many damaged lines, and how many failures, are quoted.
const maxQuotes = 20

// Verbatim returns the text of a file whose lines are taken as they are. path names the file in
// sentences.
func Verbatim(path string, data []byte) *Text {
	return &Text{path: path, Data: data, samples: map[string]int{}, bad: map[string]int{}}
}

// New returns the text of a file that go test wrote. path names the file in sentences.
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
			failure := fmt.Sprintf("%s:%d: go test failed there: %s", path, t.Line(n), quoted(text))
			t.Failures = append(t.Failures, failure)
		}
	}
	t.Failures = t.Failures[:min(len(t.Failures), maxQuotes)]
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

// Line returns the line of the file that line n of Data comes from. Both count from 1. It returns 0
// if the line comes from no line of the file.
func (t *Text) Line(n int) int {
	if t.from == nil {
		return n
	}
	if n < 1 || n > len(t.from) {
		return 0
	}
	return t.from[n-1]
}

// lineText returns line n of Data, without its line break.
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
	t.addBenchmark(benchmark)
	t.samples[benchmark]++
}

// addBenchmark adds a benchmark, unless the text has it already.
func (t *Text) addBenchmark(benchmark string) {
	if t.samples[benchmark]+t.bad[benchmark] == 0 {
		t.benchmarks = append(t.benchmarks, benchmark)
	}
}

// AddDamaged counts line n of Data as damaged. problem says what is wrong with it.
func (t *Text) AddDamaged(n int, problem string) {
	t.damaged(t.Line(n), t.lineText(n), problem)
}

// damaged counts a damaged line of the file. text is what the line holds.
func (t *Text) damaged(line int, text, problem string) {
	of := ""
	if words := strings.Fields(text); len(words) > 0 && strings.HasPrefix(words[0], "Benchmark") {
		name := strings.TrimPrefix(words[0], "Benchmark")
		t.addBenchmark(name)
		t.bad[name]++
		of = " of " + name
	}
	t.damage = append(t.damage,
		fmt.Sprintf("%s:%d: damaged line%s (%s) is left out: %s", t.path, line, of, problem, quoted(text)))
}

// maxQuoted bounds a quoted line, in characters.
const maxQuoted = 120

func quoted(text string) string { return strconv.Quote(plaintext.Clip(text, maxQuoted)) }

// Warnings returns a sentence for each damaged line, for each benchmark that lost samples, and for
// each failure. It is complete once all lines were read.
func (t *Text) Warnings() []string {
	list := slices.Clone(t.damage[:min(len(t.damage), maxQuotes)])
	if more := len(t.damage) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("%s: %d more damaged lines are left out", t.path, more))
	}
	for _, name := range t.benchmarks {
		if bad := t.bad[name]; bad > 0 {
			all := plaintext.Count(t.samples[name]+bad, "sample")
			list = append(list, fmt.Sprintf("%s: %s has %d of %s", t.path, name, t.samples[name], all))
		}
	}
	return append(list, t.Failures...)
}

// WhyEmpty returns why the text holds no result, as the Problem of an input error.
func (t *Text) WhyEmpty() string {
	problem := "holds no benchmark results"
	if len(t.damage) == 0 {
		return problem
	}
	shown := t.damage[:min(len(t.damage), 3)]
	problem += " that can be read: " + strings.Join(shown, "; ")
	if more := len(t.damage) - len(shown); more > 0 {
		problem += fmt.Sprintf("; and %d more", more)
	}
	return problem
}

// cutLastLine removes the last line if it has no line break and was cut short: within its last
// unit, or before values that the benchmark's other samples have.
func (t *Text) cutLastLine() {
	at := bytes.LastIndexByte(t.Data, '\n') + 1
	last := string(t.Data[at:])
	words := strings.Fields(last)
	if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
		return
	}
	if len(words)%2 == 1 {
		return // it ends in a value without a unit, which benchfmt reports
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
	unit := words[len(words)-1]
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

// unitsOf returns the units in the words of a result line.
func unitsOf(words []string) (units []string) {
	for i := 3; i < len(words); i += 2 {
		units = append(units, words[i])
	}
	return units
}

// UnknownDirection returns what is wrong with a Unit line that should say which way is better. It
// returns "" for a line that is right.
func UnknownDirection(u *benchfmt.UnitMetadata) string {
	if u.Key != "better" || u.Value == "higher" || u.Value == "lower" {
		return ""
	}
	return fmt.Sprintf("Unit %s better=%s: want better=higher or better=lower, so nothing says which way is better",
		u.OrigUnit, u.Value)
}
