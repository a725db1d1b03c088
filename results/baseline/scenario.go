package baseline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// validate returns an error if the scenario has no records, or a record of another scenario.
func (s *Scenario) validate() error {
	if err := results.CheckName("scenario", s.Name); err != nil {
		return err
	}
	if len(s.Records) == 0 {
		return fmt.Errorf("scenario %s has no samples: want at least one repetition", s.Name)
	}
	for _, r := range s.Records {
		if r.Scenario != s.Name {
			return fmt.Errorf("scenario %s holds a record of scenario %q: want its own", s.Name, r.Scenario)
		}
		if err := r.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// writeScenarios writes a paragraph for each scenario, and one table with the metrics of all.
func (p *Page) writeScenarios(b *strings.Builder) error {
	b.WriteString("## Scenarios\n\nWhat `fleetmark run` compares a run of the same scenario with. ")
	b.WriteString("Medians, with the interval that holds each with 95%\nconfidence; a value without one is exact. ")
	b.WriteString("docs/reference/metrics.md of Fleetmark explains the metrics.\n\n")
	for _, s := range p.Scenarios {
		text := fmt.Sprintf("%s: %s.", s.Name, plaintext.Count(s.Repetitions, "repetition"))
		if s.ReferenceSpeed != nil {
			text += fmt.Sprintf(" Around them, a round trip between two bare sockets took %s.",
				results.Duration.Format(s.ReferenceSpeed.RoundTripNS))
		}
		if s.Interference != nil {
			text += fmt.Sprintf(" Meanwhile %s.", s.Interference)
		}
		text += fmt.Sprintf(" Outcome: %s.", s.Counts)
		if s.Unconfirmed {
			text += " This is the client's word only: no ledger confirmed it."
		}
		command := strings.ReplaceAll(s.Command, "\\\n", "") // on one line
		b.WriteString("- " + strings.ReplaceAll(withCommand(text+" Measured with", command), "\n", "\n  ") + "\n")
	}
	b.WriteString("\n")
	if err := scenarioTable(p.Scenarios).Markdown(b); err != nil {
		return err
	}
	b.WriteString("\n")
	return nil
}

// scenarioTable returns a table with a row for each metric, and a column for each operation of a
// scenario.
func scenarioTable(scenarios []Scenario) texttable.Table {
	type column struct {
		scenario, op string
		repetitions  int
	}
	type cell struct {
		column column
		unit   string
	}
	var columns []column
	var units []string
	samples := map[cell][]float64{}
	for _, s := range scenarios {
		for _, r := range s.Records {
			c := column{s.Name, r.Op, s.Repetitions}
			if !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
			for _, v := range r.Values {
				if !slices.Contains(units, v.Unit) {
					units = append(units, v.Unit)
				}
				samples[cell{c, v.Unit}] = append(samples[cell{c, v.Unit}], v.Value)
			}
		}
	}
	slices.SortFunc(units, func(a, b string) int {
		return cmp.Or(results.UnitOrder(a)-results.UnitOrder(b), strings.Compare(a, b))
	})

	table := texttable.Table{Header: []string{"metric"}, Align: "l" + strings.Repeat("r", len(columns))}
	for _, c := range columns {
		table.Header = append(table.Header, markdown.Escape(c.scenario+" "+c.op))
	}
	for _, unit := range units {
		row := []string{markdown.Escape(unit)}
		for _, c := range columns {
			row = append(row, scenarioCell(samples[cell{c, unit}], unit, c.repetitions))
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// scenarioCell returns the median of a metric with its interval. It adds the number of samples if
// that isn't the number of repetitions. It returns "" if there are no samples.
func scenarioCell(values []float64, unit string, repetitions int) string {
	if len(values) == 0 {
		return ""
	}
	known, _ := results.LookupUnit(unit)
	summary := results.Summarize(values, known.Exact)
	cell := results.FormatValue(summary.Median, unit)
	switch {
	case !known.Exact:
		cell += " ± " + summary.Interval()
	case summary.Differs():
		cell += fmt.Sprintf(" (%s to %s)", results.FormatValue(*summary.Low, unit),
			results.FormatValue(*summary.High, unit))
	}
	if summary.N != repetitions {
		cell += fmt.Sprintf(" (n=%d)", summary.N)
	}
	return cell
}
