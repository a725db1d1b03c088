package compare

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/internal/benchtext"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// An Input holds results in the Go benchmark format, to be compared with others.
type Input struct {
	Label    string   // the name of its column
	Path     string   // the file that was read
	Warnings []string // what was left out of it, a sentence each

	hasLabel      bool // the user gave the label
	rejectsDamage bool // Fleetmark wrote the file: a damaged line is an error instead of a warning
	data          []byte
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
		if _, err := baseline.Parse(data, in.Path); err != nil {
			return Input{}, err
		}
		in.rejectsDamage = true
	}
	in.data = data
	return in, nil
}

// Read reads results from r, as benchstat reads a file. label names the column, and stands for the
// path in errors.
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
	in.Warnings, in.data, in.rejectsDamage = run.Warnings, run.SampleText(), true
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
