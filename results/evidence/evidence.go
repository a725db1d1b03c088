// Package evidence reads what a run directory holds besides its samples: histograms of response
// times, intervals, and a sample of the failures.
//
// Its input is a run that [rundir.Load] has read; its output is an [Evidence], which is bounded
// however large the files are. What can't be read is a warning, because reports show evidence and
// judge nothing by it. Intervals come with marks at what is worth knowing when one looks at them:
// parts of the load's plan, waves of a rollout, and times in which nothing ended.
package evidence

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// Evidence is what a run directory holds besides its samples.
type Evidence struct {
	Latency   []Latency
	Timelines []Timeline // one for a run that has intervals
	Failures  []Failure
	Warnings  []string // what could not be read, a sentence each
}

// A Failure is a line of failures.jsonl, a bounded sample of the operations that failed.
type Failure struct {
	Repetition int    `json:"repetition"`
	Device     int    `json:"device"`
	Operation  string `json:"operation"`
	Class      string `json:"class"`
	Status     int    `json:"status,omitempty"`
	Attempts   int    `json:"attempts,omitempty"`
	Error      string `json:"error"`
}

// Bounds on what is read, so that an oversized file shortens the report instead of exhausting
// memory or a reader's patience. A day in intervals of a second has 86,400 of each operation, and a
// histogram of a busy second takes about 2 kB as text.
const (
	maxLatencyBytes  = 1 << 30 // read a line at a time
	maxLatencyLine   = 4 << 20
	maxHistograms    = 3 * 86_400
	maxLatencyOps    = 16
	maxTimelineBytes = 128 << 20
	maxFailureBytes  = 32 << 20
	maxFailureLine   = 1 << 20
	maxFailures      = 20_000
	maxErrorText     = 500
)

// Read reads the latency.hlog, timeline.jsonl and failures.jsonl of a run, as far as they belong to
// the run according to run.json. It keeps what it can read, and adds a warning for the rest: a
// report without a plot is better than none. It returns the zero Evidence for a run without a
// directory.
func Read(run *rundir.Loaded) (e Evidence) {
	if run == nil || run.Path == "" {
		return e
	}
	e.readFile(run, rundir.LatencyFile, maxLatencyBytes, func(r io.Reader) error { return e.readLatency(r, run.Scenario) })
	e.readFile(run, rundir.FailuresFile, maxFailureBytes, e.readFailures)
	e.readTimeline(run)
	return e
}

func (e *Evidence) readFile(run *rundir.Loaded, name string, limit int64, parse func(io.Reader) error) {
	path := filepath.Join(run.Path, name)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) { // a run without any success, or without any failure, has none
		return
	}
	if err == nil {
		defer f.Close()
		if length, ok := run.FileLengths[name]; ok {
			limit = min(limit, max(0, length))
		}
		err = parse(io.LimitReader(f, limit))
	}
	if err != nil {
		e.Warnings = append(e.Warnings, fmt.Sprintf("%s: not all of it can be shown (%v)", path, err))
	}
}

func (e *Evidence) readFailures(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxFailureLine)
	for n := 1; lines.Scan(); n++ {
		var f Failure
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		f.Error = plaintext.Clip(f.Error, maxErrorText)
		e.Failures = append(e.Failures, f)
		if len(e.Failures) == maxFailures {
			return fmt.Errorf("more than %d lines", maxFailures)
		}
	}
	return lines.Err()
}

// A ClassCount is the number of failures of one class.
type ClassCount struct {
	Class string `json:"class"`
	Count int    `json:"kept"` // in the bounded sample
}

// FailureClasses counts the kept failures, the most frequent class first.
func (e Evidence) FailureClasses() (counts []ClassCount) {
	index := make(map[string]int) // of a class in counts
	for _, f := range e.Failures {
		i, ok := index[f.Class]
		if !ok {
			i = len(counts)
			index[f.Class], counts = i, append(counts, ClassCount{Class: f.Class})
		}
		counts[i].Count++
	}
	slices.SortStableFunc(counts, func(a, b ClassCount) int { return b.Count - a.Count })
	return counts
}
