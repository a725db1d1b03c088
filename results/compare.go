package results

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"
)

// A Comparison is any number of inputs beside each other, the first being the
// base. It holds benchstat's numbers: the same packages compute them, in the same
// order, from the same lines.
type Comparison struct {
	Inputs     []string          `json:"inputs"` // the columns' names, in order
	Confidence float64           `json:"confidence"`
	Alpha      float64           `json:"alpha"`
	Tables     []ComparisonTable `json:"tables"`
	Warnings   []string          `json:"warnings,omitempty"` // about the inputs, a sentence each
}

// A ComparisonTable is one metric of the benchmarks of one configuration.
type ComparisonTable struct {
	Config  []ConfigValue       `json:"config"` // goos, goarch, pkg; the unit not among them
	Unit    string              `json:"unit"`   // in base units, as benchstat shows it: "sec/op" for ns/op
	Better  int                 `json:"better"` // as Unit.Better; 0 where nothing says
	Exact   bool                `json:"exact"`
	Columns []string            `json:"columns"`
	Rows    []ComparisonRow     `json:"rows"`
	Geomean []ComparisonGeomean `json:"geomean"` // one a column
}

// A ConfigValue is a line of configuration that a table's results share.
type ConfigValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A ComparisonRow is one benchmark.
type ComparisonRow struct {
	Name  string            `json:"name"`
	Cells []*ComparisonCell `json:"cells"` // one a column; nil where the input lacks the benchmark
}

// A ComparisonCell is a benchmark's sample in one input, and how it compares to
// the sample in the first.
type ComparisonCell struct {
	N        int      `json:"n"`
	Center   float64  `json:"center"`        // the median; the most frequent value of an exact unit
	Low      *float64 `json:"low,omitempty"` // of the confidence interval; nil where unbounded
	High     *float64 `json:"high,omitempty"`
	Interval string   `json:"interval"` // half its width, as benchstat prints it: "2%", "∞", "?"

	Compared bool    `json:"compared"`         // there is a base to compare with
	Delta    string  `json:"delta,omitempty"`  // as benchstat prints it: "+1.25%", "~", "?"
	P        float64 `json:"p"`                // 0 for an exact unit
	Test     string  `json:"test,omitempty"`   // "p=0.001 n=10"
	Change   Change  `json:"change,omitempty"` // which way a delta that isn't "~" went

	Warnings []string `json:"warnings,omitempty"`
}

// A ComparisonGeomean is the geometric mean of a column, and its ratio to that of
// the first column.
type ComparisonGeomean struct {
	HasCenter bool     `json:"has_center"`
	Center    float64  `json:"center"`
	HasRatio  bool     `json:"has_ratio"`
	Ratio     float64  `json:"ratio"`
	Warnings  []string `json:"warnings,omitempty"`
}

// Change is the direction of a change that isn't noise.
type Change string

// The directions. The empty Change is no change, noise, or a unit of which
// nothing says which way is better.
const (
	Better Change = "better"
	Worse  Change = "worse"
)

// CompareOptions are benchstat's flags. The zero value is benchstat's defaults.
type CompareOptions struct {
	Table      string  // projection that splits results into tables; "" means ".config"
	Row        string  // into rows; "" means ".fullname"
	Col        string  // into columns; "" means ".file"
	Ignore     string  // keys whose variation is ignored
	Filter     string  // benchfilter query; "" means "*"
	Confidence float64 // of intervals, above 0 and at most 1; 0 means 0.95
	Alpha      float64 // a change is one below this p, above 0 and at most 1; 0 means 0.05
}

func (o CompareOptions) withDefaults() (CompareOptions, error) {
	for field, byDefault := range map[*string]string{&o.Table: ".config", &o.Row: ".fullname", &o.Col: ".file", &o.Filter: "*"} {
		if *field == "" {
			*field = byDefault
		}
	}
	if o.Confidence == 0 {
		o.Confidence = defaultConfidence
	}
	if o.Alpha == 0 {
		o.Alpha = benchmath.DefaultThresholds.CompareAlpha
	}
	if !(o.Confidence > 0 && o.Confidence <= 1) {
		return o, fmt.Errorf("compare: confidence %v: want above 0 and at most 1", o.Confidence)
	}
	if !(o.Alpha > 0 && o.Alpha <= 1) {
		return o, fmt.Errorf("compare: alpha %v: want above 0 and at most 1", o.Alpha)
	}
	return o, nil
}

// Compare puts inputs beside each other, the first being the base. An input that
// holds no result, or a value that is no finite number, is an [*InputError].
//
// What benchstat leaves unsaid becomes data: a line it would skip is in Warnings,
// and a change has a direction.
func Compare(inputs []Input, o CompareOptions) (*Comparison, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(inputs) == 0 {
		return nil, errors.New("compare: no inputs: want at least one")
	}
	g, err := newGrouping(o)
	if err != nil {
		return nil, err
	}
	c := &Comparison{Inputs: columnLabels(inputs), Confidence: o.Confidence, Alpha: o.Alpha}
	var reader benchfmt.Reader // one for all: metadata of units holds across files
	for i, in := range inputs {
		c.Warnings = append(c.Warnings, in.Warnings...)
		reader.Reset(in.reader(), in.Path, ".file", c.Inputs[i])
		warnings, err := g.read(&reader, in)
		if err != nil {
			return nil, err
		}
		c.Warnings = append(c.Warnings, warnings...)
	}
	g.finish(c, reader.Units())
	if len(c.Tables) == 0 {
		return nil, errors.New("compare: the filter leaves no result: want one that matches a benchmark")
	}
	if len(inputs) > 1 && c.Compared() == 0 {
		c.Warnings = append(c.Warnings, "no benchmark of the same configuration and unit is in two inputs, so nothing was compared")
	}
	return c, nil
}

// Compared counts the cells that were compared with a base. Where it is zero,
// nothing was said about any change.
func (c *Comparison) Compared() int {
	n := 0
	for _, t := range c.Tables {
		for _, r := range t.Rows {
			for _, cell := range r.Cells {
				if cell != nil && cell.Compared {
					n++
				}
			}
		}
	}
	return n
}

// columnLabels makes the labels of a path that is given more than once distinct,
// as benchstat does; a label that the user gave stays, and so merges.
func columnLabels(inputs []Input) []string {
	count, seen := make(map[string]int), make(map[string]int)
	for _, in := range inputs {
		if !in.labeled {
			count[in.Label]++
		}
	}
	labels := make([]string, len(inputs))
	for i, in := range inputs {
		labels[i] = in.Label
		if !in.labeled && count[in.Label] > 1 {
			labels[i] = fmt.Sprintf("%s#%d", in.Label, seen[in.Label])
			seen[in.Label]++
		}
	}
	return labels
}

// A grouping sorts results into tables, rows and columns.
type grouping struct {
	options                  CompareOptions
	filter                   *benchproc.Filter
	table, row, col, residue *benchproc.Projection
	unit                     *benchproc.Field
	tables                   map[benchproc.Key]map[cellKey]*sampleCell
}

type cellKey struct{ row, col benchproc.Key }

// A sampleCell is what was measured of one benchmark in one input. residue holds
// whatever else told its results apart.
type sampleCell struct {
	values  []float64
	residue map[benchproc.Key]bool
}

func newGrouping(o CompareOptions) (*grouping, error) {
	g := &grouping{options: o, tables: make(map[benchproc.Key]map[cellKey]*sampleCell)}
	var err error
	if g.filter, err = benchproc.NewFilter(o.Filter); err != nil {
		return nil, fmt.Errorf("compare: filter: %w", err)
	}
	// The order matters: what an earlier projection names is taken out of the
	// groups of the later ones, and Residue is what none of them took.
	var parser benchproc.ProjectionParser
	if g.table, g.unit, err = parser.ParseWithUnit(o.Table, g.filter); err != nil {
		return nil, fmt.Errorf("compare: table: %w", err)
	}
	if g.row, err = parser.Parse(o.Row, g.filter); err != nil {
		return nil, fmt.Errorf("compare: row: %w", err)
	}
	if g.col, err = parser.Parse(o.Col, g.filter); err != nil {
		return nil, fmt.Errorf("compare: column: %w", err)
	}
	if _, err = parser.Parse(o.Ignore, g.filter); err != nil {
		return nil, fmt.Errorf("compare: ignore: %w", err)
	}
	g.residue = parser.Residue()
	return g, nil
}

// read takes in one input, and returns what it had to pass over.
func (g *grouping) read(reader *benchfmt.Reader, in Input) (warnings []string, err error) {
	results := 0
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			if in.strict {
				return nil, &InputError{Path: in.Path, Line: rec.Line, Problem: "damaged line (" + rec.Msg + ")", Want: "restore the file, or measure again", Err: rec}
			}
			warnings = append(warnings, rec.Error()+" (the line is left out)")
		case *benchfmt.Result:
			results++
			for _, v := range rec.Values {
				if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
					_, line := rec.Pos()
					return nil, &InputError{Path: in.Path, Line: line, Problem: fmt.Sprintf("the value of %s is %v", v.Unit, v.Value), Want: "measure again: every value must be a finite number"}
				}
			}
			keep, err := g.filter.Apply(rec)
			if err != nil {
				warnings = append(warnings, err.Error())
			}
			if keep {
				g.add(rec)
			}
		}
	}
	if err := reader.Err(); err != nil {
		return nil, &InputError{Path: in.Path, Problem: "can't be read (" + err.Error() + ")", Want: "name a file of benchmark results", Err: err}
	}
	if results == 0 {
		return nil, &InputError{Path: in.Path, Problem: "holds no benchmark results", Want: "name a samples file, a run directory or a baseline page"}
	}
	return warnings, nil
}

func (g *grouping) add(result *benchfmt.Result) {
	tableKeys := g.table.ProjectValues(result)
	key := cellKey{g.row.Project(result), g.col.Project(result)}
	residue := g.residue.Project(result)
	for i, tableKey := range tableKeys {
		cells := g.tables[tableKey]
		if cells == nil {
			cells = make(map[cellKey]*sampleCell)
			g.tables[tableKey] = cells
		}
		cell := cells[key]
		if cell == nil {
			cell = &sampleCell{residue: make(map[benchproc.Key]bool)}
			cells[key] = cell
		}
		cell.values = append(cell.values, result.Values[i].Value)
		cell.residue[residue] = true
	}
}
