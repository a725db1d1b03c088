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

// bars is for a terminal: one bar for the repetitions of each kind, which says how
// the one under way does.
type bars struct {
	pool *mpb.Progress
	now  *bar // of the kind under way; nil before the first
}

// redrawEvery is how often the bars are drawn. A drawing allocates 80 KB in the
// process whose allocations are being counted, so there are few.
const redrawEvery = 500 * time.Millisecond

// newBars draws on w. The options come after its own, for a w that is no terminal.
func newBars(w io.Writer, options ...mpb.ContainerOption) *bars {
	own := []mpb.ContainerOption{mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(redrawEvery)}
	return &bars{pool: mpb.New(append(own, options...)...)}
}

func (b *bars) Begin(s scenarios.Step) {
	if b.now == nil || b.now.kind != s.Kind {
		b.leave()
		b.now = newBar(b.pool, s)
	}
	b.now.begin(s)
}

func (b *bars) Progress(s scenarios.Step, v scenarios.Live) { b.now.progress(s, v) }
func (b *bars) End(s scenarios.Step, v scenarios.Live)      { b.now.end(s, v) }

// close leaves the bars on the screen as they are, and waits until they are drawn.
func (b *bars) close() {
	b.leave()
	b.pool.Wait()
}

// leave ends the bar under way, which may be short of its end: where a run was
// interrupted, or a repetition fell short of its plan. The pool waits for it.
func (b *bars) leave() {
	if b.now != nil && b.now.drawn != nil {
		b.now.drawn.Abort(false) // nothing to a full one
	}
}

// bar stands for the repetitions of one kind.
type bar struct {
	kind  scenarios.Kind
	drawn *mpb.Bar // nil: the screen is gone

	mu       sync.Mutex // what draws it reads what the run writes
	estimate estimate
}

// perRepetition is how finely a bar shows a repetition.
const perRepetition = 1000

func newBar(pool *mpb.Progress, s scenarios.Step) *bar {
	b := &bar{kind: s.Kind}
	// Add fails only where the screen is gone; the run goes on.
	b.drawn, _ = pool.Add(int64(s.Of)*perRepetition, mpb.BarStyle().Build(),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%s %s ", s.Scenario, s.Kind), decor.WC{W: 22, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.text() })))
	return b
}

func (b *bar) begin(s scenarios.Step) {
	b.tell(func(e *estimate) { e.begin(s, time.Now()) })
	b.move(s, scenarios.Live{})
}

func (b *bar) progress(s scenarios.Step, v scenarios.Live) {
	b.tell(func(e *estimate) { e.progress(v) })
	b.move(s, v)
}

// end may fill the bar.
func (b *bar) end(s scenarios.Step, v scenarios.Live) {
	b.tell(func(e *estimate) { e.end(v) })
	b.moveTo(position(s, v))
}

func (b *bar) tell(what func(*estimate)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	what(&b.estimate)
}

// move shows how the repetition under way does. A full bar is a finished one, so that
// only end may fill it.
func (b *bar) move(s scenarios.Step, v scenarios.Live) {
	b.moveTo(min(position(s, v), int64(s.Of)*perRepetition-1))
}

func (b *bar) moveTo(position int64) {
	if b.drawn != nil {
		b.drawn.SetCurrent(position)
	}
}

// text describes the repetition under way, or the last one.
func (b *bar) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf(" %d/%d  %s", b.estimate.step.Number, b.estimate.step.Of, b.estimate.text())
}

// position is where a bar stands: the repetitions before this one, and its share.
func position(s scenarios.Step, v scenarios.Live) int64 {
	return int64(s.Number-1)*perRepetition + int64(perRepetition*share(s, v))
}

// share is how much of a repetition is done, 0 to 1: of its operations or of its
// time, whichever is further.
func share(s scenarios.Step, v scenarios.Live) float64 {
	var done float64
	if s.Planned > 0 {
		done = float64(v.Done+v.Failed) / float64(s.Planned)
	}
	if s.Duration > 0 {
		done = max(done, float64(v.Elapsed)/float64(s.Duration))
	}
	return min(done, 1)
}
