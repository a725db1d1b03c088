// Package compare compares results in the Go benchmark format, as benchstat does.
//
// [Open] reads an input: a file that go test wrote, a run directory, or a baseline page. [Inputs]
// compares any number of them with the first, and returns a [Comparison]: a [Table] for each metric
// and configuration, with the same center, interval, delta and p as benchstat, to the last digit. A
// Comparison writes itself as text, Markdown, CSV or JSON.
//
// The package judges nothing: it knows no tolerances, and a comparison has no verdict.
package compare

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/internal/benchtext"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// A Comparison compares any number of inputs with the first, the base. Its numbers are benchstat's:
// the same packages compute them, in the same order, from the same lines.
type Comparison struct {
	Inputs     []string `json:"inputs"` // the columns' names, in order
	Confidence float64  `json:"confidence"`
	Alpha      float64  `json:"alpha"`
	Tables     []Table  `json:"tables"`
	Warnings   []string `json:"warnings,omitempty"` // about the inputs, a sentence each
}

// A Table holds one metric of all benchmarks that were measured in one configuration.
type Table struct {
	Config  []ConfigValue `json:"config"` // goos, goarch, pkg; without the unit
	Unit    string        `json:"unit"`   // in base units, as benchstat shows it: "sec/op" for ns/op
	Better  int           `json:"better"` // as results.Unit.Better; 0 if unknown
	Exact   bool          `json:"exact"`
	Columns []string      `json:"columns"`
	Rows    []Row         `json:"rows"`
	Geomean []Geomean     `json:"geomean"` // one for each column
}

// A ConfigValue is a configuration line that all results of a table share.
type ConfigValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A Row holds one benchmark.
type Row struct {
	Name  string  `json:"name"`
	Cells []*Cell `json:"cells"` // one for each column; nil if the input lacks the benchmark
}

// A Cell summarizes a benchmark's sample in one input, and compares it with the sample in the base.
type Cell struct {
	N        int      `json:"n"`
	Center   float64  `json:"center"`        // the median; the most frequent value of an exact unit
	Low      *float64 `json:"low,omitempty"` // of the confidence interval; nil if there is no bound
	High     *float64 `json:"high,omitempty"`
	Interval string   `json:"interval"` // half its width, as benchstat prints it: "2%", "∞", "?"

	Compared bool    `json:"compared"`         // there is a base to compare with
	Delta    string  `json:"delta,omitempty"`  // as benchstat prints it: "+1.25%", "~", "?"
	P        float64 `json:"p"`                // 0 for an exact unit
	Test     string  `json:"test,omitempty"`   // "p=0.001 n=10"
	Change   Change  `json:"change,omitempty"` // which way a delta that isn't "~" went

	Warnings []string `json:"warnings,omitempty"`
}

// A Geomean is the geometric mean of a column, and the geometric mean of the ratios of its cells to
// the base's.
type Geomean struct {
	HasCenter bool     `json:"has_center"`
	Center    float64  `json:"center"`
	HasRatio  bool     `json:"has_ratio"`
	Ratio     float64  `json:"ratio"`
	Warnings  []string `json:"warnings,omitempty"`
}

// A Change is the direction of a change that isn't noise.
type Change string

// The directions. The empty Change stands for no change, for noise, and for a change of a metric
// whose better direction isn't known.
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

// withDefaults returns o with defaults in the fields that aren't set. It returns an error about a
// field that isn't valid.
func (o Options) withDefaults() (Options, error) {
	o.Table, o.Row = cmp.Or(o.Table, ".config"), cmp.Or(o.Row, ".fullname")
	o.Col, o.Filter = cmp.Or(o.Col, ".file"), cmp.Or(o.Filter, "*")
	o.Confidence = cmp.Or(o.Confidence, defaultConfidence)
	o.Alpha = cmp.Or(o.Alpha, benchmath.DefaultThresholds.CompareAlpha)
	if !(o.Confidence > 0 && o.Confidence <= 1) {
		return o, fmt.Errorf("compare: confidence %v: want above 0 and at most 1", o.Confidence)
	}
	if !(o.Alpha > 0 && o.Alpha <= 1) {
		return o, fmt.Errorf("compare: alpha %v: want above 0 and at most 1", o.Alpha)
	}
	return o, nil
}

// Inputs compares inputs with the first, the base. If an input holds no result, or a value that
// isn't a finite number, the error is an [*results.InputError].
//
// Unlike benchstat, a Comparison says in Warnings which lines were skipped, and its changes have a
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
	var allKeys []*inputKeys
	var reader benchfmt.Reader // shared, because Unit lines apply to all inputs
	for i, in := range inputs {
		c.Warnings = append(c.Warnings, in.Warnings...)
		text, keys := in.text(), newInputKeys(c.Inputs[i])
		allKeys = append(allKeys, keys)
		reader.Reset(bytes.NewReader(text.Data), in.Path, ".file", c.Inputs[i])
		warnings, err := b.read(&reader, in, text, keys)
		if err != nil {
			return nil, err
		}
		c.Warnings = append(c.Warnings, warnings...)
	}
	c.Warnings = append(c.Warnings, otherAgents(inputs, c.Inputs)...)
	b.build(c, reader.Units())
	if len(c.Tables) == 0 {
		return nil, errors.New("compare: the filter leaves no result: want one that matches a benchmark")
	}
	switch {
	case len(inputs) == 1:
	case c.Compared() == 0:
		for _, other := range allKeys[1:] {
			c.Warnings = append(c.Warnings, nothingInCommon(allKeys[0], other))
		}
	case o.Col == ".file":
		c.Warnings = append(append(c.Warnings, c.missing()...), c.unevenMeans()...)
	}
	return c, nil
}

// Compared returns how many cells were compared with a cell of the base. If it returns 0, the
// inputs have no benchmark in common.
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

// otherAgents returns a sentence for each input whose times don't compare with those of the base
// because one of them is a merged run, and the other isn't of the same agents and machines.
func otherAgents(inputs []Input, labels []string) (sentences []string) {
	base := inputs[0].machine
	for i, in := range inputs[1:] {
		m := in.machine
		if base == nil || m == nil || base.Agents == 0 && m.Agents == 0 || base.SameAs(*m) {
			continue
		}
		by := agentsOf(base)
		if by == agentsOf(m) {
			by = "as many on others"
		}
		sentences = append(sentences, fmt.Sprintf("%s was measured by %s, and %s by %s: times and rates don't compare",
			labels[i+1], agentsOf(m), labels[0], by))
	}
	return sentences
}

// agentsOf returns who measured on a machine: "4 agents on 3 machines", or "one process".
func agentsOf(m *results.Machine) string {
	if m.Agents == 0 {
		return "one process"
	}
	return plaintext.Count(m.Agents, "agent") + " on " + plaintext.Count(m.Machines, "machine")
}

// columnLabels returns the labels of inputs. As in benchstat, a path that is given more than once
// gets a number, and a label that the user gave stays as it is, so inputs with the same label are
// merged.
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

// An Input holds results in the Go benchmark format, to be compared with others.
type Input struct {
	Label    string   // the name of its column
	Path     string   // the file that was read
	Warnings []string // what was left out of it, a sentence each

	hasLabel      bool // whether the user gave the label
	rejectsDamage bool // Fleetmark wrote the file: a damaged line is an error instead of a warning
	data          []byte

	machine *results.Machine // of a run or a page; nil if unknown
}

// Open reads the file of samples, run directory or baseline page that path names. As in benchstat,
// "label=path" names the column.
//
// Open reads a run directory or a baseline page strictly, except that it reads a killed run up to
// its last complete line. It reads any other file as benchstat does. Errors are
// [*results.InputError].
func Open(path string) (Input, error) {
	in := Input{Label: path, Path: path}
	if label, rest, ok := strings.Cut(path, "="); ok {
		in.Label, in.Path, in.hasLabel = label, rest, true
	}
	if info, err := os.Stat(in.Path); err == nil && info.IsDir() {
		return in.openRun(in.Path)
	}
	if dir := filepath.Dir(in.Path); filepath.Base(in.Path) == rundir.SamplesFile && isRunDirectory(dir) {
		return in.openRun(dir)
	}
	data, err := results.ReadTextFile(in.Path, results.MaxSamplesBytes)
	if err != nil {
		return Input{}, err
	}
	if baseline.IsPage(data) {
		page, err := baseline.Parse(data, in.Path)
		if err != nil {
			return Input{}, err
		}
		in.rejectsDamage, in.machine = true, &page.Machine
	}
	in.data = data
	return in, nil
}

// Read reads results from r, as benchstat reads a file. label names the column, and takes the place
// of the path in errors.
func Read(r io.Reader, label string) (Input, error) {
	data, err := results.ReadAll(r, label, results.MaxSamplesBytes)
	if err != nil {
		return Input{}, err
	}
	return Input{Label: label, Path: label, data: plaintext.Decode(data)}, nil
}

func (in Input) openRun(dir string) (Input, error) {
	run, err := rundir.Load(dir)
	if err != nil {
		return Input{}, err
	}
	if len(run.Records) == 0 {
		return Input{}, &results.InputError{
			Path: in.Path, Problem: "the run holds no samples", Want: "name a run that completed a repetition",
		}
	}
	in.Path = filepath.Join(dir, rundir.SamplesFile)
	in.Warnings, in.data, in.rejectsDamage, in.machine = run.Warnings, run.SampleText(), true, &run.Machine
	if !run.Valid && !run.Unfinished {
		in.Warnings = append(in.Warnings, dir+": the run is invalid: "+strings.Join(run.Invalid, "; "))
	}
	return in, nil
}

func isRunDirectory(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, rundir.RunFile))
	return err == nil && info.Mode().IsRegular()
}

// text returns the input's lines.
func (in Input) text() *benchtext.Text {
	if in.rejectsDamage {
		return benchtext.Verbatim(in.Path, in.data)
	}
	return benchtext.New(in.Path, in.data)
}
