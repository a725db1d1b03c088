package report

import (
	"fmt"
	"strconv"

	"github.com/fleetmark/fleetmark/results"
)

// changeSection has what a reader must see, and is left out where that is nothing.
func (s *Subject) changeSection(l limits) (section, error) {
	j := s.judgement()
	rows, left := first(notable(j.Rows), min(l.rows, 40))
	if len(rows) == 0 {
		return section{}, nil
	}
	sec := section{ID: "changes", Title: "What stands out", Left: leftOut(left, "row")}
	sec.Table, sec.Notes = s.rowTable(rows, l)
	return sec, nil
}

func (s *Subject) metricSection(l limits) (section, error) {
	j := s.judgement()
	sec := section{ID: "metrics", Title: "All metrics", Lead: []string{"Each value is the median with half its 95% confidence interval."}}
	if len(j.Rows) == 0 {
		sec.Lead = []string{"None: no repetition was completed."}
		return sec, nil
	}
	if j.HasBaseline {
		sec.Lead = []string{"Each value is the median with half its 95% confidence interval; p is the Mann-Whitney U test's, before Holm's correction." + ratioLegend(j.Rows)}
	}
	rows, left := first(j.Rows, l.rows)
	sec.Table, sec.Notes = s.rowTable(rows, l)
	sec.Left = leftOut(left, "row")
	return sec, nil
}

// rowTable lays judged rows out; see metricTable.
func (s *Subject) rowTable(rows []results.JudgedRow, l limits) (*table, []string) {
	t := &table{Label: "Metrics", Header: []cell{{Text: "operation"}, {Text: "metric"}}}
	hasBaseline, ratios, many := s.judgement().HasBaseline, hasRatios(rows), manyScenarios(rows)
	number := func(text string) cell { return cell{Text: text, Class: "n"} }
	if hasBaseline { // the verdict first, where a phone has it without scrolling
		t.Header = append(t.Header, cell{Text: "verdict"}, number("change"), number(clip(s.baseLabel(), 40)))
	}
	t.Header = append(t.Header, number(clip(s.nowLabel(), 40)))
	if ratios {
		t.Header = append(t.Header, number("ratio of pairs"))
	}
	if hasBaseline {
		t.Header = append(t.Header, number("p"))
	}
	var notes noteList
	for _, r := range rows {
		cells := []cell{{Text: clip(operation(r, many), l.text)}, {Text: clip(r.Unit, l.text), Head: true}}
		if hasBaseline {
			cells = append(cells, htmlVerdict(r, &notes, l), number(r.FormatDelta()+direction(r)), number(r.Baseline.Format(r.Unit)))
		}
		cells = append(cells, number(r.Now.Format(r.Unit)))
		if ratios {
			cells = append(cells, number(formatRatio(r.Ratio)))
		}
		if hasBaseline {
			cells = append(cells, number(r.FormatP()))
		}
		t.Rows = append(t.Rows, clipCells(cells, l))
	}
	return t, notes
}

// direction says whether a change that counts is for the better.
func direction(r results.JudgedRow) string {
	unit, known := results.LookupUnit(r.Unit)
	if !known || r.Delta == nil || *r.Delta == 0 || r.Verdict == "" || r.Verdict == results.Pass {
		return ""
	}
	if (*r.Delta > 0) == (unit.Better > 0) {
		return " better"
	}
	return " worse"
}

func htmlVerdict(r results.JudgedRow, notes *noteList, l limits) cell {
	if r.Verdict == "" {
		return cell{Text: "– " + clip(shortNote(r.Note), l.text), Class: "muted"}
	}
	symbols := map[results.Verdict]string{results.Regressed: "✗ ", results.Improved: "▲ ", results.Inconclusive: "? ", results.Pass: "✓ ", results.Invalid: "! "}
	c := cell{Text: symbols[r.Verdict] + string(r.Verdict), Class: "none"}
	if symbols[r.Verdict] != "" {
		c.Class = string(r.Verdict)
	}
	if r.Note != "" {
		c.Text += fmt.Sprintf(" (%d)", notes.add(clip(r.Note, 2*l.text)))
	}
	return c
}

func clipCells(cells []cell, l limits) []cell {
	for i := range cells {
		cells[i].Text = clip(cells[i].Text, l.text)
	}
	return cells
}

func leftOut(n int, noun string) string {
	if n == 0 {
		return ""
	}
	return count(n, noun) + " left out, to keep this page readable; " + results.SamplesFile + " has every sample."
}

func (s *Subject) ratioSection(l limits) (section, error) {
	figures, left, err := s.ratioFigures(l)
	if len(figures) == 0 || err != nil {
		return section{}, err
	}
	return section{ID: "ratios", Title: "Ratios", Figures: figures, Left: leftOut(left, "row"),
		Lead: []string{"Both sides were measured in turns, and neighbours compared. An interval that holds 1 may be no change; a square is a row that regressed."}}, nil
}

func (s *Subject) thresholdSection(l limits) (section, error) {
	list, left := first(s.thresholds(), l.rows)
	if len(list) == 0 {
		return section{}, nil
	}
	t := &table{Label: "Thresholds", Header: []cell{{Text: "threshold"}, {Text: "measured", Class: "n"}, {Text: "result"}}}
	for _, o := range list {
		value, result := "–", cell{Text: "✓ held", Class: string(results.Pass)}
		if o.Measured {
			value = results.FormatValue(o.Value, o.Unit)
		}
		switch {
		case !o.Measured:
			result = cell{Text: "✗ failed: not measured", Class: string(results.Regressed)}
		case !o.Held:
			result = cell{Text: "✗ failed", Class: string(results.Regressed)}
		}
		t.Rows = append(t.Rows, clipCells([]cell{{Text: o.Threshold, Head: true}, {Text: value, Class: "n"}, result}, l))
	}
	return section{ID: "thresholds", Title: "Thresholds", Table: t, Left: leftOut(left, "threshold")}, nil
}

func (s *Subject) latencySection(l limits) (section, error) {
	figures, left, err := s.latencyFigures(l)
	if len(figures) == 0 || err != nil {
		return section{}, err
	}
	lead := "Both axes are logarithmic: each nine more is as far as the one before."
	switch known, base := len(s.Now.Latency) > 0, len(s.Base.Latency) > 0; {
	case !known && !base:
		lead += " Only some percentiles are known, the medians of the repetitions."
	case s.hasBase() && !base:
		lead += " Of " + clip(s.baseLabel(), 40) + " only some percentiles are known, the medians of its repetitions."
	}
	return section{ID: "latency", Title: "Response time by percentile", Key: true, Figures: figures, Lead: []string{lead}, Left: leftOut(left, "operation")}, nil
}

func (s *Subject) sampleSection(l limits) (section, error) {
	figures, same, left, err := s.sampleFigures(l)
	if len(figures) == 0 || err != nil {
		return section{}, err
	}
	sec := section{ID: "samples", Title: "The samples themselves", Key: true, Left: leftOut(left, "metric"),
		Lead: []string{"A mark a repetition; below the marks, the median and its 95% confidence interval, where the samples suffice for one."}}
	if same > 0 {
		sec.Lead = append(sec.Lead, fmt.Sprintf("Not drawn: %s whose samples are all the same.", count(same, "metric")))
	}
	shown := min(len(figures), 6)
	sec.Figures, sec.More = figures[:shown], figures[shown:]
	return sec, nil
}

func (s *Subject) repetitionSection(l limits) (section, error) {
	figures, err := s.repetitionFigures(l)
	if len(figures) == 0 || err != nil {
		return section{}, err
	}
	return section{ID: "repetitions", Title: "Over the repetitions", Key: true, Figures: figures,
		Lead: []string{"In the order in which they were measured: a slope is a machine or a client that changed meanwhile."}}, nil
}

func (s *Subject) failureSection(l limits) (section, error) {
	figures, err := s.failureFigures(l)
	if err != nil || len(figures) == 0 {
		return section{}, err
	}
	sec := section{ID: "failures", Title: "Failures", Key: s.hasBase(), Figures: figures,
		Lead: []string{"Of each class and repetition the first 20 are kept, so a bar shows which classes there were, not how many failed: that, the outcome below says."}}
	t := &table{Label: "Examples of failures", Header: []cell{{Text: "class"}, {Text: "error"}, {Text: "operation"}, {Text: "repetition", Class: "n"},
		{Text: "device", Class: "n"}, {Text: "status", Class: "n"}}}
	seen := make(map[string]int)
	for _, f := range s.Now.Failures {
		if seen[f.Class]++; seen[f.Class] > 3 || len(t.Rows) == min(l.rows, 30) {
			continue
		}
		status := ""
		if f.Status != 0 {
			status = strconv.Itoa(f.Status)
		}
		t.Rows = append(t.Rows, clipCells([]cell{{Text: f.Class, Head: true}, {Text: f.Error, Class: "wrap"}, {Text: f.Operation},
			{Text: strconv.Itoa(f.Repetition), Class: "n"}, {Text: strconv.Itoa(f.Device), Class: "n"}, {Text: status, Class: "n"}}, l))
	}
	if len(t.Rows) > 0 {
		sec.Table = t
		if n := len(s.Now.Failures) - len(t.Rows); n > 0 {
			sec.Left = fmt.Sprintf("%d more are in %s.", n, results.FailuresFile)
		}
	}
	return sec, nil
}
