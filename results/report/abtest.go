package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
)

// An ABTest says how two builds were measured in turns. [FromABTest] derives Summary from the other
// fields.
type ABTest struct {
	Base, Now           string   // revisions, or command lines
	BaseState, NowState string   // revisions for people, with the number of files that differ from them, or command lines
	Client              string   // what of the base is compared, such as "delivery"; "" if its state says it
	Harness             string   // which harness measured the base; "" if each side is one whole
	Changed             []string // files in the working tree that differ from the revision Now
	Differences         []string // between the sides, in modules and toolchain
	Shared              []string // packages of which both sides use the current version
	Warnings            []string // about declarations of the benchmarks
	Scenarios           []string
	Machine             *results.Machine // nil if unknown

	Pairs      int // measured pairs of blocks of a scenario
	Dropped    int // pairs that couldn't be believed
	Benchmarks int // benchmarks that both sides have
	Rounds     int // rounds, each of all benchmarks that were undecided
	Elapsed    time.Duration
	Samples    string // the directory with the benchmarks' samples, or ""

	Layouts        int // layouts of the code that were measured besides the first
	LayoutsElapsed time.Duration
	LayoutsErr     error // why no further layouts could be linked, or nil
	Restarted      bool  // a layout is both programs started again, rather than linked again

	Failed string // the side whose driver failed, or ""
	Stacks string // the file with that driver's goroutines, or ""

	Summary     []string // how it was measured, a sentence each
	Unexplained error    // why the cause couldn't be searched for, or nil
}

// FromABTest returns the document of two builds that were measured in turns.
func FromABTest(mode Mode, in Input, test ABTest) *Document {
	test.Summary = test.scenariosSummary()
	if mode == ModeBench {
		test.Summary = test.benchmarksSummary()
	}
	in.Notes = slices.Concat(in.Notes, test.Summary)
	for _, c := range in.Causes {
		in.Notes = append(in.Notes, "profiles of kind "+string(c.Kind)+" and their flame graph: "+c.Dir)
	}
	if test.Unexplained != nil {
		in.Notes = append(in.Notes, "the cause could not be looked for: "+test.Unexplained.Error())
	}
	d := New(mode, in)
	d.ABTest = &test
	return d
}

// scenariosSummary returns sentences about how two drivers were compared.
func (a ABTest) scenariosSummary() []string {
	text := "base: " + a.BaseState
	if a.Client != "" {
		text = fmt.Sprintf("base: %s of %s", a.Client, a.BaseState)
	}
	if a.Harness != "" {
		text += " in " + a.Harness
	}
	text += "; now: " + a.NowState
	if a.Pairs > 0 {
		text += fmt.Sprintf("; %d pairs of blocks in %.0f s", a.Pairs, a.Elapsed.Seconds())
	}
	if a.Dropped > 0 {
		text += fmt.Sprintf(", %d more dropped", a.Dropped)
	}
	lines := append([]string{text + a.layouts()}, a.sidesDiffer()...)
	if len(a.Shared) > 0 {
		lines = append(lines,
			"both sides have "+strings.Join(a.Shared, ", ")+" as it is now: today's harness doesn't compile with the base's")
	}
	return lines
}

// benchmarksSummary returns sentences about how the Go benchmarks of two trees were compared.
func (a ABTest) benchmarksSummary() []string {
	lines := append([]string{fmt.Sprintf("base: %s; now: %s", a.BaseState, a.NowState)}, a.sidesDiffer()...)
	if a.Rounds > 0 {
		lines = append(lines, fmt.Sprintf("%s, %s of four blocks each in %.0f s%s; samples: %s",
			plaintext.Count(a.Benchmarks, "benchmark"), plaintext.Count(a.Rounds, "round"),
			a.Elapsed.Seconds(), a.layouts(), a.Samples))
	}
	return append(lines, a.Warnings...)
}

// layouts returns a clause about further layouts of the code, to end a sentence. It returns "" if
// none were wanted.
func (a ABTest) layouts() string {
	switch {
	case a.Layouts > 0:
		of := "of both sides' code"
		if a.Restarted {
			of = "in memory (both programs started again)"
		}
		return fmt.Sprintf("; then %s %s in %.0f s", plaintext.Count(a.Layouts, "layout"), of, a.LayoutsElapsed.Seconds())
	case a.LayoutsErr != nil:
		return "; other layouts of the code couldn't be built: " + strings.ReplaceAll(a.LayoutsErr.Error(), "\n\t", "; ")
	}
	return ""
}

// maxFilesNamed bounds how many changed files are named.
const maxFilesNamed = 8

// sidesDiffer returns lines about the differences between the working tree and its commit, and
// between what the two sides are built from.
func (a ABTest) sidesDiffer() []string {
	var lines []string
	if len(a.Changed) > 0 {
		var named []string
		for _, name := range a.Changed[:min(len(a.Changed), maxFilesNamed)] {
			if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
				name = strconv.Quote(name)
			}
			named = append(named, name)
		}
		line := "changed: " + strings.Join(named, ", ")
		if more := len(a.Changed) - len(named); more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
		lines = append(lines, line)
	}
	return append(lines, a.Differences...)
}
