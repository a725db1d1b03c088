package scenarios

import "math"

// search looks for the highest rate that holds, between a lowest and a highest one. It
// is told what became of each rate that it gives, and knows nothing else: a table
// tests it.
//
// It goes up by doubling until a rate fails, then halves the gap, on a scale of
// ratios. On a machine that is shared a rate may fail for once; so one that failed is
// tried again before it counts.
type search struct {
	from, to float64 // operations a second
	within   float64 // how exactly the limit is wanted, of itself

	held   float64 // the highest rate that held; 0 is none
	failed float64 // the lowest that didn't; 0 is none
	again  bool    // the last rate failed once
	last   float64
}

// next is the rate to try; false is that the search is over.
func (s *search) next() (rate float64, ok bool) {
	switch {
	case s.again:
		return s.last, true
	case s.held == 0 && s.failed == 0:
		s.last = s.from
	case s.held == 0: // the lowest already fails
		return 0, false
	case s.failed == 0 && s.held >= s.to: // the limit is above the highest
		return 0, false
	case s.failed == 0:
		s.last = min(2*s.held, s.to)
	case s.failed/s.held-1 <= s.within:
		return 0, false
	default:
		s.last = math.Sqrt(s.held * s.failed)
	}
	return s.last, true
}

// tell says whether the rate that next gave held.
func (s *search) tell(held bool) {
	switch {
	case held:
		s.held, s.again = s.last, false
	case !s.again:
		s.again = true
	default:
		s.failed, s.again = s.last, false
	}
}
