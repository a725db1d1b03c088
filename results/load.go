package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/perf/benchfmt"
)

// A LoadedRun is a run directory as it was found.
type LoadedRun struct {
	Run
	Path    string // the directory, as it was named
	Records []Record
	Units   benchfmt.UnitMetadataMap

	// Unfinished says that run.json still says "running": the process was killed,
	// or is still at it. The records are those of the repetitions that ended.
	Unfinished bool

	// Warnings says what was found damaged and left out, a sentence each.
	Warnings []string

	// Damage are those of the warnings that tell of files which aren't as the run left
	// them. A kill explains them; in a run that came to its end nothing good does.
	Damage []string

	samples []byte // the whole lines of samples.txt
}

// maxRunBytes bounds run.json, whose largest part is the resolved scenario.
const maxRunBytes = 16 << 20

// LoadRun reads a run directory, finished or not. What run.json doesn't vouch for, such
// as a line that a kill cut in half, is dropped and said in Warnings, as is what is
// missing; every other damage is an [*InputError] that names the line.
func LoadRun(path string) (*LoadedRun, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &InputError{Path: path, Problem: "no such run (" + cause(err) + ")", Want: "name a run directory", Err: err}
	}
	if !info.IsDir() {
		return nil, &InputError{Path: path, Problem: "isn't a directory", Want: "name a run directory"}
	}
	runPath := filepath.Join(path, RunFile)
	if _, err := os.Stat(runPath); errors.Is(err, os.ErrNotExist) {
		return nil, &InputError{Path: path, Problem: "isn't a run directory (no " + RunFile + ": no run was begun in it)", Want: "name a run directory", Err: err}
	}
	data, err := readBounded(runPath, maxRunBytes)
	if err != nil {
		return nil, err
	}
	run, err := parseRun(data, runPath)
	if err != nil {
		return nil, err
	}
	loaded := &LoadedRun{Run: run, Path: path, Unfinished: run.Status == StatusRunning}
	if loaded.Unfinished {
		loaded.Warnings = append(loaded.Warnings, fmt.Sprintf("%s: the run did not finish: it was killed or still runs", path))
	}
	loaded.damaged(unvouched(path, run.Lengths)...)
	samplesPath := filepath.Join(path, SamplesFile)
	if _, err := os.Stat(samplesPath); errors.Is(err, os.ErrNotExist) {
		loaded.Warnings = append(loaded.Warnings, fmt.Sprintf("%s: no samples: no repetition was completed", path))
		return loaded, nil
	}
	data, err = readBounded(samplesPath, maxSamplesBytes)
	if err != nil {
		return nil, err
	}
	if length, ok := run.Lengths[SamplesFile]; ok {
		data = data[:max(0, min(length, int64(len(data))))]
	}
	whole := wholeLines(data)
	if len(whole) < len(data) {
		loaded.damaged(fmt.Sprintf("%s:%d: the last line was cut in half and is left out", samplesPath, lineCount(data)))
	}
	loaded.samples = whole
	loaded.Records, loaded.Units, err = parseSamples(whole, samplesPath, 0)
	if err != nil {
		return nil, err
	}
	loaded.Warnings = append(loaded.Warnings, shortfalls(loaded.Records, run.Repetitions, samplesPath)...)
	return loaded, nil
}

func (l *LoadedRun) damaged(what ...string) {
	l.Warnings, l.Damage = append(l.Warnings, what...), append(l.Damage, what...)
}

// unvouched tells of files that are longer or shorter than run.json says. The bytes
// beyond are of a repetition that the run didn't live to count, and so to judge.
func unvouched(dir string, lengths map[string]int64) (warnings []string) {
	for _, name := range slices.Sorted(maps.Keys(lengths)) {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			continue
		}
		var size int64
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			size = info.Size()
		}
		path := filepath.Join(dir, name)
		switch beyond := size - lengths[name]; {
		case beyond > 0:
			warnings = append(warnings, fmt.Sprintf("%s: the last %d of %d bytes are no part of the run and are left out: it ended before their repetition was counted", path, beyond, size))
		case beyond < 0:
			warnings = append(warnings, fmt.Sprintf("%s: has %d of the %d bytes that the run wrote", path, size, lengths[name]))
		}
	}
	return warnings
}

// shortfalls tells of operations with fewer samples than the run completed
// repetitions. A sample is on the disk before its repetition is counted, so no kill
// leaves that behind.
func shortfalls(records []Record, repetitions int, path string) (warnings []string) {
	samples := make(map[string]int)
	var ops []string
	for _, r := range records {
		if samples[r.Op]++; samples[r.Op] == 1 {
			ops = append(ops, r.Op)
		}
	}
	for _, op := range ops {
		if samples[op] < repetitions {
			warnings = append(warnings, fmt.Sprintf("%s: %s of %s, and %s were completed: in the others none succeeded, or lines are lost",
				path, plural(samples[op], "sample"), op, plural(repetitions, "repetition")))
		}
	}
	return warnings
}

// wholeLines is data up to the last line break. A sample line cut in half can
// look whole ("… 12 p99-ns/o"), so what lacks its line break is never believed.
func wholeLines(data []byte) []byte {
	return data[:bytes.LastIndexByte(data, '\n')+1]
}

func parseRun(data []byte, path string) (Run, error) {
	var run Run
	if err := json.Unmarshal(data, &run); err != nil {
		return Run{}, &InputError{Path: path, Line: jsonErrorLine(data, err), Problem: "damaged (" + err.Error() + ")", Want: "name a run directory that is whole", Err: err}
	}
	switch {
	case run.Schema < 1:
		return Run{}, &InputError{Path: path, Problem: "has no schema version", Want: "name a run directory written by fleetmark"}
	case run.Schema > RunSchema:
		return Run{}, &InputError{Path: path, Problem: fmt.Sprintf("has schema version %d, and this fleetmark knows up to %d", run.Schema, RunSchema), Want: "read it with a newer fleetmark"}
	}
	switch run.Status {
	case StatusRunning, StatusFinished, StatusInterrupted, StatusFailed:
	default:
		return Run{}, &InputError{Path: path, Problem: fmt.Sprintf("has the unknown status %q", run.Status), Want: "name a run directory written by fleetmark"}
	}
	return run, nil
}

// jsonErrorLine is the line that a JSON error points at, or 0.
func jsonErrorLine(data []byte, err error) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var offset int64
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default:
		return 0
	}
	if offset < 0 || offset > int64(len(data)) {
		return 0
	}
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}
