package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
)

// A Loaded is a run directory as it was found.
type Loaded struct {
	results.Run
	Path    string // the directory, as it was named
	Records []results.Record

	// Unfinished reports whether run.json still says "running": the process was killed, or still runs. The
	// records are those of the repetitions that ended.
	Unfinished bool

	// Warnings says what was found damaged and left out, a sentence each.
	Warnings []string

	// Damage has those of the warnings that are about files which aren't as the run left them. A kill
	// explains them; in a run that came to its end nothing good does.
	Damage []string

	samples []byte // the complete lines of samples.txt
}

// SampleText returns the complete lines of samples.txt that belong to the run, in the Go benchmark format.
func (l *Loaded) SampleText() []byte { return l.samples }

// CheckIntact returns an [*results.InputError] if the run came to its end and its files aren't as it left
// them.
func (l *Loaded) CheckIntact() error {
	if l.Unfinished || len(l.Damage) == 0 {
		return nil
	}
	return &results.InputError{Path: l.Path, Problem: "the run is damaged: " + l.Damage[0], Want: "restore it, or run it again"}
}

// maxRunBytes bounds run.json, whose largest part is the resolved scenario.
const maxRunBytes = 16 << 20

// Load reads a run directory, finished or not. It drops what run.json doesn't count, such as a line that a
// kill cut in half, and says so in Warnings, as it does of what is missing. Every other damage is an
// [*results.InputError] that names the line.
func Load(path string) (*Loaded, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &results.InputError{Path: path, Problem: "no such run (" + results.WithoutPath(err) + ")", Want: "name a run directory", Err: err}
	}
	if !info.IsDir() {
		return nil, &results.InputError{Path: path, Problem: "isn't a directory", Want: "name a run directory"}
	}
	runPath := filepath.Join(path, RunFile)
	if _, err := os.Stat(runPath); errors.Is(err, os.ErrNotExist) {
		return nil, &results.InputError{Path: path, Problem: "isn't a run directory (no " + RunFile + ": no run was begun in it)", Want: "name a run directory", Err: err}
	}
	data, err := results.ReadFile(runPath, maxRunBytes)
	if err != nil {
		return nil, err
	}
	run, err := parseRun(data, runPath)
	if err != nil {
		return nil, err
	}
	loaded := &Loaded{Run: run, Path: path, Unfinished: run.Status == results.StatusRunning}
	if loaded.Unfinished {
		loaded.Warnings = append(loaded.Warnings, fmt.Sprintf("%s: the run did not finish: it was killed or still runs", path))
	}
	loaded.addDamage(lengthMismatches(path, run.FileLengths)...)
	samplesPath := filepath.Join(path, SamplesFile)
	if _, err := os.Stat(samplesPath); errors.Is(err, os.ErrNotExist) {
		why := "no repetition was completed"
		if run.Repetitions > 0 {
			why = fmt.Sprintf("no operation of %s succeeded", plaintext.Count(run.Repetitions, "repetition"))
		}
		loaded.Warnings = append(loaded.Warnings, fmt.Sprintf("%s: no samples: %s", path, why))
		return loaded, nil
	}
	data, err = results.ReadFile(samplesPath, results.MaxSamplesBytes)
	if err != nil {
		return nil, err
	}
	if length, ok := run.FileLengths[SamplesFile]; ok {
		data = data[:max(0, min(length, int64(len(data))))]
	}
	complete := completeLines(data)
	if len(complete) < len(data) {
		loaded.addDamage(fmt.Sprintf("%s:%d: the last line was cut in half and is left out", samplesPath, bytes.Count(data, []byte("\n"))+1))
	}
	loaded.samples = complete
	loaded.Records, err = results.ParseSamples(complete, samplesPath, 0)
	if err != nil {
		return nil, err
	}
	results.SetOutcomes(loaded.Records, run.Operations)
	loaded.Warnings = append(loaded.Warnings, missingSamples(loaded.Records, run.Repetitions, samplesPath)...)
	return loaded, nil
}

func (l *Loaded) addDamage(what ...string) {
	l.Warnings, l.Damage = append(l.Warnings, what...), append(l.Damage, what...)
}

// lengthMismatches names the files that are longer or shorter than run.json says, a sentence each. The bytes
// beyond belong to a repetition that the run ended before counting, and so before judging.
func lengthMismatches(dir string, lengths map[string]int64) (warnings []string) {
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

// missingSamples names the operations that have fewer samples than the run completed repetitions, a sentence
// each. A sample is on the disk before its repetition is counted, so no kill causes that.
func missingSamples(records []results.Record, repetitions int, path string) (warnings []string) {
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
				path, plaintext.Count(samples[op], "sample"), op, plaintext.Count(repetitions, "repetition")))
		}
	}
	return warnings
}

// completeLines returns data up to the last line break. A line that was cut in half can look complete
// ("… 12 p99-ns/o"), so one without a line break is never believed.
func completeLines(data []byte) []byte {
	return data[:bytes.LastIndexByte(data, '\n')+1]
}

// parseRun parses the content of run.json at path.
func parseRun(data []byte, path string) (results.Run, error) {
	var run results.Run
	if err := json.Unmarshal(data, &run); err != nil {
		return results.Run{}, &results.InputError{Path: path, Line: results.JSONErrorLine(data, err), Problem: "damaged (" + err.Error() + ")", Want: "name a run directory that is whole", Err: err}
	}
	switch {
	case run.Schema < 1:
		return results.Run{}, &results.InputError{Path: path, Problem: "has no schema version", Want: "name a run directory written by fleetmark"}
	case run.Schema > results.RunSchema:
		return results.Run{}, &results.InputError{Path: path, Problem: fmt.Sprintf("has schema version %d, and this fleetmark knows up to %d", run.Schema, results.RunSchema), Want: "read it with a newer fleetmark"}
	}
	switch run.Status {
	case results.StatusRunning, results.StatusFinished, results.StatusInterrupted, results.StatusFailed:
	default:
		return results.Run{}, &results.InputError{Path: path, Problem: fmt.Sprintf("has the unknown status %q", run.Status), Want: "name a run directory written by fleetmark"}
	}
	return run, nil
}
