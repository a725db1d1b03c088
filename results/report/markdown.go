package report

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/page"
)

// Markdown writes the whole page, report.md.
func Markdown(w io.Writer, s *Subject) error {
	p := &writer{s: s, run: s.Now.Run, judgement: s.judgement()}
	p.verdict()
	if p.run != nil {
		p.outcome()
		p.thresholds()
	}
	p.metrics()
	if p.run != nil {
		p.health()
	}
	p.machine()
	p.reproduce()
	if p.run != nil {
		p.profiles()
	}
	if p.err == nil {
		_, p.err = w.Write(p.out.Bytes())
	}
	if p.err != nil {
		return fmt.Errorf("write report: %w", p.err)
	}
	return nil
}

// A writer collects the page; err is the first error of a table.
type writer struct {
	s         *Subject
	run       *results.LoadedRun // nil: there is no directory
	judgement *results.Judgement
	out       bytes.Buffer
	err       error
}

func (p *writer) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

func (p *writer) table(t page.Table) {
	if p.err == nil {
		p.err = t.Markdown(&p.out)
	}
}

func (p *writer) verdict() {
	p.printf("# Run of %s\n\n", page.Escape(p.s.Scenario))
	h := p.s.headline()
	p.printf("**%s**: %s.\n\n", page.Escape(h.Word), page.Escape(h.Reason))
	if line := p.s.sides(); line != "" {
		p.printf("%s\n\n", page.Escape(line))
	}
	if reasons := p.s.invalid(); len(reasons) > 0 {
		p.printf("The run is **invalid**, and its numbers mean nothing:\n\n")
		p.list("", reasons)
	}
	if status := p.s.unended(); status != "" {
		p.printf("The run is **%s**: it holds the %s that ended before.\n\n", status, count(p.run.Repetitions, "repetition"))
	}
	p.list("Warning: ", p.s.warnings())
	p.list("Note: ", p.s.notes())
}

// list writes a list of sentences, and nothing where there are none.
func (p *writer) list(before string, sentences []string) {
	for _, sentence := range sentences {
		p.printf("- %s%s\n", before, page.Escape(sentence))
	}
	if len(sentences) > 0 {
		p.printf("\n")
	}
}

func (p *writer) outcome() {
	p.printf("## Outcome\n\n")
	if p.run.ClientsWordOnly {
		p.printf("Client's word only: no ledger confirmed what became of the devices.\n\n")
	} else {
		p.printf("What the client claimed and what the fleet's ledger saw, reconciled.\n\n")
	}
	t := page.Table{Header: []string{"repetition", "devices", "updated", "failed", "lost", "applied twice"}, Align: "rrrrrr"}
	row := func(name string, c results.Counts) {
		cells := []string{name}
		for _, n := range []int{c.Devices, c.Updated, c.Failed, c.Lost, c.AppliedTwice} {
			cells = append(cells, strconv.Itoa(n))
		}
		t.Rows = append(t.Rows, cells)
	}
	for i, c := range p.run.RepetitionCounts {
		row(strconv.Itoa(i+1), c)
	}
	row("all", p.run.Counts)
	p.table(t)
	p.printf("\n")
}

func (p *writer) thresholds() {
	if len(p.run.Thresholds) == 0 {
		return
	}
	p.printf("## Thresholds\n\n")
	if summary := results.ThresholdSummary(p.run.Thresholds); summary != "" {
		p.printf("**%s**.\n\n", page.Escape(summary))
	}
	if p.err == nil {
		p.err = results.WriteThresholdsMarkdown(&p.out, p.run.Thresholds)
	}
	p.printf("\n")
}

func (p *writer) metrics() {
	p.printf("## Metrics\n\n")
	if len(p.judgement.Rows) == 0 {
		p.printf("None: no repetition was completed.\n\n")
		return
	}
	if p.judgement.HasBaseline {
		p.printf("Each value is the median with half its 95%% confidence interval; p is the Mann-Whitney U test's, before Holm's correction.%s\n\n", ratioLegend(p.judgement.Rows))
	} else {
		p.printf("Each value is the median with half its 95%% confidence interval.\n\n")
	}
	t, notes := metricTable(p.judgement.Rows, p.judgement.HasBaseline, page.Escape)
	p.table(t)
	if len(notes) > 0 {
		p.printf("\n%s", strings.Join(notes, ""))
	}
	p.printf("\n")
}

func (p *writer) health() {
	fleet, harness := p.run.Fleet, p.run.Harness
	saturated := map[bool]string{false: "no", true: "**yes**: it was the bottleneck"}
	p.printf("## Can the numbers be trusted\n\n")
	p.table(page.Table{Header: []string{"what", "driver", "fleet"}, Align: "lrr", Rows: [][]string{
		{"processor, share of all cores", percent(harness.CPUFraction), percent(fleet.CPUFraction)},
		{"peak resident memory", resident(harness.PeakResidentBytes), resident(fleet.PeakResidentBytes)},
		{"saturated", saturated[harness.Saturated], saturated[fleet.Saturated]},
		{"behind the plan, 99th percentile", page.Escape(time.Duration(harness.LatenessP99NS).String()), ""},
		{"garbage collection, share of its processor time", percent(harness.GCCPUFraction), ""},
	}})
	p.printf("\n")
	for _, sentence := range trustSentences(p.run) {
		p.printf("%s\n\n", page.Escape(sentence))
	}
}

func (p *writer) machine() {
	var rows [][]string
	for _, f := range p.s.where() {
		value := page.Escape(f.value)
		if f.code {
			value = page.Code(f.value)
		}
		rows = append(rows, []string{page.Escape(f.name), value})
	}
	if len(rows) == 0 {
		return
	}
	p.printf("## Where it was measured\n\n")
	p.table(page.Table{Header: []string{"what", "value"}, Rows: rows})
	p.printf("\n")
}

func (p *writer) reproduce() {
	command := p.s.command()
	if command == "" {
		return
	}
	p.printf("## How to reproduce\n\n")
	if p.run != nil {
		p.printf("With seed %d, of the work %s:\n\n", p.run.Seed, orNone(page.Code(p.run.WorkloadDigest)))
	}
	if p.err == nil {
		p.err = page.Fence(&p.out, "sh", command)
	}
	p.printf("\n")
	if p.run != nil {
		p.printf("The scenario, whole and resolved, stands in %s; every sample in %s.\n\n", page.Code(results.RunFile), page.Code(results.SamplesFile))
	}
}

func (p *writer) profiles() {
	p.printf("## Profiles\n\nIn %s beside this page, one file a kind and profiled repetition; the timed repetitions ran without them.\n\n",
		page.Code(results.ProfilesName+"/"))
	if p.err == nil {
		p.err = page.Fence(&p.out, "sh", "fleetmark profile top "+quote(path.Clean(p.run.Path)))
	}
}
