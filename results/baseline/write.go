package baseline

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
)

// Write writes a page. Equal pages give the same bytes.
//
// It returns an error if the page has no samples, if a record, a section or Go benchmarks aren't
// valid, or if benchstat would take a line of the history for a result.
func Write(w io.Writer, p Page) error {
	text, err := render(&p)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}

const introduction = "What delivering an update costs, as measured on one machine at one revision. `fleetmark run` " +
	"compares every later run with its scenarios, and `benchstat` reads it as it is. Times and rates compare only on " +
	"this machine; counts and allocations compare anywhere. `fleetmark baseline` writes the page and keeps the " +
	"optimization history."

func render(p *Page) (string, error) {
	history, err := normalizeHistory(p.History)
	if err != nil {
		return "", err
	}
	if err := p.validate(); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(markPage + "\n\n# Baseline metrics\n\n")
	b.WriteString(wrap(introduction) + "\n\n")
	b.WriteString(wrap(p.machineText()) + "\n\n")
	p.writeSections(&b)
	if err := p.writeScenarios(&b); err != nil {
		return "", err
	}
	total, err := p.writeSamples(&b)
	if err != nil {
		return "", err
	}
	facts, err := encodeFacts(p)
	if err != nil {
		return "", err
	}
	b.WriteString("## Facts\n\n")
	writeFolded(&b, "For programs: what the tables above say, and the digest by which an edit is noticed",
		fenceFacts, facts)
	b.WriteString("## Optimization history\n\n" + markHistoryBegin + "\n" + history + markHistoryEnd + "\n\n")
	fmt.Fprintf(&b, markEndFormat+"\n", total)

	text := b.String()
	digest := contentDigest(text, digestPlaceholder())
	return strings.Replace(text, digestField(digestPlaceholder()), digestField(digest), 1), nil
}

// validate returns an error if the page would read back differently.
func (p *Page) validate() error {
	if len(p.Scenarios) == 0 {
		return errors.New("no samples: want at least one scenario that was measured")
	}
	for i := range p.Scenarios {
		s := &p.Scenarios[i]
		if err := s.validate(); err != nil {
			return err
		}
		if first, _ := p.Scenario(s.Name); first != s {
			return fmt.Errorf("scenario %s is given twice: want each once", s.Name)
		}
	}
	for _, g := range p.Benchmarks {
		if err := checkBenchmarks(g); err != nil {
			return err
		}
	}
	for i := range p.Sections {
		s := &p.Sections[i]
		if err := s.validate(); err != nil {
			return err
		}
		if first, _ := p.Section(s.Name); first != s {
			return fmt.Errorf("section %s is given twice: want each once", s.Name)
		}
	}
	return nil
}

// machineText returns a paragraph that says when and on which machine the page was measured, and at
// which revision.
func (p *Page) machineText() string {
	m := p.Machine
	agents := ""
	if m.Agents > 0 {
		agents = fmt.Sprintf(" by %s on %s", plaintext.Count(m.Agents, "agent"), plaintext.Count(m.Machines, "machine"))
	}
	return fmt.Sprintf("Measured on %s%s on %s, kernel %s: %s, %s (GOMAXPROCS %d), %.1f GiB of memory; "+
		"%s, revision %s, machine %s.",
		p.Created.UTC().Format("2006-01-02 15:04:05 UTC"), agents, markdown.Escape(m.OS+"/"+m.Arch), markdown.Escape(m.Kernel),
		markdown.Escape(m.CPU), plaintext.Count(m.Cores, "core"), m.GOMAXPROCS, float64(m.MemoryBytes)/(1<<30),
		markdown.Escape(p.GoVersion), markdown.Code(p.Revision), markdown.Code(m.Identity))
}

// writeSamples writes the blocks that benchstat reads, and returns the number of samples of the
// scenarios. The scenarios come first, since a cpu line of the Go benchmarks applies to every line
// below it, and the scenarios have no cpu line.
func (p *Page) writeSamples(b *strings.Builder) (total int, err error) {
	b.WriteString("## Samples\n\nEvery sample as it was measured, in the Go benchmark format.\n\n")
	var text strings.Builder
	samples := results.NewSampleWriter(&text, p.Machine.GOMAXPROCS)
	for _, s := range p.Scenarios {
		samples.SetPackage(s.Package)
		if err := samples.Write(s.Records...); err != nil {
			return 0, err
		}
		total += len(s.Records)
	}
	writeFolded(b, plaintext.Count(total, "sample")+" of the scenarios", fenceSamples, text.String())
	for i, g := range p.Benchmarks {
		fmt.Fprintf(b, markBenchmarks+"\n", i+1)
		title := plaintext.Count(len(g.Samples), "sample") + " of the Go benchmarks, as go test printed them"
		writeFolded(b, title, fenceSamples, strings.Join(g.Lines, "\n")+"\n")
	}
	return total, nil
}

// writeFolded writes a fenced block that a browser shows when the reader opens it. The title is
// HTML.
func writeFolded(b *strings.Builder, title, fence, body string) {
	fmt.Fprintf(b, "<details>\n<summary>%s</summary>\n\n%s\n%s%s\n\n</details>\n\n", title, fence, body, fenceEnd)
}

// normalizeHistory returns the history with lines that end in a line feed. It returns an error if
// the history would break the page.
func normalizeHistory(history string) (string, error) {
	history = strings.Trim(strings.ReplaceAll(history, "\r\n", "\n"), "\n")
	if history == "" {
		return "", nil
	}
	for line := range strings.SplitSeq(history, "\n") {
		if problem := checkHistoryLine(line); problem != "" {
			return "", fmt.Errorf("optimization history: %q %s", line, problem)
		}
	}
	return history + "\n", nil
}

// checkHistoryLine returns what is wrong with a line of the optimization history, or "". A
// configuration line is allowed, since no sample follows it.
func checkHistoryLine(line string) string {
	switch {
	case strings.Contains(line, "<!-- fleetmark:"):
		return "holds a mark of the page: take it out"
	case strings.ContainsRune(line, '\r'):
		return "holds a carriage return: take it out"
	case (strings.HasPrefix(line, "Benchmark") || strings.HasPrefix(line, "Unit")) && results.IsBenchmarkLine(line):
		return "begins as a line of results does, and benchstat would read it: indent it"
	}
	return ""
}
