package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// A By says into which parts a run is divided.
type By string

// The parts.
const (
	ByGroup By = "group" // of devices
	ByWave  By = "wave"  // of a rollout
)

// Known reports whether b is one of the parts.
func (b By) Known() bool { return b == ByGroup || b == ByWave }

// Groups returns what was measured of each group of devices. It returns nil if the devices have no
// groups, or if these aren't known.
func (s Side) Groups() []results.GroupSummary {
	if s.Run == nil {
		return nil
	}
	return results.SummarizeGroups(s.Run.Groups)
}

// groupUnits are the times in a table of groups.
var groupUnits = [...]string{results.UnitP50, results.UnitP99, results.UnitMax}

// groupOp returns the operation that a run's load performs, which is the last of each group.
func groupOp(list []results.Group) string {
	for _, g := range list {
		if n := len(g.Operations); n > 0 {
			return g.Operations[n-1].Op
		}
	}
	return ""
}

// GroupLead returns a sentence that explains [Result.GroupTable].
func (r *Result) GroupLead() string {
	n := r.Run.Repetitions
	if n == 1 {
		return "The devices of a group behave alike; the group rest has all other devices. Times are of " +
			groupOp(r.Run.Groups) + "."
	}
	return fmt.Sprintf("The devices of a group behave alike; the group rest has all other devices. Each count of devices is "+
		"the worst of a repetition. Operations are added up over %d timed repetitions, and times of %s are medians.",
		n, groupOp(r.Run.Groups))
}

// GroupTable returns what became of the devices and operations of each group, and the times of the
// load's operation. It returns nil if there are no groups.
func (r *Result) GroupTable() *Table {
	groups := r.Now.Groups()
	if len(groups) == 0 {
		return nil
	}
	op := groupOp(r.Run.Groups)
	t := &Table{Label: "Groups of devices, times of " + op}
	if n := r.Run.Repetitions; n > 1 {
		t.Label = fmt.Sprintf("Groups of devices, operations of %d repetitions together, medians of the times of %s", n, op)
	}
	t.Columns = []Column{{Name: "group", Kind: Name, Fold: texttable.Fold{Cut: 1}}}
	for _, c := range []struct {
		name string
		rank int
	}{
		{"devices", 2}, {"updated", 1}, {"failed", 0}, {"lost", 6}, {"applied twice", 7},
		{"succeeded ops", 4}, {"failed ops", 5}, {"p50", 0}, {"p99", 0}, {"max", 3},
	} {
		t.Columns = append(t.Columns, Column{Name: c.name, Kind: Number, Fold: texttable.Fold{Rank: c.rank}})
	}
	for _, g := range groups {
		row := []Cell{{Text: g.Name}}
		for _, n := range []int64{
			int64(g.Counts.Devices), int64(g.Counts.Updated), int64(g.Counts.Failed), int64(g.Counts.Lost),
			int64(g.Counts.AppliedTwice), g.Succeeded, g.Failed,
		} {
			row = append(row, Cell{Text: plaintext.Thousands(n)})
		}
		for _, unit := range groupUnits {
			row = append(row, Cell{Text: t.groupTime(r.Run.Groups, g, op, unit)})
		}
		t.Rows = append(t.Rows, row)
	}
	t.dropZeros("lost", "applied twice")
	return t
}

// groupTime returns a time of a group, with a mark if it is a percentile of too few operations. It
// returns a dash if there is none.
func (t *Table) groupTime(list []results.Group, g results.GroupSummary, op, unit string) string {
	v, ok := g.Metrics[op][unit]
	if !ok {
		return "–"
	}
	fewest := int64(math.MaxInt64) // operations of a repetition
	for _, of := range list {
		for _, o := range of.Operations {
			if of.Name == g.Name && o.Op == op && o.Succeeded > 0 {
				fewest = min(fewest, o.Succeeded)
			}
		}
	}
	if fewest >= results.WantedOperations(unit) {
		return results.FormatValue(v, unit)
	}
	t.Notes = []string{fewLegend}
	return results.FormatValue(v, unit) + fewMark(fewest)
}

// dropZeros removes the named columns if all of their cells are 0.
func (t *Table) dropZeros(names ...string) {
	for _, name := range names {
		at := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
		if slices.ContainsFunc(t.Rows, func(row []Cell) bool { return row[at].Text != "0" }) {
			continue
		}
		t.Columns = slices.Delete(t.Columns, at, at+1)
		for i := range t.Rows {
			t.Rows[i] = slices.Delete(t.Rows[i], at, at+1)
		}
	}
}

// GroupChangeTable returns how the times and the failures of each group differ between the two
// sides. Nothing judges that. It returns nil unless both sides have groups of the same names.
func (r *Result) GroupChangeTable() *Table {
	now, base := r.Now.Groups(), r.Base.Groups()
	if len(now) == 0 {
		return nil
	}
	op := groupOp(r.Run.Groups)
	t := &Table{Label: "Groups of devices on both sides, not judged", Columns: []Column{
		{Name: "group", Kind: Name, Fold: texttable.Fold{Cut: 1}}, {Name: "metric"},
		{Name: r.Base.Label, Kind: Number}, {Name: r.Now.Label, Kind: Number}, {Name: "change", Kind: Number},
	}}
	for _, g := range now {
		i := slices.IndexFunc(base, func(o results.GroupSummary) bool { return o.Name == g.Name })
		if i < 0 {
			continue
		}
		for _, unit := range append([]string{results.UnitFailed}, groupUnits[:]...) {
			old, hadOld := base[i].Metrics[op][unit]
			v, ok := g.Metrics[op][unit]
			if !ok && !hadOld {
				continue
			}
			row := []Cell{{Text: g.Name}, {Text: unit}, {Text: "–"}, {Text: "–"}, {Text: "–"}}
			if hadOld {
				row[2].Text = results.FormatValue(old, unit)
			}
			if ok {
				row[3].Text = results.FormatValue(v, unit)
			}
			if ok && hadOld {
				row[4].Text = "?"
				if change := results.RelativeChange(old, v); change != nil {
					row[4].Text = formatChange(*change)
				}
			}
			t.Rows = append(t.Rows, row)
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// WaveTimeTable returns when the waves of a rollout began and ended, and the times of their
// deliveries, in the repetition that got least far. It returns nil if the load isn't a rollout, or if
// the run is so old that it has no times.
func (r *Result) WaveTimeTable() *Table {
	if r.Run == nil {
		return nil
	}
	worst, repetition := results.WorstRollout(r.Run.Rollouts)
	if !slices.ContainsFunc(worst.Waves, func(w results.Wave) bool { return w.BeganNS > 0 || w.EndedNS > 0 }) {
		return nil
	}
	t := &Table{Label: fmt.Sprintf("Times of the waves of repetition %d", repetition)}
	if n := len(r.Run.Rollouts); n > 1 {
		t.Label += fmt.Sprintf(", the worst of %d", n)
	}
	t.Columns = []Column{{Name: "wave", Kind: Name}}
	for _, c := range []struct {
		name string
		rank int
	}{
		{"began", 3}, {"took", 2}, {"soak", 5}, {"succeeded", 0}, {"failed", 0}, {"p50", 1}, {"p99", 0}, {"max", 4},
	} {
		t.Columns = append(t.Columns, Column{Name: c.name, Kind: Number, Fold: texttable.Fold{Rank: c.rank}})
	}
	for _, w := range worst.Waves {
		time := func(ns int64, known bool) Cell {
			if !known {
				return Cell{Text: "–"}
			}
			return Cell{Text: formatNS(float64(ns))}
		}
		row := []Cell{
			{Text: strconv.Itoa(w.Number)}, {Text: formatNS(float64(w.BeganNS))}, time(w.EndedNS-w.BeganNS, w.EndedNS > 0),
			time(w.SoakNS, w.SoakNS > 0), {Text: plaintext.Thousands(w.Succeeded)}, {Text: plaintext.Thousands(int64(w.Failed))},
		}
		for _, v := range []struct {
			unit string
			ns   int64
		}{{results.UnitP50, w.P50NS}, {results.UnitP99, w.P99NS}, {results.UnitMax, w.MaxNS}} {
			c := time(v.ns, w.Succeeded > 0)
			if w.Succeeded > 0 && w.Succeeded < results.WantedOperations(v.unit) {
				c.Text += fewMark(w.Succeeded)
				t.Notes = []string{fewLegend}
			}
			row = append(row, c)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// WaveLead explains [Result.WaveTimeTable].
const WaveLead = "When a wave began, after the load's start, and how long it took until its last delivery ended, " +
	"with the response times of its deliveries."

// tablesBy returns the tables of a part that the result has.
func (r *Result) tablesBy(by By) (tables []*Table) {
	candidates := []*Table{r.WaveTimeTable()}
	if by == ByGroup {
		candidates = []*Table{r.GroupTable(), r.GroupChangeTable()}
	}
	for _, t := range candidates {
		if t != nil {
			tables = append(tables, t)
		}
	}
	return tables
}

// parts writes the results by group and by wave, if there are any.
func (p *markdownPage) parts() {
	for _, by := range []By{ByGroup, ByWave} {
		tables := p.r.tablesBy(by)
		if len(tables) == 0 {
			continue
		}
		lead := WaveLead
		if by == ByGroup {
			lead = p.r.GroupLead()
		}
		p.printf("## By %s\n\n%s\n\n", by, markdown.Escape(lead))
		for _, t := range tables {
			p.printf("%s:\n\n", markdown.Escape(t.Label))
			p.table(t)
			for _, note := range t.Notes {
				p.printf("\n%s.\n", markdown.Escape(note))
			}
			p.printf("\n")
		}
	}
}

// WriteBy writes a document's results by group or by wave as tables for a terminal. It writes a line
// that says so if there are none.
func WriteBy(w io.Writer, d *Document, by By, style texttable.Style) error {
	var out bytes.Buffer
	for _, r := range d.Results {
		tables := r.tablesBy(by)
		if len(tables) == 0 {
			why := "the fleet has no groups, nobody said which device is in which, or no repetition was completed"
			if by == ByWave {
				why = "load.model isn't rollout, no repetition was completed, or an old version measured the run"
			}
			fmt.Fprintf(&out, "%s: nothing by %s: %s\n", plaintext.Line(r.Scenario), by, why)
		}
		for i, t := range tables {
			if i > 0 {
				out.WriteByte('\n')
			}
			fmt.Fprintf(&out, "%s:\n\n", plaintext.Line(t.Label))
			if err := style.Write(&out, t.text(style)); err != nil {
				return err
			}
			for _, note := range t.Notes {
				fmt.Fprintf(&out, "%s\n", note)
			}
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}
