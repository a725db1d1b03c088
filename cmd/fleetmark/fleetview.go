package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/fleetmark/fleetmark/mockfleet"
)

// fleetView shows how a fleet that runs alone does: on a terminal, a line that changes every second; elsewhere,
// a line now and then while something happens.
type fleetView interface {
	show(text string, changed bool)
	close()
}

const (
	fleetViewEvery = time.Second
	fleetLineEvery = 5       // of those
	mostStaged     = 100_000 // devices of a fleet whose stages are counted every second, which takes a while a device
)

// newFleetView draws on w; what nobody wants to see, nowhere.
func newFleetView(w io.Writer, off bool) fleetView {
	switch {
	case off:
		return noFleetView{}
	case isTerminal(w) && !isDumb():
		return newFleetLine(w)
	}
	return &fleetLines{w: w}
}

// watchFleet shows how f does until ctx ends.
func watchFleet(ctx context.Context, f *mockfleet.Fleet, view fleetView) {
	tick := time.NewTicker(fleetViewEvery)
	defer tick.Stop()
	defer view.close()
	before := f.Status()
	for {
		select {
		case <-tick.C:
			now := f.Status()
			var stages map[mockfleet.Stage]int
			if f.Devices() <= mostStaged {
				stages = stagesOf(f.Groups())
			}
			view.show(fleetText(before, now, stages), now.Requests != before.Requests || now.Health.Saturated != before.Health.Saturated)
			before = now
		case <-ctx.Done():
			return
		}
	}
}

// stagesOf adds up the stages of all groups.
func stagesOf(groups []mockfleet.GroupStatus) map[mockfleet.Stage]int {
	sum := map[mockfleet.Stage]int{}
	for _, g := range groups {
		for stage, n := range g.Stages {
			sum[stage] += n
		}
	}
	return sum
}

// fleetText says how a fleet does now, and what it did since before; stages may be nil.
func fleetText(before, now mockfleet.Status, stages map[mockfleet.Stage]int) string {
	seconds := (now.Uptime - before.Uptime).Seconds()
	perSecond := func(after, before uint64) float64 {
		if seconds <= 0 || after < before { // it was reset meanwhile
			return 0
		}
		return float64(after-before) / seconds
	}
	var b strings.Builder
	b.WriteString(grouped(int64(now.Devices)) + " devices, " + grouped(int64(now.Updated)) + " updated")
	for _, stage := range mockfleet.Stages() {
		if n := stages[stage]; n > 0 && stage != mockfleet.StageIdle && stage != mockfleet.StageRunning {
			b.WriteString(", " + grouped(int64(n)) + " " + string(stage))
		}
	}
	b.WriteString(" | " + grouped(int64(now.Connections)) + " connections, " + rateText(perSecond(now.Requests, before.Requests)) + " requests")
	if now.Injected > 0 {
		b.WriteString(", " + rateText(perSecond(now.Injected, before.Injected)) + " faults")
	}
	fmt.Fprintf(&b, " | CPU %.0f%%", 100*now.Health.CPUFraction)
	if now.Health.Saturated {
		for i, p := range now.Health.Problems {
			b.WriteString([]string{" | the bottleneck: ", "; "}[min(i, 1)] + p.Text)
		}
	}
	return b.String()
}

type noFleetView struct{}

func (noFleetView) show(string, bool) {}
func (noFleetView) close()            {}

// fleetLines is for logs.
type fleetLines struct {
	w       io.Writer
	turns   int
	pending bool // something happened since the last line
}

// show can't do anything about a log that is gone; the fleet goes on.
func (l *fleetLines) show(text string, changed bool) {
	l.turns++
	l.pending = l.pending || changed
	if l.pending && l.turns%fleetLineEvery == 0 {
		l.pending = false
		_, _ = fmt.Fprintln(l.w, text)
	}
}

func (l *fleetLines) close() {}

// fleetLine is for a terminal.
type fleetLine struct {
	pool *mpb.Progress
	line *mpb.Bar // nil: the screen is gone
	text chan string
	last string // what is shown; of the goroutine that draws
}

// newFleetLine draws on w. The options come after its own, for a w that is no terminal.
func newFleetLine(w io.Writer, options ...mpb.ContainerOption) *fleetLine {
	own := []mpb.ContainerOption{mpb.WithOutput(w), mpb.WithRefreshRate(fleetViewEvery / 4)}
	l := &fleetLine{pool: mpb.New(append(own, options...)...), text: make(chan string, 1)}
	// Add fails only where the screen is gone; the fleet goes on.
	l.line, _ = l.pool.Add(0, mpb.NopStyle().Build(), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
		select {
		case l.last = <-l.text:
		default:
		}
		return l.last
	})))
	return l
}

func (l *fleetLine) show(text string, _ bool) {
	select { // the one that is not drawn yet is out of date
	case <-l.text:
	default:
	}
	l.text <- text
}

// close leaves the line on the screen as it is.
func (l *fleetLine) close() {
	if l.line != nil {
		l.line.Abort(false)
	}
	l.pool.Wait()
}
