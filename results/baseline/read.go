package baseline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/results"
)

// maxPageBytes bounds the page.
const maxPageBytes = 16 << 20

// What to do about a page that can't be used.
const (
	wantPage    = "name a page that `fleetmark baseline` wrote, or write one"
	wantRestore = "restore the page, or write it again with `fleetmark baseline`"
	wantMended  = "put it right, or write the page again with `fleetmark baseline`"
)

// Read reads a page that [Write] wrote. Its lines may end in a carriage return and line feed. Its
// error is an [*results.InputError] that names the line: the page is missing, is no baseline page,
// was cut short, holds a damaged sample, or was edited outside its optimization history; in the
// last case errors.Is finds [ErrEdited].
func Read(path string) (*Page, error) {
	data, err := results.ReadTextFile(path, maxPageBytes)
	if err != nil {
		return nil, err
	}
	return Parse(data, path)
}

// IsPage reports whether data begins as a page does.
func IsPage(data []byte) bool { return bytes.HasPrefix(data, []byte(markPagePrefix)) }

// Parse parses a page, which [Read] reads from the file at path.
func Parse(data []byte, path string) (*Page, error) {
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	p := parser{path: path, lines: strings.Split(strings.TrimRight(text, "\n"), "\n")}
	if !IsPage([]byte(text)) {
		problem := "isn't a baseline page"
		if strings.TrimSpace(text) == "" {
			problem = "is empty"
		}
		return nil, p.fail(1, problem, wantPage, nil)
	}
	total, err := p.endMark()
	if err != nil {
		return nil, err
	}
	samples, samplesLine, ok := p.block(fenceSamples, 0)
	if !ok {
		return nil, p.fail(len(p.lines), "has no block of samples", wantPage, nil)
	}
	records, err := results.ParseSamples([]byte(strings.Join(samples, "\n")+"\n"), path, samplesLine)
	if err != nil {
		return nil, err
	}
	facts, factsLine, err := p.facts()
	if err != nil {
		return nil, err
	}
	page := &facts.Page
	if page.Benchmarks, err = p.benchmarks(facts.Benchmarks); err != nil {
		return nil, err
	}
	if page.History, err = p.history(); err != nil {
		return nil, err
	}
	if page.Sections, err = p.sections(page.Sections); err != nil {
		return nil, err
	}
	if len(records) != total {
		problem := fmt.Sprintf("cut short (%d samples, and the end mark says %d)", len(records), total)
		return nil, p.fail(len(p.lines), problem, wantRestore, nil)
	}
	if contentDigest(strings.Join(p.lines, "\n")+"\n", facts.GeneratedSHA256) != facts.GeneratedSHA256 {
		return nil, p.fail(0, "was edited by hand outside its optimization history",
			"restore it, or write it again with `fleetmark baseline`", ErrEdited)
	}
	if problem := page.assignRecords(records); problem != "" {
		return nil, p.fail(factsLine, problem, wantPage, nil)
	}
	return page, nil
}

// A parser reads the parts of one page. Its errors are [*results.InputError].
type parser struct {
	path  string
	lines []string
}

// fail returns the error about a line, or about the whole page if line is 0.
func (p *parser) fail(line int, problem, want string, cause error) error {
	return &results.InputError{Path: p.path, Line: line, Problem: problem, Want: want, Err: cause}
}

// endMark returns the number of samples that the last line promises.
func (p *parser) endMark() (int, error) {
	end := markEnd.FindStringSubmatch(p.lines[len(p.lines)-1])
	if end == nil {
		return 0, p.fail(len(p.lines), "cut short (the last line isn't the end mark)", wantRestore, nil)
	}
	total, err := strconv.Atoi(end[1])
	if err != nil {
		return 0, p.fail(len(p.lines), "damaged end mark", wantPage, err)
	}
	return total, nil
}

// find returns the index of the first line that is the given mark, from index from on. It returns
// -1 if there is none.
func (p *parser) find(mark string, from int) int {
	if i := slices.Index(p.lines[from:], mark); i >= 0 {
		return from + i
	}
	return -1
}

// block returns the lines of the first fenced block that opens with fence at index from or later,
// and the number of the line that opens it. It reports false if there is no such block, or if it
// isn't closed.
func (p *parser) block(fence string, from int) (inside []string, opens int, ok bool) {
	begin := p.find(fence, from)
	if begin < 0 {
		return nil, 0, false
	}
	end := p.find(fenceEnd, begin+1)
	if end < 0 {
		return nil, 0, false
	}
	return p.lines[begin+1 : end], begin + 1, true
}

// facts returns the block of JSON, and the number of the line that opens it.
func (p *parser) facts() (*pageFacts, int, error) {
	lines, opens, ok := p.block(fenceFacts, 0)
	if !ok {
		return nil, 0, p.fail(len(p.lines), "has no block of facts", wantPage, nil)
	}
	text := []byte(strings.Join(lines, "\n") + "\n")
	var facts pageFacts
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&facts); err != nil {
		return nil, 0, p.fail(opens+results.JSONErrorLine(text, err), "damaged facts ("+err.Error()+")", wantPage, err)
	}
	problem := ""
	switch {
	case facts.Schema < 1:
		problem = "the facts have no schema version"
	case facts.Schema > Schema:
		problem = fmt.Sprintf("has schema version %d, and this fleetmark knows up to %d", facts.Schema, Schema)
	case len(facts.GeneratedSHA256) != len(digestPlaceholder()):
		problem = "the facts have no digest"
	}
	if problem != "" {
		return nil, 0, p.fail(opens, problem, wantPage, nil)
	}
	if len(facts.Sources) == 0 {
		facts.Sources = nil
	}
	return &facts, opens, nil
}

// benchmarks returns the Go benchmarks that the facts describe. Each of their blocks follows a
// mark.
func (p *parser) benchmarks(facts []benchmarkFacts) ([]results.GoBenchmarks, error) {
	var all []results.GoBenchmarks
	from := 0
	for i, f := range facts {
		mark := p.find(fmt.Sprintf(markBenchmarks, i+1), from)
		if mark < 0 {
			problem := fmt.Sprintf("lacks block %d of Go benchmarks, which the facts have", i+1)
			return nil, p.fail(len(p.lines), problem, wantRestore, nil)
		}
		inside, opens, ok := p.block(fenceSamples, mark)
		if !ok {
			return nil, p.fail(mark+1, fmt.Sprintf("has no block %d of Go benchmarks", i+1), wantRestore, nil)
		}
		samples, err := results.ParseGoBenchmarks(inside)
		if damaged, ok := errors.AsType[*results.LineError](err); ok {
			return nil, p.fail(opens+damaged.Line, "damaged line of a Go benchmark ("+damaged.Problem+")",
				wantRestore, err)
		}
		if len(inside) != f.Lines || len(samples) != f.Samples {
			return nil, p.fail(opens, fmt.Sprintf("cut short (%d lines with %d samples, and the facts say %d with %d)",
				len(inside), len(samples), f.Lines, f.Samples), wantRestore, nil)
		}
		all = append(all, results.GoBenchmarks{Command: f.Command, Lines: slices.Clone(inside), Samples: samples})
		from = opens + len(inside)
	}
	return all, nil
}

// history returns the part that people write.
func (p *parser) history() (string, error) {
	begin, end := -1, -1
	for i, l := range p.lines {
		switch l {
		case markHistoryBegin:
			if begin >= 0 {
				return "", p.fail(i+1, "has a second beginning of the optimization history", wantMended, nil)
			}
			begin = i
		case markHistoryEnd:
			if end >= 0 || begin < 0 {
				return "", p.fail(i+1, "has an end of the optimization history that nothing began", wantMended, nil)
			}
			end = i
		}
	}
	if begin < 0 || end < 0 {
		return "", p.fail(len(p.lines), "lacks the marks around its optimization history", wantMended, nil)
	}
	inside := p.lines[begin+1 : end]
	for i, l := range inside {
		if problem := checkHistoryLine(l); problem != "" {
			return "", p.fail(begin+2+i, "a line of the optimization history "+problem, wantMended, nil)
		}
	}
	return strings.Trim(strings.Join(inside, "\n"), "\n"), nil
}

// sections returns the sections that the facts describe, with their bodies.
func (p *parser) sections(facts []Section) ([]Section, error) {
	var all []Section
	from := 0
	for i, s := range facts {
		begin := p.find(fmt.Sprintf(markSection, s.Name), from)
		if begin < 0 {
			problem := fmt.Sprintf("lacks the section %q, which the facts have", s.Name)
			return nil, p.fail(len(p.lines), problem, wantMended, nil)
		}
		from = begin + 1
		mark := markSectionsEnd
		if i+1 < len(facts) {
			mark = fmt.Sprintf(markSection, facts[i+1].Name)
		}
		end := p.find(mark, from)
		if end < 0 {
			return nil, p.fail(begin+1, fmt.Sprintf("has no end of the section %q", s.Name), wantMended, nil)
		}
		if end < begin+3 || p.lines[begin+1] != "## "+markdown.Escape(s.Title) {
			return nil, p.fail(begin+1, fmt.Sprintf("the section %q lacks its title", s.Name), wantMended, nil)
		}
		s.Body = strings.Trim(strings.Join(p.lines[begin+2:end], "\n"), "\n")
		if len(s.Figures) == 0 {
			s.Figures = nil
		}
		all = append(all, s)
	}
	return all, nil
}

// assignRecords gives each record to its scenario. It returns how the facts contradict the samples,
// or "" if they don't.
func (p *Page) assignRecords(records []results.Record) (problem string) {
	for _, r := range records {
		s, ok := p.Scenario(r.Scenario)
		if !ok {
			return fmt.Sprintf("the samples have the scenario %s, which the facts lack", r.Scenario)
		}
		s.Records = append(s.Records, r)
	}
	for _, s := range p.Scenarios {
		if len(s.Records) == 0 {
			return fmt.Sprintf("the facts have the scenario %s, which the samples lack", s.Name)
		}
	}
	return ""
}
