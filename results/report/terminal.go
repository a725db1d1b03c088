package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// A Style says how a document looks on a terminal.
type Style struct {
	texttable.Style

	// All shows every row. Otherwise a line stands for the rows that weren't judged, except for key
	// metrics.
	All bool
}

// Terminal writes the document for the command of its mode: in [ModeReport] as the page that
// [Markdown] writes, in all other modes as tables followed by a few lines.
func Terminal(w io.Writer, d *Document, style Style) error {
	p := &terminal{Style: style}
	switch d.Mode {
	case ModeReport:
		return writeMarkdown(w, d, style.Width)
	case ModeRun:
		p.run(d.Results[0])
	case ModeBaseline:
		p.gate(d)
	default:
		p.abtest(d)
	}
	if p.err != nil {
		return p.err
	}
	_, err := w.Write(p.out.Bytes())
	return err
}

// A terminal collects what is printed. err is the first error of a table.
type terminal struct {
	Style
	out bytes.Buffer
	err error
}

// printf prints text. Its arguments may come from anywhere, such as a directory's name: a string is
// printed on one line, without characters that control the terminal.
func (p *terminal) printf(format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = plaintext.Line(arg)
		case error:
			args[i] = plaintext.Printable(arg.Error())
		case fmt.Stringer:
			args[i] = plaintext.Line(arg.String())
		}
	}
	fmt.Fprintf(&p.out, format, args...)
}

func (p *terminal) table(t *Table) {
	if p.err == nil {
		p.err = p.Write(&p.out, t.text(p.Style.Style))
	}
}

// run shows a run: its rows, its thresholds, and the outcome of its devices.
func (p *terminal) run(r *Result) {
	run := r.Run
	if len(r.Now.Records) > 0 {
		p.judgement(r)
	}
	if len(r.Thresholds) > 0 {
		p.printf("\n")
		p.table(ThresholdTable(r.Thresholds))
	}
	if worst, repetition := results.WorstRollout(run.Rollouts); len(worst.Waves) > 0 {
		p.printf("\nwaves of the rollout%s:\n\n", ofRepetitions(repetition, len(run.Rollouts)))
		t := r.WaveTable()
		t.Columns[0].Kind = Number
		p.table(t)
	}
	p.agents(r)
	if disturbed := run.Harness.Interference.Excess(); disturbed != "" {
		p.printf("\nwarning: %s meanwhile: times and rates say little\n", disturbed)
	}
	for _, note := range run.Notes {
		p.printf("\nnote: %s\n", note)
	}
	for _, summary := range r.thresholdSummaries() {
		p.printf("\n%s\n", summary)
	}
	if len(run.RepetitionCounts) > 0 {
		p.printf("\n%s\n", deviceCounts(run))
	}
	if worst, repetition := results.WorstOperations(run.Operations); repetition > 0 {
		p.printf("operations%s: %v\n", ofRepetitions(repetition, len(run.Operations)), worst)
	}
	if failures := r.Failures(); failures != "" {
		p.printf("%s\n", failures)
	}
	if len(r.Now.Records) == 0 { // without a table, nothing else shows the reasons
		for _, reason := range run.Invalid {
			p.printf("invalid: %s\n", reason)
		}
	}
	switch run.Status {
	case results.StatusInterrupted:
		p.brokenOff("interrupted", "nothing", run)
	case results.StatusAborted:
		p.brokenOff("ended early", "nothing but the threshold that ended the run", run)
	}
	p.printf("run: %s\n", run.Path)
	text := bytes.TrimLeft(p.out.Bytes(), "\n") // it begins with a paragraph if there is no table
	p.out = *bytes.NewBuffer(text)
}

// ofRepetitions returns which repetition something belongs to: " of repetition 2, the worst of 5".
// It returns "" if there is only one.
func ofRepetitions(repetition, of int) string {
	if of < 2 {
		return ""
	}
	return fmt.Sprintf(" of repetition %d, the worst of %d", repetition, of)
}

// brokenOff shows what was measured of a run that was interrupted, or ended early, as how says. by
// is what judged its partial repetition.
func (p *terminal) brokenOff(how, by string, run *rundir.Loaded) {
	if run.Partial == nil {
		p.printf("%s: %d of the timed repetitions were measured, and are kept\n", how, run.Repetitions)
		return
	}
	if p.out.Len() > 0 {
		p.printf("\n")
	}
	if t := PartialTable(run.Partial); len(t.Rows) > 0 {
		p.table(t)
		for _, note := range t.Notes {
			p.printf("%s\n", note)
		}
	}
	for _, s := range PartialSentences(run.Partial) {
		p.printf("partial: %s\n", s)
	}
	p.printf("%s: %d of %d timed repetitions were measured whole; the partial one is kept too (%s, %s, %s), "+
		"and is judged by %s\n", how, run.Repetitions, run.Partial.Of,
		rundir.RunFile, rundir.PartialTimelineFile, rundir.PartialLatencyFile, by)
}

// gate shows a table for each scenario, and the verdict over all.
func (p *terminal) gate(d *Document) {
	for _, r := range d.Results {
		if r.Run == nil {
			p.printf("scenario %s\n\n%s: %s\n\n", r.Scenario, r.Verdict, r.Reason)
			continue
		}
		p.printf("scenario %s, run %s\n\n", r.Scenario, r.Run.Path)
		if len(r.Thresholds) > 0 {
			p.table(ThresholdTable(r.Thresholds))
			p.printf("\n")
		}
		p.judgement(r)
		p.printf("\n")
	}
	p.printf("gate: %s", d.Verdict)
	if len(d.Results) > 1 {
		p.printf(": %s", d.Reason)
	}
	p.printf("\n")
	if rev := d.Gate.Revision; rev != "" && rev != UnknownRevision && d.hasRegressedMetric() {
		p.printf("\nwhich function it is: fleetmark gate --base %.12s\n", d.Gate.Revision)
	}
}

// hasRegressedMetric reports whether a metric regressed, rather than a threshold alone.
func (d *Document) hasRegressedMetric() bool {
	return slices.ContainsFunc(d.Results, func(r *Result) bool {
		return slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Verdict == results.Regressed })
	})
}

// abtest shows a comparison in turns, or of benchmarks with a page: its rows, how it was measured,
// and the causes of a regression.
func (p *terminal) abtest(d *Document) {
	r := d.Results[0]
	if d.Mode == ModeBase && len(r.Rows) == 0 {
		p.printf("%s: %s\n", r.Verdict, r.Reason)
	} else {
		p.judgement(r)
	}
	if d.ABTest == nil {
		p.printf("baseline: %s; now: %s\n", d.Gate.Baseline, d.Gate.Command)
		return
	}
	for _, line := range d.ABTest.Summary {
		p.printf("%s\n", line)
	}
	for _, c := range r.Causes {
		if p.err == nil {
			p.err = c.text(&p.out)
		}
	}
	if d.ABTest.Unexplained != nil {
		p.printf("\nthe cause could not be looked for: %v\n", d.ABTest.Unexplained)
	}
}

// judgement shows rows, and then the verdict and its reason.
func (p *terminal) judgement(r *Result) {
	rows, folded := r.Rows, ""
	if !p.All {
		rows, folded = foldRows(r.Rows, r.HasBaseline)
	}
	if len(rows) > 0 {
		p.rows(r, rows, folded)
	} else if folded != "" {
		p.printf("%s\n", folded)
	}
	switch {
	case r.Verdict != "":
		p.out.WriteString("\n" + p.Paint(lookOf(r.Verdict).role, string(r.Verdict)))
		p.printf(": %s\n", r.Reason)
	case r.Reason != "":
		p.printf("\n%s: %s\n", noVerdict, r.Reason)
	}
}

// rows shows a table of rows, what is folded or left out, and a legend. If the table is too wide,
// it first loses intervals, which matter less than any column.
func (p *terminal) rows(r *Result, rows []Row, folded string) {
	form := Layout{
		Order: IntervalDelta, Base: "baseline", Now: "now", Spans: SpanScenarios(r.Rows), NoBase: !r.HasBaseline,
		NoReasons: folded != "",
	}
	t := RowTable(rows, form)
	text, fitted, err := fitText(t, p.Style.Style)
	if fitted.Note() != "" {
		whole := fitted.Whole
		form.NoIntervals = true
		t = RowTable(rows, form)
		if text, fitted, err = fitText(t, p.Style.Style); fitted.Whole < whole {
			fitted.Whole, fitted.Dropped = whole, append([]string{"intervals"}, fitted.Dropped...)
		}
	}
	p.err = cmp.Or(p.err, err)
	p.out.WriteString(text)
	for _, line := range []string{folded, fitted.Note()} {
		if line != "" {
			p.printf("%s\n", line)
		}
	}
	t.notes(&p.out, "", plaintext.Line)
	for _, sentence := range Legend(rows) {
		p.printf("%s\n", sentence)
	}
}

func fitText(t *Table, style texttable.Style) (string, texttable.Layout, error) {
	var b bytes.Buffer
	fitted, err := t.text(style).FitText(&b, style.Width)
	return b.String(), fitted, err
}
