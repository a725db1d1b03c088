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
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

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

// A Latency holds the response times of all successes of an operation, in all timed repetitions.
type Latency struct {
	Scenario  string // if empty, any scenario of the side
	Op        string
	Histogram *hdrhistogram.Histogram // nanoseconds
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
	maxHistograms    = 3 * 86_400 // decoding them takes half a minute
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

// readLatency reads the histograms of response times, and merges those of each operation.
func (e *Evidence) readLatency(r io.Reader, scenario string) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLatencyLine)
	log := hdrhistogram.NewHistogramLogReader(&responseTimes{lines: lines})
	for range maxHistograms {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			return err
		}
		if h == nil {
			return nil
		}
		i := slices.IndexFunc(e.Latency, func(l Latency) bool { return l.Op == h.Tag() })
		switch {
		case i >= 0:
			e.Latency[i].Histogram.Merge(h)
		case len(e.Latency) < maxLatencyOps:
			e.Latency = append(e.Latency, Latency{Scenario: scenario, Op: h.Tag(), Histogram: h})
		}
	}
	return fmt.Errorf("more than %d histograms", maxHistograms)
}

// responseTimes is a reader of latency.hlog without the lines of anything but response times of all
// devices. The tags of service times and of groups contain a slash.
type responseTimes struct {
	lines *bufio.Scanner
	rest  []byte // of the current line
}

func (r *responseTimes) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if !r.lines.Scan() {
			return 0, cmp.Or(r.lines.Err(), io.EOF)
		}
		tag, _, _ := bytes.Cut(r.lines.Bytes(), []byte(","))
		if bytes.HasPrefix(tag, []byte("Tag=")) && bytes.Contains(tag, []byte("/")) {
			continue
		}
		r.rest = append(append(r.rest, r.lines.Bytes()...), '\n')
	}
	n := copy(p, r.rest)
	r.rest = r.rest[:copy(r.rest, r.rest[n:])]
	return n, nil
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
