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

// An Entry describes a run of a folder by its run.json. Its samples aren't read: a folder may hold thousands
// of runs.
type Entry struct {
	Path        string          `json:"run"` // the directory
	Scenario    string          `json:"scenario"`
	Revision    string          `json:"revision"`
	Started     time.Time       `json:"started,omitzero"` // UTC
	Finished    time.Time       `json:"finished,omitzero"`
	Status      results.Status  `json:"status"`
	Valid       bool            `json:"valid"`
	Verdict     results.Verdict `json:"verdict"` // as it was judged when it ran; empty if it wasn't
	Repetitions int             `json:"repetitions"`
	Bytes       int64           `json:"bytes"` // of all its files

	// Problem says why the directory can't be read as a run, or not completely; then the other fields hold
	// as much as could be read.
	Problem string `json:"problem,omitempty"`
}

// A Filter says which runs to list. A directory that can't be read is listed whatever the filter: nobody
// knows that it doesn't match.
type Filter struct {
	Scenario string          // a name, or a pattern of package path such as rollout-*; empty means any
	Revision string          // its beginning; empty means any
	Verdict  results.Verdict // empty means any; FilterUnjudged, runs without one
	Since    time.Time       // begun then or later; zero means any
}

// FilterUnjudged is the Verdict of a filter for runs that have none.
const FilterUnjudged results.Verdict = "none"

// Check returns an error that names the field if the filter makes no sense.
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

// Matches reports whether the filter takes a run.
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
	return strings.HasPrefix(e.Revision, f.Revision) && (f.Verdict == "" || f.Verdict == verdict) && !e.Started.Before(f.Since)
}

// dirBatch is how many names of a folder are read at a time.
const dirBatch = 256

// List returns the runs in a folder that the filter takes, newest first, and every directory that can't be
// read as a run; those without a known beginning come last. It changes nothing. Files beside the runs aren't
// listed. A run takes no more memory than its entry.
func List(folder string, filter Filter) ([]Entry, error) {
	if err := filter.Check(); err != nil {
		return nil, err
	}
	bad := func(problem, want string, err error) ([]Entry, error) {
		return nil, &results.InputError{Path: folder, Problem: problem, Want: want, Err: err}
	}
	dir, err := os.Open(folder)
	if err != nil {
		return bad("can't be opened ("+results.WithoutPath(err)+")", "name a folder of runs, as `fleetmark run` makes them", err)
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
			info, err := os.Stat(path) // a link to a run is as good as the run
			if _, gone := os.Lstat(path); errors.Is(gone, fs.ErrNotExist) || err == nil && !info.IsDir() {
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
			return bad("can't be read ("+results.WithoutPath(err)+")", "name a folder of runs, as `fleetmark run` makes them", err)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.Path, a.Path))
	})
	return all, nil
}

// readEntry describes a directory by its run.json.
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
	e.Scenario, e.Revision, e.Started, e.Finished = run.Scenario, run.Revision, run.Started.UTC(), run.Finished.UTC()
	e.Status, e.Valid, e.Verdict, e.Repetitions = run.Status, run.Valid, run.Verdict, run.Repetitions
	return e
}

// shortError returns the message of an error without the directory, which is shown beside it.
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

// sizeOf returns the size of all files of a directory, as far as they can be reached.
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
