package compare

import (
	"fmt"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/benchtext"
)

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
	residue map[benchproc.Key]bool // the keys in which its results differ besides
}

func newBuilder(o Options) (*builder, error) {
	b := &builder{options: o, tables: make(map[benchproc.Key]map[cellKey]*rawCell)}
	var err error
	if b.filter, err = benchproc.NewFilter(o.Filter); err != nil {
		return nil, fmt.Errorf("compare: filter: %w", err)
	}
	// The order matters: a projection leaves out what an earlier one names, and Residue is what
	// none of them names.
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

// read adds the results of one input, whose lines are text and which reader reads. It returns a
// warning for everything that it left out.
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
				if !isFinite(v.Value) {
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
