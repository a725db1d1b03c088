package rundir

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

	"github.com/fleetmark/fleetmark/results"
)

// An Entry describes a run in a folder, from its run.json. The run's samples aren't read, since a
// folder may hold thousands of runs.
type Entry struct {
	Path        string          `json:"run"` // the directory
	Scenario    string          `json:"scenario"`
	Revision    string          `json:"revision"`
	Started     time.Time       `json:"started,omitzero"` // UTC
	Finished    time.Time       `json:"finished,omitzero"`
	Status      results.Status  `json:"status"`
	Valid       bool            `json:"valid"`
	Verdict     results.Verdict `json:"verdict"` // when it ran; empty if it wasn't judged
	Repetitions int             `json:"repetitions"`
	Bytes       int64           `json:"bytes"` // size of all its files

	// Problem says why the directory, or a part of it, can't be read as a run. The other fields
	// hold what could be read.
	Problem string `json:"problem,omitempty"`
}

// A Filter says which runs to list. A field that isn't set matches any run. A directory that can't
// be read as a run is always listed, since it may match.
type Filter struct {
	Scenario string          // a name, or a pattern for [path.Match] such as rollout-*
	Revision string          // how the revision begins
	Verdict  results.Verdict // FilterUnjudged lists runs without one
	Since    time.Time       // matches runs that began then or later
}

// FilterUnjudged is the Verdict of a [Filter] for runs that have none.
const FilterUnjudged results.Verdict = "none"

// Check returns an error that names the field if a field of the filter isn't valid.
func (f Filter) Check() error {
	if _, err := path.Match(f.Scenario, ""); err != nil {
		return fmt.Errorf("scenario %q: want a name, or a pattern such as rollout-*", f.Scenario)
	}
	known := []results.Verdict{
		"", results.Pass, results.Improved, results.Regressed, results.Inconclusive, results.Invalid, FilterUnjudged,
	}
	if !slices.Contains(known, f.Verdict) {
		return fmt.Errorf("verdict %q: want pass, improved, regressed, inconclusive, invalid or none", f.Verdict)
	}
	return nil
}

// Matches reports whether a run matches the filter.
func (f Filter) Matches(e Entry) bool {
	if f.Scenario != "" {
		if ok, err := path.Match(f.Scenario, e.Scenario); err != nil || !ok {
			return false
		}
	}
	verdict := e.Verdict
	if f.Verdict == FilterUnjudged && verdict == "" {
		verdict = FilterUnjudged
	}
	return strings.HasPrefix(e.Revision, f.Revision) && (f.Verdict == "" || f.Verdict == verdict) &&
		!e.Started.Before(f.Since)
}

// dirBatch is how many names of a folder are read at a time.
const dirBatch = 256

// List returns the runs in a folder that match the filter, newest first, and every directory that
// can't be read as a run. Entries whose start isn't known come last. List ignores files beside the
// runs, and keeps no more of a run in memory than its entry. Errors about the folder are
// [*results.InputError].
func List(folder string, filter Filter) ([]Entry, error) {
	if err := filter.Check(); err != nil {
		return nil, err
	}
	bad := func(problem, want string, err error) ([]Entry, error) {
		return nil, &results.InputError{Path: folder, Problem: problem, Want: want, Err: err}
	}
	const wantFolder = "name a folder of runs, as `fleetmark run` makes them"
	dir, err := os.Open(folder)
	if err != nil {
		return bad("can't be opened ("+results.WithoutPath(err)+")", wantFolder, err)
	}
	defer dir.Close()
	if _, err := os.Stat(filepath.Join(folder, RunFile)); err == nil {
		return bad("is a run itself", "name the folder that it is in", nil)
	}
	var all []Entry
	for {
		names, err := dir.ReadDir(dirBatch)
		for _, name := range names {
			path := filepath.Join(folder, name.Name())
			info, err := os.Stat(path) // follows a link to a run
			if _, linkErr := os.Lstat(path); errors.Is(linkErr, fs.ErrNotExist) || err == nil && !info.IsDir() {
				continue
			}
			if e := readEntry(path); e.Problem != "" || filter.Matches(e) {
				all = append(all, e)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bad("can't be read ("+results.WithoutPath(err)+")", wantFolder, err)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.Path, a.Path))
	})
	return all, nil
}

// readEntry returns the entry of a directory.
func readEntry(dir string) Entry {
	e := Entry{Path: dir}
	var err error
	if e.Bytes, err = sizeOf(dir); err != nil {
		e.Problem = "can't be read whole (" + results.WithoutPath(err) + ")"
	}
	data, err := results.ReadFile(filepath.Join(dir, RunFile), maxRunBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem = "no " + RunFile + ": no run was begun in it"
		return e
	case err != nil:
		e.Problem = shortError(err)
		return e
	}
	run, err := parseRun(data, filepath.Join(dir, RunFile))
	if err != nil {
		e.Problem = shortError(err)
		return e
	}
	e.Scenario, e.Revision = run.Scenario, run.Revision
	e.Started, e.Finished = run.Started.UTC(), run.Finished.UTC()
	e.Status, e.Valid, e.Verdict, e.Repetitions = run.Status, run.Valid, run.Verdict, run.Repetitions
	return e
}

// shortError returns the message of an error without the path of the run directory.
func shortError(err error) string {
	if input, ok := errors.AsType[*results.InputError](err); ok {
		where := filepath.Base(input.Path)
		if input.Line > 0 {
			where = fmt.Sprintf("%s:%d", where, input.Line)
		}
		return where + ": " + input.Problem
	}
	return err.Error()
}

// sizeOf returns the size of all files below dir that can be reached, and the first error about the
// others.
func sizeOf(dir string) (total int64, first error) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				total += info.Size()
			}
		}
		// A file that is gone is no error: a run in progress replaces files.
		if err != nil && !errors.Is(err, fs.ErrNotExist) && first == nil {
			first = err
		}
		return nil
	})
	return total, cmp.Or(first, err)
}
