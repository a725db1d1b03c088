// Package progress shows what a command is doing: with bars on a terminal, lines in a log, or JSON
// objects for a program.
//
// Its input is what the runner of a scenario reports ([runner.Observer]), what a comparison
// reports, or the status of a fleet; its output goes to standard error. From the reports it also
// estimates how long a run will take. It never affects what is measured, and doesn't know flags.
package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/plaintext"
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

func (noView) Doing(runner.Repetition, runner.Activity)    {}
func (noView) Begin(runner.Repetition)                     {}
func (noView) Progress(runner.Repetition, runner.Progress) {}
func (noView) End(runner.Repetition, runner.Progress)      {}
func (noView) Close()                                      {}

const (
	// LineInterval is the time between two lines of a log about what is in progress.
	LineInterval = 5 * time.Second

	// activityInterval is the time between two lines of a log about what is done outside the load.
	activityInterval = time.Second
)

// lineView shows a run in a log: with a line for each repetition, and one every few seconds in
// between.
type lineView struct {
	w            io.Writer
	eta          eta
	last         time.Duration // elapsed when the last line of the repetition was written
	active       time.Time     // when the last line about an activity was written, or else when it began
	waited       string        // what the last line about agents that are waited for said, without its time
	wavesPrinted int
	warned       [2]string // the last printed reasons why the run will be invalid, and why it will fail
}

// println writes a line. It ignores errors, since the run doesn't depend on its log.
func (l *lineView) println(s runner.Repetition, text string) {
	_, _ = fmt.Fprintf(l.w, "%s %s %d/%d: %s\n", s.Scenario, s.Phase, s.Number, s.Total, plaintext.Line(text))
}

// Doing implements runner.Observer.
func (l *lineView) Doing(s runner.Repetition, a runner.Activity) {
	switch now := time.Now(); {
	case a.Stage == "":
		l.active, l.waited = time.Time{}, ""
	case l.active.IsZero():
		l.active = now // a short activity gets no line
	case now.Sub(l.active) >= l.pause(a):
		l.active = now
		if a.Agents.Of > 0 {
			l.waited = whatText(a)
		}
		l.println(s, activityText(a))
	}
}

// pause returns the time between the last line about an activity and one about a. As long as agents
// are waited for, which may take minutes, only what has changed is worth a line each second.
func (l *lineView) pause(a runner.Activity) time.Duration {
	if a.Agents.Of > 0 && whatText(a) == l.waited {
		return LineInterval
	}
	return activityInterval
}

// activityText returns text such as "opening connections 40/300  1.2s", or for agents "at the gate
// 3 of 4 (rack-3: opening connections 40/300)  1.2s". It returns "" for the zero Activity.
func activityText(a runner.Activity) string {
	if a.Stage == "" {
		return ""
	}
	return whatText(a) + "  " + elapsedText(a.Elapsed)
}

// whatText is activityText without the time.
func whatText(a runner.Activity) string {
	text := string(a.Stage)
	switch {
	case a.Of == 0:
	case a.Agents.Of > 0:
		text += fmt.Sprintf(" %d of %d", a.Done, a.Of)
	default:
		text += fmt.Sprintf(" %s/%s", plaintext.Thousands(a.Done), plaintext.Thousands(a.Of))
	}
	if a.WaitingFor != "" {
		text += " (" + plaintext.Line(a.WaitingFor) + ")"
	}
	return text
}

// Begin implements runner.Observer.
func (l *lineView) Begin(s runner.Repetition) {
	l.last, l.active, l.wavesPrinted, l.warned = 0, time.Time{}, 0, [2]string{}
	l.eta.begin(s, time.Now())
}

// Progress implements runner.Observer.
func (l *lineView) Progress(s runner.Repetition, v runner.Progress) {
	l.eta.progress(v)
	l.printWaves(s, v)
	l.printWarnings(s, v)
	if v.Elapsed-l.last >= LineInterval {
		l.last = v.Elapsed
		l.println(s, l.eta.text())
	}
}

// End implements runner.Observer.
func (l *lineView) End(s runner.Repetition, v runner.Progress) {
	l.eta.end(v)
	l.printWaves(s, v)
	l.printWarnings(s, v)
	l.println(s, l.eta.endText())
}

// printWarnings prints why the run is certain to be invalid or to fail, each reason once.
func (l *lineView) printWarnings(s runner.Repetition, v runner.Progress) {
	for i, text := range []string{v.Invalid, v.Failing} {
		if text != "" && text != l.warned[i] {
			l.warned[i] = text
			l.println(s, text)
		}
	}
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
