package report

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
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// A Side is one of the two sides of a comparison.
type Side struct {
	Label    string // its name, such as "main"; [New] fills in "baseline" and "now"
	Revision string // of the source
	Machine  *results.Machine
	Records  []results.Record

	Run      *rundir.Loaded // nil if there is no run directory
	Evidence                // from the run directory; [Side.Read] fills it in
}

// RunSide returns the side of a comparison that a run is.
func RunSide(run rundir.Loaded) Side {
	return Side{Revision: run.Revision, Machine: &run.Machine, Records: run.Records, Run: &run}
}

// BaselineSide returns the side of a comparison that a baseline's scenario is. It returns the zero
// Side if base is nil or lacks the scenario.
func BaselineSide(base *baseline.Page, scenario string) Side {
	if base == nil {
		return Side{}
	}
	s, ok := base.Scenario(scenario)
	if !ok {
		return Side{}
	}
	return Side{Revision: base.Revision, Machine: &base.Machine, Records: s.Records}
}

// Repetitions returns how many times the side was measured.
func (s Side) Repetitions() int {
	if s.Run != nil {
		return s.Run.Repetitions
	}
	repetitions := 0
	for _, r := range s.Records {
		repetitions = max(repetitions, r.Repetition)
	}
	return repetitions
}

// combine adds the records and evidence of o, the same side in another scenario. It clears the
// label, the revision and the machine if they differ.
func (s *Side) combine(o Side, first bool) {
	if first {
		s.Label, s.Revision, s.Machine = o.Label, o.Revision, o.Machine
	}
	if s.Label != o.Label {
		s.Label = ""
	}
	if s.Revision != o.Revision {
		s.Revision = ""
	}
	if s.Machine == nil || o.Machine == nil || *s.Machine != *o.Machine {
		s.Machine = nil
	}
	s.Records = append(s.Records, o.Records...)
	s.Latency = append(s.Latency, o.Latency...)
	s.Failures = append(s.Failures, o.Failures...)
}

// Evidence is what a run directory holds besides its samples.
type Evidence struct {
	Latency  []Latency
	Failures []Failure
	Warnings []string // what could not be read, a sentence each
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
// memory.
const (
	maxLatencyBytes = 64 << 20
	maxFailureBytes = 32 << 20
	maxFailureLine  = 1 << 20
	maxIntervals    = 20_000
	maxLatencyOps   = 16
	maxFailures     = 20_000
	maxErrorText    = 500
)

// Read reads the side's latency.hlog and failures.jsonl, as far as they belong to the run according
// to run.json. It keeps what it can read, and adds a warning for the rest: a report without a plot
// is better than none. Without a run directory, it does nothing.
func (s *Side) Read() {
	if s.Run == nil || s.Run.Path == "" {
		return
	}
	s.Evidence = Evidence{}
	s.Evidence.readFile(s.Run, rundir.LatencyFile, maxLatencyBytes, s.readLatency)
	s.Evidence.readFile(s.Run, rundir.FailuresFile, maxFailureBytes, s.readFailures)
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

func (s *Side) readLatency(r io.Reader) error {
	log := hdrhistogram.NewHistogramLogReader(r)
	for range maxIntervals {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			return err
		}
		if h == nil {
			return nil
		}
		if strings.Contains(h.Tag(), rundir.GroupTag) { // its times are in other histograms, too
			continue
		}
		i := slices.IndexFunc(s.Latency, func(l Latency) bool { return l.Op == h.Tag() })
		switch {
		case i >= 0:
			s.Latency[i].Histogram.Merge(h)
		case len(s.Latency) < maxLatencyOps:
			s.Latency = append(s.Latency, Latency{Scenario: s.Run.Scenario, Op: h.Tag(), Histogram: h})
		}
	}
	return fmt.Errorf("more than %d intervals", maxIntervals)
}

func (s *Side) readFailures(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxFailureLine)
	for n := 1; lines.Scan(); n++ {
		var f Failure
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		f.Error = plaintext.Clip(f.Error, maxErrorText)
		s.Failures = append(s.Failures, f)
		if len(s.Failures) == maxFailures {
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
