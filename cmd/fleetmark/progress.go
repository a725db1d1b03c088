package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/fleetmark/fleetmark/scenarios"
)

// watcher is a view of a run under way that must be closed when the run is over.
type watcher interface {
	scenarios.Watcher
	close()
}

// newWatcher gives bars on a terminal, plain lines elsewhere, nothing if told so.
func newWatcher(w io.Writer, off bool) watcher {
	switch {
	case off:
		return quiet{}
	case isTerminal(w):
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

// bars is for a terminal: one bar for the repetitions of each kind, which says how
// the one under way does.
type bars struct {
	pool *mpb.Progress
	bar  *mpb.Bar // of the kind under way; nil between kinds

	mu   sync.Mutex // the decorators read what the run writes
	step scenarios.Step
	live scenarios.Live
}

// perRepetition is how finely a bar shows a repetition.
const perRepetition = 1000

func newBars(w io.Writer) *bars {
	return &bars{pool: mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(120*time.Millisecond))}
}

func (b *bars) look() (scenarios.Step, scenarios.Live) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.step, b.live
}

func (b *bars) set(s scenarios.Step, v scenarios.Live) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.step, b.live = s, v
}

func (b *bars) Begin(s scenarios.Step) {
	b.set(s, scenarios.Live{})
	if s.Number > 1 {
		return
	}
	shown, lastOf := b.text(s.Kind), ""
	b.bar = b.pool.AddBar(int64(s.Of)*perRepetition,
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%s %s ", s.Scenario, s.Kind), decor.WC{W: 22, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			if text := shown(); text != "" {
				lastOf = text
			}
			return lastOf
		})))
}

// text describes the repetition under way, as long as it is of the kind.
func (b *bars) text(kind scenarios.Kind) func() string {
	return func() string {
		s, v := b.look()
		if s.Kind != kind {
			return ""
		}
		text := fmt.Sprintf(" %d/%d  %.0f/s", s.Number, s.Of, perSecond(v))
		if v.Failed > 0 {
			text += fmt.Sprintf(", %d failed", v.Failed)
		}
		if v.Retries > 0 {
			text += fmt.Sprintf(", %d retries", v.Retries)
		}
		return text
	}
}

// share is how much of a repetition is done, of perRepetition.
func share(s scenarios.Step, v scenarios.Live) int64 {
	var done, all float64
	if s.Planned > 0 {
		done, all = float64(v.Done+v.Failed), float64(s.Planned)
	} else {
		done, all = float64(v.Elapsed), float64(s.Duration)
	}
	if all <= 0 {
		return 0
	}
	return int64(perRepetition * min(done/all, 1))
}

func (b *bars) Progress(s scenarios.Step, v scenarios.Live) {
	b.set(s, v)
	// A full bar is a finished one: only the last repetition's end fills it.
	at := int64(s.Number-1)*perRepetition + share(s, v)
	b.bar.SetCurrent(min(at, int64(s.Of)*perRepetition-1))
}

func (b *bars) End(s scenarios.Step, v scenarios.Live) {
	b.set(s, v)
	b.bar.SetCurrent(int64(s.Number) * perRepetition)
	if s.Number == s.Of {
		b.bar = nil
	}
}

// close leaves the bars on the screen as they are, and waits until they are drawn.
func (b *bars) close() {
	if b.bar != nil {
		b.bar.Abort(false)
	}
	b.pool.Wait()
}
