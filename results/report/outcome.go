package report

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// maxRepetitions bounds the rows of a table of repetitions.
const maxRepetitions = 60

// OutcomeLead says who tells what became of the devices.
func (r *Result) OutcomeLead() string {
	if r.Run.Unconfirmed {
		return "Client's word only: no ledger confirmed what became of the devices."
	}
	return "What the client claimed and what the fleet's ledger saw, reconciled."
}

// OutcomeTable says what became of the devices: a row for each repetition, but at most limit, and
// one for the worst of all. It also returns how many repetitions it leaves out.
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
	for i, c := range r.Run.RepetitionCounts {
		if i == limit {
			omitted = len(r.Run.RepetitionCounts) - limit
			break
		}
		add(strconv.Itoa(i+1), c)
	}
	add("worst of all", r.Run.Counts)
	return t, omitted
}

// OperationTable says what became of the operations of each timed repetition. It returns nil if
// there is none.
func (r *Result) OperationTable() *Table {
	if r.Run == nil || len(r.Run.Operations) == 0 {
		return nil
	}
	t := &Table{Label: "Operations of the timed repetitions", Columns: []Column{{Name: "repetition", Kind: Name}}}
	ranks := []int{4, 1, 0, 0, 3, 2, 5, 7, 6} // a narrow terminal still shows how many succeeded and failed
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
			within, plan, drain = plaintext.Thousands(o.EndedInPlan), time.Duration(o.PlanNS).String(), formatNS(float64(o.DrainNS))
		}
		row := []Cell{{Text: strconv.Itoa(i + 1)}, {Text: planned}}
		for _, n := range []int64{o.Started, o.Succeeded, o.Failed, o.NotSent, o.BrokenOff} {
			row = append(row, Cell{Text: plaintext.Thousands(n)})
		}
		t.Rows = append(t.Rows, append(row, Cell{Text: within}, Cell{Text: plan}, Cell{Text: drain}))
	}
	return t
}

// WaveTable says what became of the waves of a rollout, in the repetition that came least far. It
// returns nil if the load is no rollout.
func (r *Result) WaveTable() *Table {
	if r.Run == nil {
		return nil
	}
	worst, repetition := results.WorstRollout(r.Run.Rollouts)
	if len(worst.Waves) == 0 {
		return nil
	}
	t := &Table{Label: fmt.Sprintf("Waves of repetition %d", repetition)}
	if n := len(r.Run.Rollouts); n > 1 {
		t.Label += fmt.Sprintf(", the worst of %d", n)
	}
	t.Columns = []Column{
		{Name: "wave", Kind: Name},
		{Name: "share", Kind: Number, Fold: texttable.Fold{Rank: 2}},
		{Name: "size", Kind: Number, Fold: texttable.Fold{Rank: 3}},
		{Name: "reached", Kind: Number, Fold: texttable.Fold{Rank: 1}},
		{Name: "updated", Kind: Number},
		{Name: "failed", Kind: Number},
		{Name: "soak", Kind: Number, Fold: texttable.Fold{Rank: 4}},
		{Name: "what came of it", Kind: Prose, Fold: texttable.Fold{Cut: 1, End: true}},
	}
	for _, w := range worst.Waves {
		soak := "–"
		if w.SoakNS > 0 {
			soak = formatNS(float64(w.SoakNS))
		}
		row := []Cell{{Text: strconv.Itoa(w.Number)}, {Text: results.Share.Format(w.Share)}}
		for _, n := range []int{w.Size, w.Reached, w.Updated, w.Failed} {
			row = append(row, Cell{Text: plaintext.Thousands(int64(n))})
		}
		t.Rows = append(t.Rows, append(row, Cell{Text: soak}, Cell{Text: cmp.Or(w.Why, "–")}))
	}
	return t
}

// HealthTable says how busy the harness and the fleet were.
func (r *Result) HealthTable() *Table {
	fleet, harness := r.Run.Fleet, r.Run.Harness
	saturated := func(is bool) Cell {
		if is {
			return Cell{Text: "yes", More: ": it was the bottleneck", Verdict: results.Regressed}
		}
		return Cell{Text: "no"}
	}
	return &Table{
		Label:   "The harness and the fleet",
		Columns: []Column{{Name: "what", Kind: Name, Fold: texttable.Fold{Cut: 1, End: true}}, {Name: "driver", Kind: Number}, {Name: "fleet", Kind: Number}},
		Rows: [][]Cell{
			{{Text: "processor, share of all cores"}, {Text: plaintext.Percent(harness.CPUFraction)}, {Text: plaintext.Percent(fleet.CPUFraction)}},
			{{Text: "peak resident memory"}, {Text: resident(harness.PeakResidentBytes)}, {Text: resident(fleet.PeakResidentBytes)}},
			{{Text: "saturated"}, saturated(harness.Saturated), saturated(fleet.Saturated)},
			{{Text: "behind the plan, 99th percentile"}, {Text: time.Duration(harness.LatenessP99NS).String()}, {}},
			{{Text: "garbage collection, share of its processor time"}, {Text: plaintext.Percent(harness.GCCPUFraction)}, {}},
		},
	}
}

// ProvenanceTable says where and of what the result was measured.
func (r *Result) ProvenanceTable() *Table {
	t := &Table{
		Label:   "Where it was measured",
		Columns: []Column{{Name: "what", Kind: Name, Fold: texttable.Fold{Cut: 1}}, {Name: "value", Fold: texttable.Fold{Cut: 2}}},
	}
	for _, f := range r.Provenance {
		kind := Prose
		if f.Code {
			kind = Code
		}
		t.Rows = append(t.Rows, []Cell{{Text: f.Name}, {Text: f.Value, Kind: kind}})
	}
	return t
}

// ThresholdTable says what became of a run's thresholds.
func ThresholdTable(list []results.ThresholdOutcome) *Table {
	t := &Table{Label: "Thresholds", Strong: true, Columns: []Column{
		{Name: "threshold", Kind: Name, Fold: texttable.Fold{Cut: 1}}, {Name: "measured", Kind: Number}, {Name: "result", Fold: texttable.Fold{Cut: 2, End: true}},
	}}
	for _, o := range list {
		value := "–"
		if o.Measured {
			value = results.FormatValue(o.Value, o.Unit)
		}
		t.Rows = append(t.Rows, []Cell{{Text: o.Threshold}, {Text: value}, thresholdCell(o)})
	}
	return t
}

func thresholdCell(o results.ThresholdOutcome) Cell {
	switch {
	case o.Undecided != "":
		return Cell{Text: "inconclusive", More: ": " + o.Undecided, Verdict: results.Inconclusive}
	case !o.Measured:
		return Cell{Text: "failed", More: ": not measured", Verdict: results.Regressed}
	case !o.Held:
		return Cell{Text: "failed", Verdict: results.Regressed}
	}
	return Cell{Text: "held", Verdict: results.Pass}
}

// PartialLead says what the figures of a partial repetition are worth.
const PartialLead = "An interruption broke it off. Its figures are of a part of the work: no verdict, threshold or baseline uses them."

// PartialSentences returns what there is to say of a partial repetition beside its figures.
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

// PartialTable has the figures of a partial repetition. Its footnotes explain them.
func PartialTable(p *results.Partial) *Table {
	t := &Table{Label: "Partial repetition", Columns: []Column{
		{Name: "operation", Fold: texttable.Fold{Cut: 1}}, {Name: "metric", Kind: Name, Fold: texttable.Fold{Cut: 2}}, {Name: "partial, not judged", Kind: Number},
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
			text, t.Notes = text+ofFew(v.Few), []string{fewLegend}
		}
		t.Rows = append(t.Rows, []Cell{{Text: op}, {Text: v.Unit}, {Text: text}})
	}
	return t
}

// deviceCounts says what became of the devices, and who says so.
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

// failures says that operations of a run failed, and which file has more. It returns "" if none
// did.
func failures(run *results.Run, file string) string {
	failed, all := mostFailures(run.Operations)
	if devices := run.Counts.Failed; failed == 0 && devices > 0 { // in a repetition that isn't timed
		return fmt.Sprintf("%d of %s failed in the worst repetition; see %s", devices, plaintext.Count(run.Counts.Devices, "device"), file)
	}
	if failed == 0 {
		return ""
	}
	worst := ""
	if len(run.Operations) > 1 {
		worst = " in the worst repetition"
	}
	return fmt.Sprintf("%s of %s operations failed%s; see %s", plaintext.Thousands(failed), plaintext.Thousands(all), worst, file)
}

// mostFailures counts the failed operations of the repetition that had most of them, and how many
// of its operations came to an end.
func mostFailures(list []results.Operations) (failed, all int64) {
	for _, o := range list {
		if o.Failed > failed {
			failed, all = o.Failed, o.Succeeded+o.Failed
		}
	}
	return failed, all
}
