package results

// A Verdict is the outcome of a comparison. There are five. The empty verdict means that nothing
// was judged, which a gate never takes for a pass.
type Verdict string

// The verdicts, worst first. A run has the worst of its metrics' verdicts.
const (
	Invalid      Verdict = "invalid"      // the run contradicts itself; its numbers mean nothing
	Regressed    Verdict = "regressed"    // worse than the baseline by more than its tolerance
	Inconclusive Verdict = "inconclusive" // the samples can't tell
	Improved     Verdict = "improved"     // better by more than the tolerance, and nothing worse
	Pass         Verdict = "pass"         // neither
)

// WorseThan reports whether v outweighs other. Every verdict outweighs the empty one.
func (v Verdict) WorseThan(other Verdict) bool { return v.severity() > other.severity() }

// Worst returns the worst of several verdicts. It returns the empty verdict for none.
func Worst(verdicts ...Verdict) (worst Verdict) {
	for _, v := range verdicts {
		if v.WorseThan(worst) {
			worst = v
		}
	}
	return worst
}

// severity returns a verdict's place in the order, from 0 for the empty one to 5 for the worst.
func (v Verdict) severity() int {
	switch v {
	case Invalid:
		return 5
	case Regressed:
		return 4
	case Inconclusive:
		return 3
	case Improved:
		return 2
	case Pass:
		return 1
	}
	return 0
}
