package progress

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet"
)

const (
	statusLogInterval = 5       // statusIntervals between two lines in a log
	maxDevicesCounted = 100_000 // devices of a larger fleet aren't counted by stage, which would take too long
)

// WatchFleet shows the status of a fleet on w until ctx is done: on a terminal in a line that
// changes every second, otherwise in a line every few seconds in which something happened. If quiet
// is set, it shows nothing.
func WatchFleet(ctx context.Context, f *mockfleet.Fleet, w io.Writer, quiet bool) {
	watchFleet(ctx, f, newFleetView(w, quiet))
}

// A fleetView shows the status of a fleet.
type fleetView interface {
	// show shows text. changed says whether something has happened since the last call.
	show(text string, changed bool)
	close()
}

func newFleetView(w io.Writer, quiet bool) fleetView {
	switch {
	case quiet:
		return noFleetView{}
	case cli.CanRedraw(w):
		return newStatusLine(w)
	}
	return &logLines{w: w}
}

// noFleetView shows nothing.
type noFleetView struct{}

func (noFleetView) show(string, bool) {}
func (noFleetView) close()            {}

// logLines writes every fifth text to a log if something has happened.
type logLines struct {
	w       io.Writer
	calls   int
	pending bool // something happened since the last line
}

// show writes text if it is time. It ignores errors, since the fleet doesn't depend on its log.
func (l *logLines) show(text string, changed bool) {
	l.calls++
	l.pending = l.pending || changed
	if l.pending && l.calls%statusLogInterval == 0 {
		l.pending = false
		_, _ = fmt.Fprintln(l.w, text)
	}
}

func (l *logLines) close() {}

func watchFleet(ctx context.Context, f *mockfleet.Fleet, view fleetView) {
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	defer view.close()
	before := f.Status()
	for {
		select {
		case <-tick.C:
			now := f.Status()
			var stages map[mockfleet.Stage]int
			if f.Devices() <= maxDevicesCounted {
				stages = sumStages(f.Groups())
			}
			changed := now.Requests != before.Requests || now.Health.Saturated != before.Health.Saturated
			view.show(fleetText(before, now, stages), changed)
			before = now
		case <-ctx.Done():
			return
		}
	}
}

// sumStages returns how many devices of all groups are at each stage.
func sumStages(groups []mockfleet.GroupStatus) map[mockfleet.Stage]int {
	sum := map[mockfleet.Stage]int{}
	for _, g := range groups {
		for stage, n := range g.Stages {
			sum[stage] += n
		}
	}
	return sum
}

// fleetText describes the status now of a fleet, with its rates since the status before. stages may
// be nil.
func fleetText(before, now mockfleet.Status, stages map[mockfleet.Stage]int) string {
	seconds := (now.Uptime - before.Uptime).Seconds()
	perSecond := func(after, before uint64) float64 {
		if seconds <= 0 || after < before { // it was reset meanwhile
			return 0
		}
		return float64(after-before) / seconds
	}
	var b strings.Builder
	b.WriteString(plaintext.Thousands(now.Devices) + " devices, " + plaintext.Thousands(now.Updated) + " updated")
	for _, stage := range mockfleet.Stages() {
		if n := stages[stage]; n > 0 && stage != mockfleet.StageIdle && stage != mockfleet.StageRunning {
			b.WriteString(", " + plaintext.Thousands(n) + " " + string(stage))
		}
	}
	requests := rateText(perSecond(now.Requests, before.Requests))
	b.WriteString(" | " + plaintext.Thousands(now.Connections) + " connections, " + requests + " requests")
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
