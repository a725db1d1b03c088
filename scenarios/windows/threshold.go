package windows

import (
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A threshold judges the windows of one threshold of the scenario.
type threshold struct {
	of      scenarios.Threshold
	limit   results.Threshold
	op      int     // the operation, as an index of [load.Interval.Times]
	size    int64   // of the artifact, in bytes
	percent float64 // of a percentile

	// now is the window that goes on. If closed is set, before is the window that ended last.
	now, before *window
	closed      bool
	over        bool // the repetition has no further windows

	tally
	undo tally // the tally before the window that ended last was judged
}

// A window is what happened in a window.
type window struct {
	start, end        time.Duration
	succeeded, failed int64           // operations of the load; for a rate, within the plan
	busy              bool            // whether operations were due, running or ended
	times             *load.Latencies // of the threshold's operation; nil for a rate or a share
}

// A tally is what the windows of a threshold have shown. It is copied as a whole.
type tally struct {
	repetition, samples                int
	judgedHere                         bool // a window of the repetition was judged
	judged, broken, stalled, few, idle int64
	failed                             bool // the threshold failed
	worst                              float64
	measured                           bool // there is a worst
	worstBroken                        bool // it breaks the limit

	row      breach // the broken windows since the last one that kept the limit
	breaches [results.MaxBreaches]breach
	n        int
}

// A breach is a [results.Breach].
type breach struct {
	repetition       int
	start, end       time.Duration
	windows, stalled int64
	worst            float64
	measured, failed bool
}

func newThreshold(of scenarios.Threshold, l scenarios.LoadSpec, size int64, longest time.Duration) *threshold {
	t := &threshold{of: of, limit: of.Limit(l), size: size, now: &window{}, before: &window{}}
	t.op = max(0, slices.Index(l.Operations(), delivery.Op(t.limit.Op)))
	unit, _ := results.LookupUnit(of.Unit)
	t.percent, _ = unit.Percent()
	if unit.Class == results.ClassTime {
		t.now.times, t.before.times = load.NewLatencies(l.IsOpen(), longest), load.NewLatencies(l.IsOpen(), longest)
	}
	return t
}

// isRate reports whether the metric is a rate, which is over the plan.
func (t *threshold) isRate() bool {
	return t.of.Unit == results.UnitRate || t.of.Unit == results.UnitThroughput
}

func (t *threshold) begin(repetition int) {
	t.now.reset(0)
	t.closed, t.over = false, false
	t.repetition, t.judgedHere = repetition, false
}

func (w *window) reset(start time.Duration) {
	w.start, w.end, w.succeeded, w.failed, w.busy = start, start, 0, 0, false
	if w.times != nil {
		w.times.Reset()
	}
}

// add adds the next interval of the repetition, and judges the window that ends with it, if one
// does.
//
// The last window of the repetition has all that follows it, so that operations which end after the
// plan count in the window in which they were due, or in a later one. If the load has a plan, the
// last window is known beforehand. If it has none, and ends with less than half a window, that is
// added to the window before, which is then judged again.
func (t *threshold) add(v *load.Interval) {
	if t.over {
		return
	}
	t.addInterval(v)
	width, inPlan := t.of.Window, v.End
	if v.Plan > 0 {
		inPlan = min(v.End, v.Plan)
	}
	switch {
	case v.Last || t.isRate() && v.Plan > 0 && v.End >= v.Plan:
		t.over = true
		end := v.End
		if t.isRate() {
			end = inPlan
		}
		switch {
		case inPlan-t.now.start >= width/2:
			t.close(end)
		case t.closed:
			t.tally = t.undo
			t.before.merge(t.now)
			t.before.end = end
			t.judge(t.before)
		}
		t.endRow()
	case v.End-t.now.start >= width && (v.Plan == 0 || v.Plan-v.End >= width/2):
		t.close(v.End)
	}
}

func (t *threshold) addInterval(v *load.Interval) {
	w := t.now
	w.succeeded, w.failed = w.succeeded+v.Succeeded, w.failed+v.Failed
	if t.isRate() {
		w.succeeded -= v.SucceededLate
	}
	w.busy = w.busy || v.Planned+v.Sent+v.Succeeded+v.Failed+v.BrokenOff+v.NotSent+v.InFlight > 0
	if w.times != nil {
		w.times.Merge(v.Times[t.op].Latencies)
	}
}

func (w *window) merge(from *window) {
	w.succeeded, w.failed, w.busy = w.succeeded+from.succeeded, w.failed+from.failed, w.busy || from.busy
	if w.times != nil {
		w.times.Merge(from.times)
	}
}

// close ends the window that goes on, and judges it.
func (t *threshold) close(end time.Duration) {
	t.now.end, t.closed, t.undo = end, true, t.tally
	t.judge(t.now)
	t.now, t.before = t.before, t.now
	t.now.reset(end)
}

// What a window shows of a metric.
type state int

const (
	valued  state = iota // it has a value
	stalled              // it has none, since nothing succeeded
	few                  // it has too few operations for one
	idle                 // there is nothing to judge in it
)

func (t *threshold) value(w *window) (float64, state) {
	switch ended := w.succeeded + w.failed; {
	case t.isRate():
		if !w.busy {
			return 0, idle
		}
		rate := float64(w.succeeded) / (w.end - w.start).Seconds()
		if t.of.Unit == results.UnitThroughput {
			rate *= float64(t.size) / 1e6
		}
		return rate, valued
	case w.times == nil:
		if ended == 0 {
			return 0, idle
		}
		return float64(w.failed) / float64(ended), valued
	}
	switch {
	case w.times.Count == 0 && w.succeeded == 0 && w.busy && t.limit.Comparison[0] == '<':
		return 0, stalled
	case w.times.Count == 0: // idle, or the client doesn't time the operation, which is a part of a delivery
		return 0, idle
	case w.times.Count < t.of.Min:
		return 0, few
	case t.of.Unit == results.UnitMean:
		return w.times.Mean(), valued
	case t.of.Unit == results.UnitMax:
		return float64(w.times.Response.Max()), valued
	case t.of.Unit == results.UnitServiceP99:
		return float64(w.times.Service.ValueAtQuantile(t.percent)), valued
	}
	return float64(w.times.Response.ValueAtQuantile(t.percent)), valued
}

func (t *threshold) judge(w *window) {
	s := &t.tally
	value, state := t.value(w)
	switch state {
	case few:
		s.few++
		return
	case idle:
		s.idle++
		return
	}
	s.judged++
	if !s.judgedHere {
		s.judgedHere = true
		s.samples++
	}
	broken := state == stalled || !t.limit.Keeps(value)
	if state == valued {
		if !s.measured || t.worse(value, s.worst, broken, s.worstBroken) {
			s.worst, s.measured, s.worstBroken = value, true, broken
		}
	}
	if !broken {
		s.endRow()
		return
	}
	s.broken++
	r := &s.row
	if r.windows == 0 {
		*r = breach{repetition: s.repetition, start: w.start}
	}
	r.end = w.end
	r.windows++
	if state == stalled {
		s.stalled++
		r.stalled++
	} else if !r.measured || t.worse(value, r.worst, true, true) {
		r.worst, r.measured = value, true
	}
	if r.windows >= int64(t.of.InRow) {
		r.failed, s.failed = true, true
	}
}

// worse reports whether a value is further beyond the limit, or nearer to it, than another. broken
// says of each whether it breaks the limit, which decides for a limit that has no direction.
func (t *threshold) worse(value, than float64, broken, thanBroken bool) bool {
	switch t.limit.Comparison[0] {
	case '<':
		return value > than
	case '>':
		return value < than
	}
	return broken && !thanBroken
}

// endRow ends the row of broken windows, and keeps it as a breach. If there are too many, it drops
// the last one that didn't fail the threshold, or else this one.
func (t *tally) endRow() {
	r := t.row
	t.row = breach{}
	if r.windows == 0 {
		return
	}
	if t.n == len(t.breaches) {
		last := t.n - 1
		for last >= 0 && t.breaches[last].failed {
			last--
		}
		if last < 0 || !r.failed {
			return
		}
		copy(t.breaches[last:], t.breaches[last+1:])
		t.n--
	}
	t.breaches[t.n] = r
	t.n++
}

// outcome returns the outcome of the threshold. ended says whether it ended the run.
func (t *threshold) outcome(ended bool) results.ThresholdOutcome {
	s := t.tally
	s.endRow() // of a repetition that was broken off
	o := results.ThresholdOutcome{
		Threshold: t.limit.Text, Op: t.limit.Op, Unit: t.limit.Unit, Value: s.worst, Samples: s.samples,
		Measured: s.measured, Held: s.judged > 0 && !s.failed,
		Windows: &results.WindowsOutcome{
			WidthNS: int64(t.of.Window), InRow: t.of.InRow, Judged: s.judged, Broken: s.broken,
			Stalled: s.stalled, Few: s.few, Idle: s.idle, EndedRun: ended,
		},
	}
	for _, b := range s.breaches[:s.n] {
		part := results.Breach{
			Repetition: b.repetition, StartNS: int64(b.start), EndNS: int64(b.end),
			Windows: b.windows, Stalled: b.stalled, Failed: b.failed,
		}
		if b.measured {
			part.Value = &b.worst
		}
		o.Windows.Breaches = append(o.Windows.Breaches, part)
	}
	if s.judged == 0 {
		o.Undecided = o.Windows.WhyNotJudged()
	}
	return o
}
