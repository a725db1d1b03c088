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

// newWatcher gives bars on a terminal that can move its cursor, plain lines
// elsewhere, nothing if told so.
func newWatcher(w io.Writer, off bool) watcher {
	switch {
	case off:
		return quiet{}
	case isTerminal(w) && !isDumb():
		return newBars(w)
	default:
		return &lines{w: w}
	}
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
	w    io.Writer
	last time.Duration
}

// say can't do anything about a log that is gone; the run goes on.
func (l *lines) say(format string, args ...any) { _, _ = fmt.Fprintf(l.w, format+"\n", args...) }

func (l *lines) Begin(scenarios.Step) { l.last = 0 }

func (l *lines) Progress(s scenarios.Step, v scenarios.Live) {
	if v.Elapsed-l.last >= lineEvery {
		l.last = v.Elapsed
		l.say("%s %s %d/%d: %s so far", s.Scenario, s.Kind, s.Number, s.Of, soFar(s, v))
	}
}

func (l *lines) End(s scenarios.Step, v scenarios.Live) {
	l.say("%s %s %d/%d: %s", s.Scenario, s.Kind, s.Number, s.Of, soFar(s, v))
}

func (l *lines) close() {}

func soFar(s scenarios.Step, v scenarios.Live) string {
	text := fmt.Sprintf("%d", v.Done)
	if s.Planned > 0 {
		text += fmt.Sprintf(" of %d", s.Planned)
	}
	text += fmt.Sprintf(" operations in %.1fs", v.Elapsed.Seconds())
	if rate := perSecond(v); rate > 0 {
		text += fmt.Sprintf(", %.0f/s", rate)
	}
	if v.Failed > 0 {
		text += fmt.Sprintf(", %d failed", v.Failed)
	}
	if v.Retries > 0 {
		text += fmt.Sprintf(", %d retries", v.Retries)
	}
	return text
}

func perSecond(v scenarios.Live) float64 {
	if v.Elapsed <= 0 {
		return 0
	}
	return float64(v.Done) / v.Elapsed.Seconds()
}
