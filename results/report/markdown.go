package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// Markdown writes report.md, a page about a run or a comparison. benchstat finds no results in it.
func Markdown(w io.Writer, d *Document) error { return writeMarkdown(w, d, 0) }

// writeMarkdown writes the page with tables no wider than width; 0 means no limit.
func writeMarkdown(w io.Writer, d *Document, width int) error {
	p := &markdownPage{r: d.Results[0], run: d.Results[0].Run, width: width, prose: markdown.Escape, code: markdown.Code}
	p.verdict()
	if p.run != nil {
		p.outcome()
		p.thresholds()
	}
	p.metrics()
	p.stalls()
	p.agents()
	if p.run != nil {
		p.parts()
		p.partial()
		p.health()
	}
	p.provenance()
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

// maxStalls bounds the stalls of a page.
const maxStalls = 10

// A markdownPage collects a page. err is the first error of a table.
type markdownPage struct {
	r     *Result
	run   *rundir.Loaded // nil if there is no run directory
	width int            // of tables; 0 means no limit
	out   bytes.Buffer
	err   error

	prose, code func(string) string // return texts and identifiers as Markdown
}

func (p *markdownPage) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

func (p *markdownPage) table(t *Table) { p.text(t.markdown(p.prose, p.code)) }

func (p *markdownPage) text(t texttable.Table) {
	if p.err != nil {
		return
	}
	var fitted texttable.Layout
	fitted, p.err = t.FitMarkdown(&p.out, p.width)
	if note := fitted.Note(); note != "" {
		p.printf("\n%s\n", markdown.Escape(note))
	}
}

func (p *markdownPage) command(text string) {
	if p.err == nil {
		p.err = markdown.Fence(&p.out, "sh", text)
	}
}

func (p *markdownPage) verdict() {
	p.printf("# Run of %s\n\n", markdown.Escape(p.r.Scenario))
	h := p.r.Headline
	p.printf("**%s**: %s.\n\n", markdown.Escape(h.Word), markdown.Escape(h.Reason))
	if p.r.Comparison != "" {
		p.printf("%s\n\n", markdown.Escape(p.r.Comparison))
	}
	if len(p.r.Invalid) > 0 {
		p.printf("The run is **invalid**, and its numbers mean nothing:\n\n")
		p.list("", p.r.Invalid)
	}
	if sentence := p.r.EndSentence("**"); sentence != "" {
		p.printf("%s\n\n", sentence)
	}
	p.list("Warning: ", p.r.Warnings)
	p.list("Note: ", p.r.Notes)
}

// list writes a list of sentences, each after prefix. It writes nothing if there are none.
func (p *markdownPage) list(prefix string, sentences []string) {
	for _, sentence := range sentences {
		p.printf("- %s%s\n", prefix, markdown.Escape(sentence))
	}
	if len(sentences) > 0 {
		p.printf("\n")
	}
}

func (p *markdownPage) outcome() {
	if p.r.OnlyPartial() {
		return
	}
	p.printf("## Outcome\n\n%s\n\n", p.r.OutcomeLead())
	t, _ := p.r.OutcomeTable(len(p.run.RepetitionCounts))
	t.Columns[0].Kind = Number
	p.table(t)
	p.printf("\n")
	for _, t := range []*Table{p.r.OperationTable(), p.r.WaveTable()} {
		if t != nil {
			p.printf("%s:\n\n", t.Label)
			p.table(t)
			p.printf("\n")
		}
	}
}

func (p *markdownPage) thresholds() {
	if len(p.r.Thresholds) == 0 {
		return
	}
	p.printf("## Thresholds\n\n")
	for _, summary := range p.r.thresholdSummaries() {
		p.printf("**%s**.\n\n", markdown.Escape(summary))
	}
	p.table(ThresholdTable(p.r.Thresholds))
	p.printf("\n")
}

func (p *markdownPage) metrics() {
	p.printf("## Metrics\n\n")
	if len(p.r.Rows) == 0 {
		p.printf("None: %s.\n\n", p.r.WhyNoRows())
		return
	}
	p.printf("%s\n\n", p.r.RowsLead())
	for _, sentence := range Legend(p.r.Rows) {
		p.printf("%s.\n\n", markdown.Escape(sentence))
	}
	p.rows(p.r.Rows)
	p.printf("\n")
}

// rows writes a table of rows, and its footnotes.
func (p *markdownPage) rows(rows []Row) {
	t := RowTable(rows, Layout{
		Base: "baseline", Now: "now", Spans: SpanScenarios(rows), NoBase: !p.r.HasBaseline,
		Numbers: p.width > 0, // footnotes take less room
	})
	p.table(t)
	if len(t.Notes) > 0 {
		p.printf("\n")
		t.notes(&p.out, "- ", p.prose)
	}
}

// stalls says when nothing ended, if that happened. The plots over time are in report.html.
func (p *markdownPage) stalls() {
	for _, t := range p.r.Now.Timelines {
		if sentences := t.StallSentences(maxStalls); len(sentences) > 0 {
			p.printf("## When it happened\n\n")
			p.list("", sentences)
		}
	}
}

// partial shows the repetition that was broken off.
func (p *markdownPage) partial() {
	if p.run.Partial == nil {
		return
	}
	p.printf("## Partial repetition\n\n%s\n\n", PartialLead)
	for _, s := range PartialSentences(p.run.Partial) {
		p.printf("- %s\n", markdown.Escape(s))
	}
	if t := PartialTable(p.run.Partial); len(t.Rows) > 0 {
		p.printf("\n")
		p.table(t)
		for _, note := range t.Notes {
			p.printf("\n%s.\n", markdown.Escape(note))
		}
	}
	p.printf("\n")
}

func (p *markdownPage) health() {
	if p.r.OnlyPartial() { // its health wasn't measured
		return
	}
	p.printf("## Can the numbers be trusted\n\n")
	p.table(p.r.HealthTable())
	p.printf("\n")
	for _, sentence := range p.r.Validity {
		p.printf("%s\n\n", markdown.Escape(sentence))
	}
}

func (p *markdownPage) provenance() {
	if len(p.r.Provenance) == 0 {
		return
	}
	p.printf("## Where it was measured\n\n")
	p.table(p.r.ProvenanceTable())
	p.printf("\n")
}

func (p *markdownPage) reproduce() {
	if p.r.Command == "" {
		return
	}
	p.printf("## How to reproduce\n\n")
	if p.run != nil {
		p.printf("With seed %d, of the work %s:\n\n", p.run.Seed, cmp.Or(markdown.Code(p.run.WorkloadDigest), NoDigest))
	}
	p.command(p.r.Command)
	p.printf("\n")
	if p.run != nil {
		samples := "every sample in " + markdown.Code(rundir.SamplesFile)
		if p.r.OnlyPartial() {
			samples = "the response times of the partial repetition in " + markdown.Code(rundir.PartialLatencyFile)
		}
		p.printf("The scenario, whole and resolved, stands in %s; %s.\n\n", markdown.Code(rundir.RunFile), samples)
	}
}

func (p *markdownPage) profiles() {
	if p.r.OnlyPartial() {
		return
	}
	p.printf("## Profiles\n\nIn %s beside this page, one file a kind and profiled repetition; "+
		"the timed repetitions ran without them.\n\n", markdown.Code(rundir.ProfilesName+"/"))
	p.command(p.r.ProfileCommand())
}

// NoDigest is shown in place of a missing workload digest.
const NoDigest = "(no digest)"

// ProfileCommand returns the command that shows the run's profiles.
func (r *Result) ProfileCommand() string {
	return "fleetmark profile top " + shell.Quote(path.Clean(r.Run.Path))
}
