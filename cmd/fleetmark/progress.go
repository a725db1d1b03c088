package main

import (
	"fmt"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/scenarios"
)

// watcher is a view of a run under way that must be closed when the run is over.
type watcher interface {
	scenarios.Watcher
	close()
}

// progressForm is how a run under way is shown.
type progressForm string

const (
	progressAuto  progressForm = "auto"  // bars on a terminal that can move its cursor, plain lines elsewhere
	progressBars  progressForm = "bars"  //
	progressLines progressForm = "lines" // one every few seconds
	progressJSON  progressForm = "json"  // an object a second
	progressNone  progressForm = "none"
)

func (f progressForm) known() bool {
	switch f {
	case progressAuto, progressBars, progressLines, progressJSON, progressNone:
		return true
	}
	return false
}

// newWatcher shows a run on w.
func newWatcher(w io.Writer, form progressForm) watcher {
	switch form {
	case progressNone:
		return quiet{}
	case progressJSON:
		return &objects{w: w}
	case progressBars:
		return newBars(w)
	case progressLines:
		return &lines{w: w}
	}
	if isTerminal(w) && !isDumb() {
		return newBars(w)
	}
	return &lines{w: w}
}

type quiet struct{}

func (quiet) Begin(scenarios.Step)                    {}
func (quiet) Progress(scenarios.Step, scenarios.Live) {}
func (quiet) End(scenarios.Step, scenarios.Live)      {}
func (quiet) close()                                  {}

// lineEvery is how often a repetition under way gets a line.
const lineEvery = 5 * time.Second

// lines is for logs: a line a repetition, and one every few seconds in between.
type lines struct {
	w        io.Writer
	last     time.Duration
	estimate estimate
}

// say can't do anything about a log that is gone; the run goes on.
func (l *lines) say(s scenarios.Step, text string) {
	_, _ = fmt.Fprintf(l.w, "%s %s %d/%d: %s\n", s.Scenario, s.Kind, s.Number, s.Of, text)
}

func (l *lines) Begin(s scenarios.Step) {
	l.last = 0
	l.estimate.begin(s, time.Now())
}

func (l *lines) Progress(s scenarios.Step, v scenarios.Live) {
	l.estimate.progress(v)
	if v.Elapsed-l.last >= lineEvery {
		l.last = v.Elapsed
		l.say(s, l.estimate.text())
	}
}

func (l *lines) End(s scenarios.Step, v scenarios.Live) {
	l.estimate.end(v)
	l.say(s, l.estimate.ending())
}

func (l *lines) close() {}
