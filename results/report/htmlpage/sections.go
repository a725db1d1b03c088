package htmlpage

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/goccy/go-yaml"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// changes shows the rows that every reader should see.
func (b *builder) changes() section {
	rows, omitted := bounded.Head(report.ChangedRows(b.Rows), min(b.limits.Rows, 40))
	if len(rows) == 0 {
		return section{}
	}
	s := section{ID: "changes", Title: "What stands out", Omitted: omittedText(omitted, "row")}
	s.Table, s.Notes = b.rowTable(rows)
	return s
}

func (b *builder) metrics() section {
	s := section{ID: "metrics", Title: "All metrics"}
	if len(b.Rows) == 0 {
		s.Lead = []string{"None: " + b.WhyNoRows() + "."}
		return s
	}
	s.Lead = []string{b.RowsLead()}
	for _, sentence := range report.Legend(b.Rows) {
		s.Lead = append(s.Lead, sentence+".")
	}
	rows, omitted := bounded.Head(b.Rows, b.limits.Rows)
	s.Table, s.Notes = b.rowTable(rows)
	s.Omitted = omittedText(omitted, "row")
	return s
}

// rowTable returns a table of rows and its footnotes.
func (b *builder) rowTable(rows []report.Row) (*table, []string) {
	t := report.RowTable(rows, report.Layout{
		Order: report.VerdictFirst, Base: plaintext.Clip(b.Base.Label, 40), Now: plaintext.Clip(b.Now.Label, 40),
		Spans: report.SpanScenarios(rows), NoBase: !b.HasBaseline, Repeat: true,
	})
	out := b.table(t)
	for i, row := range rows {
		if b.HasBaseline && row.Verdict == "" {
			out.Rows[i][2].Class = "muted"
		}
	}
	var notes []string
	for _, n := range t.Notes {
		notes = append(notes, b.sentence(n))
	}
	return out, notes
}

func footnoteMark(n int) string { return fmt.Sprintf("(%d)", n) }

func omittedText(n int, noun string) string {
	if n == 0 {
		return ""
	}
	return plaintext.Count(n, noun) + " left out, to keep this page readable; " +
		rundir.SamplesFile + " has every sample."
}

// partial shows the repetition that was broken off.
func (b *builder) partial() section {
	if b.Run == nil || b.Run.Partial == nil {
		return section{}
	}
	s := section{ID: "partial", Title: "Partial repetition", Lead: []string{report.PartialLead}}
	for _, sentence := range report.PartialSentences(b.Run.Partial) {
		s.Lead = append(s.Lead, b.clip(sentence))
	}
	t := report.PartialTable(b.Run.Partial)
	for _, note := range t.Notes {
		s.Lead = append(s.Lead, note+".")
	}
	var omitted int
	if t.Rows, omitted = bounded.Head(t.Rows, b.limits.Rows); len(t.Rows) > 0 {
		s.Omitted, s.Table = omittedText(omitted, "row"), b.table(t)
	}
	return s
}

func (b *builder) thresholds() section {
	list, omitted := bounded.Head(b.Thresholds, b.limits.Rows)
	s := b.tableSection("thresholds", "Thresholds", report.ThresholdTable(list))
	s.Omitted = omittedText(omitted, "threshold")
	return s
}

// cause shows the functions that made the difference, according to the i-th cause.
func (b *builder) cause(i int) section {
	c := b.Causes[i]
	s := section{ID: "why", Title: "Why: " + c.Noun(), Lead: []string{b.sentence(c.Sentence())}}
	if i > 0 {
		s.ID = fmt.Sprintf("why-%d", i+1)
	}
	for _, note := range c.Notes {
		s.Lead = append(s.Lead, b.sentence("Note: "+note+"."))
	}
	shown, omitted := c.Shown(len(c.Explanation.Causes))
	if len(shown) > 0 { // a phone may not show the table's last column
		text := "The largest part: " + report.FunctionName(shown[0].Function)
		if at := report.Location(shown[0]); at != "" {
			text += ", " + at
		}
		s.Lead = append(s.Lead, b.sentence(text+"."))
		s.Table = &table{Label: "Causes", Header: []cell{
			{Text: "function"}, {Text: "of an operation", Class: "n"}, {Text: "of the difference", Class: "n"},
			{Text: "where"},
		}}
	}
	for _, f := range shown {
		s.Table.Rows = append(s.Table.Rows, []cell{
			{Text: b.clip(report.FunctionName(f.Function)), Head: true},
			{Text: b.clip(c.Changed(f.Change)), Class: "n"}, {Text: b.clip(f.ShareText()), Class: "n"},
			{Text: b.clip(report.Location(f)), Class: "place"},
		})
	}
	s.Omitted = omittedText(omitted, "function")
	return s
}

func (b *builder) keyFigures() (figures []keyFigure) {
	add := func(name, value string) {
		if value != "" && value != report.UnknownRevision {
			figures = append(figures, keyFigure{name, plaintext.Clip(value, 60)})
		}
	}
	if b.Run != nil {
		counts := b.Run.Counts
		if b.OnlyPartial() {
			counts = b.Run.Partial.Counts
		}
		add("devices", strconv.Itoa(counts.Devices))
		add("updated", strconv.Itoa(counts.Updated))
		add("failed", strconv.Itoa(counts.Failed))
	}
	if n := b.Now.Repetitions(); n > 0 {
		add("repetitions", strconv.Itoa(n))
	}
	add("revision", b.Now.Revision)
	if b.Base.Revision != "" {
		add(plaintext.Clip(b.Base.Label, 30)+" revision", b.Base.Revision)
	}
	if !b.Measured.IsZero() {
		add("measured", b.Measured.Format("2006-01-02 15:04 UTC"))
	}
	return figures
}

// outcome shows the outcome of the devices.
func (b *builder) outcome() section {
	if b.Run == nil || b.OnlyPartial() {
		return section{}
	}
	t, omitted := b.OutcomeTable(min(b.limits.Rows, 60))
	s := b.tableSection("outcome", "What became of the devices", t, b.OutcomeLead())
	if omitted > 0 {
		s.Omitted = plaintext.Count(omitted, "repetition") + " left out; " + rundir.RunFile + " has them."
	}
	return s
}

// tableSection returns a section with a table. It returns an empty section if the table is nil or
// has no rows.
func (b *builder) tableSection(id, title string, t *report.Table, lead ...string) section {
	if t == nil || len(t.Rows) == 0 {
		return section{}
	}
	return section{ID: id, Title: title, Table: b.table(t), Lead: lead}
}

func (b *builder) operations() section {
	return b.tableSection("operations", "What became of the operations", b.OperationTable(),
		"Rates are over the plan: what succeeded within it, divided by its length. "+
			"The drain is how much longer the last operation took.")
}

func (b *builder) waves() section {
	t := b.WaveTable()
	if t == nil {
		return section{}
	}
	return section{ID: "waves", Title: "Waves", Table: b.table(t), Lead: []string{t.Label + "."}}
}

func (b *builder) validity() section {
	if b.Run == nil || b.OnlyPartial() {
		return section{}
	}
	s := section{ID: "trust", Title: "Can the numbers be trusted", Table: b.table(b.HealthTable())}
	for _, sentence := range b.Validity {
		s.Lead = append(s.Lead, b.sentence(sentence))
	}
	return s
}

// spec shows the scenario as run.json holds it, which has no secrets such as values of environment
// variables.
func (b *builder) spec() section {
	if b.Run == nil || len(b.Run.Spec) == 0 {
		return section{}
	}
	text, err := yaml.JSONToYAML(b.Run.Spec)
	if err != nil || len(b.Run.Spec) > b.limits.Block {
		text = b.Run.Spec
	}
	return section{
		ID: "scenario", Title: "The scenario", Folded: "Whole and resolved, with every default",
		Block: plaintext.Clip(string(text), b.limits.Block),
	}
}

func (b *builder) reproduce() section {
	if b.Command == "" {
		return section{}
	}
	s := section{ID: "reproduce", Title: "How to reproduce", Code: []string{plaintext.Clip(b.Command, b.limits.Block)}}
	if b.Run != nil {
		digest := b.clip(cmp.Or(b.Run.WorkloadDigest, report.NoDigest))
		s.Lead = []string{"With seed " + strconv.FormatUint(b.Run.Seed, 10) + ", of the work " + digest +
			". The profiles are read by the second command."}
		s.Code = append(s.Code, plaintext.Clip(b.ProfileCommand(), b.limits.Block))
	}
	return s
}
