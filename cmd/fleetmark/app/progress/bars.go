package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progressBars shows a run on a terminal: a bar for the repetitions of each phase, with a text
// about the current repetition, and while its load runs the details in the lines below.
type progressBars struct {
	pool    *mpb.Progress
	current *progressBar // of the current phase; nil before the first
}

// redrawInterval is the time between two drawings of the bars. A drawing allocates 80 KB in the
// process whose allocations are being counted, so there must be few.
const redrawInterval = 500 * time.Millisecond

// newBars returns bars on w. Tests, whose w isn't a terminal, add options.
func newBars(w io.Writer, options ...mpb.ContainerOption) *progressBars {
	own := []mpb.ContainerOption{mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(redrawInterval)}
	return &progressBars{pool: mpb.New(append(own, options...)...)}
}

// Doing implements runner.Observer.
func (b *progressBars) Doing(s runner.Repetition, a runner.Activity) {
	b.selectBar(s)
	b.current.doing(s, a)
}

// Begin implements runner.Observer.
func (b *progressBars) Begin(s runner.Repetition) {
	b.selectBar(s)
	b.current.begin(s)
}

// selectBar makes the bar of the repetition's phase the current one.
func (b *progressBars) selectBar(s runner.Repetition) {
	if b.current == nil || b.current.phase != s.Phase {
		b.endCurrent()
		b.current = newBar(b.pool, s)
	}
}

// Progress implements runner.Observer.
func (b *progressBars) Progress(s runner.Repetition, v runner.Progress) { b.current.progress(s, v) }

// End implements runner.Observer.
func (b *progressBars) End(s runner.Repetition, v runner.Progress) { b.current.end(s, v) }

// Close leaves the bars on the screen as they are, and returns once they are drawn.
func (b *progressBars) Close() {
	b.endCurrent()
	b.pool.Wait()
}

// endCurrent ends the current bar, for which the pool waits. The bar isn't full if the run was
// interrupted, or a repetition did less than planned.
func (b *progressBars) endCurrent() {
	if b.current != nil && b.current.drawn != nil {
		b.current.drawn.Abort(false) // does nothing to a full bar
	}
}

// A progressBar stands for the repetitions of one phase.
type progressBar struct {
	phase runner.Phase
	drawn *mpb.Bar // nil if the screen is gone

	mu       sync.Mutex // guards the fields below, which the drawing goroutine reads
	eta      eta
	activity string // what is being done outside the load; empty if nothing is
	waiting  string // which agent is waited for meanwhile, and what it does; empty if none is
	number   int    // number of the repetition
	count    int    // number of repetitions
}

// stepsPerRepetition is the number of steps in which a bar shows a repetition.
const stepsPerRepetition = 1000

func newBar(pool *mpb.Progress, s runner.Repetition) *progressBar {
	b := &progressBar{phase: s.Phase}
	// Add fails only if the screen is gone; the run goes on.
	name := decor.Name(fmt.Sprintf("%s %s ", s.Scenario, s.Phase), decor.WC{W: 22, C: decor.DindentRight})
	text := decor.Any(func(decor.Statistics) string { return b.text() })
	b.drawn, _ = pool.Add(int64(s.Total)*stepsPerRepetition, mpb.BarStyle().Build(),
		mpb.PrependDecorators(name), mpb.AppendDecorators(text),
		mpb.BarExtender(mpb.BarFillerFunc(b.fillDetails), false))
	return b
}

func (b *progressBar) doing(s runner.Repetition, a runner.Activity) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting, a.WaitingFor = plaintext.Line(a.WaitingFor), "" // in a line of its own
	b.activity, b.number, b.count = activityText(a), s.Number, s.Total
}

func (b *progressBar) begin(s runner.Repetition) {
	b.update(func(e *eta) { e.begin(s, time.Now()) })
	b.move(s, runner.Progress{})
}

func (b *progressBar) progress(s runner.Repetition, v runner.Progress) {
	b.update(func(e *eta) { e.progress(v) })
	b.move(s, v)
}

// end shows the end of a repetition. The last one fills the bar.
func (b *progressBar) end(s runner.Repetition, v runner.Progress) {
	b.update(func(e *eta) { e.end(v) })
	b.moveTo(barPosition(s, v))
}

func (b *progressBar) update(change func(*eta)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.eta)
	b.activity, b.waiting, b.number, b.count = "", "", b.eta.rep.Number, b.eta.rep.Total
}

// move shows how far the current repetition is. It never fills the bar.
func (b *progressBar) move(s runner.Repetition, v runner.Progress) {
	b.moveTo(min(barPosition(s, v), int64(s.Total)*stepsPerRepetition-1))
}

func (b *progressBar) moveTo(position int64) {
	if b.drawn != nil {
		b.drawn.SetCurrent(position)
	}
}

// text describes the current repetition, or the last one.
func (b *progressBar) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.activity
	if text == "" && b.eta.rep.Number > 0 {
		text = b.eta.shortText()
	}
	return fmt.Sprintf(" %d/%d  %s", b.number, b.count, text)
}

// fillDetails writes the details of a running load, or which agent is waited for, in lines that fit
// the terminal.
func (b *progressBar) fillDetails(w io.Writer, st decor.Statistics) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if st.Aborted || st.Completed {
		return nil
	}
	for _, line := range b.details(st.AvailableWidth) {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// details returns the lines of details, which have at most the given width.
func (b *progressBar) details(width int) (lines []string) {
	switch {
	case b.activity != "" && b.waiting != "":
		return foldParts(strings.Fields("waiting for "+b.waiting), " ", width)
	case b.activity != "" || b.eta.ended || b.eta.live.Stage == "":
		return nil
	}
	lines = foldParts(append(b.eta.stage(), b.eta.details()...), "  ", width)
	for _, text := range b.eta.warnings() {
		lines = append(lines, foldParts(strings.Fields(text), " ", width)...)
	}
	return lines
}

const detailsIndent = "  "

// foldParts joins parts to indented lines of at most the given width. It cuts a part that doesn't
// fit in a line.
func foldParts(parts []string, separator string, width int) (lines []string) {
	line := ""
	for _, part := range parts {
		switch {
		case line == "":
			line = detailsIndent + part
		case utf8.RuneCountInString(line)+len(separator)+utf8.RuneCountInString(part) > width:
			lines = append(lines, line)
			line = detailsIndent + part
		default:
			line += separator + part
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	for i, line := range lines { // the terminal would wrap what doesn't fit
		if runes := []rune(line); len(runes) > width && width > 0 {
			lines[i] = string(runes[:width-1]) + "…"
		}
	}
	return lines
}

// barPosition returns the position of a bar, in steps: the repetitions before s, and the part of s
// that is done.
func barPosition(s runner.Repetition, v runner.Progress) int64 {
	return int64(s.Number-1)*stepsPerRepetition + int64(stepsPerRepetition*fraction(s, v))
}

// fraction returns which part of a repetition is done, from 0 to 1: of its operations or of its
// time, whichever is larger.
func fraction(s runner.Repetition, v runner.Progress) float64 {
	var done float64
	if s.Planned > 0 {
		done = float64(v.Done+v.Failed) / float64(s.Planned)
	}
	if s.Duration > 0 {
		done = max(done, float64(v.Elapsed)/float64(s.Duration))
	}
	return min(done, 1)
}
