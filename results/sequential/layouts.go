package sequential

import (
	"slices"

	"github.com/fleetmark/fleetmark/results"
)

// The order in which the linker places functions changes their times by some percent, whatever they
// do (T. Mytkowicz and others, "Producing wrong data without doing anything obviously wrong!",
// ASPLOS 2009). A difference between two programs is therefore a difference between two versions of
// the code only if it persists in other layouts of that code (C. Curtsinger and E. D. Berger,
// "Stabilizer", ASPLOS 2013).

// Unsettled returns the metrics that should be measured in further layouts of the code: times that
// got worse in the first layout or that it left undecided, and, if there are such times, all other
// metrics that are still open. It returns nil if no time could change the outcome, for example
// because allocations got worse too.
func (r Result) Unsettled() []Key {
	var keys []Key
	unclearTime := false // some time is worse or undecided
	for _, m := range r.Metrics {
		open := m.Cause == Undecided
		time := (m.Unit.Class == results.ClassTime || m.Unit.Class == results.ClassCPU) && m.P != nil
		switch {
		case m.Decision == Worse && !time:
			return nil
		case m.Decision == Worse, open && time:
			unclearTime = true
		case open, m.Decision == Open:
		default:
			continue
		}
		keys = append(keys, m.Key())
	}
	if !unclearTime {
		return nil
	}
	return keys
}

// LayoutWeight returns the [Options.Weight] for the test of further layouts. The unsettled metrics
// that got worse share nine tenths of the weight, since they are the reason for the test, and the
// many others would leave them little. It returns nil, which means equal weights, if all or none of
// them got worse.
func (r Result) LayoutWeight() func(Key) float64 {
	worse, others := map[Key]bool{}, 0
	for _, key := range r.Unsettled() {
		at := slices.IndexFunc(r.Metrics, func(m Metric) bool { return m.Key() == key })
		if worse[key] = r.Metrics[at].Decision == Worse; !worse[key] {
			delete(worse, key)
			others++
		}
	}
	if len(worse) == 0 || others == 0 {
		return nil
	}
	heavy := 9 * float64(others) / float64(len(worse))
	return func(k Key) float64 {
		if worse[k] {
			return heavy
		}
		return 1
	}
}

// AcrossLayouts returns r, the result of one layout, with its unsettled metrics replaced by those
// of further, the result of the given number of further layouts of both sides. An unsettled metric
// that further lacks is unclear.
func (r Result) AcrossLayouts(further Result, layouts int) Result {
	settled := Result{Alpha: r.Alpha, Unmeasured: further.Unmeasured}
	unsettled := r.Unsettled()
	for _, first := range r.Metrics {
		if slices.Contains(unsettled, first.Key()) {
			at := slices.IndexFunc(further.Metrics, func(m Metric) bool { return m.Key() == first.Key() })
			if at < 0 {
				first.Outcome = Outcome{Decision: Unclear, Cause: NotInLayouts}
			} else {
				first = acrossLayouts(first, further.Metrics[at], layouts)
			}
		}
		settled.Metrics = append(settled.Metrics, first)
	}
	return settled
}

// acrossLayouts returns the metric further, with a cause that says how it differs from first, the
// same metric in the first layout.
func acrossLayouts(first, further Metric, layouts int) Metric {
	open := further.Cause == Undecided
	if further.Ratio == nil && !open {
		return further // decided for another reason than its figures
	}
	further.Layouts, further.FirstDelta = layouts, first.Delta
	switch {
	case open:
		further.Cause = OpenAcrossLayouts
	case further.Decision == Unchanged && first.Decision == Worse:
		further.Cause = LayoutAlone
	default:
		further.Cause = DecidedAcrossLayouts
	}
	return further
}
