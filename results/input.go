package results

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// An Input is one side of a comparison: results in the Go benchmark format,
// wherever they stand.
type Input struct {
	Label    string   // what its column is called
	Path     string   // the file that was read
	Warnings []string // what was left out of it, a sentence each

	labeled bool // the user gave the label, so it isn't made distinct
	strict  bool // the file is ours: a damaged line is an error, not a warning
	data    []byte
}

// OpenInput reads a file of samples, a run directory or a baseline page, whichever
// stands at path. As with benchstat, "label=path" gives its column another name
// than the path.
//
// A run directory and a baseline page are read strictly, and a run that was killed
// is read up to its last whole line. Any other file is read as benchstat reads
// it. Errors are [*InputError].
func OpenInput(path string) (Input, error) {
	in := Input{Label: path, Path: path}
	if label, rest, ok := strings.Cut(path, "="); ok {
		in.Label, in.Path, in.labeled = label, rest, true
	}
	if info, err := os.Stat(in.Path); err == nil && info.IsDir() {
		return in.openRun(in.Path)
	}
	if dir := filepath.Dir(in.Path); filepath.Base(in.Path) == SamplesFile && isRunDirectory(dir) {
		return in.openRun(dir)
	}
	data, err := readBounded(in.Path, maxSamplesBytes)
	if err != nil {
		return Input{}, err
	}
	if isBaseline(data) {
		if _, err := parseBaseline(data, in.Path); err != nil {
			return Input{}, err
		}
		in.strict = true
	}
	in.data = data
	return in, nil
}

// ReadInput reads results from r, as OpenInput does from a file that is neither a
// run's nor a baseline. label names the column, and stands for the path in errors.
func ReadInput(r io.Reader, label string) (Input, error) {
	data, err := readAllBounded(r, label, maxSamplesBytes)
	if err != nil {
		return Input{}, err
	}
	return Input{Label: label, Path: label, data: data}, nil
}

func (in Input) openRun(dir string) (Input, error) {
	run, err := LoadRun(dir)
	if err != nil {
		return Input{}, err
	}
	if len(run.Records) == 0 {
		return Input{}, &InputError{Path: in.Path, Problem: "the run holds no samples", Want: "name a run that completed a repetition"}
	}
	in.Path = filepath.Join(dir, SamplesFile)
	in.Warnings, in.data, in.strict = run.Warnings, run.samples, true
	if !run.Valid && !run.Unfinished {
		in.Warnings = append(in.Warnings, dir+": the run is invalid: "+strings.Join(run.Invalid, "; "))
	}
	return in, nil
}

func isRunDirectory(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, RunFile))
	return err == nil && info.Mode().IsRegular()
}

func (in Input) reader() io.Reader { return bytes.NewReader(in.data) }
