package progress

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
)

const (
	statusLogInterval = 5       // seconds between two lines in a log
	maxDevicesCounted = 100_000 // devices of a larger fleet aren't counted by stage, which would take too long
)

// WatchFleet shows the status of a fleet on w until ctx is done: on a terminal in a line that
// changes every second, otherwise in a line every few seconds in which something happened. If quiet
// is set, it shows nothing.
func WatchFleet(ctx context.Context, f *mockfleet.Fleet, w io.Writer, quiet bool) {
	watchFleet(ctx, f, newStatusView(w, quiet, statusLogInterval))
}

// A statusView shows a text that changes.
type statusView interface {
	// show shows text. changed says whether something has happened since the last call.
	show(text string, changed bool)
	close()
}

// newStatusView returns a line that changes if w is a terminal. Otherwise it returns a log of every
// nth text.
func newStatusView(w io.Writer, quiet bool, every int) statusView {
	switch {
	case quiet:
		w = io.Discard
	case cli.CanRedraw(w):
		return newStatusLine(w)
	}
	return &logLines{w: w, every: every}
}

// logLines writes every nth text to a log if something has happened.
type logLines struct {
	w       io.Writer
	every   int
	calls   int
	pending bool // something happened since the last line
}

// show writes text if it is time. It ignores errors, since the command doesn't depend on its log.
func (l *logLines) show(text string, changed bool) {
	l.calls++
	l.pending = l.pending || changed
	if l.pending && l.calls%l.every == 0 {
		l.pending = false
		_, _ = fmt.Fprintln(l.w, text)
	}
}

func (l *logLines) close() {}

func watchFleet(ctx context.Context, f *mockfleet.Fleet, view statusView) {
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	defer view.close()
	before := f.Status()
	for {
		select {
		case <-tick.C:
			now := f.Status()
			var stages map[ledger.Stage]int
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
func sumStages(groups []mockfleet.GroupStatus) map[ledger.Stage]int {
	sum := map[ledger.Stage]int{}
	for _, g := range groups {
		for stage, n := range g.Stages {
			sum[stage] += n
		}
	}
	return sum
}

// fleetText describes the status now of a fleet, with its rates since the status before. stages may
// be nil.
func fleetText(before, now mockfleet.Status, stages map[ledger.Stage]int) string {
	seconds := (now.Uptime - before.Uptime).Seconds()
	perSecond := func(after, before uint64) float64 {
		if seconds <= 0 || after < before { // it was reset meanwhile
			return 0
		}
		return float64(after-before) / seconds
	}
	var b strings.Builder
	b.WriteString(plaintext.Thousands(now.Devices) + " devices, " + plaintext.Thousands(now.Updated) + " updated")
	for _, stage := range ledger.Stages() {
		if n := stages[stage]; n > 0 && stage != ledger.StageIdle && stage != ledger.StageRunning {
			b.WriteString(", " + plaintext.Thousands(n) + " " + string(stage))
		}
	}
	requests := rateText(perSecond(now.Requests, before.Requests))
	b.WriteString(" | " + plaintext.Thousands(now.Connections) + " connections, " + requests + " requests")
	if now.Injections > 0 {
		b.WriteString(", " + rateText(perSecond(now.Injections, before.Injections)) + " faults")
	}
	fmt.Fprintf(&b, " | CPU %.0f%%", 100*now.Health.CPUFraction)
	if now.Health.Saturated {
		for i, p := range now.Health.Problems {
			b.WriteString([]string{" | the bottleneck: ", "; "}[min(i, 1)] + p.Text)
		}
	}
	return b.String()
}

// statusInterval is the time between two texts about the status of a fleet.
const statusInterval = time.Second

// A statusLine shows a text on a terminal, and redraws it when it changes.
type statusLine struct {
	pool *mpb.Progress
	line *mpb.Bar // nil if the screen is gone
	text chan string
	last string // the text on the screen; only the drawing goroutine uses it
}

// newStatusLine returns a status line on w. Tests, whose w isn't a terminal, add options.
func newStatusLine(w io.Writer, options ...mpb.ContainerOption) *statusLine {
	own := []mpb.ContainerOption{mpb.WithOutput(w), mpb.WithRefreshRate(statusInterval / 4)}
	l := &statusLine{pool: mpb.New(append(own, options...)...), text: make(chan string, 1)}
	// Add fails only if the screen is gone; the command goes on.
	l.line, _ = l.pool.Add(0, mpb.NopStyle().Build(), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
		select {
		case l.last = <-l.text:
		default:
		}
		return l.last
	})))
	return l
}

func (l *statusLine) show(text string, _ bool) {
	select { // discard a text that wasn't drawn yet
	case <-l.text:
	default:
	}
	l.text <- text
}

// close leaves the line on the screen.
func (l *statusLine) close() {
	if l.line != nil {
		l.line.Abort(false)
	}
	l.pool.Wait()
}

// Steps shows which of several steps a command is at: on a terminal in a line that changes,
// otherwise in a line for each step.
type Steps struct {
	name string
	view statusView
}

// NewSteps returns a Steps on w for the named command. If quiet is set, it shows nothing.
func NewSteps(w io.Writer, name string, quiet bool) *Steps {
	return &Steps{name, newStatusView(w, quiet, 1)}
}

// Show shows that step n of the given number has begun. doing says what it does.
func (s *Steps) Show(doing string, n, of int) {
	s.view.show(fmt.Sprintf("%s %d/%d: %s", s.name, n, of, doing), true)
}

// Close leaves the last step on the screen.
func (s *Steps) Close() { s.view.close() }

// A Line shows the progress of a comparison: in a line that is overwritten if the terminal can do
// that, otherwise in a line every few seconds.
type Line struct {
	Prefix string // begins every line

	w         io.Writer
	redraws   bool          // the line can be overwritten
	printedAt time.Duration // elapsed when the last line of a log was written
	open      bool          // the cursor is at the end of a line that will be overwritten
}

// NewLine returns a Line on w. If quiet is set, it shows nothing.
func NewLine(w io.Writer, quiet bool) *Line {
	if quiet {
		w = io.Discard
	}
	return &Line{w: w, redraws: cli.CanRedraw(w)}
}

// Println writes a line that isn't overwritten.
func (l *Line) Println(text string) {
	l.Close()
	_, _ = fmt.Fprintf(l.w, "%s%s\n", l.Prefix, text) // the comparison doesn't depend on its log
}

// Progress shows the progress of a comparison of two builds.
func (l *Line) Progress(p abtest.Progress) {
	what := fmt.Sprintf("%d pairs", p.Pairs)
	if p.Layouts > 0 {
		what = fmt.Sprintf("layout %d of the code", p.Layouts)
	}
	text := fmt.Sprintf("%s, %.0f s of %.0f s at most", what, p.Elapsed.Seconds(), p.Budget.Seconds())
	if p.Dropped > 0 {
		text += fmt.Sprintf(", %d dropped", p.Dropped)
	}
	l.Update(text, p.Elapsed)
}

// Update shows text about a comparison that has run for the elapsed time. It replaces the last text
// if the line can be overwritten.
func (l *Line) Update(text string, elapsed time.Duration) {
	text = l.Prefix + text
	if l.redraws {
		_, _ = fmt.Fprintf(l.w, "\r\x1b[K%s", text)
		l.open = true
		return
	}
	if elapsed < l.printedAt {
		l.printedAt = 0 // another comparison has begun
	}
	if elapsed-l.printedAt >= LineInterval {
		_, _ = fmt.Fprintln(l.w, text)
		l.printedAt = elapsed
	}
}

// Close leaves the line on the screen. More lines may follow.
func (l *Line) Close() {
	if l.open {
		_, _ = fmt.Fprintln(l.w)
		l.open = false
	}
}
