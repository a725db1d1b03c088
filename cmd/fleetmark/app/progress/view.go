// Package progress shows what a command is doing: with bars on a terminal, lines in a log, or JSON
// objects for a program.
//
// Its input is what the runner of a scenario reports ([scenarios.Watcher]), what a comparison
// reports, or the status of a fleet; its output goes to standard error. From the reports it also
// estimates how long a run will take. It never affects what is measured, and doesn't know flags.
package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A View shows a run in progress. Close must be called when the run is over.
type View interface {
	scenarios.Watcher
	Close()
}

// A Mode says how a run in progress is shown.
type Mode string

// The modes.
const (
	Auto  Mode = "auto"  // bars on a terminal that can move its cursor, otherwise lines
	Bars  Mode = "bars"  // a bar for each kind of repetition
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
func New(w io.Writer, mode Mode) View {
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

func (noView) Preparing(scenarios.Step, string, int, int) {}
func (noView) Begin(scenarios.Step)                       {}
func (noView) Progress(scenarios.Step, scenarios.Live)    {}
func (noView) End(scenarios.Step, scenarios.Live)         {}
func (noView) Close()                                     {}

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
func (l *lineView) println(s scenarios.Step, text string) {
	_, _ = fmt.Fprintf(l.w, "%s %s %d/%d: %s\n", s.Scenario, s.Kind, s.Number, s.Of, plaintext.Line(text))
}

// Preparing implements scenarios.Watcher.
func (l *lineView) Preparing(s scenarios.Step, what string, done, of int) {
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

// Begin implements scenarios.Watcher.
func (l *lineView) Begin(s scenarios.Step) {
	l.last, l.prepared, l.wavesPrinted, l.invalid = 0, time.Time{}, 0, ""
	l.eta.begin(s, time.Now())
}

// Progress implements scenarios.Watcher.
func (l *lineView) Progress(s scenarios.Step, v scenarios.Live) {
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

// End implements scenarios.Watcher.
func (l *lineView) End(s scenarios.Step, v scenarios.Live) {
	l.eta.end(v)
	l.printWaves(s, v)
	l.println(s, l.eta.endText())
}

// printWaves prints the waves that have ended since the last call.
func (l *lineView) printWaves(s scenarios.Step, v scenarios.Live) {
	for l.wavesPrinted < len(v.Waves) && v.Waves[l.wavesPrinted].Ended {
		l.println(s, v.Waves[l.wavesPrinted].String())
		l.wavesPrinted++
	}
}

// Close implements View.
func (l *lineView) Close() {}
