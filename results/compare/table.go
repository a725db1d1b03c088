package compare

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/benchtext"
)

// build adds the tables to c. units holds the Unit lines of all inputs.
func (b *builder) build(c *Comparison, units benchfmt.UnitMetadataMap) {
	tableKeys := sortedKeys(maps.Keys(b.tables))
	for _, key := range tableKeys {
		c.Tables = append(c.Tables, b.makeTable(key, units))
	}
	for _, t := range c.Tables {
		if _, tidied := benchunit.Tidy(1, t.Unit); tidied != t.Unit {
			c.Warnings = append(c.Warnings, fmt.Sprintf(
				"values of zero %s stand in a table apart from %s, as in benchstat: look at both", t.Unit, tidied))
		}
	}
}

func sortedKeys(keys iter.Seq[benchproc.Key]) []benchproc.Key {
	sorted := slices.Collect(keys)
	benchproc.SortKeys(sorted)
	return sorted
}

// makeTable returns the table of a configuration and unit.
func (b *builder) makeTable(key benchproc.Key, units benchfmt.UnitMetadataMap) Table {
	cells := b.tables[key]
	rowSet, colSet := make(map[benchproc.Key]bool), make(map[benchproc.Key]bool)
	for k := range cells {
		rowSet[k.row], colSet[k.col] = true, true
	}
	rows, cols := sortedKeys(maps.Keys(rowSet)), sortedKeys(maps.Keys(colSet))

	unit := key.Get(b.unit)
	assumption := units.GetAssumption(unit)
	t := Table{
		Unit: unit, Better: direction(unit, units),
		Exact: assumption == benchmath.Assumption(benchmath.AssumeExact),
	}
	for _, f := range key.Projection().FlattenedFields() {
		if f.Name != ".unit" {
			t.Config = append(t.Config, ConfigValue{f.Name, key.Get(f)})
		}
	}
	for _, col := range cols {
		t.Columns = append(t.Columns, col.StringValues())
	}
	thresholds := benchmath.Thresholds{CompareAlpha: b.options.Alpha}
	for _, row := range rows {
		r := Row{Name: row.StringValues(), Cells: make([]*Cell, len(cols))}
		var base *benchmath.Sample
		for i, col := range cols {
			raw := cells[cellKey{row, col}]
			if raw == nil {
				continue
			}
			sample := benchmath.NewSample(raw.values, &thresholds)
			cell := newCell(sample, raw.residue, assumption, b.options.Confidence)
			if i == 0 {
				base = sample
			} else if base != nil {
				cell.compare(assumption.Compare(base, sample), r.Cells[0].Center, t.Better)
			}
			r.Cells[i] = cell
		}
		t.Rows = append(t.Rows, r)
	}
	for i := range cols {
		t.Geomean = append(t.Geomean, t.geomean(i))
	}
	return t
}

// direction returns +1 if more of a metric is better, and -1 if less is. Unit lines of the inputs
// come first, then the metrics that package results knows. It returns 0 if neither gives a
// direction.
func direction(unit string, units benchfmt.UnitMetadataMap) int {
	if better := units.GetBetter(unit); better != 0 {
		return better
	}
	known, _ := results.LookupUnit(unit)
	return known.Better
}

// newCell summarizes a sample.
func newCell(
	sample *benchmath.Sample, residue map[benchproc.Key]bool, assumption benchmath.Assumption, confidence float64,
) *Cell {
	summary := assumption.Summary(sample, confidence)
	cell := &Cell{N: len(sample.Values), Center: summary.Center, Interval: summary.PctRangeString()}
	if results.IsFinite(summary.Lo) && results.IsFinite(summary.Hi) {
		cell.Low, cell.High = &summary.Lo, &summary.Hi
	}
	if fields := benchproc.NonSingularFields(sortedKeys(maps.Keys(residue))); len(fields) > 0 {
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.Name
		}
		cell.Warnings = append(cell.Warnings, "benchmarks vary in "+strings.Join(names, ", "))
	}
	cell.warn(sample.Warnings)
	cell.warn(summary.Warnings)
	return cell
}

// warn adds benchmath's warnings.
func (cell *Cell) warn(warnings []error) {
	for _, w := range warnings {
		cell.Warnings = append(cell.Warnings, w.Error())
	}
}

// compare sets how the cell compares with the base, whose center is given.
func (cell *Cell) compare(test benchmath.Comparison, base float64, better int) {
	cell.Compared, cell.P, cell.Test = true, test.P, test.String()
	cell.Delta = test.FormatDelta(base, cell.Center)
	cell.warn(test.Warnings)
	if test.P > test.Alpha || cell.Center == base {
		return
	}
	switch {
	case better == 0:
	case (cell.Center > base) == (better > 0):
		cell.Change = ChangedBetter
	default:
		cell.Change = ChangedWorse
	}
}

// geomean summarizes a column. As in benchstat, its ratio is the geometric mean of the ratios. The
// ratio of the geometric means would differ if a column lacks a benchmark.
func (t *Table) geomean(col int) Geomean {
	var g Geomean
	var centers, ratios []float64
	bases, paired, fromZero := 0, 0, false
	for _, r := range t.Rows {
		base, cell := r.Cells[0], r.Cells[col]
		if base != nil {
			bases++
		}
		if cell == nil {
			continue
		}
		centers = append(centers, cell.Center)
		if col == 0 || base == nil {
			continue
		}
		paired++
		switch {
		case cell.Center == base.Center:
			ratios = append(ratios, 1) // both may be zero
		case base.Center == 0:
			fromZero = true
		default:
			ratios = append(ratios, cell.Center/base.Center)
		}
	}
	if col > 0 && paired != bases {
		g.Warnings = append(g.Warnings, "benchmark set differs from baseline; geomeans may not be comparable")
	}
	if mean, ok := geomean(centers); ok {
		g.HasCenter, g.Center = true, mean
	} else {
		g.Warnings = append(g.Warnings, "summaries must be >0 to compute geomean")
	}
	if col == 0 || fromZero {
		return g
	}
	if mean, ok := geomean(ratios); ok {
		g.HasRatio, g.Ratio = true, mean
	} else {
		g.Warnings = append(g.Warnings, "ratios must be >0 to compute geomean")
	}
	return g
}

// geomean returns the geometric mean of values. It reports false if there are no values, or one
// isn't above zero.
func geomean(values []float64) (float64, bool) {
	mean := 0.0 // of logarithms; a running mean, so that nothing overflows
	for i, v := range values {
		if v <= 0 {
			return 0, false
		}
		mean += (math.Log(v) - mean) / float64(i+1)
	}
	return math.Exp(mean), len(values) > 0
}

// A builder sorts results into tables, rows and columns.
type builder struct {
	options                  Options
	filter                   *benchproc.Filter
	table, row, col, residue *benchproc.Projection
	unit                     *benchproc.Field
	tables                   map[benchproc.Key]map[cellKey]*rawCell
}

type cellKey struct{ row, col benchproc.Key }

// A rawCell holds what was measured of one benchmark in one input.
type rawCell struct {
	values  []float64
	residue map[benchproc.Key]bool // its values of the keys that no projection names
}

func newBuilder(o Options) (*builder, error) {
	b := &builder{options: o, tables: make(map[benchproc.Key]map[cellKey]*rawCell)}
	var err error
	if b.filter, err = benchproc.NewFilter(o.Filter); err != nil {
		return nil, fmt.Errorf("compare: filter: %w", err)
	}
	// The order matters: a projection leaves out the keys that an earlier one names, and Residue
	// has the keys that none of them names.
	var parser benchproc.ProjectionParser
	if b.table, b.unit, err = parser.ParseWithUnit(o.Table, b.filter); err != nil {
		return nil, fmt.Errorf("compare: table: %w", err)
	}
	if b.row, err = parser.Parse(o.Row, b.filter); err != nil {
		return nil, fmt.Errorf("compare: row: %w", err)
	}
	if b.col, err = parser.Parse(o.Col, b.filter); err != nil {
		return nil, fmt.Errorf("compare: column: %w", err)
	}
	if _, err = parser.Parse(o.Ignore, b.filter); err != nil {
		return nil, fmt.Errorf("compare: ignore: %w", err)
	}
	b.residue = parser.Residue()
	return b, nil
}

// read adds the results of one input. text holds the input's lines, which reader reads. It returns
// a warning for everything that it left out.
func (b *builder) read(
	reader *benchfmt.Reader, in Input, text *benchtext.Text, keys *inputKeys,
) (warnings []string, err error) {
	bad := func(line int, problem, want string, err error) ([]string, error) {
		return nil, &results.InputError{Path: in.Path, Line: line, Problem: problem, Want: want, Err: err}
	}
	found := 0
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			if in.rejectsDamage {
				return bad(rec.Line, "damaged line ("+rec.Msg+")", "restore the file, or measure again", rec)
			}
			text.AddDamaged(rec.Line, rec.Msg)
		case *benchfmt.UnitMetadata:
			if problem := benchtext.UnknownDirection(rec); problem != "" {
				_, line := rec.Pos()
				warnings = append(warnings, fmt.Sprintf("%s:%d: %s", in.Path, text.Line(line), problem))
			}
		case *benchfmt.Result:
			found++
			text.AddWhole(rec.Name.String())
			for _, v := range rec.Values {
				if !results.IsFinite(v.Value) {
					_, line := rec.Pos()
					problem := fmt.Sprintf("the value of %s is %v", v.Unit, v.Value)
					return bad(text.Line(line), problem, "measure again: every value must be a finite number", nil)
				}
			}
			keep, err := b.filter.Apply(rec)
			if err != nil {
				warnings = append(warnings, err.Error())
			}
			if keep {
				b.add(rec)
				keys.add(rec)
			}
		}
	}
	if err := reader.Err(); err != nil {
		return bad(0, "can't be read ("+err.Error()+")", "name a file of benchmark results", err)
	}
	if found == 0 {
		return bad(0, text.WhyEmpty(), "name a samples file, a run directory or a baseline page", nil)
	}
	return append(warnings, text.Warnings()...), nil
}

// add adds the values of one result to their cells.
func (b *builder) add(result *benchfmt.Result) {
	tableKeys := b.table.ProjectValues(result)
	key := cellKey{b.row.Project(result), b.col.Project(result)}
	residue := b.residue.Project(result)
	for i, tableKey := range tableKeys {
		cells := b.tables[tableKey]
		if cells == nil {
			cells = make(map[cellKey]*rawCell)
			b.tables[tableKey] = cells
		}
		cell := cells[key]
		if cell == nil {
			cell = &rawCell{residue: make(map[benchproc.Key]bool)}
			cells[key] = cell
		}
		cell.values = append(cell.values, result.Values[i].Value)
		cell.residue[residue] = true
	}
}
