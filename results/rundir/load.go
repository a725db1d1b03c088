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

// A Loaded holds the content of a run directory.
type Loaded struct {
	results.Run
	Path    string // the directory, as Load was given it
	Records []results.Record

	// Unfinished reports whether run.json still says "running": the process was killed, or still
	// runs. Records then holds the repetitions that ended.
	Unfinished bool

	// Warnings says what was missing, or damaged and left out, a sentence each.
	Warnings []string

	// Damage holds those warnings that say that a file isn't as the run left it. A kill explains
	// them in an unfinished run; in a finished one, somebody changed the files.
	Damage []string

	samples []byte // the complete lines of samples.txt
}

// SampleText returns the complete lines of samples.txt that belong to the run, which are in the Go
// benchmark format.
func (l *Loaded) SampleText() []byte { return l.samples }

// CheckIntact returns an [*results.InputError] if the run ended but its files aren't as it left
// them.
func (l *Loaded) CheckIntact() error {
	if l.Unfinished || len(l.Damage) == 0 {
		return nil
	}
	return &results.InputError{
		Path: l.Path, Problem: "the run is damaged: " + l.Damage[0], Want: "restore it, or run it again",
	}
}

// maxRunBytes bounds run.json, whose largest part is the resolved scenario.
const maxRunBytes = 16 << 20

// Load reads a run directory, finished or not. It drops what run.json doesn't count as part of the
// run, such as a line that a kill cut in half. Warnings says what was dropped, and what is missing.
// Any other damage is an [*results.InputError] that names the line.
func Load(path string) (*Loaded, error) {
	bad := func(problem string, err error) (*Loaded, error) {
		return nil, &results.InputError{Path: path, Problem: problem, Want: "name a run directory", Err: err}
	}
	info, err := os.Stat(path)
	if err != nil {
		return bad("no such run ("+results.WithoutPath(err)+")", err)
	}
	if !info.IsDir() {
		return bad("isn't a directory", nil)
	}
	runPath := filepath.Join(path, RunFile)
	if _, err := os.Stat(runPath); errors.Is(err, os.ErrNotExist) {
		return bad("isn't a run directory (no "+RunFile+": no run was begun in it)", err)
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
		loaded.Warnings = append(loaded.Warnings, path+": the run did not finish: it was killed or still runs")
	}
	loaded.addDamage(lengthMismatches(path, run.FileLengths)...)
	if err := loaded.readSamples(filepath.Join(path, SamplesFile)); err != nil {
		return nil, err
	}
	return loaded, nil
}

// readSamples reads the records of samples.txt, and warns of what is missing or cut.
func (l *Loaded) readSamples(samplesPath string) error {
	if _, err := os.Stat(samplesPath); errors.Is(err, os.ErrNotExist) {
		why := "no repetition was completed"
		if l.Repetitions > 0 {
			why = fmt.Sprintf("no operation of %s succeeded", plaintext.Count(l.Repetitions, "repetition"))
		}
		l.Warnings = append(l.Warnings, fmt.Sprintf("%s: no samples: %s", l.Path, why))
		return nil
	}
	data, err := results.ReadFile(samplesPath, results.MaxSamplesBytes)
	if err != nil {
		return err
	}
	if length, ok := l.FileLengths[SamplesFile]; ok {
		data = data[:max(0, min(length, int64(len(data))))]
	}
	l.samples = completeLines(data)
	if len(l.samples) < len(data) {
		last := bytes.Count(data, []byte("\n")) + 1
		l.addDamage(fmt.Sprintf("%s:%d: the last line was cut in half and is left out", samplesPath, last))
	}
	l.Records, err = results.ParseSamples(l.samples, samplesPath, 0)
	if err != nil {
		return err
	}
	results.SetOutcomes(l.Records, l.Operations)
	l.Warnings = append(l.Warnings, missingSamples(l.Records, l.Repetitions, samplesPath)...)
	return nil
}

func (l *Loaded) addDamage(sentences ...string) {
	l.Warnings, l.Damage = append(l.Warnings, sentences...), append(l.Damage, sentences...)
}

// lengthMismatches returns a sentence for each file that is longer or shorter than run.json says.
// What exceeds the length belongs to a repetition that the run neither counted nor judged.
func lengthMismatches(dir string, lengths map[string]int64) (warnings []string) {
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	for _, name := range slices.Sorted(maps.Keys(lengths)) {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			continue
		}
		var size int64
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			size = info.Size()
		}
		path := filepath.Join(dir, name)
		length := lengths[name]
		switch {
		case size > length:
			warn("%s: the last %d of %d bytes are no part of the run and are left out: "+
				"it ended before their repetition was counted", path, size-length, size)
		case size < length:
			warn("%s: has %d of the %d bytes that the run wrote", path, size, length)
		}
	}
	return warnings
}

// missingSamples returns a sentence for each operation that has fewer samples than the run
// completed repetitions. A kill can't cause that, since samples are on the disk before their
// repetition is counted.
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
			has, all := plaintext.Count(samples[op], "sample"), plaintext.Count(repetitions, "repetition")
			warnings = append(warnings, fmt.Sprintf("%s: %s of %s, and %s were completed: "+
				"in the others none succeeded, or lines are lost", path, has, op, all))
		}
	}
	return warnings
}

// completeLines returns data up to the last line break. A line without one is never complete, even
// if it looks so: "… 12 p99-ns/o" may have been cut in half.
func completeLines(data []byte) []byte {
	return data[:bytes.LastIndexByte(data, '\n')+1]
}

// parseRun parses data, the content of run.json. path names the file in errors.
func parseRun(data []byte, path string) (run results.Run, err error) {
	if err := json.Unmarshal(data, &run); err != nil {
		return results.Run{}, &results.InputError{
			Path: path, Line: results.JSONErrorLine(data, err), Problem: "damaged (" + err.Error() + ")",
			Want: "name a run directory that is whole", Err: err,
		}
	}
	bad := func(problem, want string) (results.Run, error) {
		return results.Run{}, &results.InputError{Path: path, Problem: problem, Want: want}
	}
	const wantOurs = "name a run directory written by fleetmark"
	switch {
	case run.Schema < 1:
		return bad("has no schema version", wantOurs)
	case run.Schema > results.RunSchema:
		return bad(fmt.Sprintf("has schema version %d, and this fleetmark knows up to %d",
			run.Schema, results.RunSchema), "read it with a newer fleetmark")
	}
	switch run.Status {
	case results.StatusRunning, results.StatusFinished, results.StatusInterrupted, results.StatusFailed,
		results.StatusAborted:
		return run, nil
	}
	return bad(fmt.Sprintf("has the unknown status %q", run.Status), wantOurs)
}
