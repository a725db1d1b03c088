package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// maxRepetitions bounds the rows of a table of repetitions.
const maxRepetitions = 60

// OutcomeLead returns a sentence that says who confirmed the outcome of the devices.
func (r *Result) OutcomeLead() string {
	if r.Run.Unconfirmed {
		return "Client's word only: no ledger confirmed what became of the devices."
	}
	if r.Run.Client.IsService() {
		return "What the fleet's ledger saw, compared with what the service said."
	}
	return "What the client claimed and what the fleet's ledger saw, reconciled."
}

// OutcomeTable returns the outcome of the devices: a row for each of the first limit repetitions,
// and one with the worst of all. omitted is the number of repetitions without a row.
func (r *Result) OutcomeTable(limit int) (t *Table, omitted int) {
	t = &Table{Label: "Outcome of the devices", Columns: []Column{{Name: "repetition", Kind: Name}}}
	for _, name := range []string{"devices", "updated", "failed", "lost", "applied twice"} {
		t.Columns = append(t.Columns, Column{Name: name, Kind: Number})
	}
	t.Columns[1].Rank = 1
	add := func(name string, c results.Counts) {
		cells := []Cell{{Text: name}}
		for _, n := range []int{c.Devices, c.Updated, c.Failed, c.Lost, c.AppliedTwice} {
			cells = append(cells, Cell{Text: strconv.Itoa(n)})
		}
		t.Rows = append(t.Rows, cells)
	}
	shown, omitted := bounded.Head(r.Run.RepetitionCounts, limit)
	for i, c := range shown {
		add(strconv.Itoa(i+1), c)
	}
	add("worst of all", r.Run.Counts)
	return t, omitted
}

// OperationTable returns the outcome of the operations of each timed repetition. It returns nil if
// there are no such repetitions.
func (r *Result) OperationTable() *Table {
	if r.Run == nil || len(r.Run.Operations) == 0 {
		return nil
	}
	t := &Table{Label: "Operations of the timed repetitions", Columns: []Column{{Name: "repetition", Kind: Name}}}
	ranks := []int{4, 1, 0, 0, 3, 2, 5, 7, 6} // "succeeded" and "failed" are never left out
	for i, name := range []string{
		"planned", "started", "succeeded", "failed", "not sent", "broken off", "ended within the plan", "plan", "drain",
	} {
		t.Columns = append(t.Columns, Column{Name: name, Kind: Number, Fold: texttable.Fold{Rank: ranks[i]}})
	}
	for i, o := range r.Run.Operations[:min(len(r.Run.Operations), maxRepetitions)] {
		planned, within, plan, drain := "–", "–", "–", "–"
		if o.Planned > 0 {
			planned = plaintext.Thousands(o.Planned)
		}
		if o.PlanNS > 0 {
			within, plan = plaintext.Thousands(o.EndedInPlan), time.Duration(o.PlanNS).String()
			drain = formatNS(float64(o.DrainNS))
		}
		row := []Cell{{Text: strconv.Itoa(i + 1)}, {Text: planned}}
		for _, n := range []int64{o.Started, o.Succeeded, o.Failed, o.NotSent, o.BrokenOff} {
			row = append(row, Cell{Text: plaintext.Thousands(n)})
		}
		t.Rows = append(t.Rows, append(row, Cell{Text: within}, Cell{Text: plan}, Cell{Text: drain}))
	}
	return t
}

// HealthTable returns how busy the harness and the fleet were.
func (r *Result) HealthTable() *Table {
	t := &Table{Label: "The harness and the fleet", Columns: []Column{
		{Name: "what", Kind: Name, Fold: texttable.Fold{Cut: 1, End: true}},
		{Name: "driver", Kind: Number},
		{Name: "fleet", Kind: Number},
	}}
	add := func(what, driver, fleet string) {
		t.Rows = append(t.Rows, []Cell{{Text: what}, {Text: driver}, {Text: fleet}})
	}
	saturated := func(is bool) Cell {
		if is {
			return Cell{Text: "yes", More: ": it was the bottleneck", Verdict: results.Regressed}
		}
		return Cell{Text: "no"}
	}
	fleet, harness := r.Run.Fleet, r.Run.Harness
	add("processor, share of all cores", plaintext.Percent(harness.CPUFraction), plaintext.Percent(fleet.CPUFraction))
	add("peak resident memory", formatMemory(harness.PeakResidentBytes), formatMemory(fleet.PeakResidentBytes))
	t.Rows = append(t.Rows, []Cell{{Text: "saturated"}, saturated(harness.Saturated), saturated(fleet.Saturated)})
	add("behind the plan, 99th percentile", time.Duration(harness.LatenessP99NS).String(), "")
	add("garbage collection, share of its processor time", plaintext.Percent(harness.GCCPUFraction), "")
	return t
}

// formatMemory formats a number of bytes. It returns a dash for 0, which means that the memory
// could not be measured, as with real devices.
func formatMemory(bytes uint64) string {
	if bytes == 0 {
		return "–"
	}
	return results.Bytes.Format(float64(bytes))
}

// formatNS formats a number of nanoseconds with three digits: "15.4µs".
func formatNS(ns float64) string { return results.Duration.Format(ns) }

// ProvenanceTable returns where the result was measured, and at which revisions.
func (r *Result) ProvenanceTable() *Table {
	t := &Table{Label: "Where it was measured", Columns: []Column{
		{Name: "what", Kind: Name, Fold: texttable.Fold{Cut: 1}},
		{Name: "value", Fold: texttable.Fold{Cut: 2}},
	}}
	for _, f := range r.Provenance {
		kind := Prose
		if f.Code {
			kind = Code
		}
		t.Rows = append(t.Rows, []Cell{{Text: f.Name}, {Text: f.Value, Kind: kind}})
	}
	return t
}

// thresholdSummaries returns sentences about failed and undecided thresholds.
func (r *Result) thresholdSummaries() []string {
	summaries := []string{results.ThresholdSummary(r.Thresholds), results.UndecidedSummary(r.Thresholds)}
	return slices.DeleteFunc(summaries, func(s string) bool { return s == "" })
}

// ThresholdTable returns the outcome of thresholds.
func ThresholdTable(list []results.ThresholdOutcome) *Table {
	t := &Table{Label: "Thresholds", Strong: true, Columns: []Column{
		{Name: "threshold", Kind: Name, Fold: texttable.Fold{Cut: 1}},
		{Name: "measured", Kind: Number},
		{Name: "result", Kind: Prose, Fold: texttable.Fold{Cut: 2, End: true}},
	}}
	for _, o := range list {
		value := "–"
		if o.HasWorst() {
			value = results.FormatValue(o.Value, o.Unit)
		}
		t.Rows = append(t.Rows, []Cell{{Text: o.Threshold}, {Text: value}, thresholdCell(o)})
	}
	return t
}

func thresholdCell(o results.ThresholdOutcome) Cell {
	text, verdict := o.Result()
	word := text
	if i := strings.IndexAny(text, ": "); i >= 0 {
		word = text[:i]
	}
	return Cell{Text: word, More: text[len(word):], Verdict: verdict}
}

// PartialLead explains the figures of a partial repetition.
const PartialLead = "It was broken off. Its figures are of a part of the work: " +
	"no verdict, threshold or baseline uses them."

// PartialSentences returns sentences about a partial repetition: what became of its work and its
// devices, and contradictions.
func PartialSentences(p *results.Partial) []string {
	witness := "by the fleet's ledger"
	if p.Unwitnessed != "" {
		witness = "by the client's word only: " + p.Unwitnessed
	}
	sentences := []string{p.String(), fmt.Sprintf("%v, %s", p.Counts, witness)}
	for _, c := range p.Contradictions {
		sentences = append(sentences, "the fleet's ledger contradicts the client: "+c)
	}
	return sentences
}

// PartialTable returns the figures of a partial repetition. Its footnotes explain them.
func PartialTable(p *results.Partial) *Table {
	t := &Table{Label: "Partial repetition", Columns: []Column{
		{Name: "operation", Fold: texttable.Fold{Cut: 1}},
		{Name: "metric", Kind: Name, Fold: texttable.Fold{Cut: 2}},
		{Name: "partial, not judged", Kind: Number},
	}}
	previous := ""
	for _, v := range p.Values {
		op := v.Op
		if op == previous {
			op = ""
		}
		previous = v.Op
		text := results.FormatValue(v.Value, v.Unit)
		if v.Few > 0 {
			text, t.Notes = text+fewMark(v.Few), []string{fewLegend}
		}
		t.Rows = append(t.Rows, []Cell{{Text: op}, {Text: v.Unit}, {Text: text}})
	}
	return t
}

// deviceCounts returns a line about the outcome of the devices, and who confirmed it.
func deviceCounts(run *rundir.Loaded) string {
	who := "by the fleet's ledger"
	if run.Unconfirmed {
		who = "client's word only: these devices keep no ledger"
	}
	worst := ""
	if n := len(run.RepetitionCounts); n > 1 {
		worst = fmt.Sprintf("the worst of %d repetitions, ", n)
	}
	return fmt.Sprintf("%v: %s%s", run.Counts, worst, who)
}

// Failures returns a line that says how many operations of the run failed, and which file has
// examples. It returns "" if none failed.
func (r *Result) Failures() string {
	run, file := &r.Run.Run, filepath.Join(r.Run.Path, rundir.FailuresFile)
	failed, all := mostFailures(run.Operations)
	if devices := run.Counts.Failed; failed == 0 && devices > 0 { // in a repetition that isn't timed
		of := plaintext.Count(run.Counts.Devices, "device")
		return fmt.Sprintf("%d of %s failed in the worst repetition; see %s", devices, of, file)
	}
	if failed == 0 {
		return ""
	}
	worst := ""
	if len(run.Operations) > 1 {
		worst = " in the worst repetition"
	}
	return fmt.Sprintf("%s of %s operations failed%s; see %s",
		plaintext.Thousands(failed), plaintext.Thousands(all), worst, file)
}

// mostFailures returns the number of failed operations in the repetition that has most of them, and
// how many of its operations ended.
func mostFailures(list []results.Operations) (failed, all int64) {
	for _, o := range list {
		if o.Failed > failed {
			failed, all = o.Failed, o.Succeeded+o.Failed
		}
	}
	return failed, all
}

// UnknownRevision is the revision of a source tree without version control.
const UnknownRevision = "unknown"

// A Fact is a named fact about where, when or at which revision something was measured.
type Fact struct {
	Name, Value string
	Code        bool // Value is an identifier instead of words
}

// provenance returns the facts about the machines and sources of both sides.
func provenance(r *Result) (facts []Fact) {
	add := func(name, value string, code bool) {
		if value != "" {
			facts = append(facts, Fact{name, value, code})
		}
	}
	if m := r.Now.Machine; m != nil {
		add("machine", m.String(), false)
	}
	if m := r.Base.Machine; m != nil && (r.Now.Machine == nil || m.String() != r.Now.Machine.String()) {
		add("machine of "+r.Base.Label, m.String(), false)
	}
	add("revision", r.Now.Revision, true)
	add("revision of "+r.Base.Label, r.Base.Revision, true)
	if run := r.Run; run != nil {
		add("transport", run.Transport, false)
		add("addressing", run.Addressing, false)
	}
	if !r.Measured.IsZero() {
		add("started", r.Measured.Format(time.RFC3339), false)
	}
	if run := r.Run; run != nil && !run.Finished.IsZero() {
		add("finished", run.Finished.UTC().Format(time.RFC3339), false)
	}
	return facts
}

// validitySentences returns sentences about how far the figures of a run can be trusted, besides
// what is in [Result.HealthTable].
func validitySentences(run *rundir.Loaded) (sentences []string) {
	say := func(format string, args ...any) { sentences = append(sentences, fmt.Sprintf(format, args...)) }
	harness := run.Harness
	if o := harness.Pacing; o != nil {
		say("Of the operations, %s were due while every worker was busy; at most %d workers were busy at once. "+
			"Where a worker stood ready, the latest hundredth was sent %s late or more.",
			plaintext.Percent(o.StarvedFraction), o.BusyWorkersPeak, time.Duration(o.TimerLatenessP99NS))
	}
	if o := harness.Ports; o != nil {
		say("At most %s.", o)
	}
	if y := harness.ReferenceSpeed; y != nil {
		say("In the reference benchmark, a round trip between two bare sockets took %s (median of %d blocks).",
			formatNS(y.RoundTripNS), y.Blocks)
	}
	if i := harness.Interference; i != nil {
		say("Meanwhile %s.", i)
	}
	if p := harness.Profiling; p != nil && p.TimedCPUNS > 0 {
		say("Profiled, an operation took %s of processor time, where the timed repetitions took %s (%+.1f%%).",
			formatNS(p.ProfiledCPUNS), formatNS(p.TimedCPUNS), 100*p.Overhead())
	}
	return sentences
}
