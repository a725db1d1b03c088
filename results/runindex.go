package results

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A RunEntry is a run of a folder of runs, by what its run.json says. Its samples aren't
// read: a folder may have thousands of runs.
type RunEntry struct {
	Path        string    `json:"run"` // the directory
	Scenario    string    `json:"scenario"`
	Revision    string    `json:"revision"`
	Started     time.Time `json:"started,omitzero"` // UTC
	Finished    time.Time `json:"finished,omitzero"`
	Status      Status    `json:"status"`
	Valid       bool      `json:"valid"`
	Verdict     Verdict   `json:"verdict"` // as it was judged when it ran; empty: it wasn't
	Repetitions int       `json:"repetitions"`
	Bytes       int64     `json:"bytes"` // of all its files

	// Problem is why the directory can't be read as a run, or not whole; then the rest is as
	// far as it could be told.
	Problem string `json:"problem,omitempty"`
}

// A RunFilter says which runs to list. A directory that can't be read is listed whatever
// the filter: nobody knows that it doesn't match.
type RunFilter struct {
	Scenario string    // a name or a pattern of package path, such as rollout-*; empty: any
	Revision string    // how it begins; empty: any
	Verdict  Verdict   // empty: any; NoVerdict: those that have none
	Since    time.Time // began then or later; zero: any
}

// NoVerdict stands in a filter for runs that have none.
const NoVerdict Verdict = "none"

// Check reports a filter that makes no sense, as an error that names the field.
func (f RunFilter) Check() error {
	if _, err := path.Match(f.Scenario, ""); err != nil {
		return fmt.Errorf("scenario %q: want a name, or a pattern such as rollout-*", f.Scenario)
	}
	known := []Verdict{"", Pass, Improved, Regressed, Inconclusive, Invalid, NoVerdict}
	if !slices.Contains(known, f.Verdict) {
		return fmt.Errorf("verdict %q: want pass, improved, regressed, inconclusive, invalid or none", f.Verdict)
	}
	return nil
}

func (f RunFilter) takes(e RunEntry) bool {
	if f.Scenario != "" {
		if ok, err := path.Match(f.Scenario, e.Scenario); err != nil || !ok {
			return false
		}
	}
	verdict := e.Verdict
	if f.Verdict == NoVerdict && verdict == "" {
		verdict = NoVerdict
	}
	return strings.HasPrefix(e.Revision, f.Revision) && (f.Verdict == "" || f.Verdict == verdict) && !e.Started.Before(f.Since)
}

// readAtOnce is how many names of a folder are held at a time.
const readAtOnce = 256

// ListRuns lists the runs in a folder that the filter takes, newest first, and every
// directory that can't be read as a run; of those whose beginning nobody knows, last. It changes nothing. Files beside the runs
// are nobody's runs and aren't listed. What a run takes in memory is its entry.
func ListRuns(folder string, filter RunFilter) ([]RunEntry, error) {
	if err := filter.Check(); err != nil {
		return nil, err
	}
	bad := func(problem, want string, err error) ([]RunEntry, error) {
		return nil, &InputError{Path: folder, Problem: problem, Want: want, Err: err}
	}
	dir, err := os.Open(folder)
	if err != nil {
		return bad("can't be opened ("+cause(err)+")", "name a folder of runs, as `fleetmark run` makes them", err)
	}
	defer dir.Close()
	if _, err := os.Stat(filepath.Join(folder, RunFile)); err == nil {
		return bad("is a run itself", "name the folder that it is in", nil)
	}
	var all []RunEntry
	for {
		names, err := dir.ReadDir(readAtOnce)
		for _, name := range names {
			path := filepath.Join(folder, name.Name())
			info, err := os.Stat(path) // a link to a run is as good as the run
			if _, gone := os.Lstat(path); errors.Is(gone, fs.ErrNotExist) || err == nil && !info.IsDir() {
				continue
			}
			if e := readRunEntry(path); e.Problem != "" || filter.takes(e) {
				all = append(all, e)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bad("can't be read ("+cause(err)+")", "name a folder of runs, as `fleetmark run` makes them", err)
		}
	}
	slices.SortFunc(all, func(a, b RunEntry) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.Path, a.Path))
	})
	return all, nil
}

// readRunEntry reads a directory's run.json.
func readRunEntry(dir string) RunEntry {
	e := RunEntry{Path: dir}
	var err error
	if e.Bytes, err = sizeOf(dir); err != nil {
		e.Problem = "can't be read whole (" + cause(err) + ")"
	}
	data, err := readBounded(filepath.Join(dir, RunFile), maxRunBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem = "no " + RunFile + ": no run was begun in it"
		return e
	case err != nil:
		e.Problem = problemOf(err)
		return e
	}
	run, err := parseRun(data, filepath.Join(dir, RunFile))
	if err != nil {
		e.Problem = problemOf(err)
		return e
	}
	e.Scenario, e.Revision, e.Started, e.Finished = run.Scenario, run.Revision, run.Started.UTC(), run.Finished.UTC()
	e.Status, e.Valid, e.Verdict, e.Repetitions = run.Status, run.Valid, run.Verdict, run.Repetitions
	return e
}

// problemOf is an error without the directory, which stands beside it.
func problemOf(err error) string {
	if input, ok := errors.AsType[*InputError](err); ok {
		where := filepath.Base(input.Path)
		if input.Line > 0 {
			where = fmt.Sprintf("%s:%d", where, input.Line)
		}
		return where + ": " + input.Problem
	}
	return err.Error()
}

// sizeOf adds up a directory's files, as far as they can be reached.
func sizeOf(dir string) (total int64, first error) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				total += info.Size()
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && first == nil { // a run that goes on replaces files
			first = err
		}
		return nil
	})
	return total, cmp.Or(first, err)
}
