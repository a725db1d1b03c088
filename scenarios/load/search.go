package load

import "math"

// A Search looks for the highest rate that holds, from From to To operations per second. It is told
// what became of each rate that it gives, and knows nothing else.
//
// It goes up by doubling until a rate fails, then halves the gap, on a scale of ratios. On a
// machine that is shared a rate may fail for once; so one that failed is tried again before it
// counts.
type Search struct {
	From, To  float64
	Tolerance float64 // how exactly the limit is wanted, as a share of itself

	Held   float64 // the highest rate that held; 0: none
	Failed float64 // the lowest that didn't; 0: none

	last     float64
	retrying bool // the last rate failed once
}

// Next returns the rate to try. It reports false if the search is over.
func (s *Search) Next() (rate float64, ok bool) {
	switch {
	case s.retrying:
		return s.last, true
	case s.Held == 0 && s.Failed == 0:
		s.last = s.From
	case s.Held == 0: // the lowest already fails
		return 0, false
	case s.Failed == 0 && s.Held >= s.To: // the limit is above the highest
		return 0, false
	case s.Failed == 0:
		s.last = min(2*s.Held, s.To)
	case s.Failed/s.Held-1 <= s.Tolerance:
		return 0, false
	default:
		s.last = math.Sqrt(s.Held * s.Failed)
	}
	return s.last, true
}

// Report says whether the rate that Next gave held.
func (s *Search) Report(held bool) {
	switch {
	case held:
		s.Held, s.retrying = s.last, false
	case !s.retrying:
		s.retrying = true
	default:
		s.Failed, s.retrying = s.last, false
	}
}
