package compare

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// A Comparison is any number of inputs beside each other, the first being the base. It holds benchstat's
// numbers: the same packages compute them, in the same order, from the same lines.
type Comparison struct {
	Inputs     []string `json:"inputs"` // the columns' names, in order
	Confidence float64  `json:"confidence"`
	Alpha      float64  `json:"alpha"`
	Tables     []Table  `json:"tables"`
	Warnings   []string `json:"warnings,omitempty"` // about the inputs, a sentence each
}

// A Table is one metric of the benchmarks of one configuration.
type Table struct {
	Config  []ConfigValue `json:"config"` // goos, goarch, pkg; without the unit
	Unit    string        `json:"unit"`   // in base units, as benchstat shows it: "sec/op" for ns/op
	Better  int           `json:"better"` // as results.Unit.Better; 0 if nothing says
	Exact   bool          `json:"exact"`
	Columns []string      `json:"columns"`
	Rows    []Row         `json:"rows"`
	Geomean []Geomean     `json:"geomean"` // one for each column
}

// A ConfigValue is a line of configuration that a table's results share.
type ConfigValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A Row is one benchmark.
type Row struct {
	Name  string  `json:"name"`
	Cells []*Cell `json:"cells"` // one for each column; nil if the input lacks the benchmark
}

// A Cell is a benchmark's sample in one input, and how it compares to the sample in the first.
type Cell struct {
	N        int      `json:"n"`
	Center   float64  `json:"center"`        // the median; the most frequent value of an exact unit
	Low      *float64 `json:"low,omitempty"` // of the confidence interval; nil if it has no bound
	High     *float64 `json:"high,omitempty"`
	Interval string   `json:"interval"` // half its width, as benchstat prints it: "2%", "∞", "?"

	Compared bool    `json:"compared"`         // there is a base to compare with
	Delta    string  `json:"delta,omitempty"`  // as benchstat prints it: "+1.25%", "~", "?"
	P        float64 `json:"p"`                // 0 for an exact unit
	Test     string  `json:"test,omitempty"`   // "p=0.001 n=10"
	Change   Change  `json:"change,omitempty"` // which way a delta that isn't "~" went

	Warnings []string `json:"warnings,omitempty"`
}

// A Geomean is the geometric mean of a column, and its ratio to that of the first column.
type Geomean struct {
	HasCenter bool     `json:"has_center"`
	Center    float64  `json:"center"`
	HasRatio  bool     `json:"has_ratio"`
	Ratio     float64  `json:"ratio"`
	Warnings  []string `json:"warnings,omitempty"`
}

// A Change is the direction of a change that isn't noise.
type Change string

// The directions. The empty Change is no change, noise, or a change of a unit of which nothing says which way
// is better.
const (
	ChangedBetter Change = "better"
	ChangedWorse  Change = "worse"
)

// Options are benchstat's flags. The zero value has benchstat's defaults.
type Options struct {
	Table      string  // projection that splits results into tables; "" means ".config"
	Row        string  // into rows; "" means ".fullname"
	Col        string  // into columns; "" means ".file"
	Ignore     string  // keys whose variation is ignored
	Filter     string  // benchfilter query; "" means "*"
	Confidence float64 // of intervals, above 0 and at most 1; 0 means 0.95
	Alpha      float64 // the p below which a change is one, above 0 and at most 1; 0 means 0.05
}

const defaultConfidence = 0.95

// withDefaults returns o with the defaults of fields that aren't set, or an error about one that makes no
// sense.
func (o Options) withDefaults() (Options, error) {
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

// Inputs compares inputs, the first being the base. An input that holds no result, or a value that isn't a
// finite number, is an [*results.InputError].
//
// What benchstat doesn't say becomes data: a line that it would skip is in Warnings, and a change has a
// direction.
func Inputs(inputs []Input, o Options) (*Comparison, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(inputs) == 0 {
		return nil, errors.New("compare: no inputs: want at least one")
	}
	b, err := newBuilder(o)
	if err != nil {
		return nil, err
	}
	c := &Comparison{Inputs: columnLabels(inputs), Confidence: o.Confidence, Alpha: o.Alpha}
	var met []*inputKeys
	var reader benchfmt.Reader // one for all: metadata of units holds across files
	for i, in := range inputs {
		c.Warnings = append(c.Warnings, in.Warnings...)
		text, keys := in.text(), newInputKeys(c.Inputs[i])
		met = append(met, keys)
		reader.Reset(bytes.NewReader(text.Data), in.Path, ".file", c.Inputs[i])
		warnings, err := b.read(&reader, in, text, keys)
		if err != nil {
			return nil, err
		}
		c.Warnings = append(c.Warnings, warnings...)
	}
	b.build(c, reader.Units())
	if len(c.Tables) == 0 {
		return nil, errors.New("compare: the filter leaves no result: want one that matches a benchmark")
	}
	switch {
	case len(inputs) == 1:
	case c.Compared() == 0:
		for _, other := range met[1:] {
			c.Warnings = append(c.Warnings, nothingInCommon(met[0], other))
		}
	case o.Col == ".file":
		c.Warnings = append(append(c.Warnings, c.missing()...), c.unevenMeans()...)
	}
	return c, nil
}

// Compared returns the number of cells that were compared with a base. If it is zero, the comparison says
// nothing about any change.
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

// columnLabels returns the labels of inputs. It makes those of a path that is given more than once distinct,
// as benchstat does; a label that the user gave stays, so inputs that share one are merged.
func columnLabels(inputs []Input) []string {
	count, seen := make(map[string]int), make(map[string]int)
	for _, in := range inputs {
		if !in.hasLabel {
			count[in.Label]++
		}
	}
	labels := make([]string, len(inputs))
	for i, in := range inputs {
		labels[i] = in.Label
		if !in.hasLabel && count[in.Label] > 1 {
			labels[i] = fmt.Sprintf("%s#%d", in.Label, seen[in.Label])
			seen[in.Label]++
		}
	}
	return labels
}
