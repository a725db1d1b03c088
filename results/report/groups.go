package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// Groups returns what was measured of each group of devices. It returns nil if the devices have no
// groups, or if these aren't known.
func (s Side) Groups() []results.GroupSummary {
	if s.Run == nil {
		return nil
	}
	return results.SummarizeGroups(s.Run.Groups)
}

// groupUnits returns the median, the 99th percentile and the maximum in a table of groups.
func (r *Result) groupUnits() []string {
	if r.Run.Client.IsService() {
		return []string{results.UnitToUpdatedP50, results.UnitToUpdatedP99, results.UnitToUpdatedMax}
	}
	return []string{results.UnitP50, results.UnitP99, results.UnitMax}
}

// groupTimes returns what the times of groups are of.
func (r *Result) groupTimes() string {
	if r.Run.Client.IsService() {
		return "devices until they ran the update"
	}
	return groupOp(r.Run.Groups)
}

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
			r.groupTimes() + "."
	}
	return fmt.Sprintf("The devices of a group behave alike; the group rest has all other devices. "+
		"Each count of devices is "+
		"the worst of a repetition. Operations are added up over %d timed repetitions, and times of %s are medians.",
		n, r.groupTimes())
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
		for _, unit := range r.groupUnits() {
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
		for _, unit := range append([]string{results.UnitFailed}, r.groupUnits()...) {
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
