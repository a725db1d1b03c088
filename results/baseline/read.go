package baseline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/results"
)

// maxBaselineBytes bounds a baseline page.
const maxBaselineBytes = 16 << 20

// Read reads a page that [Write] wrote; its lines may end in a
// carriage return and line feed. An error is an [*results.InputError] that names the line:
// the page is missing, isn't a baseline, was cut short, holds a damaged sample,
// or was edited outside its optimization history (then errors.Is finds
// [ErrEdited]).
func Read(path string) (*Page, error) {
	data, err := results.ReadTextFile(path, maxBaselineBytes)
	if err != nil {
		return nil, err
	}
	return Parse(data, path)
}

const (
	wantBaseline = "name a page that `fleetmark baseline` wrote, or write one"
	wantRestore  = "restore the page, or write it again with `fleetmark baseline`"
)

// IsPage reports whether data claims to be a baseline page.
func IsPage(data []byte) bool { return bytes.HasPrefix(data, []byte(markBaselineHead)) }

// Parse reads a page as [Read] does, from the content of the file at path.
func Parse(data []byte, path string) (*Page, error) {
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	if !IsPage([]byte(text)) {
		problem := "isn't a baseline page"
		if strings.TrimSpace(text) == "" {
			problem = "is empty"
		}
		return nil, &results.InputError{Path: path, Line: 1, Problem: problem, Want: wantBaseline}
	}
	bad := func(line int, problem, want string, err error) (*Page, error) {
		return nil, &results.InputError{Path: path, Line: line, Problem: problem, Want: want, Err: err}
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	end := markEnd.FindStringSubmatch(lines[len(lines)-1])
	if end == nil {
		return bad(len(lines), "cut short (the last line isn't the end mark)", wantRestore, nil)
	}
	total, err := strconv.Atoi(end[1])
	if err != nil {
		return bad(len(lines), "damaged end mark", wantBaseline, err)
	}

	samples, samplesLine, ok := block(lines, fenceSamples)
	if !ok {
		return bad(len(lines), "has no block of samples", wantBaseline, nil)
	}
	records, err := results.ParseSamples([]byte(samples), path, samplesLine)
	if err != nil {
		return nil, err
	}
	facts, factsLine, ok := block(lines, fenceFacts)
	if !ok {
		return bad(len(lines), "has no block of facts", wantBaseline, nil)
	}
	b, parts, digest, problem, err := factsOf(facts)
	if problem != "" {
		return bad(factsLine+results.JSONErrorLine([]byte(facts), err), problem, wantBaseline, err)
	}
	if b.Benchmarks, err = benchmarksOf(lines, parts.Benchmarks, path); err != nil {
		return nil, err
	}
	if b.History, problem, samplesLine = historyOf(lines); problem != "" {
		return bad(samplesLine, problem, "put it right, or write the page again with `fleetmark baseline`", nil)
	}
	if b.Sections, problem, samplesLine = sectionsOf(lines, parts.Sections); problem != "" {
		return bad(samplesLine, problem, "put it right, or write the page again with `fleetmark baseline`", nil)
	}
	if len(records) != total {
		return bad(len(lines), fmt.Sprintf("cut short (%d samples, and the end mark says %d)", len(records), total), wantRestore, nil)
	}
	// Where the fields agree with the digest but not with one another, no edit
	// explains it either.
	if generatedDigest(strings.Join(lines, "\n")+"\n", digest) != digest {
		return bad(0, "was edited by hand outside its optimization history", "restore it, or write it again with `fleetmark baseline`", ErrEdited)
	}
	if problem := b.distribute(records); problem != "" {
		return bad(factsLine, problem, wantBaseline, nil)
	}
	return b, nil
}

// block returns what stands in the first fenced block that opens with fence, and
// the number of the line that opens it.
func block(lines []string, fence string) (body string, opens int, ok bool) {
	inside, opens, ok := blockLines(lines, fence, 0)
	return strings.Join(inside, "\n") + "\n", opens, ok
}

// blockLines returns the lines of the first fenced block that opens with fence at line index from or
// later, and the number of the line that opens it.
func blockLines(lines []string, fence string, from int) (inside []string, opens int, ok bool) {
	for i := from; i < len(lines); i++ {
		if lines[i] != fence {
			continue
		}
		for k := i + 1; k < len(lines); k++ {
			if lines[k] == fenceEnd {
				return lines[i+1 : k], i + 1, true
			}
		}
		return nil, 0, false
	}
	return nil, 0, false
}

// benchmarksOf reads the blocks of Go benchmarks that the facts name. Each stands after a mark.
func benchmarksOf(lines []string, facts []benchmarkFacts, path string) ([]results.GoBenchmarks, error) {
	bad := func(line int, problem string, err error) error {
		return &results.InputError{Path: path, Line: line, Problem: problem, Want: wantRestore, Err: err}
	}
	var all []results.GoBenchmarks
	from := 0
	for i, f := range facts {
		mark := slices.Index(lines[from:], fmt.Sprintf(markBenchmarks, i+1))
		if mark < 0 {
			return nil, bad(len(lines), fmt.Sprintf("lacks block %d of Go benchmarks, which the facts have", i+1), nil)
		}
		from += mark
		inside, opens, ok := blockLines(lines, fenceSamples, from)
		if !ok {
			return nil, bad(from+1, fmt.Sprintf("has no block %d of Go benchmarks", i+1), nil)
		}
		samples, err := results.ParseGoBenchmarks(inside)
		if damaged, ok := errors.AsType[*results.LineError](err); ok {
			return nil, bad(opens+damaged.Line, "damaged line of a Go benchmark ("+damaged.Problem+")", err)
		}
		if len(inside) != f.Lines || len(samples) != f.Samples {
			return nil, bad(opens, fmt.Sprintf("cut short (%d lines with %d samples, and the facts say %d with %d)",
				len(inside), len(samples), f.Lines, f.Samples), nil)
		}
		all = append(all, results.GoBenchmarks{Command: f.Command, Lines: slices.Clone(inside), Samples: samples})
		from = opens + len(inside)
	}
	return all, nil
}

// factsOf reads the JSON block into a baseline that has no records yet. parts is the block itself,
// for what else of the page it describes.
func factsOf(text string) (b *Page, parts *baselineFacts, digest, problem string, err error) {
	var facts baselineFacts
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&facts); err != nil {
		return nil, nil, "", "damaged facts (" + err.Error() + ")", err
	}
	switch {
	case facts.Schema < 1:
		return nil, nil, "", "the facts have no schema version", nil
	case facts.Schema > Schema:
		return nil, nil, "", fmt.Sprintf("has schema version %d, and this fleetmark knows up to %d", facts.Schema, Schema), nil
	case len(facts.GeneratedSHA256) != len(zeroDigest):
		return nil, nil, "", "the facts have no digest", nil
	}
	b = &Page{Machine: facts.Machine, Revision: facts.Revision, GoVersion: facts.GoVersion, Created: facts.Created, Sources: facts.Sources}
	if len(b.Sources) == 0 {
		b.Sources = nil
	}
	for _, s := range facts.Scenarios {
		b.Scenarios = append(b.Scenarios, Scenario{Name: s.Name, WorkloadDigest: s.WorkloadDigest, Command: s.Command,
			Repetitions: s.Repetitions, Counts: s.Counts, ClientsWordOnly: s.ClientsWordOnly, Interference: s.Interference, Yardstick: s.Yardstick})
	}
	return b, &facts, facts.GeneratedSHA256, "", nil
}

// historyOf returns the hand-written part, or the line on which it is wrong.
func historyOf(lines []string) (history, problem string, line int) {
	begin, end := -1, -1
	for i, l := range lines {
		switch l {
		case markHistoryBegin:
			if begin >= 0 {
				return "", "has a second beginning of the optimization history", i + 1
			}
			begin = i
		case markHistoryEnd:
			if end >= 0 || begin < 0 {
				return "", "has an end of the optimization history that nothing began", i + 1
			}
			end = i
		}
	}
	if begin < 0 || end < 0 {
		return "", "lacks the marks around its optimization history", len(lines)
	}
	for i, l := range lines[begin+1 : end] {
		if problem := historyProblem(l); problem != "" {
			return "", "a line of the optimization history " + problem, begin + 2 + i
		}
	}
	return strings.Trim(strings.Join(lines[begin+1:end], "\n"), "\n"), "", 0
}

// distribute gives each record to its scenario.
func (b *Page) distribute(records []results.Record) (problem string) {
	for _, r := range records {
		s, ok := b.Scenario(r.Scenario)
		if !ok {
			return fmt.Sprintf("the samples have the scenario %s, which the facts lack", r.Scenario)
		}
		s.Records = append(s.Records, r)
	}
	for _, s := range b.Scenarios {
		if len(s.Records) == 0 {
			return fmt.Sprintf("the facts have the scenario %s, which the samples lack", s.Name)
		}
	}
	return ""
}
