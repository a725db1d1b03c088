package baseline

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// Write writes the baseline page: Markdown for people, with the samples
// in a block that benchstat reads and the facts in a block of JSON. The same
// baseline gives the same bytes.
//
// It refuses a baseline without samples, one whose scenario holds records of
// another, and a history with a line that benchstat would take for a result.
func Write(w io.Writer, b Page) error {
	text, err := renderBaseline(b)
	if err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}

func renderBaseline(b Page) (string, error) {
	history, err := cleanHistory(b.History)
	if err != nil {
		return "", err
	}
	facts := baselineFacts{Schema: Schema, Machine: b.Machine, Revision: b.Revision, GoVersion: b.GoVersion,
		Created: b.Created.UTC().Truncate(time.Second), Sources: b.Sources, GeneratedSHA256: zeroDigest}
	total := 0
	for _, s := range b.Scenarios {
		for _, r := range s.Records {
			if r.Scenario != s.Name {
				return "", fmt.Errorf("scenario %s holds a record of scenario %q: want its own", s.Name, r.Scenario)
			}
			if err := r.Validate(); err != nil {
				return "", err
			}
		}
		for _, f := range facts.Scenarios {
			if f.Name == s.Name {
				return "", fmt.Errorf("scenario %s is given twice: want each once", s.Name)
			}
		}
		if len(s.Records) == 0 {
			return "", fmt.Errorf("scenario %s has no samples: want at least one repetition", s.Name)
		}
		facts.Scenarios = append(facts.Scenarios, baselineScenarioFacts{Name: s.Name, WorkloadDigest: s.WorkloadDigest, Command: s.Command,
			Repetitions: s.Repetitions, Counts: s.Counts, ClientsWordOnly: s.ClientsWordOnly, Interference: s.Interference, Yardstick: s.Yardstick, Samples: len(s.Records)})
		total += len(s.Records)
	}
	if total == 0 {
		return "", errors.New("no samples: want at least one scenario that was measured")
	}

	for _, g := range b.Benchmarks {
		if err := checkBenchmarks(g); err != nil {
			return "", err
		}
		facts.Benchmarks = append(facts.Benchmarks, benchmarkFacts{Command: g.Command, Lines: len(g.Lines), Samples: len(g.Samples)})
	}

	var p strings.Builder
	p.WriteString(markBaseline + "\n\n# Baseline metrics\n\n")
	p.WriteString("What delivering an update costs, as measured on one machine at one revision. `fleetmark run` compares every later run\n" +
		"with its scenarios, and `benchstat` reads it as it is. Times and rates compare only on this machine; counts and\n" +
		"allocations compare anywhere. `fleetmark baseline` writes the page and keeps the optimization history.\n\n")
	p.WriteString(wrap(machineText(b)) + "\n\n")
	if facts.Sections, err = writeSections(&p, b.Sections); err != nil {
		return "", err
	}
	if err := writeScenarios(&p, b.Scenarios); err != nil {
		return "", err
	}
	if err := writeSamples(&p, b); err != nil {
		return "", err
	}
	data, err := facts.encode()
	if err != nil {
		return "", err
	}
	p.WriteString("## Facts\n\n")
	writeFolded(&p, "For programs: what the tables above say, and the digest by which an edit is noticed", fenceFacts, data)
	p.WriteString("## Optimization history\n\n" + markHistoryBegin + "\n" + history + markHistoryEnd + "\n\n")
	fmt.Fprintf(&p, markEndFormat+"\n", total)

	text := p.String()
	return strings.Replace(text, digestField(zeroDigest), digestField(generatedDigest(text, zeroDigest)), 1), nil
}

// writeSamples writes the blocks that benchstat reads. That of the scenarios comes first: the cpu
// line of a Go benchmark holds for every line after it, and the scenarios' lines have none.
func writeSamples(p *strings.Builder, b Page) error {
	p.WriteString("## Samples\n\nEvery sample as it was measured, in the Go benchmark format.\n\n")
	var text strings.Builder
	samples := results.NewSampleWriter(&text, b.Machine.GOMAXPROCS)
	n := 0
	for _, s := range b.Scenarios {
		if err := samples.Write(s.Records...); err != nil {
			return err
		}
		n += len(s.Records)
	}
	writeFolded(p, plaintext.Count(n, "sample")+" of the scenarios", fenceSamples, text.String())
	for i, g := range b.Benchmarks {
		fmt.Fprintf(p, markBenchmarks+"\n", i+1)
		writeFolded(p, plaintext.Count(len(g.Samples), "sample")+" of the Go benchmarks, as go test printed them", fenceSamples, strings.Join(g.Lines, "\n")+"\n")
	}
	return nil
}

// writeFolded writes a fenced block that a browser shows on request. The title is our own, in HTML.
func writeFolded(p *strings.Builder, title, fence, body string) {
	fmt.Fprintf(p, "<details>\n<summary>%s</summary>\n\n%s\n%s%s\n\n</details>\n\n", title, fence, body, fenceEnd)
}

// cleanHistory ends every line with a single line feed, and refuses what would
// break the page.
func cleanHistory(history string) (string, error) {
	history = strings.Trim(strings.ReplaceAll(history, "\r\n", "\n"), "\n")
	if history == "" {
		return "", nil
	}
	for line := range strings.SplitSeq(history, "\n") {
		if problem := historyProblem(line); problem != "" {
			return "", fmt.Errorf("optimization history: %q %s", line, problem)
		}
	}
	return history + "\n", nil
}

func historyProblem(line string) string {
	switch {
	case strings.Contains(line, "<!-- fleetmark:"):
		return "holds a mark of the page: take it out"
	case strings.ContainsRune(line, '\r'):
		return "holds a carriage return: take it out"
	case !strings.HasPrefix(line, "Benchmark") && !strings.HasPrefix(line, "Unit"):
		// Configuration lines, which benchstat prints above its tables, may stand
		// here: they come after every sample.
		return ""
	case results.IsBenchmarkLine(line):
		return "begins as a line of results does, and benchstat would read it: indent it"
	}
	return ""
}

// machineText says when, on which machine and from which source the page was measured.
func machineText(b Page) string {
	m := b.Machine
	return fmt.Sprintf("Measured on %s on %s, kernel %s: %s, %s (GOMAXPROCS %d), %.1f GiB of memory; %s, revision %s, machine %s.",
		b.Created.UTC().Format("2006-01-02 15:04:05 UTC"), markdown.Escape(m.OS+"/"+m.Arch), markdown.Escape(m.Kernel), markdown.Escape(m.CPU),
		plaintext.Count(m.Cores, "core"), m.GOMAXPROCS, float64(m.MemoryBytes)/(1<<30), markdown.Escape(b.GoVersion), markdown.Code(b.Revision), markdown.Code(m.Identity))
}

// writeScenarios writes what runs are compared with: a paragraph per scenario, and a table of all.
func writeScenarios(w *strings.Builder, scenarios []Scenario) error {
	w.WriteString("## Scenarios\n\nWhat `fleetmark run` compares a run of the same scenario with. ")
	w.WriteString("Medians, with the interval that holds each with 95%\nconfidence; a value without one is exact. ")
	w.WriteString("docs/running.md of Fleetmark explains the metrics.\n\n")
	for _, s := range scenarios {
		if err := results.CheckName("scenario", s.Name); err != nil {
			return err
		}
		text := fmt.Sprintf("%s: %s.", s.Name, plaintext.Count(s.Repetitions, "repetition"))
		if s.Yardstick != nil {
			text += fmt.Sprintf(" Around them, a round trip between two bare sockets took %s.", results.FormatValue(s.Yardstick.RoundTripNS, "ns/op"))
		}
		if s.Interference != nil {
			text += fmt.Sprintf(" Meanwhile %s.", s.Interference)
		}
		text += fmt.Sprintf(" Outcome: %s.", s.Counts)
		if s.ClientsWordOnly {
			text += " This is the client's word only: no ledger confirmed it."
		}
		command := strings.ReplaceAll(s.Command, "\\\n", "") // on one line
		w.WriteString("- " + strings.ReplaceAll(withCommand(text+" Measured with", command), "\n", "\n  ") + "\n")
	}
	w.WriteString("\n")
	if err := scenarioTable(scenarios).Markdown(w); err != nil {
		return err
	}
	w.WriteString("\n")
	return nil
}

// scenarioTable has a row per metric and a column per scenario and operation.
func scenarioTable(scenarios []Scenario) texttable.Table {
	table := texttable.Table{Header: []string{"metric"}, Align: "l"}
	type column struct{ scenario, op string }
	var columns []column
	var samples []*metricSamples
	repetitions := map[string]int{}
	for _, s := range scenarios {
		repetitions[s.Name] = s.Repetitions
		for _, m := range groupByMetric(s.Records) {
			if c := (column{m.scenario, m.op}); !slices.Contains(columns, c) {
				columns = append(columns, c)
				table.Header, table.Align = append(table.Header, markdown.Escape(m.scenario+" "+m.op)), table.Align+"r"
			}
			samples = append(samples, m)
		}
	}
	slices.SortStableFunc(samples, func(a, b *metricSamples) int {
		return cmp.Or(results.UnitOrder(a.unit)-results.UnitOrder(b.unit), strings.Compare(a.unit, b.unit))
	})
	rows := map[string]int{} // by unit
	for _, m := range samples {
		row, ok := rows[m.unit]
		if !ok {
			row = len(table.Rows)
			rows[m.unit] = row
			table.Rows = append(table.Rows, append([]string{markdown.Escape(m.unit)}, make([]string, len(columns))...))
		}
		table.Rows[row][1+slices.Index(columns, column{m.scenario, m.op})] = scenarioCell(m, repetitions[m.scenario])
	}
	return table
}

// A metricSamples holds what was measured of one metric of one operation.
type metricSamples struct {
	scenario, op, unit string
	values             []float64
}

// groupByMetric returns the samples of each metric, in the order in which the records have them.
func groupByMetric(records []results.Record) (all []*metricSamples) {
	type key struct{ scenario, op, unit string }
	byKey := map[key]*metricSamples{}
	for _, r := range records {
		for _, v := range r.Values {
			k := key{r.Scenario, r.Op, v.Unit}
			if byKey[k] == nil {
				byKey[k] = &metricSamples{scenario: r.Scenario, op: r.Op, unit: v.Unit}
				all = append(all, byKey[k])
			}
			byKey[k].values = append(byKey[k].values, v.Value)
		}
	}
	return all
}

// scenarioCell returns a median with its interval, and with the number of samples if that isn't the
// scenario's number of repetitions.
func scenarioCell(m *metricSamples, repetitions int) string {
	unit, _ := results.LookupUnit(m.unit)
	summary := results.Summarize(m.values, unit.Exact)
	cell := results.FormatValue(summary.Median, m.unit)
	switch {
	case !unit.Exact:
		cell += " ± " + summary.Interval()
	case *summary.Low != *summary.High:
		cell += fmt.Sprintf(" (%s to %s)", results.FormatValue(*summary.Low, m.unit), results.FormatValue(*summary.High, m.unit))
	}
	if summary.N != repetitions {
		cell += fmt.Sprintf(" (n=%d)", summary.N)
	}
	return cell
}
