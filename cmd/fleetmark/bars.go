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
	b.now.set(s, scenarios.Live{})
}

func (b *bars) Progress(s scenarios.Step, v scenarios.Live) { b.now.set(s, v) }
func (b *bars) End(s scenarios.Step, v scenarios.Live)      { b.now.set(s, v); b.now.fill(s, v) }

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

	mu   sync.Mutex // what draws it reads what the run writes
	step scenarios.Step
	live scenarios.Live
}

// perRepetition is how finely a bar shows a repetition.
const perRepetition = 1000

func newBar(pool *mpb.Progress, s scenarios.Step) *bar {
	b := &bar{kind: s.Kind, step: s}
	// Add fails only where the screen is gone; the run goes on.
	b.drawn, _ = pool.Add(int64(s.Of)*perRepetition, mpb.BarStyle().Build(),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%s %s ", s.Scenario, s.Kind), decor.WC{W: 22, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.text() })))
	return b
}

// set shows how the repetition under way does. A full bar is a finished one, so
// that only fill may fill it.
func (b *bar) set(s scenarios.Step, v scenarios.Live) {
	b.mu.Lock()
	b.step, b.live = s, v
	b.mu.Unlock()
	b.move(min(position(s, v), int64(s.Of)*perRepetition-1))
}

func (b *bar) fill(s scenarios.Step, v scenarios.Live) { b.move(position(s, v)) }

func (b *bar) move(to int64) {
	if b.drawn != nil {
		b.drawn.SetCurrent(to)
	}
}

// text describes the repetition under way, or the last one.
func (b *bar) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := fmt.Sprintf(" %d/%d  %.0f/s", b.step.Number, b.step.Of, perSecond(b.live))
	if b.live.Failed > 0 {
		text += fmt.Sprintf(", %d failed", b.live.Failed)
	}
	if b.live.Retries > 0 {
		text += fmt.Sprintf(", %d retries", b.live.Retries)
	}
	return text
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
