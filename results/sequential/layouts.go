package sequential

import (
	"slices"

	"github.com/fleetmark/fleetmark/results"
)

// Where the linker puts functions changes their times by some percent, whatever they do (T. Mytkowicz
// and others, "Producing wrong data without doing anything obviously wrong!", ASPLOS 2009). So what two
// programs measure in turns is true of these two programs, and of the change between them only as far
// as it holds for other layouts of the same code (C. Curtsinger and E. D. Berger, "Stabilizer", ASPLOS
// 2013).

// Unsettled returns the metrics that another layout of the code may settle: times that got worse in the
// one layout that was measured, or that it didn't decide, and with them whatever else is still open. It
// returns nil if the outcome doesn't depend on them, as where an allocation more is worse anyway.
func (r Result) Unsettled() []Key {
	var keys []Key
	moved := false
	for _, m := range r.Metrics {
		open := m.Cause == Undecided
		time := (m.Unit.Class == results.ClassTime || m.Unit.Class == results.ClassCPU) && m.P != nil
		switch {
		case m.Decision == Worse && !time:
			return nil
		case m.Decision == Worse, open && time:
			moved = true
		case open, m.Decision == Open:
		default:
			continue
		}
		keys = append(keys, m.Key())
	}
	if !moved {
		return nil
	}
	return keys
}

// LayoutWeight returns the weights of the unsettled metrics for [Options.Weight] of the test of further
// layouts: those that got worse have nine tenths of all, for the question about each of them is whether
// it is so in any layout, and the others are many. It returns nil, for equal weights, if nothing got
// worse.
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

// AcrossLayouts returns r, which is of one layout, with the unsettled metrics decided by over, which is of
// the given number of further layouts of both sides. An unsettled metric that over lacks is unclear.
func (r Result) AcrossLayouts(over Result, layouts int) Result {
	settled := Result{Alpha: r.Alpha, Unmeasured: over.Unmeasured}
	unsettled := r.Unsettled()
	for _, one := range r.Metrics {
		if slices.Contains(unsettled, one.Key()) {
			at := slices.IndexFunc(over.Metrics, func(m Metric) bool { return m.Key() == one.Key() })
			if at < 0 {
				one.Outcome = Outcome{Decision: Unclear, Cause: NotInLayouts}
			} else {
				one = acrossLayouts(one, over.Metrics[at], layouts)
			}
		}
		settled.Metrics = append(settled.Metrics, one)
	}
	return settled
}

// acrossLayouts returns over with what it says of one, which a single layout left open or found worse.
func acrossLayouts(one, over Metric, layouts int) Metric {
	open := over.Cause == Undecided
	if over.Ratio == nil && !open {
		return over // decided for another reason than its figures
	}
	over.Layouts, over.FirstDelta = layouts, one.Delta
	switch {
	case open:
		over.Cause = OpenAcrossLayouts
	case over.Decision == Unchanged && one.Decision == Worse:
		over.Cause = LayoutAlone
	default:
		over.Cause = DecidedAcrossLayouts
	}
	return over
}
