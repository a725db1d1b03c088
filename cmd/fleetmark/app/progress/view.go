// Package progress shows what a command is doing: with bars on a terminal, lines in a log, or JSON
// objects for a program.
//
// Its input is what the runner of a scenario reports ([runner.Observer]), what a comparison
// reports, or the status of a fleet; its output goes to standard error. From the reports it also
// estimates how long a run will take. It never affects what is measured, and doesn't know flags.
package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// A Mode says how a run in progress is shown.
type Mode string

// The modes.
const (
	Auto  Mode = "auto"  // bars on a terminal that can move its cursor, otherwise lines
	Bars  Mode = "bars"  // a bar for each phase of a run
	Lines Mode = "lines" // a line every few seconds
	JSON  Mode = "json"  // an object every second
	None  Mode = "none"  // nothing
)

// ModeOf returns None if quiet is set, and Auto otherwise.
func ModeOf(quiet bool) Mode {
	if quiet {
		return None
	}
	return Auto
}

// Known reports whether m is one of the modes.
func (m Mode) Known() bool {
	switch m {
	case Auto, Bars, Lines, JSON, None:
		return true
	}
	return false
}

// New returns a view that shows a run on w.
func New(w io.Writer, mode Mode) batch.View {
	switch mode {
	case None:
		return noView{}
	case JSON:
		return &jsonView{w: w}
	case Bars:
		return newBars(w)
	case Lines:
		return &lineView{w: w}
	}
	if cli.CanRedraw(w) {
		return newBars(w)
	}
	return &lineView{w: w}
}

// noView shows nothing.
type noView struct{}

func (noView) Preparing(runner.Repetition, string, int, int) {}
func (noView) Begin(runner.Repetition)                       {}
func (noView) Progress(runner.Repetition, runner.Progress)   {}
func (noView) End(runner.Repetition, runner.Progress)        {}
func (noView) Close()                                        {}

const (
	// LineInterval is the time between two lines of a log about what is in progress.
	LineInterval = 5 * time.Second

	// prepareInterval is the time between two lines of a log about the preparation of a repetition.
	prepareInterval = time.Second
)

// lineView shows a run in a log: with a line for each repetition, and one every few seconds in
// between.
type lineView struct {
	w            io.Writer
	eta          eta
	last         time.Duration // elapsed when the last line of the repetition was written
	prepared     time.Time     // when the last line about its preparation was written
	wavesPrinted int
	invalid      string // the last printed reason why the run will be invalid
}

// println writes a line. It ignores errors, since the run doesn't depend on its log.
func (l *lineView) println(s runner.Repetition, text string) {
	_, _ = fmt.Fprintf(l.w, "%s %s %d/%d: %s\n", s.Scenario, s.Phase, s.Number, s.Total, plaintext.Line(text))
}

// Preparing implements runner.Observer.
func (l *lineView) Preparing(s runner.Repetition, what string, done, of int) {
	switch now := time.Now(); {
	case l.prepared.IsZero():
		l.prepared = now // a short preparation gets no line
	case now.Sub(l.prepared) >= prepareInterval:
		l.prepared = now
		l.println(s, preparingText(what, done, of))
	}
}

// preparingText returns text such as "opening connections 40/300".
func preparingText(what string, done, of int) string {
	return fmt.Sprintf("%s %s/%s", what, plaintext.Thousands(done), plaintext.Thousands(of))
}

// Begin implements runner.Observer.
func (l *lineView) Begin(s runner.Repetition) {
	l.last, l.prepared, l.wavesPrinted, l.invalid = 0, time.Time{}, 0, ""
	l.eta.begin(s, time.Now())
}

// Progress implements runner.Observer.
func (l *lineView) Progress(s runner.Repetition, v runner.Progress) {
	l.eta.progress(v)
	l.printWaves(s, v)
	if v.Invalid != "" && v.Invalid != l.invalid {
		l.invalid = v.Invalid
		l.println(s, v.Invalid)
	}
	if v.Elapsed-l.last >= LineInterval {
		l.last = v.Elapsed
		l.println(s, l.eta.text())
	}
}

// End implements runner.Observer.
func (l *lineView) End(s runner.Repetition, v runner.Progress) {
	l.eta.end(v)
	l.printWaves(s, v)
	l.println(s, l.eta.endText())
}

// printWaves prints the waves that have ended since the last call.
func (l *lineView) printWaves(s runner.Repetition, v runner.Progress) {
	for l.wavesPrinted < len(v.Waves) && v.Waves[l.wavesPrinted].Ended {
		l.println(s, v.Waves[l.wavesPrinted].String())
		l.wavesPrinted++
	}
}

// Close implements batch.View.
func (l *lineView) Close() {}

// jsonInterval is the time between two JSON objects.
const jsonInterval = time.Second

// jsonView shows a run to a program: with a JSON object every second, and one at the end of each
// repetition.
type jsonView struct {
	w        io.Writer
	last     time.Duration // elapsed when the last object of the repetition was written
	eta      eta
	prepared time.Time // when the last object of a preparation was written
}

// jsonProgress is a JSON object that a jsonView writes, a contract with scripts.
type jsonProgress struct {
	Scenario   string       `json:"scenario"`   // its name
	Kind       runner.Phase `json:"kind"`       // phase: warm-up, timed or profiled
	Repetition int          `json:"repetition"` // of its phase, from 1
	Of         int          `json:"of"`         // repetitions of that phase
	Ended      bool         `json:"ended"`      // whether the repetition ended

	Done      int64 `json:"done"`       // operations that succeeded
	Failed    int64 `json:"failed"`     // operations that failed
	Retries   int64 `json:"retries"`    // requests beyond one push and one verification
	Planned   int64 `json:"planned"`    // operations; 0 if only the time is planned
	ElapsedNS int64 `json:"elapsed_ns"` // time of the repetition
	LeftNS    int64 `json:"left_ns"`    // estimated, for this repetition and the later ones of its phase; 0 if unknown

	OpsPerSecond        float64        `json:"ops/s"`              // over the last seconds
	PlannedOpsPerSecond float64        `json:"planned_ops/s"`      // now; 0 without a plan
	TryingOpsPerSecond  float64        `json:"trying_ops/s"`       // the rate that a search tries; 0 without a search
	P50NS               int64          `json:"p50_ns"`             // median response time of the last seconds
	P99NS               int64          `json:"p99_ns"`             // 99th percentile of them
	Failures            map[string]int `json:"failures,omitempty"` // by class

	Preparing string         `json:"preparing,omitempty"` // before the repetition; done and planned count devices
	Invalid   string         `json:"invalid,omitempty"`   // why the run will be invalid
	Waves     []results.Wave `json:"waves,omitempty"`     // of a rollout, so far
}

// Preparing implements runner.Observer.
func (j *jsonView) Preparing(s runner.Repetition, what string, done, of int) {
	if now := time.Now(); now.Sub(j.prepared) >= jsonInterval {
		j.prepared = now
		_ = json.NewEncoder(j.w).Encode(jsonProgress{
			Scenario: s.Scenario, Kind: s.Phase, Repetition: s.Number, Of: s.Total,
			Preparing: what, Done: int64(done), Planned: int64(of),
		})
	}
}

// Begin implements runner.Observer.
func (j *jsonView) Begin(s runner.Repetition) {
	j.last = 0
	j.eta.begin(s, time.Now())
}

// Progress implements runner.Observer.
func (j *jsonView) Progress(_ runner.Repetition, v runner.Progress) {
	j.eta.progress(v)
	if v.Elapsed-j.last >= jsonInterval {
		j.last = v.Elapsed
		j.write()
	}
}

// End implements runner.Observer.
func (j *jsonView) End(_ runner.Repetition, v runner.Progress) {
	j.eta.end(v)
	j.write()
}

// Close implements batch.View.
func (j *jsonView) Close() {}

// write writes an object. It ignores errors, since the run doesn't depend on its reader.
func (j *jsonView) write() {
	s, v := j.eta.rep, j.eta.live
	rate, _, _ := j.eta.rates()
	object := jsonProgress{
		Scenario: s.Scenario, Kind: s.Phase, Repetition: s.Number, Of: s.Total, Ended: j.eta.ended,
		Done: v.Done, Failed: v.Failed, Retries: v.Retries, Planned: s.Planned, ElapsedNS: int64(v.Elapsed),
		OpsPerSecond: rate, PlannedOpsPerSecond: v.PlannedRate, TryingOpsPerSecond: s.Rate,
		P50NS: int64(v.P50), P99NS: int64(v.P99), Failures: v.Classes,
		Invalid: v.Invalid, Waves: v.Waves,
	}
	if seconds, ok := j.eta.remaining(); ok && seconds < maxRemaining {
		object.LeftNS = int64(seconds * float64(time.Second))
	}
	_ = json.NewEncoder(j.w).Encode(object)
}
