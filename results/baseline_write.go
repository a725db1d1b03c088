package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results/internal/page"
)

// WriteBaseline writes the baseline page: Markdown for people, with the samples
// in a block that benchstat reads and the facts in a block of JSON. The same
// baseline gives the same bytes.
//
// It refuses a baseline without samples, one whose scenario holds records of
// another, and a history with a line that benchstat would take for a result.
func WriteBaseline(w io.Writer, b Baseline) error {
	text, err := renderBaseline(b)
	if err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}

func renderBaseline(b Baseline) (string, error) {
	history, err := cleanHistory(b.History)
	if err != nil {
		return "", err
	}
	facts := baselineFacts{Schema: BaselineSchema, Machine: b.Machine, Revision: b.Revision, GoVersion: b.GoVersion,
		Created: b.Created.UTC().Truncate(time.Second), Sources: b.Sources, GeneratedSHA256: zeroDigest}
	total := 0
	for _, s := range b.Scenarios {
		for _, r := range s.Records {
			if r.Scenario != s.Name {
				return "", fmt.Errorf("scenario %s holds a record of scenario %q: want its own", s.Name, r.Scenario)
			}
			if err := r.validate(); err != nil {
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

	var p strings.Builder
	p.WriteString(markBaseline + "\n\n# Baseline metrics\n\n")
	p.WriteString("What delivering an update costs, as measured on one machine at one revision. `fleetmark run` holds every later run\n" +
		"against its scenarios, and `benchstat` reads it as it is. Times and rates compare only on the machine below; counts and\n" +
		"allocations compare anywhere. `fleetmark baseline` makes the page anew and keeps the optimization history; every\n" +
		"number in it was measured by that command.\n\n")
	if err := writeMachine(&p, b); err != nil {
		return "", err
	}
	if facts.Sections, err = writeSections(&p, b.Sections); err != nil {
		return "", err
	}
	for _, s := range b.Scenarios {
		if err := writeBaselineScenario(&p, s); err != nil {
			return "", err
		}
	}
	if err := writeMetrics(&p, b); err != nil {
		return "", err
	}
	p.WriteString("## Samples\n\nEvery repetition as it was measured, in the Go benchmark format.\n\n" + fenceSamples + "\n")
	samples := NewSampleWriter(&p, b.Machine.GOMAXPROCS)
	for _, s := range b.Scenarios {
		if err := samples.Write(s.Records...); err != nil {
			return "", err
		}
	}
	p.WriteString(fenceEnd + "\n\n## Facts\n\nFor programs: what the tables above say, and the digest by which an edit is noticed.\n\n" + fenceFacts + "\n")
	data, err := json.MarshalIndent(facts, "", "  ")
	if err != nil {
		return "", err
	}
	p.Write(data)
	p.WriteString("\n" + fenceEnd + "\n\n## Optimization history\n\n" + markHistoryBegin + "\n" + history + markHistoryEnd + "\n\n")
	fmt.Fprintf(&p, markEndFormat+"\n", total)

	text := p.String()
	return strings.Replace(text, digestField(zeroDigest), digestField(generatedDigest(text, zeroDigest)), 1), nil
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
	case page.IsBenchmarkLine(line):
		return "begins as a line of results does, and benchstat would read it: indent it"
	}
	return ""
}

func writeMachine(w io.Writer, b Baseline) error {
	m := b.Machine
	if _, err := io.WriteString(w, "## System configuration\n\n"); err != nil {
		return err
	}
	table := page.Table{Header: []string{"What", "Value"}, Rows: [][]string{
		{"System", page.Escape(m.OS + "/" + m.Arch)},
		{"Kernel", page.Escape(m.Kernel)},
		{"Processor", page.Escape(m.CPU)},
		{"Cores", fmt.Sprintf("%d (GOMAXPROCS %d)", m.Cores, m.GOMAXPROCS)},
		{"Memory", fmt.Sprintf("%.1f GiB", float64(m.MemoryBytes)/(1<<30))},
		{"Go", page.Escape(b.GoVersion)},
		{"Revision", page.Code(b.Revision)},
		{"Identity", page.Code(m.Identity)},
		{"Measured", b.Created.UTC().Format("2006-01-02 15:04:05 UTC")},
	}}
	if err := table.Markdown(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func writeBaselineScenario(w *strings.Builder, s BaselineScenario) error {
	if err := checkWord("scenario", s.Name); err != nil {
		return err
	}
	fmt.Fprintf(w, "## Scenario %s\n\nMeasured with\n\n", page.Escape(s.Name))
	if err := page.Fence(w, "sh", s.Command); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s.", plural(s.Repetitions, "repetition"))
	if s.Yardstick != nil {
		fmt.Fprintf(w, " By the yardstick, a round trip between two bare sockets took %s.", FormatValue(s.Yardstick.RoundTripNS, "ns/op"))
	}
	if s.Interference != nil {
		fmt.Fprintf(w, " Meanwhile %s.", s.Interference)
	}
	w.WriteString(" The interval holds the median with 95% confidence; n is the number of samples.\n\n")
	table := page.Table{Header: []string{"operation", "metric", "median", "interval", "n"}, Align: "llrrr"}
	previous := ""
	for _, p := range pairSamples(nil, s.Records) {
		unit, _ := LookupUnit(p.unit)
		summary := summarize(p.now, unit.Exact)
		interval := "exact"
		if !unit.Exact {
			interval = "± " + summary.interval
		} else if *summary.Low != *summary.High {
			interval = fmt.Sprintf("%s to %s", FormatValue(*summary.Low, p.unit), FormatValue(*summary.High, p.unit))
		}
		op := page.Escape(p.op)
		if p.op == previous {
			op = ""
		}
		previous = p.op
		table.Rows = append(table.Rows, []string{op, page.Escape(p.unit), FormatValue(summary.Median, p.unit), interval, strconv.Itoa(summary.N)})
	}
	if err := table.Markdown(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nOutcome: %s.", s.Counts)
	if s.ClientsWordOnly {
		w.WriteString(" This is the client's word only: no ledger confirmed it.")
	}
	w.WriteString("\n\n")
	return nil
}

// writeMetrics explains the metrics that the page shows.
func writeMetrics(w io.Writer, b Baseline) error {
	used := make(map[string]bool)
	for _, s := range b.Scenarios {
		for _, r := range s.Records {
			for _, v := range r.Values {
				used[v.Unit] = true
			}
		}
	}
	table := page.Table{Header: []string{"metric", "better", "tolerance", "judged", "what it is"}, Align: "llrll"}
	for _, u := range unitTable {
		if !used[u.Name] {
			continue
		}
		better, judged, tolerance := "lower", "on this machine", fmt.Sprintf("%.0f%%", 100*u.Tolerance)
		if u.Better > 0 {
			better = "higher"
		}
		if u.Class.Portable() {
			judged = "on any machine"
		}
		if u.Slack > 0 {
			tolerance += " and " + FormatValue(u.Slack, u.Name)
		}
		if u.Exact {
			tolerance = "exact"
		}
		table.Rows = append(table.Rows, []string{page.Escape(u.Name), better, tolerance, judged, page.Escape(u.Doc)})
	}
	if len(table.Rows) == 0 {
		return nil
	}
	if _, err := io.WriteString(w, "## Metrics\n\nA change counts only beyond the tolerance, which is as wide as the noise between two runs of the same code.\n\n"); err != nil {
		return err
	}
	if err := table.Markdown(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
